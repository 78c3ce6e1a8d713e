/*
 * pthread_cond for greenlets. See posix.h for the rules.
 *
 * Greenlets that wait queue in the parking lot under the condition's address. Threads without a hub
 * wait in libc's own condition. A signal wakes a waiter of one kind. When both kinds wait they take
 * turns.
 *
 * Process-shared conditions: libc has no way to ask "has it been signalled". So greenlets wake up
 * by themselves every few milliseconds. These are spurious wake-ups, which POSIX allows and every
 * correct caller tolerates.
 */
#include "posix.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stddef.h>

#include "libc/libc.h"
#include "parking_lot.h"
#include "posix_clock.h"
#include "surprise.h"

enum {
    SHARED = 1, /* bits that libc keeps in __wrefs below the number of waiters */
    MONOTONIC = 2,
    WAITERS_SHIFT = 3,
};

/* Where __wrefs lies. glibc 2.41 moved it from byte 36 to byte 28, so the libc that is loaded may
 * keep it elsewhere than the headers say that this file was compiled with. bine_cond_surprise finds
 * the place before conditions are patched. */
static const size_t state_places[] = {offsetof(pthread_cond_t, __data.__wrefs), 36, 28};
static _Atomic size_t state_place = offsetof(pthread_cond_t, __data.__wrefs);

static inline unsigned cond_state_at(const pthread_cond_t *condition, size_t place)
{
    return __atomic_load_n((const unsigned *)((const char *)condition + place), __ATOMIC_RELAXED);
}

static inline unsigned cond_state_of(const pthread_cond_t *condition)
{
    return cond_state_at(condition, atomic_load_explicit(&state_place, memory_order_relaxed));
}

static int cond_wait_until(struct bine_hub *hub, pthread_cond_t *condition, pthread_mutex_t *mutex,
                           int64_t deadline)
{
    struct bine_lot_waiter waiter;
    unsigned flags = 0;
    int64_t until = deadline;
    int error;

    bine_lot_waiter_init(&waiter, hub, condition);
    bool shared = cond_state_of(condition) & SHARED;
    if (shared) {
        int64_t look = bine_hub_deadline(hub, 2 * BINE_MS);
        until = look < deadline ? look : deadline;
    }
    /* Killed, or a scope has expired: say so, but not at once, lest a loop that ignores it spins
     * (posix.h). */
    int cancelled = bine_cancelled_for_good(hub);
    if (cancelled) {
        int64_t soon = bine_hub_deadline(hub, 10 * BINE_MS);
        until = soon < until ? soon : until;
        flags = BINE_PARK_FIRM;
    }

    bine_lot_enqueue(&waiter, 0);
    error = bine_pthread_mutex_unlock(mutex);
    if (error) {
        if (bine_lot_leave(&waiter))
            return error;
        /* A signal was spent on us: pass it on. */
        bine_lot_await(&waiter, "condition", INT64_MAX, BINE_PARK_FIRM);
        bine_pthread_cond_signal(condition);
        return error;
    }
    error = bine_lot_await(&waiter, "condition", until, flags);
    if (error == ETIME) {
        if (cancelled)
            error = cancelled;
        else if (shared && until < deadline)
            error = 0;
        else
            error = ETIMEDOUT;
    }
    int lock_error = bine_pthread_mutex_lock(mutex);
    return lock_error ? lock_error : error;
}

int bine_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
{
    struct bine_hub *hub = bine_hub_here();
    if (!hub || hub->no_park)
        return bine_libc.pthread_cond_wait(condition, mutex);
    return cond_wait_until(hub, condition, mutex, INT64_MAX);
}

int bine_pthread_cond_clockwait(pthread_cond_t *condition, pthread_mutex_t *mutex, clockid_t clock,
                                const struct timespec *until)
{
    struct bine_hub *hub = bine_hub_here();
    int64_t deadline;
    if (!hub || hub->no_park)
        return bine_libc.pthread_cond_clockwait(condition, mutex, clock, until);
    int error = bine_posix_deadline(hub, clock, until, &deadline);
    return error ? error : cond_wait_until(hub, condition, mutex, deadline);
}

int bine_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
                                const struct timespec *until)
{
    struct bine_hub *hub = bine_hub_here();
    if (!hub || hub->no_park)
        return bine_libc.pthread_cond_timedwait(condition, mutex, until);
    clockid_t clock = cond_state_of(condition) & MONOTONIC ? CLOCK_MONOTONIC : CLOCK_REALTIME;
    return bine_pthread_cond_clockwait(condition, mutex, clock, until);
}

int bine_pthread_cond_signal(pthread_cond_t *condition)
{
    if (__builtin_expect(!bine_lot_waited(condition), 1))
        return bine_libc.pthread_cond_signal(condition);
    static atomic_uint turn;
    bool threads_wait = cond_state_of(condition) >> WAITERS_SHIFT;
    if (threads_wait && atomic_fetch_add_explicit(&turn, 1, memory_order_relaxed) % 2)
        return bine_libc.pthread_cond_signal(condition);
    if (bine_lot_wake(condition, 1))
        return 0;
    return bine_libc.pthread_cond_signal(condition);
}

int bine_pthread_cond_broadcast(pthread_cond_t *condition)
{
    if (__builtin_expect(bine_lot_waited(condition), 0))
        bine_lot_wake(condition, SIZE_MAX);
    return bine_libc.pthread_cond_broadcast(condition);
}

/* What libc keeps in the object, tried out. The number of waiters is not: that would take a
 * thread. */
const char *bine_cond_surprise(void)
{
    pthread_cond_t plain, other;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_cond_init(&plain, &attributes);
    pthread_condattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&other, &attributes);
    pthread_condattr_destroy(&attributes);
    bool known = false;
    for (size_t i = 0; !known && i < sizeof state_places / sizeof *state_places; i++) {
        size_t place = state_places[i];
        known = cond_state_at(&plain, place) == 0 &&
                cond_state_at(&other, place) == (SHARED | MONOTONIC);
        if (known)
            atomic_store_explicit(&state_place, place, memory_order_relaxed);
    }
    pthread_cond_destroy(&plain);
    pthread_cond_destroy(&other);
    return known ? NULL : "the clock of a condition";
}
