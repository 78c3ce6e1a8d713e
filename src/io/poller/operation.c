/* Runs one operation to its end, whatever happens to its greenlet meanwhile. See poller.h. */
#include <errno.h>
#include <poll.h>

#include "core/schedule/park.h"
#include "libc/libc.h"
#include "poller.h"

/* A callback may not wait, but what is ready already it shall have, although a turn has not told
 * the poller so far. */
static int ready_now(const struct bine_operation *operation)
{
    struct pollfd look = {.fd = operation->fd, .events = (short)operation->events};
    return operation->kind == BINE_OP_POLL && bine_libc.poll(&look, 1, 0) > 0
               ? look.revents & ~POLLNVAL
               : 0;
}

/* It ended by itself after all: a failure is the descriptor's. */
static void forget_interruption(struct bine_hub *hub, int error)
{
    if (__builtin_expect(error && error != ETIME, 0))
        hub->current->interruptions--;
}

int64_t bine_operation_run(struct bine_hub *hub, struct bine_operation *operation, const char *verb,
                           int64_t deadline, unsigned flags)
{
    if (hub->no_park)
        /* the kernel must not get hold of buffers whose owner cannot wait for their return */
        return -EDEADLK;
    if (!(flags & BINE_PARK_FIRM)) {
        /* Spare the kernel an operation that would be withdrawn at once. */
        int error = bine_cancelled(hub);
        if (error)
            return BINE_OPERATION_CUT_BY(error);
        int bits = __builtin_expect(hub->current->attention & BINE_A_CALLBACK, 0)
                       ? ready_now(operation)
                       : 0;
        if (bits)
            return bits;
    }
    struct bine_poller *poller = bine_poller_of(hub);
    if (!poller)
        return -errno;
    operation->waiter = hub->current;
    operation->done = NULL;
    int error = poller->class->start(poller, operation);
    if (error)
        return -error;
    uintptr_t object = (uintptr_t)operation->fd;
    while (!operation->ended) {
        error = bine_park(hub, verb, object, deadline, flags);
        if (error)
            break;
    }
    /* also when something cut the wait short in the same turn: nothing is lost */
    if (operation->ended) {
        forget_interruption(hub, error);
        return operation->result;
    }

    /* The kernel may own the buffers until the operation has ended: wait for that, and for nothing
     * else (hazard 24). */
    poller->class->cancel(poller, operation);
    while (!operation->ended)
        bine_park(hub, verb, object, INT64_MAX, BINE_PARK_FIRM);
    if (operation->result == -ECANCELED)
        return BINE_OPERATION_CUT_BY(error);
    forget_interruption(hub, error);
    return operation->result;
}
