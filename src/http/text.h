/* A text that grows. */
#ifndef BINE_HTTP_TEXT_H
#define BINE_HTTP_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct bine_http_text {
    char *data;
    size_t size, room;
};

/* Makes room for `more` bytes after the text. Returns NULL for ENOMEM. */
char *bine_http_text_grow(struct bine_http_text *text, size_t more);

static inline char *bine_http_text_room(struct bine_http_text *text, size_t more)
{
    bool there = text->data && text->room - text->size >= more;
    return there ? text->data + text->size : bine_http_text_grow(text, more);
}

static inline bool bine_http_text_add(struct bine_http_text *text, const char *data, size_t size)
{
    char *to = bine_http_text_room(text, size);
    if (to) {
        memcpy(to, data, size);
        text->size += size;
    }
    return to != NULL;
}

/* Writes the digits of a number, at most 20, without a NUL. Returns how many. */
size_t bine_http_digits(char *to, uint64_t number);

/* Is it a token (RFC 9110 5.6.2), and not empty: a method, a field's name? */
bool bine_http_is_token(const char *text);
/* Is it a field's value: no control characters but tabs? */
bool bine_http_is_value(const char *text);

#endif
