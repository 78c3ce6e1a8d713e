/* A text that grows, and JSON. */
#ifndef BINE_INSPECT_TARGET_TEXT_H
#define BINE_INSPECT_TARGET_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The room of the short texts that describe one thing. What does not fit is cut off. */
enum {
    INSPECT_SHORT = 512
};

/* Appends to a text in a room of `size` bytes. */
void inspect_append(char *text, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The length of the character of UTF-8 that begins here. 0 if none does. */
size_t inspect_character(const unsigned char *at);
/* Writes a text as JSON does, with its quotes. */
void inspect_json_text(FILE *out, const char *text);

/* Nanoseconds as people read them: "350 us", "12.3 s", "2 h 5 min". */
void inspect_duration(char *text, size_t size, int64_t ns);
/* Bytes: "1.5 KiB". */
void inspect_bytes(char *text, size_t size, uint64_t bytes);

#endif
