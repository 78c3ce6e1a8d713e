/*
 * stdio for greenlets. What libc's stdio calls do inside it (read, write) cannot be patched, so the calls are patched
 * whole (hazard 5): these are libc's functions over again on libc's own FILE and its own buffer, with bine_read and
 * bine_write where libc would call read and write.
 *
 * That is for streams over pipes, sockets, terminals and the like. Over files, in memory or of a libc other than glibc
 * they are libc's calls, with the lock of the FILE honoured. Streams of wide characters: stdio_wide.h.
 *
 * Signatures, results, errno and the stream's error and end-of-file marks are libc's. A caller that is killed or
 * timed out gets the call's failure with ECANCELED or ETIMEDOUT. `unlocked`: the caller keeps others out of the stream.
 */
#ifndef BINE_IO_STDIO_STDIO_H
#define BINE_IO_STDIO_STDIO_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#include "core/hub/hub.h"

/* ---- what the calls are made of --------------------------------------------------------------- */

/* One call on one stream. */
struct bine_stdio {
    struct bine_hub *hub;
    FILE *file;
    bool waits;  /* over a descriptor that a greenlet can wait for: do it here; else libc does */
    bool light;  /* this call has the thread's lock; the greenlet's is taken when it must wait */
    bool locked; /* this call has both */
};

/* Begin: 1 go on and end it with bine_stdio_end; 0 nothing to care for, call libc; -1 failed, errno says why. */
int bine_stdio_begin(struct bine_stdio *call, struct bine_hub *hub, FILE *file, bool unlocked);
void bine_stdio_end(struct bine_stdio *call);

/* See that there is something to read in the buffer. False: end of file, or error, and the stream is marked. */
bool bine_stdio_fill(struct bine_stdio *call);
/* Write out what the buffer holds. False: error, and the stream is marked. */
bool bine_stdio_flush(struct bine_stdio *call);
/* fwrite: how many bytes were accepted. */
size_t bine_stdio_put(struct bine_stdio *call, const char *data, size_t size);

/* ---- input ------------------------------------------------------------------------------------- */

int bine_stdio_getc(struct bine_hub *hub, FILE *file, bool unlocked);
/* What the macros for getc_unlocked call when the buffer is empty: take a byte, or only look at it. */
int bine_stdio_uflow(struct bine_hub *hub, FILE *file);
int bine_stdio_underflow(struct bine_hub *hub, FILE *file);
char *bine_stdio_fgets(struct bine_hub *hub, char *line, int size, FILE *file, bool unlocked);
ssize_t bine_stdio_getdelim(struct bine_hub *hub, char **line, size_t *room, int delimiter, FILE *file);
size_t bine_stdio_fread(struct bine_hub *hub, void *buffer, size_t size, size_t count, FILE *file, bool unlocked);
/* `scan`: which of libc's vfscanf functions. */
int bine_stdio_vfscanf(struct bine_hub *hub, FILE *file, int (*scan)(FILE *, const char *, va_list), const char *format,
                       va_list arguments);

/* ---- output ------------------------------------------------------------------------------------ */

int bine_stdio_putc(struct bine_hub *hub, int byte, FILE *file, bool unlocked);
/* What the macros for putc_unlocked call when the buffer is full. */
int bine_stdio_overflow(struct bine_hub *hub, FILE *file, int byte);
int bine_stdio_fputs(struct bine_hub *hub, const char *text, FILE *file, bool unlocked);
int bine_stdio_puts(struct bine_hub *hub, const char *text);
size_t bine_stdio_fwrite(struct bine_hub *hub, const void *data, size_t size, size_t count, FILE *file, bool unlocked);
/* `check`: of the fortified forms, -1 of the others. */
int bine_stdio_vfprintf(struct bine_hub *hub, FILE *file, int check, const char *format, va_list arguments);
int bine_stdio_vdprintf(struct bine_hub *hub, int fd, int check, const char *format, va_list arguments);

/* ---- streams ------------------------------------------------------------------------------------ */

int bine_stdio_fflush(struct bine_hub *hub, FILE *file, bool unlocked);
int bine_stdio_fclose(struct bine_hub *hub, FILE *file);
/* fopen and fopen64: opening a FIFO waits for its other end. */
FILE *bine_stdio_fopen(struct bine_hub *hub, const char *path, const char *mode);
FILE *bine_stdio_freopen(struct bine_hub *hub, const char *path, const char *mode, FILE *file);
FILE *bine_stdio_popen(const char *command, const char *mode);
/* Killed while the child runs: -1, ECANCELED; the stream is gone all the same and the child is waited for. */
int bine_stdio_pclose(struct bine_hub *hub, FILE *file);

#endif
