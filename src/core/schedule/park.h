/*
 * Parking: the one place where a greenlet stops to wait. Everything that blocks is built on it.
 */
#ifndef BINE_CORE_SCHEDULE_PARK_H
#define BINE_CORE_SCHEDULE_PARK_H

#include "core/hub/hub.h"

enum {
    /* Neither kill, nor timeout scope, nor interrupt ends it. Only a wake or its own deadline does:
     * for a mutex, or a wait for a completion that the kernel still owes. */
    BINE_PARK_FIRM = 1 << 0,
    /* something outside this thread may wake it, so it is never a deadlock */
    BINE_PARK_EXTERNAL = 1 << 1,
    BINE_PARK_SIGNALS = 1 << 2,  /* a signal handler ends it with EINTR (bine_hub_interrupted) */
    BINE_PARK_RESTARTS = 1 << 3, /* ... unless the handler was installed with SA_RESTART */
    /* A signal handler may wake it (sem_post). It is no deadlock while there are handlers. */
    BINE_PARK_HANDLERS = 1 << 4,
    BINE_PARK_TIMED = 1 << 5, /* its timer runs; only bine_park sets this */
};

/*
 * Parks the current greenlet until bine_unpark, until `deadline` (absolute ns of the hub's clock,
 * INT64_MAX: none) or until the wait is cancelled. `verb` and `object` say why it waits, for dumps
 * ("recv fd", 7). `verb` must be a constant.
 *
 * Returns 0 when woken, else an error number, or what bine_unpark_error was given. Leaves errno
 * alone.
 *
 *   ETIME      its own deadline passed. The caller decides what that means: success for sleep,
 *              EAGAIN for recv.
 *   ETIMEDOUT  a timeout scope expired
 *   ECANCELED  the greenlet was killed
 *   EINTR      the greenlet was interrupted
 *   EDEADLK    nothing can wake the root, or parking is not allowed here
 *
 * On an error the caller unlinks its own waiter. A wake that came first wins: bine_park returns 0,
 * and the kill ends the next park.
 */
int bine_park(struct bine_hub *hub, const char *verb, uintptr_t object, int64_t deadline,
              unsigned flags);

/* bine_cancel does what bine_kill does to a greenlet of this thread, but a greenlet that has not
 * begun begins all the same. bine_uncancel takes it back: waits that begin from now on do not fail.
 * Both serve cancellation as pthreads have it (src/patch/threads/cancellation.c). */
void bine_cancel(struct bine_greenlet *g);
void bine_uncancel(struct bine_greenlet *g);

/* Returns the error with which bine_park would fail at once because of a kill, a scope or an
 * interrupt. Returns 0 if it would wait. It is for calls that try first: after a kill they must not
 * succeed for ever, so the caller fails with this error. Uses the interrupt up. May switch: a
 * greenlet whose calls all fail lets others run now and then (streak.h). */
int bine_cancelled(struct bine_hub *hub);
/* Does the same and does not switch. */
int bine_cancelled_now(struct bine_hub *hub);
/* Does the same for kill and scope only, which stay. It is for callers that do not park yet, or
 * park later all the same. */
int bine_cancelled_for_good(struct bine_hub *hub);

/*
 * A call of libc fails with EINTR now. A park that an interrupt ended does not tell whether the
 * call around it fails: that call may have got a lock or its bytes in the same moment and succeed.
 * A runtime that answers EINTR with an exception waits for this call.
 */
void bine_interrupted(void);

/* Makes g ready, a parked greenlet of this hub. Its park returns 0 (or `error`). Returns false if g
 * was not parked. A caller that knows the hub should pass it: reading g->hub is one more load on
 * the way from a message to the greenlet that gets it. */
static inline bool bine_unpark_on(struct bine_hub *hub, struct bine_greenlet *g, int error)
{
    if (g->state != BINE_PARKED)
        return false;
    g->wake_error = error;
    g->state = BINE_READY;
    bine_ready_push(&hub->ready, g);
    return true;
}

static inline bool bine_unpark_error(struct bine_greenlet *g, int error)
{
    return bine_unpark_on(g->hub, g, error);
}

static inline bool bine_unpark(struct bine_greenlet *g)
{
    return bine_unpark_error(g, 0);
}

/* Does the same with an error that is g's own and not that of the object it waits for: a kill, a
 * scope that is out of time, an interrupt. */
static inline void bine_end_wait(struct bine_greenlet *g, int error)
{
    g->interruptions += bine_unpark_error(g, error);
}

/* Lets every other ready greenlet run once. It never fails and cannot be cancelled. */
void bine_yield(struct bine_hub *hub);

/* A signal handler ran on this hub's thread. Ends the root's park with EINTR if its flags say so.
 * `restart`: the handler has SA_RESTART. Not async-signal-safe: the hub's turn calls it. A handler
 * only notes the fact and wakes the driver. */
void bine_hub_signalled(struct bine_hub *hub, bool restart);

/* The same for any greenlet of the calling thread, whose handler ran or is about to. */
void bine_greenlet_signalled(struct bine_greenlet *g, bool restart);

/* A handler that Bine does not know of interrupted the driver (signals are not patched). Ends only
 * parks that no handler restarts. */
static inline void bine_hub_signalled_unknown(struct bine_hub *hub)
{
    atomic_fetch_add_explicit(&hub->handled, BINE_HANDLED_RESTART, memory_order_relaxed);
    bine_hub_signalled(hub, true);
}

#endif
