/*
 * How one blocking call waits. All files of calls in this directory share it. The kernel decides,
 * the greenlet waits. Between the two are the poller and the descriptor's record: is it blocking at
 * all, what are its timeouts, was it closed meanwhile?
 */
#ifndef BINE_IO_WAIT_WAIT_H
#define BINE_IO_WAIT_WAIT_H

#include <errno.h>
#include <poll.h>

#include "core/schedule/park.h"
#include "core/schedule/signalled.h"
#include "core/schedule/streak.h"
#include "io/descriptor/descriptor.h"
#include "io/poller/poller.h"
#include "libc/libc.h"

/* How many calls blocked the thread because they came from inside a hub's callback, where no
 * greenlet can park (hazard 28). */
extern atomic_ulong bine_io_from_hub;

/* One blocking call. bine_wait_begin fills it in. */
struct bine_wait {
    struct bine_hub *hub;
    struct bine_descriptor *record; /* NULL: nothing is remembered, ask the kernel */
    int fd;
    unsigned generation; /* the record's generation when the call began */
    const char *verb;
    bine_signal_mark signals; /* the signals that had come when the call began */
    /* that of SO_RCVTIMEO, SO_SNDTIMEO or the caller's timeout; INT64_MAX: none */
    int64_t deadline;
    uint32_t bits;      /* what the last wait found, poll(2) bits; 0: unknown */
    uint8_t flags;      /* BINE_PARK_* */
    bool timed;         /* the deadline is known */
    bool ask;           /* the record is not to be believed, because something was stale */
    unsigned fruitless; /* waits in a row after which the call still had nothing */
};

/* Returns the hub of the calling thread if the caller may park. Returns NULL if the call is
 * libc's. */
static inline struct bine_hub *bine_io_hub(void)
{
    struct bine_hub *hub = bine_hub_here();
    if (__builtin_expect(hub != NULL && hub->no_park, 0)) {
        atomic_fetch_add_explicit(&bine_io_from_hub, 1, memory_order_relaxed);
        return NULL;
    }
    return hub;
}

/* Was the call itself refused, and not what it asked of the file? Seccomp filters refuse calls that
 * the program itself has not made (systemd's by EPERM, Docker's by EPERM or ENOSYS). Then the
 * program's own call is made, and its result counts. */
static inline bool bine_call_refused(int error)
{
    return error == EPERM || error == EACCES || error == ENOSYS;
}

/* The call may be restarted after a signal (signal(7)) unless it has a timeout. */
static inline void bine_wait_begin(struct bine_wait *wait, struct bine_hub *hub, int fd,
                                   const char *verb)
{
    wait->hub = hub;
    wait->record = bine_descriptor_of(fd);
    wait->fd = fd;
    wait->generation =
        wait->record ? atomic_load_explicit(&wait->record->generation, memory_order_acquire) : 0;
    wait->verb = verb;
    wait->signals = bine_signals_now(hub);
    wait->deadline = INT64_MAX;
    wait->bits = 0;
    wait->flags = BINE_PARK_SIGNALS | BINE_PARK_RESTARTS;
    wait->timed = false;
    wait->ask = false;
    wait->fruitless = 0;
}

/* Does the number no longer mean the file that it meant when the call began? Any thread. */
static inline bool bine_wait_closed_meanwhile(const struct bine_wait *wait)
{
    return wait->record && atomic_load_explicit(&wait->record->generation, memory_order_acquire) !=
                               wait->generation;
}

/* May the greenlet wait? The call itself had nothing, or is about to be left to the poller, which
 * does not look at O_NONBLOCK. Returns 0, or EAGAIN if the program made the descriptor
 * non-blocking. Learns the socket's timeout. */
int bine_wait_allowed(struct bine_wait *wait, bool sending);

/*
 * Parks until fd is ready for `events` (POLLIN, POLLOUT, POLLPRI, POLLRDHUP). Returns 0 if the call
 * shall be tried (again); wait->bits then says what was found. Returns an error number otherwise:
 * ETIME (the deadline), EBADF (closed meanwhile), EPERM (this kind of file cannot be waited for: it
 * is always ready), EINTR, ECANCELED, ETIMEDOUT, EDEADLK, ENOMEM.
 */
int bine_wait_ready(struct bine_wait *wait, uint32_t events);

/* Does both, for a call that has just found that it must wait (again). `events`: POLLIN or
 * POLLOUT. */
static inline int bine_wait_more(struct bine_wait *wait, uint32_t events)
{
    int error = bine_wait_allowed(wait, events == POLLOUT);
    return error ? error : bine_wait_ready(wait, events);
}

/*
 * Has the poller make the call: runs `operation`, which is filled in except for fd and what the
 * poller fills in. Returns 0 when it has ended; operation->result is then the system call's result
 * or -errno. If nothing was done, returns -1 ("make the call yourself"), or an error number as
 * bine_wait_ready does.
 */
int bine_wait_operation(struct bine_wait *wait, struct bine_operation *operation);

/* Does the same, but also returns the system call's own error. Sets *result only if there is none
 * (0). */
static inline int bine_wait_result(struct bine_wait *wait, struct bine_operation *operation,
                                   ssize_t *result)
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

/* Can an operation that the poller is given now share its system call with others? These are
 * operations that ready greenlets will begin, or that were begun already. */
static inline bool bine_wait_gathers(const struct bine_hub *hub)
{
    return !bine_ready_empty(&hub->ready) || (hub->driver != &hub->futex_driver &&
                                              ((const struct bine_poller *)hub->driver)->gathering);
}

/* Tells the poller that the caller's own call found fd exhausted: see poller.h. */
void bine_wait_drained(struct bine_hub *hub, int fd, uint32_t events, bool dry);

/* Sets errno to `error` and returns -1. */
static inline ssize_t bine_io_fail(int error)
{
    if (error == EINTR)
        bine_interrupted();
    errno = error;
    return -1;
}

/* ---- try first or wait first ----------------------------------------------------------------- */

/* Should the next read of this descriptor wait before it asks the kernel? */
static inline bool bine_read_waits_first(const struct bine_descriptor *record)
{
    return record && atomic_load_explicit(&record->read_wait, memory_order_relaxed) &&
           bine_descriptor_nonblocking_known(record) != BINE_NONBLOCKING;
}

/* A read gave fewer bytes than asked for: the next one will find nothing. */
void bine_read_was_short(struct bine_descriptor *record);
/* A read filled the buffer. `tried`: it had not waited first. */
void bine_read_was_full(struct bine_descriptor *record, bool tried);
/* A try was in vain. */
void bine_read_was_dry(struct bine_descriptor *record);

#endif
