/*
 * accept and accept4. See bine/io.h.
 *
 * There is no MSG_DONTWAIT for accept. io_uring accepts by itself. Without it the listener is
 * polled first, and a lock keeps other threads of this process from taking the connection between
 * the two calls. The lock does not stop another process that listens on the same socket. (Servers
 * that fork their workers have these: all of them are woken, and all but one come too late.) So
 * where there may be one a thread of the pool makes the call.
 */
#include <bine/io.h>
#include <string.h>

#include "io/wait/poll_first.h"
#include "io/wait/take.h"

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

/*
 * The process is out of descriptors or memory, or a policy forbids the call (a security module, a
 * seccomp filter). libc tells the caller at once, and most callers just try again. The pause lets
 * other greenlets run and close something, and keeps such a loop from spinning (hazards 29 and 90).
 */
static int back_off(struct bine_wait *wait, int error)
{
    unsigned failures = 1;
    if (wait->record) {
        failures = atomic_load_explicit(&wait->record->accept_failures, memory_order_relaxed) + 1u;
        if (failures <= LONGEST_PAUSE)
            atomic_store_explicit(&wait->record->accept_failures, (uint8_t)failures,
                                  memory_order_relaxed);
        else
            failures = LONGEST_PAUSE;
    }
    int64_t until = bine_hub_deadline(wait->hub, BINE_MS << (failures - 1));
    int ended =
        bine_park(wait->hub, "accept (refused) fd", (uintptr_t)wait->fd, until, BINE_PARK_SIGNALS);
    if (ended == ECANCELED || ended == ETIMEDOUT)
        error = ended;
    return (int)bine_io_fail(error);
}

/* Will the next accept most probably say the same? */
static bool lasts(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS ||
           error == EPERM || error == EACCES || error == ENOSYS;
}

/* One attempt that does not block. */
static int accept_quietly(const struct bine_wait *wait, const struct accepting *call)
{
    if (bine_descriptor_nonblocking(wait->fd, wait->record))
        return (int)call_accept(wait->fd, call);
    int made = (int)bine_poll_first(wait, POLLIN, bine_descriptor_elsewhere(wait->record),
                                    call_accept, call);
    if (made >= 0 || errno != EAGAIN)
        return made;
    /* A socket that does not listen is not ready, or hung up: its accept does not wait but
     * fails. */
    int listens = 0;
    socklen_t size = sizeof listens;
    if (getsockopt(wait->fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens)
        return (int)bine_io_fail(EAGAIN);
    return (int)call_accept(wait->fd, call);
}

static ssize_t accept_attempt(struct bine_wait *wait, void *call)
{
    int made = accept_quietly(wait, call);
    return made < 0 && lasts(errno) ? back_off(wait, errno) : made;
}

static void accept_dry(struct bine_wait *wait, void *call)
{
    (void)call;
    bine_wait_drained(wait->hub, wait->fd, POLLIN, true);
}

static bool accept_poller_can(struct bine_wait *wait, void *call)
{
    (void)call;
    return bine_wait_supports(wait->hub, BINE_OP_ACCEPT);
}

static int accept_by_poller(struct bine_wait *wait, void *call, ssize_t *result)
{
    const struct accepting *accepting = call;
    struct bine_operation operation;
    memset(&operation, 0, sizeof operation);
    operation.kind = BINE_OP_ACCEPT;
    operation.buffer = accepting->address;
    operation.address_length = accepting->length;
    operation.flags = accepting->flags;
    int error = bine_wait_result(wait, &operation, result);
    /* of this kind of socket, or of a listener shut down: the call itself knows */
    return error == EINVAL ? -1 : error;
}

static ssize_t accept_failed(struct bine_wait *wait, void *call, int error)
{
    (void)call;
    return lasts(error) ? back_off(wait, error) : bine_io_fail(error);
}

/* What accept has returned: the record of the new socket takes over what is known of the listener
 * (TCP sockets inherit its timeouts and SO_LINGER; others begin without). */
static void accept_took(struct bine_wait *wait, void *call, ssize_t made, bool tried)
{
    const struct accepting *accepting = call;
    (void)tried;
    bine_descriptor_fresh((int)made, BINE_FD_SOCKET, (accepting->flags & SOCK_NONBLOCK) != 0);
    struct bine_descriptor *listener = wait->record, *record = bine_descriptor_find((int)made);
    if (listener && record) {
        bine_descriptor_is_stream(wait->fd, listener);
        bine_descriptor_is_tcp(wait->fd, listener);
        if (atomic_load_explicit(&listener->send_timeout, memory_order_relaxed) < 0)
            bine_descriptor_timeout(wait->fd, listener, true);
        atomic_store_explicit(&record->type,
                              atomic_load_explicit(&listener->type, memory_order_relaxed),
                              memory_order_relaxed);
        atomic_store_explicit(&record->tcp,
                              atomic_load_explicit(&listener->tcp, memory_order_relaxed),
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
}

static const struct bine_take_class accept_class = {
    .attempt = accept_attempt,
    .dry = accept_dry,
    .poller_can = accept_poller_can,
    .by_poller = accept_by_poller,
    .took = accept_took,
    .failed = accept_failed,
};

int bine_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    struct bine_hub *hub = bine_io_hub();
    if (!hub)
        return bine_libc.accept4(fd, address, length, flags);
    int error = bine_streak(hub);
    if (error)
        return (int)bine_io_fail(error);
    struct accepting accepting = {address, length, flags};
    struct bine_wait wait;
    bine_wait_begin(&wait, hub, fd, "accept fd");
    /* A poller that accepts by itself does so at once if there is a connection. */
    bool wait_first = bine_wait_supports(hub, BINE_OP_ACCEPT) &&
                      bine_descriptor_nonblocking_known(wait.record) != BINE_NONBLOCKING;
    return (int)bine_take(&wait, &accept_class, &accepting, wait_first);
}

int bine_accept(int fd, struct sockaddr *address, socklen_t *length)
{
    struct bine_hub *hub = bine_io_hub();
    if (!hub)
        return bine_libc.accept(fd, address, length);
    return bine_accept4(fd, address, length, 0);
}
