/*
 * accept and accept4. See bine/io.h.
 *
 * There is no MSG_DONTWAIT for accept. io_uring accepts by itself; without it the listener is polled first, and a
 * lock keeps other threads of this process from taking the connection between the two calls. Another process that
 * listens on the same socket is not kept from it (servers that fork their workers: all of them are woken, and all but one come
 * too late): so where there may be one the call itself runs on a thread of the pool.
 */
#include <bine/io.h>
#include <string.h>

#include "io/wait/poll_first.h"

/* After so many failures in a row that will last the pause no longer grows: 64 ms. */
enum {
    LONGEST_PAUSE = 7
};

struct accepting {
    struct sockaddr *address;
    socklen_t *length;
    int flags;
};

static ssize_t call_accept(int fd, const void *arg)
{
    const struct accepting *accepting = arg;
    return bine_libc.accept4(fd, accepting->address, accepting->length, accepting->flags);
}

/* One attempt that does not block. */
static int accept_attempt(const struct bine_wait *wait, struct sockaddr *address, socklen_t *length, int flags)
{
    struct accepting accepting = {address, length, flags};
    int made = (int)bine_poll_first(wait, POLLIN, bine_descriptor_elsewhere(wait->record), call_accept, &accepting);
    if (made >= 0 || errno != EAGAIN)
        return made;
    /* A socket that does not listen is not ready, or hung up: its accept does not wait but fails. */
    int listens = 0;
    socklen_t size = sizeof listens;
    if (getsockopt(wait->fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens)
        return (int)bine_io_fail(EAGAIN);
    return (int)call_accept(wait->fd, &accepting);
}

static int accept_by_poller(struct bine_wait *wait, struct sockaddr *address, socklen_t *length, int flags, int *result)
{
    struct bine_operation operation;
    memset(&operation, 0, sizeof operation);
    operation.kind = BINE_OP_ACCEPT;
    operation.buffer = address;
    operation.address_length = length;
    operation.flags = flags;
    ssize_t made = -1;
    int error = bine_wait_result(wait, &operation, &made);
    if (!error)
        *result = (int)made;
    return error;
}

/*
 * Out of descriptors or memory, or forbidden by a policy (a security module, a seccomp filter): the caller is told at once by libc, and
 * most callers just try again. The pause lets other greenlets go on and close something, and keeps such a loop from spinning (hazards 29
 * and 90).
 */
static int back_off(struct bine_wait *wait, int error)
{
    unsigned failures = 1;
    if (wait->record) {
        failures = atomic_load_explicit(&wait->record->accept_failures, memory_order_relaxed) + 1u;
        if (failures <= LONGEST_PAUSE)
            atomic_store_explicit(&wait->record->accept_failures, (uint8_t)failures, memory_order_relaxed);
        else
            failures = LONGEST_PAUSE;
    }
    int64_t until = bine_hub_deadline(wait->hub, BINE_MS << (failures - 1));
    int ended = bine_park(wait->hub, "accept (refused) fd", (uintptr_t)wait->fd, until, BINE_PARK_SIGNALS);
    if (ended == ECANCELED || ended == ETIMEDOUT)
        error = ended;
    return (int)bine_io_fail(error);
}

/* Will the next accept most probably say the same? */
static bool lasts(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS || error == EPERM ||
           error == EACCES || error == ENOSYS;
}

/* What accept has returned: the record of the new socket takes over what is known of the listener (TCP sockets
 * inherit its timeouts and SO_LINGER; others begin without). */
static int accepted(const struct bine_wait *wait, int made, int flags, int saved)
{
    bine_descriptor_fresh(made, BINE_FD_SOCKET, (flags & SOCK_NONBLOCK) != 0);
    struct bine_descriptor *listener = wait->record, *record = bine_descriptor_find(made);
    if (listener && record) {
        bine_descriptor_is_stream(wait->fd, listener);
        bine_descriptor_is_tcp(wait->fd, listener);
        if (atomic_load_explicit(&listener->send_timeout, memory_order_relaxed) < 0)
            bine_descriptor_timeout(wait->fd, listener, true);
        atomic_store_explicit(&record->type, atomic_load_explicit(&listener->type, memory_order_relaxed),
                              memory_order_relaxed);
        atomic_store_explicit(&record->tcp, atomic_load_explicit(&listener->tcp, memory_order_relaxed),
                              memory_order_relaxed);
        if (atomic_load_explicit(&listener->receive_timeout, memory_order_relaxed) == 0)
            atomic_store_explicit(&record->receive_timeout, 0, memory_order_relaxed);
        if (atomic_load_explicit(&listener->send_timeout, memory_order_relaxed) == 0)
            atomic_store_explicit(&record->send_timeout, 0, memory_order_relaxed);
        if (atomic_load_explicit(&listener->linger, memory_order_relaxed) == BINE_LINGER_UNKNOWN)
            bine_descriptor_lingers(wait->fd, listener);
        if (atomic_load_explicit(&listener->linger, memory_order_relaxed) == BINE_LINGER_NONE)
            atomic_store_explicit(&record->linger, BINE_LINGER_NONE, memory_order_relaxed);
        if (atomic_load_explicit(&listener->accept_failures, memory_order_relaxed))
            atomic_store_explicit(&listener->accept_failures, 0, memory_order_relaxed);
        /* A client that has connected has not yet sent. */
        atomic_store_explicit(&record->read_wait, 1, memory_order_relaxed);
    }
    errno = saved;
    return made;
}

int bine_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    struct bine_hub *hub = bine_io_hub();
    if (!hub)
        return bine_libc.accept4(fd, address, length, flags);
    int error = bine_streak(hub), saved = errno;
    if (error)
        return (int)bine_io_fail(error);
    struct bine_wait wait;
    bine_wait_begin(&wait, hub, fd, "accept fd");
    bool ring = bine_wait_supports(hub, BINE_OP_ACCEPT);
    unsigned refusals = 0;
    bool ask = !ring;
    for (;;) {
        int made = -1;
        error = 0;
        if (ask || bine_descriptor_nonblocking_known(wait.record) == BINE_NONBLOCKING) {
            made = bine_descriptor_nonblocking(fd, wait.record) ? bine_libc.accept4(fd, address, length, flags)
                                                                : accept_attempt(&wait, address, length, flags);
            if (made < 0)
                error = errno;
            if (error == EAGAIN) {
                bine_wait_drained(hub, fd, POLLIN, true);
                error = bine_wait_allowed(&wait, false);
                if (error)
                    return (int)bine_io_fail(error);
                error = ring && refusals < 3 ? -1 : bine_wait_ready(&wait, POLLIN);
                if (!error)
                    continue;
            }
        } else {
            error = -1;
        }
        if (error == -1) {
            error = bine_wait_allowed(&wait, false);
            /* Non-blocking after all, and not tried yet: the call itself says what there is. */
            if (error == EAGAIN && !ask) {
                ask = true;
                continue;
            }
            ask = true;
            if (!error)
                error = accept_by_poller(&wait, address, length, flags, &made);
            if (error < 0 || error == EINVAL) {
                refusals++;
                continue;
            }
        }
        if (error == ETIME)
            error = EAGAIN;
        if (lasts(error))
            return back_off(&wait, error);
        if (error)
            return (int)bine_io_fail(error);
        return accepted(&wait, made, flags, saved);
    }
}

int bine_accept(int fd, struct sockaddr *address, socklen_t *length)
{
    struct bine_hub *hub = bine_io_hub();
    if (!hub)
        return bine_libc.accept(fd, address, length);
    return bine_accept4(fd, address, length, 0);
}
