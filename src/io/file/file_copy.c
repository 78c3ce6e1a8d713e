/*
 * How bytes are moved from one descriptor to another: sendfile, splice, tee, vmsplice,
 * copy_file_range. See bine/file.h.
 */
#include <bine/file.h>
#include <bine/io.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "file.h"
#include "io/descriptor/descriptor.h"
#include "io/wait/wait.h"
#include "libc/libc.h"

enum {
    CHUNK = 65536
};

static enum bine_descriptor_kind file_copy_kind_of(int fd)
{
    return bine_descriptor_kind(fd, bine_descriptor_of(fd));
}

/* Where a write may have to wait for a peer. */
static bool file_copy_waits(enum bine_descriptor_kind kind)
{
    return kind == BINE_FD_SOCKET || kind == BINE_FD_PIPE || kind == BINE_FD_STREAM;
}

static bool nonblocking(int fd)
{
    return bine_descriptor_nonblocking(fd, bine_descriptor_of(fd));
}

/* ---- sendfile -------------------------------------------------------------------------------- */

/* sendfile to a blocking socket cannot be told to stop when the socket is full, so the bytes take
 * the way through memory. */
static ssize_t copy_out(int out, int in, off_t *position, size_t size)
{
    char *buffer = malloc(size < CHUNK ? size : CHUNK);
    if (!buffer)
        return -1;
    size_t done = 0;
    ssize_t result = 0;
    while (done < size) {
        size_t want = size - done < CHUNK ? size - done : CHUNK;
        ssize_t got = bine_pread(in, buffer, want, *position);
        if (got <= 0) {
            result = got;
            break;
        }
        ssize_t sent = 0;
        while (sent < got && (result = bine_write(out, buffer + sent, (size_t)(got - sent))) > 0)
            sent += result;
        done += (size_t)sent;
        *position += sent;
        if (sent < got)
            break;
    }
    int error = errno;
    free(buffer);
    errno = error;
    return done ? (ssize_t)done : result;
}

ssize_t bine_sendfile(int out, int in, off_t *offset, size_t size)
{
    struct bine_hub *hub = bine_io_hub();
    if (!hub || size == 0)
        return bine_libc.sendfile(out, in, offset, size);
    int error = bine_streak(hub);
    if (error)
        return bine_io_fail(error);
    if (size > 0x7ffff000)
        size = 0x7ffff000;
    enum bine_descriptor_kind to = file_copy_kind_of(out);
    if (!file_copy_waits(to))
        return BINE_FILE_CALL("sendfile fd", out, SYS_sendfile, out, in, (long)offset, (long)size);
    /* What cannot be positioned is no source for sendfile, or (a pipe, since Linux 5.12) one that
     * waits itself: libc's answer. */
    if (nonblocking(out) || file_copy_kind_of(in) != BINE_FD_FILE)
        return bine_libc.sendfile(out, in, offset, size);
    off_t position = offset ? *offset : lseek(in, 0, SEEK_CUR);
    if (position < 0)
        return bine_libc.sendfile(out, in, offset, size);
    ssize_t done = copy_out(out, in, &position, size);
    if (done > 0) {
        if (offset)
            *offset = position;
        else
            lseek(in, position, SEEK_SET);
    }
    return done;
}

/* ---- splice and its relatives ---- */

/* The two ends of one call; an end that is no descriptor, or is a file, never waits. */
struct transfer {
    struct bine_wait in, out;
};

static void begin_transfer(struct transfer *transfer, struct bine_hub *hub, int in, int out,
                           const char *verb)
{
    bine_wait_begin(&transfer->in, hub, in, verb);
    bine_wait_begin(&transfer->out, hub, out, verb);
}

static int file_copy_await(struct bine_wait *wait, short events)
{
    struct pollfd question = {.fd = wait->fd, .events = events};
    if (wait->fd < 0 || !file_copy_waits(file_copy_kind_of(wait->fd)) ||
        bine_libc.poll(&question, 1, 0) != 0)
        return 0;
    bine_wait_drained(wait->hub, wait->fd, (uint32_t)events, true);
    int error = bine_wait_ready(wait, (uint32_t)events);
    return error == EPERM ? 0 : error;
}

/* Wait until `in` has something and `out` has room, as far as these can tell. 0, or -1 with
 * errno. */
