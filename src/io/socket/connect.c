/*
 * connect. See bine/io.h.
 *
 * There is no MSG_DONTWAIT for connect, and O_NONBLOCK belongs to the program. io_uring connects by
 * itself. Without it the socket's own send timeout is set to "no time at all" for the length of the
 * call. A negative SO_SNDTIMEO does that (the kernel's sock_set_timeout), and connect obeys it.
 * Unlike O_NONBLOCK the timeout belongs to the socket and not to the open file, and a socket that
 * is only being connected has no other users yet.
 */
#include <bine/io.h>
#include <string.h>
#include <sys/time.h>
#include <sys/un.h>

#include "io/wait/wait.h"

/* Start (or look after) a connection without blocking, whatever the descriptor's flags. */
static int connect_attempt(const struct bine_wait *wait, const struct sockaddr *address,
                           socklen_t length)
{
    int fd = wait->fd;
    struct timeval before = {0}, none = {.tv_sec = -1};
    socklen_t size = sizeof before;
    bool changed = (bine_descriptor_timeout(fd, wait->record, true) == 0 ||
                    getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &before, &size) == 0) &&
                   setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof none) == 0;
    int result = bine_libc.connect(fd, address, length);
    if (changed) {
        int error = errno;
        /* Within one machine it is done by now, and the second call says so. */
        if (result < 0 && error == EINPROGRESS) {
            result = bine_libc.connect(fd, address, length);
            if (result < 0 && errno != EALREADY)
                error = errno;
        }
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &before, sizeof before);
        errno = error;
    }
    return result;
}

/* A connection is under way: wait for its end, and fetch the result as a second connect does (which
 * also tells the socket that it may be used again after a failure). `error`: what connect says when
 * its time is up. */
static int connect_await(struct bine_wait *wait, const struct sockaddr *address, socklen_t length,
                         int error)
{
    for (;;) {
        int failed = bine_wait_ready(wait, POLLOUT);
        if (failed == ETIME)
            failed = error;
        if (failed)
            return (int)bine_io_fail(failed);
        if (connect_attempt(wait, address, length) == 0)
            return 0;
        if (errno != EALREADY && errno != EINPROGRESS)
            return -1;
        bine_wait_drained(wait->hub, wait->fd, POLLOUT, true);
    }
}

/* The listener's backlog is full. A Unix socket has nothing to poll for: look again, by the
 * clock. */
static int knock(struct bine_wait *wait, const struct sockaddr *address, socklen_t length)
{
    wait->fruitless = 3;
    for (;;) {
        int error = bine_wait_ready(wait, POLLOUT);
        if (error)
            return (int)bine_io_fail(error == ETIME ? EAGAIN : error);
        if (connect_attempt(wait, address, length) == 0)
            return 0;
        if (errno != EAGAIN)
            return -1;
    }
}

/* io_uring may have fetched the error from a socket that still believes it is connecting. A failed
 * connect(2) leaves it fit for another try: do what the kernel's own does at its end
 * (__inet_stream_connect, sock_error). */
static void disconnect(int fd, int error)
{
    const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
    switch (error) {
    case ECONNREFUSED:
    case ECONNRESET:
    case ECONNABORTED:
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ENETUNREACH:
    case ENETDOWN:
    case ETIMEDOUT:
    case EPROTO:
        bine_libc.connect(fd, &nowhere, sizeof nowhere);
        break;
    default:
        break;
    }
}

/* By the poller. 1: it could not say, do it by hand. */
static int connect_by_poller(struct bine_wait *wait, const struct sockaddr *address,
                             socklen_t length)
{
    struct bine_operation operation;
    memset(&operation, 0, sizeof operation);
    operation.kind = BINE_OP_CONNECT;
    operation.buffer = (void *)address;
    operation.size = length;
    int error = bine_wait_operation(wait, &operation);
    if (error < 0)
        return 1;
    if (error > 0)
        return (int)bine_io_fail(error == ETIME ? EINPROGRESS : error);
    if (operation.result == 0)
        return 0;
    error = (int)-operation.result;
    if (error == EALREADY || error == EINPROGRESS)
        return 1;
    if (address->sa_family == AF_INET || address->sa_family == AF_INET6)
        disconnect(wait->fd, error);
    return (int)bine_io_fail(error);
}

int bine_connect(int fd, const struct sockaddr *address, socklen_t length)
{
    struct bine_hub *hub = bine_io_hub();
    if (!hub)
        return bine_libc.connect(fd, address, length);
    struct bine_wait wait;
    bine_wait_begin(&wait, hub, fd, "connect fd");
    int error = bine_streak(hub), saved = errno;
    if (error)
        return (int)bine_io_fail(error);
    /* What never waits, or is the user's own business; and wrong arguments are libc's to judge. */
    if (!address ||
        (wait.record &&
         atomic_load_explicit(&wait.record->type, memory_order_relaxed) == SOCK_DGRAM) ||
        bine_descriptor_kind(fd, wait.record) != BINE_FD_SOCKET ||
        bine_descriptor_nonblocking(fd, wait.record))
        return bine_libc.connect(fd, address, length);
    bine_wait_allowed(&wait, true); /* learns the timeout */

    /* Unix sockets connect at once or not at all; the ring would need a worker thread to wait. */
    bool local = length >= sizeof address->sa_family && address->sa_family == AF_UNIX;
    if (!local && bine_wait_supports(hub, BINE_OP_CONNECT)) {
        int result = connect_by_poller(&wait, address, length);
        if (result <= 0) {
            if (result == 0)
                errno = saved;
            return result;
        }
    }
    int result = connect_attempt(&wait, address, length);
    if (result < 0 && errno == EINPROGRESS)
        result = connect_await(&wait, address, length, EINPROGRESS);
    else if (result < 0 && errno == EALREADY)
        result = connect_await(&wait, address, length, EALREADY);
    else if (result < 0 && errno == EAGAIN && local)
        result = knock(&wait, address, length);
    if (result == 0)
        errno = saved;
    return result;
}
