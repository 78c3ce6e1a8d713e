/* How one blocking call waits. See wait.h. */
#include "wait.h"

#include <string.h>

atomic_ulong bine_io_from_hub;

void bine_wait_drained(struct bine_hub *hub, int fd, uint32_t events, bool dry)
{
    if (hub->driver == &hub->futex_driver)
        return; /* no poller yet: nothing to forget */
    struct bine_poller *poller = (struct bine_poller *)hub->driver;
    if (poller->class->drained)
        poller->class->drained(poller, fd, events, dry);
}

int bine_wait_allowed(struct bine_wait *wait, bool sending)
{
    if (wait->ask) {
        bine_descriptor_doubt(wait->fd);
        wait->ask = false;
    }
    if (bine_descriptor_nonblocking(wait->fd, wait->record))
        return EAGAIN;
    if (!wait->timed) {
        wait->timed = true;
        int64_t timeout = bine_descriptor_timeout(wait->fd, wait->record, sending);
        if (timeout > 0) {
            wait->deadline = bine_hub_deadline(wait->hub, timeout);
            wait->flags = BINE_PARK_SIGNALS;
        }
    }
    return 0;
}

/* The kernel reports readiness again and again although the call has nothing: for a datagram to a
 * full peer, a socket with SO_RCVLOWAT, a file whose driver is wrong. Then the wait is by the
 * clock, longer each time, so that it costs little. */
static int wait_by_the_clock(struct bine_wait *wait)
{
    if (bine_signals_since(wait->hub, wait->signals, wait->flags))
        return EINTR;
    unsigned doublings = wait->fruitless < 12 ? wait->fruitless - 3 : 8;
    int64_t until = bine_hub_deadline(wait->hub, (50 * BINE_US) << doublings);
    int64_t deadline = until < wait->deadline ? until : wait->deadline;
    int error = bine_park(wait->hub, wait->verb, (uintptr_t)wait->fd, deadline, wait->flags);
    if (error == ETIME && deadline == until)
        error = 0;
    if (!error && bine_wait_closed_meanwhile(wait))
        error = EBADF;
    return error;
}

int bine_wait_ready(struct bine_wait *wait, uint32_t events)
{
    wait->bits = 0;
    if (wait->fruitless++ >= 3)
        return wait_by_the_clock(wait);
    int64_t begun = wait->fruitless > 2 ? bine_hub_now(wait->hub) : 0;
    struct bine_operation operation;
    memset(&operation, 0, sizeof operation);
    operation.kind = BINE_OP_POLL;
    operation.events = events;
    int error = bine_wait_operation(wait, &operation);
    if (error > 0)
        return error;
    /* It did wait: others may just have been faster. */
    if (begun && bine_hub_now(wait->hub) - begun >= BINE_MS)
        wait->fruitless = 1;
    if (error < 0)
        return 0;
    if (operation.result < 0)
        /* whatever it is, the call itself will say it */
        return operation.result == -EPERM ? EPERM : 0;
    wait->bits = (uint32_t)operation.result;
    return 0;
}

int bine_wait_operation(struct bine_wait *wait, struct bine_operation *operation)
{
    if (wait->record)
        bine_descriptor_used_by(wait->record, wait->hub);
    if (bine_signals_since(wait->hub, wait->signals, wait->flags))
        return EINTR;
    if (!bine_poller_of(wait->hub))
        return errno;
    operation->fd = wait->fd;
    int64_t result =
        bine_operation_run(wait->hub, operation, wait->verb, wait->deadline, wait->flags);
    operation->result = result;
    if (__builtin_expect(result >= 0, 1))
        return 0;
    if (result <= -BINE_OPERATION_CUT)
        return (int)-result - BINE_OPERATION_CUT;
    switch (result) {
    case -EBADF:
    case -EAGAIN:
        if (bine_wait_closed_meanwhile(wait))
            return EBADF;
        /* Stale, or it is non-blocking after all, or it is no descriptor: the call itself knows. */
        wait->ask = true;
        return -1;
    case -ENOTSUP:
    case -EINVAL:
        return -1;
    case -EINTR:
    case -ECANCELED:
    case -ETIMEDOUT:
    case -EDEADLK:
    case -ENOMEM:
        return (int)-result;
    default:
        return 0;
    }
}

/*
 * A read that came up short will find nothing the next time, so the next read waits first and saves
 * a system call. Reads that fill the buffer say nothing: now and then one is tried first, and the
 * longer that goes wrong the rarer.
 */
void bine_read_was_short(struct bine_descriptor *record)
{
    if (!record)
        return;
    uint8_t patience = atomic_load_explicit(&record->patience, memory_order_relaxed);
    atomic_store_explicit(&record->read_wait, patience ? patience : 1, memory_order_relaxed);
}

void bine_read_was_full(struct bine_descriptor *record, bool tried)
{
    if (!record)
        return;
    if (tried) {
        uint8_t patience = atomic_load_explicit(&record->patience, memory_order_relaxed);
        atomic_store_explicit(&record->patience, patience / 2, memory_order_relaxed);
        return;
    }
    uint8_t left = atomic_load_explicit(&record->read_wait, memory_order_relaxed);
    if (left)
        atomic_store_explicit(&record->read_wait, left - 1, memory_order_relaxed);
}

void bine_read_was_dry(struct bine_descriptor *record)
{
    if (!record)
        return;
    uint8_t patience = atomic_load_explicit(&record->patience, memory_order_relaxed);
    patience = patience < 127 ? (uint8_t)(2 * patience + 1) : 255;
    atomic_store_explicit(&record->patience, patience, memory_order_relaxed);
    atomic_store_explicit(&record->read_wait, patience, memory_order_relaxed);
}
