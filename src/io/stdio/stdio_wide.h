/*
 * Wide-character stdio for greenlets.
 *
 * libc converts between the bytes of a stream and its wide characters by private functions. So
 * libc's functions cannot be written again, as stdio.h does for narrow characters. Instead a thread
 * of the pool makes each call that might read or write as a whole, while the greenlet waits. What
 * the buffers can do by themselves is done at once.
 *
 * For streams over files and in memory these functions call libc's, and respect the lock of the
 * FILE. Results, errno and the stream's marks are libc's. A caller that is killed or timed out gets
 * the call's failure with ECANCELED or ETIMEDOUT.
 */
#ifndef BINE_IO_STDIO_STDIO_WIDE_H
#define BINE_IO_STDIO_STDIO_WIDE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <wchar.h>

#include "core/hub/hub.h"

wint_t bine_wide_getwc(struct bine_hub *hub, FILE *file, bool unlocked);
/* The functions that the macros for getwc_unlocked and putwc_unlocked of old programs call when the
 * buffer is empty, or full. */
wint_t bine_wide_underflow(struct bine_hub *hub, FILE *file);
wint_t bine_wide_overflow(struct bine_hub *hub, FILE *file, wint_t character);
wchar_t *bine_wide_fgetws(struct bine_hub *hub, wchar_t *line, int size, FILE *file, bool unlocked);
/* `scan` is one of libc's vfwscanf functions. */
int bine_wide_vfwscanf(struct bine_hub *hub, FILE *file,
                       int (*scan)(FILE *, const wchar_t *, va_list), const wchar_t *format,
                       va_list arguments);

wint_t bine_wide_putwc(struct bine_hub *hub, wchar_t character, FILE *file, bool unlocked);
int bine_wide_fputws(struct bine_hub *hub, const wchar_t *text, FILE *file, bool unlocked);
/* `check` is that of the fortified forms, and -1 for the others. */
int bine_wide_vfwprintf(struct bine_hub *hub, FILE *file, int check, const wchar_t *format,
                        va_list arguments);

/* Is it a stream of wide characters that has something to write, over a descriptor that a greenlet
 * can wait for? */
bool bine_wide_pending(const FILE *file);
/* Its buffer holds exactly this text, to be written, or to be read. Only where BINE_STDIO_KNOWN. */
bool bine_wide_holds(const FILE *file, const wchar_t *text, size_t count, bool to_be_written);
/* fflush of such a stream. */
int bine_wide_fflush(struct bine_hub *hub, FILE *file);

#endif
