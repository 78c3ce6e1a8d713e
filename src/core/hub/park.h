/*
 * Parking: the one place where a greenlet steps aside. Everything that blocks is built on it.
 */
#ifndef BINE_CORE_HUB_PARK_H
#define BINE_CORE_HUB_PARK_H

#include "hub.h"

enum {
    BINE_PARK_FIRM = 1 << 0,     /* neither kill, nor timeout scope, nor interrupt ends it: only a wake or its
                                    own deadline (a mutex; a wait for a completion the kernel still owes) */
    BINE_PARK_EXTERNAL = 1 << 1, /* something outside this thread may wake it: never a deadlock */
    BINE_PARK_SIGNALS = 1 << 2,  /* a signal handler ends it with EINTR (bine_hub_interrupted) */
    BINE_PARK_RESTARTS = 1 << 3, /* ... unless the handler was installed with SA_RESTART */
    BINE_PARK_HANDLERS = 1 << 4, /* a signal handler may wake it (sem_post): no deadlock while there are handlers */
    BINE_PARK_TIMED = 1 << 5,    /* its timer runs: bine_park's own */
};

/*
 * Park the current greenlet until bine_unpark, until `deadline` (absolute ns of the hub's clock, INT64_MAX: none)
 * or until it is cancelled. `verb` and `object` say why, for dumps ("recv fd", 7); verb must be a constant.
 * Returns 0 when woken, else an error number; errno is left alone:
 *   ETIME      its own deadline passed (the caller says what that means: success for sleep, EAGAIN for recv)
 *   ETIMEDOUT  a timeout scope expired      ECANCELED  killed
 *   EINTR      interrupted                  EDEADLK    nothing can wake the root, or parking is not allowed here
 * or what bine_unpark_error was given. On an error the caller unlinks its own waiter. A wake that came
 * first wins: 0 is returned and the kill strikes at the next park.
 */
int bine_park(struct bine_hub *hub, const char *verb, uintptr_t object, int64_t deadline, unsigned flags);

/* As bine_kill of a greenlet of this thread, but if g has not begun it begins all the same. And back again: waits that begin from now on
 * do not fail. For cancellation as pthreads have it (src/patch/threads/cancellation.c). */
void bine_cancel(struct bine_greenlet *g);
void bine_uncancel(struct bine_greenlet *g);

/* What bine_park would fail with at once because of kill, scope or interrupt; 0 if it would wait. For calls that try first and
 * must not succeed after a kill for ever: the caller fails with it. Spends an interrupt. */
int bine_cancelled(struct bine_hub *hub);
/* The same of kill and scope only, which stay: for callers that do not park yet, or do so later all the same. */
int bine_cancelled_for_good(struct bine_hub *hub);

/*
 * A call of libc fails with EINTR now. A park that an interrupt ended says nothing of the call around it, which may have got a lock
 * or its bytes in the same moment and succeed: a runtime that answers EINTR with an exception waits for this.
 */
void bine_interrupted(void);

/* Make g ready, a parked greenlet of this hub; its park returns 0 (or `error`). False if it was not parked. A caller that knows the hub should
 * say it: g->hub is one more load on the way from a message to the greenlet that gets it. */
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

/* The same with an error that is g's own, and not of what it waits for: a kill, a scope that is out of time, an interrupt. */
static inline void bine_end_wait(struct bine_greenlet *g, int error)
{
    g->interruptions += bine_unpark_error(g, error);
}

/* Let every other ready greenlet run once. Never fails, not cancelled. */
void bine_yield(struct bine_hub *hub);

/* A signal handler ran on this hub's thread: ends the root's park with EINTR if its flags say so. `restart`: the handler has
 * SA_RESTART. Not async-signal-safe: called from the hub's turn (a handler notes the fact and wakes the driver). */
void bine_hub_signalled(struct bine_hub *hub, bool restart);

/* The driver was interrupted by a handler Bine knows nothing of (signals are not patched): ends only parks that no handler restarts. */
static inline void bine_hub_signalled_unknown(struct bine_hub *hub)
{
    atomic_fetch_add_explicit(&hub->handled, BINE_HANDLED_RESTART, memory_order_relaxed);
    bine_hub_signalled(hub, true);
}

#endif
