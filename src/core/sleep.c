/* bine_sleep and bine_idle. */
#include <errno.h>

#include "core/schedule/park.h"
#include "core/schedule/switch.h"

static __attribute__((noinline)) int sleep_slowly(int64_t duration)
{
    struct bine_hub *hub = bine_hub_of_thread;
    if (!hub && !(hub = bine_hub_get()))
        return -1;
    if (duration == 0) {
        struct bine_greenlet *next = bine_yield_peek_recording(hub);
        if (next)
            return bine_switch_over(hub, hub->current, next);
        int error = __builtin_expect(hub->current->attention, 0) ? bine_cancelled(hub) : 0;
        if (error) {
            errno = error;
            return -1;
        }
        bine_yield(hub);
        return 0;
    }
    if (duration < 0) {
        errno = EINVAL;
        return -1;
    }
    int error = bine_park(hub, "sleep", 0, bine_hub_deadline(hub, duration), BINE_PARK_SIGNALS);
    if (error == ETIME || error == 0)
        return 0;
    errno = error;
    return -1;
}

int bine_sleep(int64_t duration)
{
    struct bine_hub *hub = bine_hub_of_thread;
    if (duration == 0 && hub) {
        struct bine_greenlet *next = bine_yield_peek(hub);
        if (__builtin_expect(next != NULL, 1))
            return bine_switch_over(hub, hub->current, next);
    }
    return sleep_slowly(duration);
}

int bine_idle(void)
{
    struct bine_hub *hub = bine_hub_get();
    if (!hub)
        return -1;
    struct bine_waiter waiter = {.greenlet = hub->current};
    bine_waiters_push(&hub->idle, &waiter);
    int error = bine_park(hub, "idle", 0, INT64_MAX, 0);
    bine_waiters_remove(&waiter);
    if (!error)
        return 0;
    errno = error;
    return -1;
}
