/* Reading from streams. See stdio.h. */
#include "stdio.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "libc/libc.h"
#include "stdio_buffer.h"

#if BINE_STDIO_KNOWN

static size_t available(const FILE *file)
{
    return (size_t)(file->_IO_read_end - file->_IO_read_ptr);
}

static int stdio_input_take(struct bine_stdio *call)
{
    return bine_stdio_fill(call) ? (unsigned char)*call->file->_IO_read_ptr++ : EOF;
}

int bine_stdio_getc(struct bine_hub *hub, FILE *file, bool unlocked)
{
    struct bine_stdio call;
    int begun = bine_stdio_begin(&call, hub, file, unlocked);
    if (begun <= 0)
        return begun < 0 ? EOF : unlocked ? bine_libc.getc_unlocked(file) : bine_libc.getc(file);
    int byte = stdio_input_take(&call);
    bine_stdio_end(&call);
    return byte;
}

int bine_stdio_uflow(struct bine_hub *hub, FILE *file)
{
    struct bine_stdio call;
    return bine_stdio_begin(&call, hub, file, true) > 0 ? stdio_input_take(&call)
                                                        : bine_libc.__uflow(file);
}

int bine_stdio_underflow(struct bine_hub *hub, FILE *file)
{
    struct bine_stdio call;
    if (bine_stdio_begin(&call, hub, file, true) <= 0)
        return bine_libc.__underflow(file);
    return bine_stdio_fill(&call) ? (unsigned char)*file->_IO_read_ptr : EOF;
}

/* Copy at most `most` bytes, up to and with `delimiter` (EOF: none). Stores how many; false: there
 * was nothing to read. */
static bool copy(struct bine_stdio *call, char *to, size_t most, int delimiter, size_t *copied,
                 bool *found)
{
    *copied = 0;
    if (!bine_stdio_fill(call))
        return false;
    FILE *file = call->file;
    size_t size = available(file) < most ? available(file) : most;
    const char *end = delimiter == EOF ? NULL : memchr(file->_IO_read_ptr, delimiter, size);
    if (end)
        size = (size_t)(end - file->_IO_read_ptr) + 1;
    memcpy(to, file->_IO_read_ptr, size);
    file->_IO_read_ptr += size;
    *copied = size;
    *found = end != NULL;
    return true;
}

char *bine_stdio_fgets(struct bine_hub *hub, char *line, int size, FILE *file, bool unlocked)
{
    struct bine_stdio call;
    int begun = size <= 1 ? 0 : bine_stdio_begin(&call, hub, file, unlocked);
    if (begun <= 0)
        return begun < 0  ? NULL
               : unlocked ? bine_libc.fgets_unlocked(line, size, file)
                          : bine_libc.fgets(line, size, file);

    /* An old error is no reason to hold back what is read now (glibc). */
    int old_error = file->_flags & FILE_ERR_SEEN;
    file->_flags &= ~FILE_ERR_SEEN;
    size_t done = 0, copied;
    bool found = false;
    while (!found && done < (size_t)size - 1 &&
           copy(&call, line + done, (size_t)size - 1 - done, '\n', &copied, &found))
        done += copied;
    char *result = line;
    if (done == 0 || (file->_flags & FILE_ERR_SEEN && errno != EAGAIN))
        result = NULL;
    else
        line[done] = '\0';
    file->_flags |= old_error;
    bine_stdio_end(&call);
    return result;
}

ssize_t bine_stdio_getdelim(struct bine_hub *hub, char **line, size_t *room, int delimiter,
                            FILE *file)
{
    struct bine_stdio call;
    int begun = line && room ? bine_stdio_begin(&call, hub, file, false) : 0;
    if (begun <= 0)
        return begun < 0 ? -1 : bine_libc.getdelim(line, room, delimiter, file);

    size_t done = 0, copied;
    bool found = false;
    while (!found && bine_stdio_fill(&call)) {
        size_t needed = done + available(file) + 1;
        if (!*line || *room < needed) {
            size_t larger = *line && needed < 2 * *room ? 2 * *room : needed < 120 ? 120 : needed;
            char *moved = larger > SSIZE_MAX ? NULL : realloc(*line, larger);
            if (!moved) {
                if (larger > SSIZE_MAX)
                    errno = EOVERFLOW;
                done = 0;
                break;
            }
            *line = moved;
            *room = larger;
        }
        copy(&call, *line + done, available(file), (unsigned char)delimiter, &copied, &found);
        done += copied;
    }
    if (done)
        (*line)[done] = '\0';
    bine_stdio_end(&call);
    return done ? (ssize_t)done : -1;
}

