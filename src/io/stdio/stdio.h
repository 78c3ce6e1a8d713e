/*
 * stdio for greenlets.
 *
 * The calls that libc's stdio makes inside libc (read, write) cannot be patched. So each call of
 * stdio is patched as a whole (hazard 5): these are libc's functions written again, on libc's own
 * FILE and its own buffer, with bine_read and bine_write where libc would call read and write.
 *
 * That applies to streams over pipes, sockets, terminals and the like. For streams over files, in
 * memory or of a libc other than glibc these functions call libc's, and respect the lock of the
 * FILE. For streams of wide characters see stdio_wide.h.
 *
 * Signatures, results, errno and the stream's error and end-of-file marks are libc's. A caller that
 * is killed or timed out gets the call's failure with ECANCELED or ETIMEDOUT. `unlocked`: the
 * caller keeps others out of the stream.
 */
#ifndef BINE_IO_STDIO_STDIO_H
#define BINE_IO_STDIO_STDIO_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#include "core/hub/hub.h"

/* ---- what the calls are made of -------------------------------------------------------------- */

/* One call on one stream. */
struct bine_stdio {
    struct bine_hub *hub;
    FILE *file;
    /* the stream is over a descriptor that a greenlet can wait for: do it here; else libc does */
    bool waits;
    bool light;  /* this call has the thread's lock; it takes the greenlet's when it must wait */
    bool locked; /* this call has both */
};

/* Begins a call. Returns 1 if it shall be made here and ended with bine_stdio_end. Returns 0 if
 * libc can be called directly. Returns -1 with errno if it failed. */
int bine_stdio_begin(struct bine_stdio *call, struct bine_hub *hub, FILE *file, bool unlocked);
void bine_stdio_end(struct bine_stdio *call);

/* Makes sure that the buffer holds something to read. Returns false at the end of file or for an
 * error, and the stream is marked. */
bool bine_stdio_fill(struct bine_stdio *call);
/* Writes out what the buffer holds. Returns false for an error, and the stream is marked. */
bool bine_stdio_flush(struct bine_stdio *call);
/* fwrite. Returns how many bytes were accepted. */
size_t bine_stdio_put(struct bine_stdio *call, const char *data, size_t size);

/* ---- input ----------------------------------------------------------------------------------- */

int bine_stdio_getc(struct bine_hub *hub, FILE *file, bool unlocked);
/* The functions that the macros for getc_unlocked call when the buffer is empty. uflow takes a
 * byte, underflow only looks at it. */
int bine_stdio_uflow(struct bine_hub *hub, FILE *file);
int bine_stdio_underflow(struct bine_hub *hub, FILE *file);
char *bine_stdio_fgets(struct bine_hub *hub, char *line, int size, FILE *file, bool unlocked);
ssize_t bine_stdio_getdelim(struct bine_hub *hub, char **line, size_t *room, int delimiter,
                            FILE *file);
size_t bine_stdio_fread(struct bine_hub *hub, void *buffer, size_t size, size_t count, FILE *file,
                        bool unlocked);
/* `scan` is one of libc's vfscanf functions. */
int bine_stdio_vfscanf(struct bine_hub *hub, FILE *file, int (*scan)(FILE *, const char *, va_list),
                       const char *format, va_list arguments);

/* ---- output ---------------------------------------------------------------------------------- */

int bine_stdio_putc(struct bine_hub *hub, int byte, FILE *file, bool unlocked);
/* The function that the macros for putc_unlocked call when the buffer is full. */
int bine_stdio_overflow(struct bine_hub *hub, FILE *file, int byte);
int bine_stdio_fputs(struct bine_hub *hub, const char *text, FILE *file, bool unlocked);
int bine_stdio_puts(struct bine_hub *hub, const char *text);
size_t bine_stdio_fwrite(struct bine_hub *hub, const void *data, size_t size, size_t count,
                         FILE *file, bool unlocked);
/* `check` is that of the fortified forms, and -1 for the others. */
int bine_stdio_vfprintf(struct bine_hub *hub, FILE *file, int check, const char *format,
                        va_list arguments);
int bine_stdio_vdprintf(struct bine_hub *hub, int fd, int check, const char *format,
                        va_list arguments);

/* ---- streams --------------------------------------------------------------------------------- */

int bine_stdio_fflush(struct bine_hub *hub, FILE *file, bool unlocked);
int bine_stdio_fclose(struct bine_hub *hub, FILE *file);
/* fopen and fopen64. Opening a FIFO waits for its other end. */
FILE *bine_stdio_fopen(struct bine_hub *hub, const char *path, const char *mode);
FILE *bine_stdio_freopen(struct bine_hub *hub, const char *path, const char *mode, FILE *file);
FILE *bine_stdio_popen(const char *command, const char *mode);
/* If the greenlet is killed while the child runs, returns -1 with ECANCELED. The stream is gone all
 * the same, and the child is waited for. */
int bine_stdio_pclose(struct bine_hub *hub, FILE *file);

#endif
