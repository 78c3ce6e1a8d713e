/* Absolute times of POSIX calls as deadlines. See posix_clock.h. */
#include "posix_clock.h"

#include <errno.h>

int bine_posix_deadline(struct bine_hub *hub, clockid_t clock, const struct timespec *until,
                        int64_t *deadline)
{
    struct timespec now;
    if (until->tv_nsec < 0 || until->tv_nsec >= BINE_SECOND)
        return EINVAL;
    if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC)
        return EINVAL;
    clock_gettime(clock, &now);
    int64_t start = bine_hub_now(hub);
    int64_t seconds, rest;
    if (__builtin_sub_overflow((int64_t)until->tv_sec, (int64_t)now.tv_sec, &seconds) ||
        __builtin_mul_overflow(seconds, BINE_SECOND, &rest) ||
        __builtin_add_overflow(rest, until->tv_nsec - now.tv_nsec, &rest)) {
        *deadline = until->tv_sec < 0 ? start : INT64_MAX;
        return 0;
    }
    if (rest <= 0)
        *deadline = start;
    else if (__builtin_add_overflow(start, rest, deadline))
        *deadline = INT64_MAX;
    return 0;
}