static int await_both(struct transfer *transfer)
{
    int error = file_copy_await(&transfer->in, POLLIN);
    if (!error)
        error = file_copy_await(&transfer->out, POLLOUT);
    return error ? (int)bine_io_fail(error) : 0;
}

/* A splice into a blocking socket waits for room for all it has taken. A socket that polls writable
 * has a third of its buffer free, so take less than what is free. */
static size_t room_in(int out, size_t size)
{
    if (file_copy_kind_of(out) != BINE_FD_SOCKET)
        return size;
    int buffer = 0, used = 0;
    socklen_t length = sizeof buffer;
    if (getsockopt(out, SOL_SOCKET, SO_SNDBUF, &buffer, &length) != 0 ||
        bine_libc.ioctl(out, TIOCOUTQ, &used) != 0)
        return size;
    size_t room = buffer > used ? (size_t)(buffer - used) / 4 : 0;
    if (room < 2048)
        room = 2048;
    return size < room ? size : room;
}

ssize_t bine_splice(int in, off_t *in_offset, int out, off_t *out_offset, size_t size,
                    unsigned flags)
{
    struct bine_hub *hub = bine_io_hub();
    int error = hub ? bine_streak(hub) : 0;
    if (error)
        return bine_io_fail(error);
    if (!hub || size == 0 || flags & SPLICE_F_NONBLOCK || nonblocking(in) || nonblocking(out))
        return bine_libc.splice(in, in_offset, out, out_offset, size, flags);
    struct transfer transfer;
    begin_transfer(&transfer, hub, in, out, "splice fd");
    /* Between a file and a pipe only the pipe can be told not to wait. */
    if ((!file_copy_waits(file_copy_kind_of(in)) && bine_file_slow(in)) ||
        (!file_copy_waits(file_copy_kind_of(out)) && bine_file_slow(out))) {
        if (await_both(&transfer) < 0)
            return -1;
        return BINE_FILE_CALL("splice fd", in, SYS_splice, in, (long)in_offset, out,
                              (long)out_offset, (long)size, flags | SPLICE_F_NONBLOCK);
    }
    for (;;) {
        if (await_both(&transfer) < 0)
            return -1;
        ssize_t done = bine_libc.splice(in, in_offset, out, out_offset, room_in(out, size),
                                        flags | SPLICE_F_NONBLOCK);
        if (done >= 0 || errno != EAGAIN)
            return done;
        bine_yield(hub);
    }
}

ssize_t bine_tee(int in, int out, size_t size, unsigned flags)
{
    struct bine_hub *hub = bine_io_hub();
    int error = hub ? bine_streak(hub) : 0;
    if (error)
        return bine_io_fail(error);
    if (!hub || size == 0 || flags & SPLICE_F_NONBLOCK || nonblocking(in) || nonblocking(out))
        return bine_libc.tee(in, out, size, flags);
    struct transfer transfer;
    begin_transfer(&transfer, hub, in, out, "tee fd");
    for (;;) {
        ssize_t done = bine_libc.tee(in, out, size, flags | SPLICE_F_NONBLOCK);
        if (done >= 0 || errno != EAGAIN)
            return done;
        if (await_both(&transfer) < 0)
            return -1;
    }
}

ssize_t bine_vmsplice(int fd, const struct iovec *vector, size_t count, unsigned flags)
{
    struct bine_hub *hub = bine_io_hub();
    int error = hub ? bine_streak(hub) : 0;
    if (error)
        return bine_io_fail(error);
    if (!hub || flags & SPLICE_F_NONBLOCK || nonblocking(fd))
        return bine_libc.vmsplice(fd, vector, count, flags);
    bool writes = (bine_libc.fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY;
    struct transfer transfer;
    begin_transfer(&transfer, hub, writes ? -1 : fd, writes ? fd : -1, "vmsplice fd");
    for (;;) {
        ssize_t done = bine_libc.vmsplice(fd, vector, count, flags | SPLICE_F_NONBLOCK);
        if (done >= 0 || errno != EAGAIN)
            return done;
        if (await_both(&transfer) < 0)
            return -1;
    }
}

ssize_t bine_copy_file_range(int in, off_t *in_offset, int out, off_t *out_offset, size_t size,
                             unsigned flags)
{
    return BINE_FILE_CALL("copy_file_range fd", in, SYS_copy_file_range, in, (long)in_offset, out,
                          (long)out_offset, (long)size, flags);
}
