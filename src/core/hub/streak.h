/*
 * Fairness. Nobody takes the processor from a greenlet, so calls that return at once count: after so many in a row without a switch the
 * others get their turn, and the clock is read, so that what waits for the time or for the kernel is not late by more than about a
 * millisecond. The clock is not read for each call: a streak that takes long is followed by shorter ones.
 */
#ifndef BINE_CORE_HUB_STREAK_H
#define BINE_CORE_HUB_STREAK_H

#include <errno.h>

#include "hub.h"

/* So many calls in a row that did not have to wait, then others get their turn (hazard 26). */
enum {
    BINE_STREAK_LIMIT = 64
};

int bine_streak_over(struct bine_hub *hub);
void bine_streak_over_firmly(struct bine_hub *hub);

/* At the start of a call that may return at once: when the run of such calls is too long, let others run first. 0, or the error of a
 * greenlet that was killed, timed out or interrupted and would else go on for ever (bine_cancelled). Leaves errno alone. */
static inline int bine_streak(struct bine_hub *hub)
{
    return __builtin_expect(++hub->streak > BINE_STREAK_LIMIT, 0) ? bine_streak_over(hub) : 0;
}

/* The same for a call that has no way to say that its greenlet was killed. */
static inline void bine_streak_firmly(struct bine_hub *hub)
{
    if (__builtin_expect(++hub->streak > BINE_STREAK_LIMIT, 0))
        bine_streak_over_firmly(hub);
}

/* A call with a limit of nothing found nothing, which is `refusal`: what it returns, that or what bine_streak says. hub may be NULL. */
static inline int bine_streak_refused(struct bine_hub *hub, int refusal)
{
    int error = hub ? bine_streak(hub) : 0;
    return error ? error : refusal;
}

#endif
