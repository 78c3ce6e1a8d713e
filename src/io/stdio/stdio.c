/* One stdio call: for which lock it waits, and how it fills and empties the buffer of its stream.
 * See stdio.h. */
#include "stdio.h"

#include <bine/io.h>
#include <errno.h>
#include <string.h>
#include <wchar.h>

#include "core/schedule/streak.h"
#include "io/descriptor/descriptor.h"
#include "libc/libc.h"
#include "stdio_buffer.h"
#include "stdio_lock.h"

#if BINE_STDIO_KNOWN

/* Is there a descriptor that a greenlet can wait for? */
static bool stdio_waits(const FILE *file)
{
    if (!(file->_flags & FILE_OVER_DESCRIPTOR) || file->_fileno < 0 || file->_mode > 0 ||
        file->_markers)
        return false;
    switch (bine_descriptor_kind(file->_fileno, bine_descriptor_of(file->_fileno))) {
    case BINE_FD_PIPE:
    case BINE_FD_SOCKET:
    case BINE_FD_STREAM:
        return true;
    default:
        return false;
    }
}

int bine_stdio_begin(struct bine_stdio *call, struct bine_hub *hub, FILE *file, bool unlocked)
{
    bine_streak_firmly(hub);
    call->hub = hub;
    call->file = file;
    call->light = call->locked = false;
    call->waits = stdio_waits(file);
    if (unlocked || file->_flags & FILE_USER_LOCK)
        return call->waits;
    if (!bine_stdio_locked_by_other(hub, file)) {
        if (!call->waits)
            return 0;
        if (bine_libc.ftrylockfile(file) == 0) {
            call->light = true;
            return 1;
        }
    }
    int error = bine_stdio_lock(hub, file, false);
    if (error) {
        file->_flags |= FILE_ERR_SEEN;
        errno = error;
        return -1;
    }
    call->locked = true;
    call->waits = stdio_waits(file); /* it may have been reopened meanwhile */
    return 1;
}

/* The call is about to wait: keep the other greenlets out too. They have not run since it began. */
static bool keep_greenlets_out(struct bine_stdio *call)
{
    if (!call->light)
        return true;
    int error = bine_stdio_own(call->hub, call->file);
    if (error) {
        errno = error;
        return false;
    }
    call->light = false;
    call->locked = true;
    return true;
}

void bine_stdio_end(struct bine_stdio *call)
{
    int saved = errno;
    if (call->light)
        bine_libc.funlockfile(call->file);
    else if (call->locked)
        bine_stdio_unlock(call->hub, call->file);
    errno = saved;
}

/* ---- the buffer ------------------------------------------------------------------------------ */

/* Nothing to read and nothing to write in it. */
static void empty_buffer(FILE *file)
{
    file->_IO_read_base = file->_IO_read_ptr = file->_IO_read_end = file->_IO_buf_base;
    file->_IO_write_base = file->_IO_write_ptr = file->_IO_buf_base;
    bool keeps =
        file->_flags & FILE_PUTTING && !(file->_flags & (FILE_LINE_BUFFERED | FILE_UNBUFFERED));
    /* The end of the room that putc may fill without asking: none of it in the line-buffered
     * modes. */
    file->_IO_write_end = keeps ? file->_IO_buf_end : file->_IO_buf_base;
}

/* libc chooses the buffer and its mode at first use; make it do so without a read or write. */
static bool ensure_buffer(FILE *file)
{
    if (file->_IO_buf_base)
        return true;
    if (!(file->_flags & FILE_NO_WRITES))
        return bine_libc.__overflow(file, EOF) != EOF && file->_IO_buf_base;
    bool terminal = isatty(file->_fileno);
    if (setvbuf(file, NULL, _IOFBF, 0) != 0 || !file->_IO_buf_base)
        return false;
    if (terminal)
        file->_flags |= FILE_LINE_BUFFERED;
    return true;
}

static bool failed(FILE *file)
{
    file->_flags |= FILE_ERR_SEEN;
    return false;
}

/* Write both to the last byte. */
static bool stdio_write_all(FILE *file, const char *first, size_t first_size, const char *second,
                            size_t second_size)
{
    while (first_size + second_size) {
        struct iovec vector[2] = {{(void *)first, first_size}, {(void *)second, second_size}};
        ssize_t done = !second_size  ? bine_write(file->_fileno, first, first_size)
                       : !first_size ? bine_write(file->_fileno, second, second_size)
                                     : bine_writev(file->_fileno, vector, 2);
        if (done < 0)
            return false;
        size_t of_first = (size_t)done < first_size ? (size_t)done : first_size;
        first += of_first;
        first_size -= of_first;
        second += (size_t)done - of_first;
        second_size -= (size_t)done - of_first;
    }
    return true;
}

/* As libc, forget what could not be written. */
static bool write_out(struct bine_stdio *call, const char *more, size_t size)
{
    FILE *file = call->file;
    if (!keep_greenlets_out(call))
        return failed(file);
    const char *pending = file->_IO_write_base;
    size_t pending_size = (size_t)(file->_IO_write_ptr - file->_IO_write_base);
    bool well = stdio_write_all(file, pending, pending_size, more, size);
    empty_buffer(file);
    return well || failed(file);
}

bool bine_stdio_flush(struct bine_stdio *call)
{
    FILE *file = call->file;
    if (!call->waits)
        return bine_libc.fflush_unlocked(file) == 0;
    if (!(file->_flags & FILE_PUTTING) || file->_IO_write_ptr <= file->_IO_write_base)
        return true;
    return write_out(call, NULL, 0);
}