size_t bine_stdio_fread(struct bine_hub *hub, void *buffer, size_t size, size_t count, FILE *file,
                        bool unlocked)
{
    struct bine_stdio call;
    size_t bytes = size * count;
    int begun = bytes == 0 ? 0 : bine_stdio_begin(&call, hub, file, unlocked);
    if (begun <= 0)
        return begun < 0  ? 0
               : unlocked ? bine_libc.fread_unlocked(buffer, size, count, file)
                          : bine_libc.fread(buffer, size, count, file);
    size_t done = 0, copied;
    bool found;
    while (done < bytes && copy(&call, (char *)buffer + done, bytes - done, EOF, &copied, &found))
        done += copied;
    bine_stdio_end(&call);
    return done == bytes ? count : done / size;
}

/* ---- scanf ----------------------------------------------------------------------------------- */

/* The stream that libc's scanf reads instead. It hands on byte by byte, so that bytes that scanf
 * has not used stay where they were. The greenlet may park in here, inside libc's call. The only
 * lock that libc holds is that of this stream, which no other code knows. */
static ssize_t hand_on(void *cookie, char *byte, size_t size)
{
    struct bine_stdio *call = cookie;
    (void)size;
    if (!bine_stdio_fill(call))
        return call->file->_flags & FILE_ERR_SEEN ? -1 : 0;
    *byte = *call->file->_IO_read_ptr++;
    return 1;
}

int bine_stdio_vfscanf(struct bine_hub *hub, FILE *file, int (*scan)(FILE *, const char *, va_list),
                       const char *format, va_list arguments)
{
    struct bine_stdio call;
    int begun = bine_stdio_begin(&call, hub, file, false);
    if (begun <= 0)
        return begun < 0 ? EOF : scan(file, format, arguments);
    FILE *view = fopencookie(&call, "r", (cookie_io_functions_t){.read = hand_on});
    if (!view) {
        bine_stdio_end(&call);
        return EOF;
    }
    setvbuf(view, NULL, _IONBF, 0);
    int result = scan(view, format, arguments);
    int error = errno;
    /* A byte that scanf looked at and put back. */
    if (available(view) > 0 && file->_IO_read_ptr > file->_IO_read_base)
        file->_IO_read_ptr--;
    bine_libc.fclose(view);
    bine_stdio_end(&call);
    errno = error;
    return result;
}

#else /* another libc: wait for the lock, then it is libc's call */

static bool allowed(struct bine_hub *hub, FILE *file, bool unlocked)
{
    struct bine_stdio call;
    return bine_stdio_begin(&call, hub, file, unlocked) >= 0;
}

int bine_stdio_getc(struct bine_hub *hub, FILE *file, bool unlocked)
{
    return allowed(hub, file, unlocked) ? bine_libc.getc(file) : EOF;
}

int bine_stdio_uflow(struct bine_hub *hub, FILE *file)
{
    (void)hub;
    return bine_libc.__uflow(file);
}

int bine_stdio_underflow(struct bine_hub *hub, FILE *file)
{
    (void)hub;
    return bine_libc.__underflow(file);
}

char *bine_stdio_fgets(struct bine_hub *hub, char *line, int size, FILE *file, bool unlocked)
{
    return allowed(hub, file, unlocked) ? bine_libc.fgets(line, size, file) : NULL;
}

ssize_t bine_stdio_getdelim(struct bine_hub *hub, char **line, size_t *room, int delimiter,
                            FILE *file)
{
    return allowed(hub, file, false) ? bine_libc.getdelim(line, room, delimiter, file) : -1;
}

size_t bine_stdio_fread(struct bine_hub *hub, void *buffer, size_t size, size_t count, FILE *file,
                        bool unlocked)
{
    return allowed(hub, file, unlocked) ? bine_libc.fread(buffer, size, count, file) : 0;
}

int bine_stdio_vfscanf(struct bine_hub *hub, FILE *file, int (*scan)(FILE *, const char *, va_list),
                       const char *format, va_list arguments)
{
    return allowed(hub, file, false) ? scan(file, format, arguments) : EOF;
}

#endif
