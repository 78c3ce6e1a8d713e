/* send, sendto, sendmsg. See transmit.h and bine/io.h. */
#include "transmit.h"

#include <bine/io.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

#include "io/descriptor/rights.h"
#include "io/descriptor/vector.h"

/* One attempt that does not block, behind the first `done` bytes. */
static ssize_t transmit_attempt(const struct bine_transmit *transmit, size_t done)
{
    int flags = transmit->flags | MSG_DONTWAIT;
    if (!done) {
        if (transmit->message)
            return bine_libc.sendmsg(transmit->fd, transmit->message, flags);
        if (transmit->address)
            return bine_libc.sendto(transmit->fd, transmit->buffer, transmit->size, flags,
                                    transmit->address, transmit->length);
        return bine_libc.send(transmit->fd, transmit->buffer, transmit->size, flags);
    }
    /* Only streams come here: the rest needs no address, and what was attached has gone with the
     * first byte. A pipe that breaks now is the next call's business, and so is its SIGPIPE. */
    flags = (flags | MSG_NOSIGNAL) & ~MSG_FASTOPEN;
    if (!transmit->message)
        return bine_libc.send(transmit->fd, (const char *)transmit->buffer + done,
                              transmit->size - done, flags);
    struct iovec window[BINE_VECTOR_WINDOW];
    struct msghdr rest = {.msg_iov = window};
    rest.msg_iovlen = (size_t)bine_vector_rest(window, transmit->message->msg_iov,
                                               transmit->message->msg_iovlen, done);
    return bine_libc.sendmsg(transmit->fd, &rest, flags);
}

/* Let the poller send. As bine_wait_result. */
static int transmit_by_poller(const struct bine_transmit *transmit, struct bine_wait *wait,
                              ssize_t *sent)
{
    struct bine_operation operation;
    memset(&operation, 0, sizeof operation);
    operation.flags = transmit->flags | MSG_NOSIGNAL;
    operation.kind = transmit->message ? BINE_OP_SENDMSG : BINE_OP_SEND;
    operation.buffer = transmit->message ? (void *)transmit->message : (void *)transmit->buffer;
    operation.size = transmit->size;
    return bine_wait_result(wait, &operation, sent);
}

enum {
    /* A longer send is worth a system call of its own: its bytes are in the processor's caches now,
     * and would not be once the others have had their turns. */
    RING_MOST = 16 * 1024
};

/*
 * With others, a send through the ring costs a switch but no system call: all of a turn go in one
 * enter. Alone, the direct call is the fastest there is. io_uring does not look at a socket's
 * O_NONBLOCK: it must be known.
 */
static bool through_ring(const struct bine_transmit *transmit, const struct bine_wait *wait)
{
    return bine_wait_gathers(wait->hub) && transmit->size <= RING_MOST && !transmit->address &&
           !(transmit->flags & (MSG_FASTOPEN | MSG_OOB)) &&
           bine_descriptor_nonblocking_known(wait->record) == BINE_BLOCKING &&
           bine_wait_supports(wait->hub, transmit->message ? BINE_OP_SENDMSG : BINE_OP_SEND);
}

/* The kernel sends SIGPIPE to the thread that wrote; io_uring never does. */
static void broken_pipe(const struct bine_transmit *transmit)
{
    if (!(transmit->flags & MSG_NOSIGNAL))
        syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGPIPE);
}

/* Send the rest, waiting as often as needed. `sent` bytes have gone already; errno is that of the
 * last attempt. */
static ssize_t persist(const struct bine_transmit *transmit, struct bine_wait *wait, size_t total,
                       size_t sent)
{
    struct bine_transmit rest = *transmit;
    for (;;) {
        int error = bine_wait_more(wait, POLLOUT);
        if (error == ETIME)
            error = EAGAIN;
        if (error)
            return sent ? (ssize_t)sent : bine_io_fail(error);
        /* What ends a call after its first bytes is no error of that call. TCP keeps it for the
         * next one; a Unix socket that waits for room fetches it, and nobody hears of it. */
        if (sent && wait->bits & (POLLERR | POLLHUP)) {
            if (!bine_descriptor_is_tcp(wait->fd, wait->record)) {
                int fetched;
                socklen_t length = sizeof fetched;
                getsockopt(wait->fd, SOL_SOCKET, SO_ERROR, &fetched, &length);
            }
            return (ssize_t)sent;
        }
        ssize_t more = transmit_attempt(&rest, sent);
        if (more < 0) {
            if (errno == EINPROGRESS && rest.flags & MSG_FASTOPEN) {
                rest.flags &= ~MSG_FASTOPEN;
                rest.address = NULL;
                continue;
            }
            if (errno == EAGAIN) {
                bine_wait_drained(wait->hub, wait->fd, POLLOUT, true);
                continue;
            }
            return sent ? (ssize_t)sent : -1;
        }
        wait->fruitless = 0;
        if (!total && transmit->message) /* the kernel has accepted the array now */
            total = bine_vector_size(transmit->message->msg_iov, transmit->message->msg_iovlen);
        sent += (size_t)more;
        if (sent >= total)
            return (ssize_t)sent;
        bine_wait_drained(wait->hub, wait->fd, POLLOUT, true);
    }
}

