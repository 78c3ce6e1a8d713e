/* Fairness among greenlets whose calls never wait. See streak.h. */
#include "streak.h"

#include "park.h"
#include "schedule.h"

/* A streak that took longer than SLOW is followed by one that shall take TARGET. A quicker one is
 * followed by one of twice as many calls. Timers and the driver are looked at when that has not
 * happened for LOOK. */
#define LOOK (BINE_MS / 4)
#define TARGET (BINE_MS / 2)
#define SLOW BINE_MS

/* How long the next streak may be, judged by the one that is over. */
static void judge(struct bine_hub *hub, int64_t duration)
{
    if (duration > SLOW) {
        uint64_t fewer = (uint64_t)hub->streak_length * TARGET / (uint64_t)duration;
        hub->streak_length = fewer ? (uint8_t)fewer : 1;
    } else if (duration < TARGET && hub->streak_length < BINE_STREAK_LIMIT) {
        hub->streak_length = hub->streak_length < BINE_STREAK_LIMIT / 2
                                 ? (uint8_t)(hub->streak_length * 2)
                                 : BINE_STREAK_LIMIT;
    }
}

void bine_streak_over_firmly(struct bine_hub *hub)
{
    hub->streak = 0;
    if (hub->no_park || hub->current->attention & BINE_A_CALLBACK)
        return;
    int64_t now = bine_hub_now(hub);
    uint64_t switches = bine_hub_switches(hub);
    /* Only where the last streak was this greenlet's, too, is it known when this one began. */
    if (switches == hub->streak_switches)
        judge(hub, now - hub->streak_began);
    if (now - hub->looked_at >= LOOK || hub->simulated)
        bine_schedule_look(hub, now);
    bine_yield(hub);
    bool others_ran = bine_hub_switches(hub) != switches + 1;
    hub->streak_began = others_ran ? bine_hub_now(hub) : now;
    hub->streak_switches = bine_hub_switches(hub);
    hub->streak = BINE_STREAK_LIMIT - hub->streak_length;
}

int bine_streak_over(struct bine_hub *hub)
{
    /* Also if the call is about to fail: not every caller looks at what it fails with. */
    bine_streak_over_firmly(hub);
    return hub->no_park ? 0 : bine_cancelled_now(hub);
}
