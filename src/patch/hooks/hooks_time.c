/*
 * Hooks of the time family: sleeping lets the other greenlets run. Units and rounding are libc's.
 * Only a signal, a kill or a timeout scope ends a sleep early.
 */
#include <errno.h>
#include <limits.h>

#include "core/schedule/signalled.h"
#include "patch/table/hook.h"

static bool valid(const struct timespec *time)
{
    return time->tv_sec >= 0 && time->tv_nsec >= 0 && time->tv_nsec < BINE_SECOND;
}

/* Nanoseconds, saturating: 292 years are for ever. */
static int64_t nanoseconds(const struct timespec *time)
{
    int64_t result;
    if (__builtin_mul_overflow((int64_t)time->tv_sec, BINE_SECOND, &result) ||
        __builtin_add_overflow(result, (int64_t)time->tv_nsec, &result))
        return INT64_MAX;
    return result;
}

static struct timespec timespec_of(int64_t duration)
{
    return (struct timespec){.tv_sec = duration / BINE_SECOND, .tv_nsec = duration % BINE_SECOND};
}

/* Park until `deadline` of the hub's clock. 0, or EINTR, ECANCELED, ETIMEDOUT, EDEADLK. A sleep of
 * no length still lets the others run: callers poll with it. */
static int sleep_until(struct bine_hub *hub, const char *verb, int64_t deadline)
{
    int error = bine_park(hub, verb, 0, deadline, BINE_PARK_SIGNALS);
    if (error == EINTR)
        bine_interrupted();
    return error == ETIME ? 0 : error;
}

/* How much of the time until `deadline` is left. */
static int64_t left_until(struct bine_hub *hub, int64_t deadline)
{
    int64_t now = bine_hub_now(hub);
    return now < deadline ? deadline - now : 0;
}

static int sleep_relative(struct bine_hub *hub, const char *verb, const struct timespec *request,
                          struct timespec *remaining)
{
    int64_t deadline = bine_hub_deadline(hub, nanoseconds(request));
    int error = sleep_until(hub, verb, deadline);
    if (error && remaining)
        *remaining = timespec_of(left_until(hub, deadline));
    return error;
}

int hook_nanosleep(const struct timespec *request, struct timespec *remaining)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_TIME);
    /* What libc would refuse (EINVAL, EFAULT) is left to it: it does not block. */
    if (!hub || !request || !valid(request))
        return bine_libc.nanosleep(request, remaining);
    int error = sleep_relative(hub, "nanosleep", request, remaining);
    if (!error)
        return 0;
    errno = error;
    return -1;
}

/* The most that a sleep on a clock which can be set, or does not run with the wall, waits before it
 * looks again. */
#define LOOK_AGAIN (100 * BINE_MS)

/* Until `clock` shows `until`. The hub's timers follow CLOCK_MONOTONIC: any other clock is looked
 * at again and again. */
static int sleep_on_clock(struct bine_hub *hub, clockid_t clock, int64_t until)
{
    for (bine_signal_mark signals = bine_signals_now(hub);;) {
        struct timespec time;
        if (bine_signals_since(hub, signals, BINE_PARK_SIGNALS))
            return EINTR;
        if (clock_gettime(clock, &time) != 0)
            return errno;
        int64_t left = until - nanoseconds(&time);
        if (left < 0)
            left = 0;
        bool last = left == 0 || clock == CLOCK_MONOTONIC;
        if (!last && left > LOOK_AGAIN)
            left = LOOK_AGAIN;
        int error = sleep_until(hub, "clock_nanosleep", bine_hub_deadline(hub, left));
        if (error || last)
            return error;
    }
}

int hook_clock_nanosleep(clockid_t clock, int flags, const struct timespec *request,
                         struct timespec *remaining)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_TIME);
    struct timespec time;
    /* CLOCK_THREAD_CPUTIME_ID is EINVAL, the coarse and alarm clocks ENOTSUP or privileged: libc
     * knows. */
    bool ours = clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME ||
                clock == CLOCK_TAI || clock == CLOCK_PROCESS_CPUTIME_ID;
    int saved = errno;
    if (!hub || !ours || !request || !valid(request) || clock_gettime(clock, &time) != 0) {
        errno = saved;
        return bine_libc.clock_nanosleep(clock, flags, request, remaining);
    }
    int error;
    if (flags & TIMER_ABSTIME) {
        error = sleep_on_clock(hub, clock, nanoseconds(request));
    } else if (clock == CLOCK_PROCESS_CPUTIME_ID) {
        int64_t until;
        if (__builtin_add_overflow(nanoseconds(&time), nanoseconds(request), &until))
            until = INT64_MAX;
        error = sleep_on_clock(hub, clock, until);
        if (error == EINTR && remaining && clock_gettime(clock, &time) == 0) {
            int64_t left = until - nanoseconds(&time);
            *remaining = timespec_of(left > 0 ? left : 0);
        }
    } else {
        /* A relative sleep is not disturbed by setting the clock: they are all the same. */
        error = sleep_relative(hub, "clock_nanosleep", request, remaining);
    }
    errno = saved;
    return error;
}

/* sleep has no way to fail: after a signal it tells the seconds that are left, as libc's does.
 * After a kill or at the end of a timeout scope it tells 0, with errno set: the usual `while (n) n
 * = sleep(n);` would never end otherwise. */
unsigned hook_sleep(unsigned seconds)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_TIME);
    if (!hub)
        return bine_libc.sleep(seconds);
    int64_t deadline = bine_hub_deadline(hub, (int64_t)seconds * BINE_SECOND);
    int error = sleep_until(hub, "sleep", deadline);
    if (!error)
        return 0;
    errno = error;
    if (error != EINTR)
        return 0;
    /* Whole seconds, the rest is dropped: so does glibc. */
    return (unsigned)(left_until(hub, deadline) / BINE_SECOND);
}

int hook_usleep(useconds_t microseconds)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_TIME);
    if (!hub)
        return bine_libc.usleep(microseconds);
    int error = sleep_until(hub, "usleep", bine_hub_deadline(hub, (int64_t)microseconds * BINE_US));
    if (!error)
        return 0;
    errno = error;
    return -1;
}

int hook_sched_yield(void)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_TIME);
    if (!hub)
        return bine_libc.sched_yield();
    bine_yield(hub);
    return 0;
}

void hook_thrd_yield(void)
{
    (void)hook_sched_yield();
}

int hook_thrd_sleep(const struct timespec *request, struct timespec *remaining)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_TIME);
    if (!hub || !request || !valid(request))
        return bine_libc.thrd_sleep(request, remaining);
    int error = sleep_relative(hub, "thrd_sleep", request, remaining);
    /* C11: -1 for a signal, another negative number for another failure. */
    return error == 0 ? 0 : error == EINTR ? -1 : -2;
}
