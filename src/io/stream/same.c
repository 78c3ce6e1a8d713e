/* See same.h. */
#include "same.h"

#include <limits.h>

#include "io/descriptor/vector.h"
#include "io/wait/wait.h"

enum {
    PIECE = 4096 /* PIPE_BUF: a pipe that poll reports takes so much at once */
};

/* Wait until fd is ready, by a poll that does not wait first. 0: make the call. Else an error
 * number. */
static int same_await(struct bine_wait *wait, short events)
{
    for (;;) {
        struct pollfd look = {.fd = wait->fd, .events = events};
        if (bine_libc.poll(&look, 1, 0) != 0)
            return 0;
        int error = bine_wait_allowed(wait, events == POLLOUT);
        if (!error)
            error = bine_wait_ready(wait, events == POLLOUT ? POLLOUT : POLLIN);
        if (error == EPERM)
            return 0; /* this kind of file is always ready */
        if (error)
            return error == ETIME ? EAGAIN : error;
        bine_wait_drained(wait->hub, wait->fd, events == POLLOUT ? POLLOUT : POLLIN, true);
    }
}

/* Wait until a read of fd has something. 0, or the error that the read fails with; errno is left
 * alone. */
static int await_bytes(struct bine_hub *hub, int fd)
{
    struct bine_wait wait;
    bine_wait_begin(&wait, hub, fd, "read fd");
    int saved = errno, error = bine_streak(hub);
    if (!error)
        error = same_await(&wait, POLLIN);
    errno = saved;
    return error;
}

ssize_t bine_same_readv(int fd, const struct iovec *vector, int count)
{
    struct bine_hub *hub = bine_io_hub();
    int error = hub ? await_bytes(hub, fd) : 0;
    return error ? bine_io_fail(error) : bine_libc.readv(fd, vector, count);
}

ssize_t bine_same_read(int fd, void *buffer, size_t size)
{
    struct bine_hub *hub = bine_io_hub();
    int error = hub ? await_bytes(hub, fd) : 0;
    return error ? bine_io_fail(error) : bine_libc.read(fd, buffer, size);
}

/* Do writes to it go in pieces? Those of datagrams and of files go whole. */
static bool takes_pieces(int fd, struct bine_descriptor *record)
{
    switch (bine_descriptor_kind(fd, record)) {
    case BINE_FD_SOCKET:
        return !record || bine_descriptor_is_stream(fd, record);
    case BINE_FD_PIPE:
    case BINE_FD_STREAM:
        return true;
    default:
        return false;
    }
}

/* `flat`: by write, of one buffer. */
static ssize_t same_write_all(int fd, const struct iovec *vector, int count, bool flat)
{
    struct bine_hub *hub = bine_io_hub();
    struct bine_wait wait;
    size_t total = bine_vector_size(vector, (size_t)count), sent = 0;
    bine_wait_begin(&wait, hub, fd, "write fd");
    int saved = errno, error = bine_streak(hub);
    bool pieces = total > PIECE && takes_pieces(fd, wait.record);
    do {
        if (!error)
            error = same_await(&wait, POLLOUT);
        if (error)
            return sent ? (ssize_t)sent : bine_io_fail(error);
        struct iovec window[BINE_VECTOR_WINDOW];
        ssize_t more;
        if (pieces) {
            bine_vector_rest(window, vector, (size_t)count, sent);
            /* sent < total, so there is a rest. */
            /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
            if (window[0].iov_len > PIECE)
                window[0].iov_len = PIECE;
            more = flat ? bine_libc.write(fd, window[0].iov_base, window[0].iov_len)
                        : bine_libc.writev(fd, window, 1);
        } else {
            more = flat ? bine_libc.write(fd, vector->iov_base, vector->iov_len)
                        : bine_libc.writev(fd, vector, count);
        }
        if (more < 0)
            return sent ? (ssize_t)sent : -1;
        sent += (size_t)more;
    } while (pieces && sent < total);
    errno = saved;
    return (ssize_t)sent;
}

ssize_t bine_same_write(int fd, const void *buffer, size_t size)
{
    if (!bine_io_hub())
        return bine_libc.write(fd, buffer, size);
    struct iovec vector = {(void *)buffer, size};
    return same_write_all(fd, &vector, 1, true);
}

ssize_t bine_same_writev(int fd, const struct iovec *vector, int count)
{
    if (!bine_io_hub() || !vector || count <= 0 || count > IOV_MAX ||
        bine_vector_size(vector, (size_t)count) == 0)
        return bine_libc.writev(fd, vector, count);
    return same_write_all(fd, vector, count, false);
}