/* What follows the first attempt, which sent `sent` bytes, or none with errno. `saved`: errno as it
 * was before. */
static ssize_t follow_up(struct bine_hub *hub, const struct bine_transmit *transmit,
                         struct bine_wait *wait, ssize_t sent, int saved)
{
    if (sent < 0 && errno != EAGAIN && !(errno == EINPROGRESS && transmit->flags & MSG_FASTOPEN))
        return -1;
    size_t total = transmit->size;
    if (transmit->message)
        total = sent < 0
                    ? 0
                    : bine_vector_size(transmit->message->msg_iov, transmit->message->msg_iovlen);
    if (sent >= 0 && (size_t)sent >= total) {
        errno = saved;
        return sent;
    }
    bine_wait_drained(hub, transmit->fd, POLLOUT, true);
    struct bine_transmit rest = *transmit;
    if (sent < 0 && errno == EINPROGRESS) {
        rest.flags &= ~MSG_FASTOPEN;
        rest.address = NULL;
    }
    sent = persist(&rest, wait, total, sent > 0 ? (size_t)sent : 0);
    if (sent >= 0)
        errno = saved;
    return sent;
}

ssize_t bine_transmit_rest(struct bine_hub *hub, const struct bine_transmit *transmit, ssize_t sent,
                           int saved)
{
    struct bine_wait wait;
    bine_wait_begin(&wait, hub, transmit->fd, "send fd");
    return follow_up(hub, transmit, &wait, sent, saved);
}

ssize_t bine_transmit(struct bine_hub *hub, const struct bine_transmit *transmit)
{
    int error = bine_streak(hub);
    if (error)
        return bine_io_fail(error);
    if (transmit->message && transmit->message->msg_controllen)
        bine_sent_descriptors(transmit->message);
    if (transmit->flags & MSG_DONTWAIT)
        return transmit_attempt(transmit, 0);

    struct bine_wait wait;
    bine_wait_begin(&wait, hub, transmit->fd, "send fd");
    int saved = errno;
    ssize_t sent = -1;
    errno = EAGAIN;
    if (through_ring(transmit, &wait) && !bine_wait_allowed(&wait, true)) {
        error = transmit_by_poller(transmit, &wait, &sent);
        if (error == EPIPE)
            broken_pipe(transmit);
        if (error == ETIME)
            error = EAGAIN;
        if (error > 0)
            return bine_io_fail(error);
    } else {
        error = -1;
    }
    if (error)
        sent = transmit_attempt(transmit, 0);
    return follow_up(hub, transmit, &wait, sent, saved);
}

ssize_t bine_send(int fd, const void *buffer, size_t size, int flags)
{
    struct bine_hub *hub = bine_io_hub();
    if (!hub)
        return bine_libc.send(fd, buffer, size, flags);
    struct bine_transmit transmit = {.fd = fd,
                                     .flags = flags,
                                     .buffer = buffer,
                                     .size = size < BINE_TRANSFER_MOST ? size : BINE_TRANSFER_MOST};
    return bine_transmit(hub, &transmit);
}

ssize_t bine_sendto(int fd, const void *buffer, size_t size, int flags,
                    const struct sockaddr *address, socklen_t length)
{
    struct bine_hub *hub = bine_io_hub();
    if (!hub)
        return bine_libc.sendto(fd, buffer, size, flags, address, length);
    struct bine_transmit transmit = {.fd = fd,
                                     .flags = flags,
                                     .buffer = buffer,
                                     .size = size < BINE_TRANSFER_MOST ? size : BINE_TRANSFER_MOST,
                                     .address = address,
                                     .length = length};
    return bine_transmit(hub, &transmit);
}

ssize_t bine_sendmsg(int fd, const struct msghdr *message, int flags)
{
    struct bine_hub *hub = bine_io_hub();
    if (!hub || !message)
        return bine_libc.sendmsg(fd, message, flags);
    struct bine_transmit transmit = {.fd = fd, .flags = flags, .message = message};
    return bine_transmit(hub, &transmit);
}
