/*
 * Fairness.
 *
 * No clock takes the processor from a greenlet, so calls that return at once are counted. After a
 * streak of such calls without a switch the greenlet yields, and the clock is read. So waits for
 * the time or for the kernel end at most about a millisecond late. The clock is not read for each
 * call: a streak that takes long is followed by shorter ones.
 */
#ifndef BINE_CORE_SCHEDULE_STREAK_H
#define BINE_CORE_SCHEDULE_STREAK_H

#include <errno.h>

#include "core/hub/hub.h"

/* So many calls in a row may return without a wait. Then the greenlet yields (hazard 26). */
enum {
    BINE_STREAK_LIMIT = 64
};

int bine_streak_over(struct bine_hub *hub);
void bine_streak_over_firmly(struct bine_hub *hub);

/* Called at the start of a call that may return at once. When the streak is too long, lets others
 * run first. Returns 0, or the error of a greenlet that was killed, timed out or interrupted and
 * would else run for ever (bine_cancelled). Leaves errno alone. */
static inline int bine_streak(struct bine_hub *hub)
{
    return __builtin_expect(++hub->streak > BINE_STREAK_LIMIT, 0) ? bine_streak_over(hub) : 0;
}

/* Does the same for a call that cannot report that its greenlet was killed. */
static inline void bine_streak_firmly(struct bine_hub *hub)
{
    if (__builtin_expect(++hub->streak > BINE_STREAK_LIMIT, 0))
        bine_streak_over_firmly(hub);
}

/* Called when a call with a time limit of 0 found nothing. Returns the error that the call fails
 * with: bine_streak's if there is one, else `refusal`. hub may be NULL. */
static inline int bine_streak_refused(struct bine_hub *hub, int refusal)
{
    int error = hub ? bine_streak(hub) : 0;
    return error ? error : refusal;
}

#endif