/* libc writes a line-buffered stdout before it reads from something interactive, so that prompts
 * show. */
static void flush_prompt(struct bine_stdio *call)
{
    if (!(call->file->_flags & (FILE_LINE_BUFFERED | FILE_UNBUFFERED)) || stdout == call->file ||
        (stdout->_flags & (FILE_LINKED | FILE_NO_WRITES | FILE_LINE_BUFFERED)) !=
            (FILE_LINKED | FILE_LINE_BUFFERED) ||
        stdout->_IO_write_ptr <= stdout->_IO_write_base ||
        bine_stdio_locked_by_other(call->hub, stdout))
        return;
    struct bine_stdio prompt;
    int begun = bine_stdio_begin(&prompt, call->hub, stdout, false);
    if (begun > 0) {
        bine_stdio_flush(&prompt);
        bine_stdio_end(&prompt);
    } else if (begun == 0) {
        bine_libc.fflush(stdout);
    }
}

/* The bytes that ungetc put back have been read. Reading continues where the buffer was left. */
static void leave_backup(FILE *file)
{
    char *end = file->_IO_read_end, *base = file->_IO_read_base;
    file->_flags &= ~FILE_IN_BACKUP;
    file->_IO_read_end = file->_IO_save_end;
    file->_IO_save_end = end;
    file->_IO_read_base = file->_IO_save_base;
    file->_IO_save_base = base;
    file->_IO_read_ptr = file->_IO_read_base;
}

bool bine_stdio_fill(struct bine_stdio *call)
{
    FILE *file = call->file;
    if (file->_IO_read_ptr < file->_IO_read_end)
        return true;
    if (!call->waits || file->_flags & FILE_NO_READS)
        return bine_libc.__underflow(file) != EOF;
    if (file->_flags & FILE_IN_BACKUP) {
        leave_backup(file);
        if (file->_IO_read_ptr < file->_IO_read_end)
            return true;
    }
    if (file->_flags & FILE_EOF_SEEN)
        return false; /* sticky, since glibc 2.28 */
    if (file->_flags & FILE_PUTTING && !bine_stdio_flush(call))
        return false;
    if (!keep_greenlets_out(call) || !ensure_buffer(file))
        return failed(file);
    flush_prompt(call);
    file->_flags &= ~FILE_PUTTING;
    empty_buffer(file);
    ssize_t got = bine_read(file->_fileno, file->_IO_buf_base,
                            (size_t)(file->_IO_buf_end - file->_IO_buf_base));
    if (got < 0)
        return failed(file);
    if (got == 0) {
        file->_flags |= FILE_EOF_SEEN;
        return false;
    }
    file->_IO_read_end = file->_IO_buf_base + got;
    return true;
}

/* ---- output ---------------------------------------------------------------------------------- */

size_t bine_stdio_put(struct bine_stdio *call, const char *data, size_t size)
{
    FILE *file = call->file;
    if (!call->waits)
        return bine_libc.fwrite_unlocked(data, 1, size, file);
    if (size == 0)
        return 0;
    if (file->_mode == 0)
        fwide(file, -1);
    /* Enter the writing state, as libc does at the first byte: this writes nothing. */
    if ((!(file->_flags & FILE_PUTTING) || !file->_IO_write_base) &&
        bine_libc.__overflow(file, EOF) == EOF)
        return 0;
    size_t room = (size_t)(file->_IO_buf_end - file->_IO_write_ptr);
    size_t block = (size_t)(file->_IO_buf_end - file->_IO_buf_base);
    /* How much must go out now: lines that are complete, and of what does not fit whole buffers. */
    size_t now = 0;
    if (file->_flags & FILE_UNBUFFERED) {
        now = size;
    } else {
        const char *newline = file->_flags & FILE_LINE_BUFFERED ? memrchr(data, '\n', size) : NULL;
        if (newline)
            now = (size_t)(newline - data) + 1;
        if (size - now > (now ? block : room))
            now = size - size % block > now ? size - size % block : now;
    }
    if (now || size > room) {
        if (!write_out(call, data, now))
            return 0;
    }
    /* The rest fits and holds no newline: libc only copies it. */
    if (size > now && bine_libc.fwrite_unlocked(data + now, 1, size - now, file) != size - now)
        return now;
    return size;
}

#else /* another libc: its FILE is its own affair */

int bine_stdio_begin(struct bine_stdio *call, struct bine_hub *hub, FILE *file, bool unlocked)
{
    bine_streak_firmly(hub);
    call->hub = hub;
    call->file = file;
    call->waits = call->light = call->locked = false;
    if (unlocked || !bine_stdio_locked_by_other(hub, file))
        return 0;
    int error = bine_stdio_lock(hub, file, false);
    if (error) {
        errno = error;
        return -1;
    }
    bine_stdio_unlock(hub, file);
    return 0;
}

void bine_stdio_end(struct bine_stdio *call)
{
    (void)call;
}

bool bine_stdio_fill(struct bine_stdio *call)
{
    (void)call;
    return false;
}

bool bine_stdio_flush(struct bine_stdio *call)
{
    return fflush_unlocked(call->file) == 0;
}

size_t bine_stdio_put(struct bine_stdio *call, const char *data, size_t size)
{
    return fwrite_unlocked(data, 1, size, call->file);
}

#endif
