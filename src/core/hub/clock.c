/* The hub's clock, and deadlines on it. */
#include <bine/clock.h>
#include <errno.h>
#include <time.h>

#include "hub.h"

int64_t bine_hub_now(struct bine_hub *hub)
{
    if (hub && __builtin_expect(hub->driver->now != NULL, 0))
        return hub->driver->now(hub->driver);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * BINE_SECOND + now.tv_nsec;
}

int64_t bine_hub_deadline(struct bine_hub *hub, int64_t duration)
{
    if (duration == BINE_FOREVER)
        return INT64_MAX;
    int64_t now = bine_hub_now(hub);
    return duration > INT64_MAX - 1 - now ? INT64_MAX - 1 : now + duration;
}

int64_t bine_now(void)
{
    return bine_hub_now(bine_hub_of_thread);
}

int64_t bine_deadline(int64_t duration)
{
    if (duration < 0) {
        errno = EINVAL;
        return -1;
    }
    return bine_hub_deadline(bine_hub_of_thread, duration);
}

int64_t bine_left(int64_t deadline)
{
    if (deadline == BINE_FOREVER)
        return BINE_FOREVER;
    int64_t left = deadline <= 0 ? 0 : deadline - bine_now();
    return left > 0 ? left : 0;
}
