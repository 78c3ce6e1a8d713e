/*
 * How one blocking call waits: what every file of calls in this directory shares. The kernel decides, the greenlet
 * waits; between the two stand the descriptor's record (is it blocking at all, what are its timeouts, was it closed
 * meanwhile) and the poller.
 */
#ifndef BINE_IO_WAIT_WAIT_H
#define BINE_IO_WAIT_WAIT_H

#include <errno.h>
#include <poll.h>

#include "core/hub/park.h"
#include "core/hub/signalled.h"
#include "core/hub/streak.h"
#include "io/descriptor/descriptor.h"
#include "io/poller/poller.h"
#include "libc/libc.h"

/* Calls that blocked the thread because they came from inside a hub's callback, where nobody can park (hazard 28). */
extern atomic_ulong bine_io_from_hub;

/* One blocking call. Filled in by bine_wait_begin. */
struct bine_wait {
    struct bine_hub *hub;
    struct bine_descriptor *record; /* NULL: nothing is remembered, ask the kernel */
    int fd;
    unsigned generation; /* of the record when the call began */
    const char *verb;
    bine_signal_mark signals; /* that had come when the call began */
    int64_t deadline;         /* of SO_RCVTIMEO, SO_SNDTIMEO or the caller's timeout, INT64_MAX: none */
    uint32_t bits;            /* what the last wait found, poll(2) bits; 0: unknown */
    uint8_t flags;            /* BINE_PARK_* */
    bool timed;               /* the deadline is known */
    bool ask;                 /* do not believe the record: something was stale */
    unsigned fruitless;       /* waits in a row after which the call still had nothing */
};

/* The hub of the calling thread if the caller may park, NULL: the call is libc's. */
static inline struct bine_hub *bine_io_hub(void)
{
    struct bine_hub *hub = bine_hub_here();
    if (__builtin_expect(hub != NULL && hub->no_park, 0)) {
        atomic_fetch_add_explicit(&bine_io_from_hub, 1, memory_order_relaxed);
        return NULL;
    }
    return hub;
}

/* Is it the call that was refused, and not what was asked of the file? Seccomp filters answer so (systemd's by EPERM, Docker's by EPERM or ENOSYS)
 * to calls that the program itself has not made: then the program's own call is made, and its answer counts. */
static inline bool bine_call_refused(int error)
{
    return error == EPERM || error == EACCES || error == ENOSYS;
}

/* The call may be restarted after a signal (signal(7)) unless it has a timeout. */
static inline void bine_wait_begin(struct bine_wait *wait, struct bine_hub *hub, int fd, const char *verb)
{
    wait->hub = hub;
    wait->record = bine_descriptor_of(fd);
    wait->fd = fd;
    wait->generation = wait->record ? atomic_load_explicit(&wait->record->generation, memory_order_acquire) : 0;
    wait->verb = verb;
    wait->signals = bine_signals_now(hub);
    wait->deadline = INT64_MAX;
    wait->bits = 0;
    wait->flags = BINE_PARK_SIGNALS | BINE_PARK_RESTARTS;
    wait->timed = false;
    wait->ask = false;
    wait->fruitless = 0;
}

/* Does the number no longer mean what it did when the call began? Any thread. */
static inline bool bine_wait_closed_meanwhile(const struct bine_wait *wait)
{
    return wait->record && atomic_load_explicit(&wait->record->generation, memory_order_acquire) != wait->generation;
}

/* The call itself had nothing (or is about to be left to the poller, which does not look at O_NONBLOCK): may the
 * greenlet wait? 0, or EAGAIN: the user made the descriptor non-blocking. Learns the socket's timeout. */
int bine_wait_allowed(struct bine_wait *wait, bool sending);

/*
 * Park until fd is ready for `events` (POLLIN, POLLOUT, POLLPRI, POLLRDHUP). 0: try the call (again); wait->bits
 * says what was found. Or an error number: ETIME (the deadline), EBADF (closed meanwhile), EPERM (this kind of file
 * cannot be waited for: it is always ready), EINTR, ECANCELED, ETIMEDOUT, EDEADLK, ENOMEM.
 */
int bine_wait_ready(struct bine_wait *wait, uint32_t events);

/* The two together, for a call that has just found that it must wait (again). `events`: POLLIN or POLLOUT. */
static inline int bine_wait_more(struct bine_wait *wait, uint32_t events)
{
    int error = bine_wait_allowed(wait, events == POLLOUT);
    return error ? error : bine_wait_ready(wait, events);
}

/*
 * Let the poller do the call: run `operation` (filled in but for fd and what the poller fills in). 0: it has ended,
 * its operation->result is the system call's result or -errno. Or, with nothing done: -1 "try the call yourself",
 * or an error number as bine_wait_ready.
 */
int bine_wait_operation(struct bine_wait *wait, struct bine_operation *operation);

/* The same, but the system call's own error, too, is returned; only if there is none (0) *result is set. */
static inline int bine_wait_result(struct bine_wait *wait, struct bine_operation *operation, ssize_t *result)
{
    int error = bine_wait_operation(wait, operation);
    if (error)
        return error;
    if (operation->result < 0)
        return (int)-operation->result;
    *result = operation->result;
    return 0;
}

/* Can this hub's poller do operations of this kind itself? */
static inline bool bine_wait_supports(struct bine_hub *hub, enum bine_operation_kind kind)
{
    const struct bine_poller *poller = bine_poller_of(hub);
    return poller && bine_poller_supports(poller, kind);
}

/* Can what the poller is given now share its way to the kernel: with what others who are ready will begin, or with what was begun already? */
static inline bool bine_wait_gathers(const struct bine_hub *hub)
{
    return !bine_ready_empty(&hub->ready) ||
           (hub->driver != &hub->futex_driver && ((const struct bine_poller *)hub->driver)->gathering);
}

/* Tell the poller that the caller's own call found fd exhausted: see poller.h. */
void bine_wait_drained(struct bine_hub *hub, int fd, uint32_t events, bool dry);

/* errno = error, -1. */
static inline ssize_t bine_io_fail(int error)
{
    if (error == EINTR)
        bine_interrupted();
    errno = error;
    return -1;
}

/* ---- try first or wait first ------------------------------------------------------------------- */

/* Should the next read of this descriptor wait before it asks the kernel? */
static inline bool bine_read_waits_first(const struct bine_descriptor *record)
{
    return record && atomic_load_explicit(&record->read_wait, memory_order_relaxed) &&
           bine_descriptor_nonblocking_known(record) != BINE_NONBLOCKING;
}

/* A read gave fewer bytes than asked for: the next one will find nothing. */
void bine_read_was_short(struct bine_descriptor *record);
/* A read filled the buffer. `tried`: without waiting first. */
void bine_read_was_full(struct bine_descriptor *record, bool tried);
/* A try was in vain. */
void bine_read_was_dry(struct bine_descriptor *record);

#endif
