/* Whether a wait fails before it begins, because its greenlet was killed, interrupted or is out of
 * time. */
#ifndef BINE_CORE_SCHEDULE_REFUSE_H
#define BINE_CORE_SCHEDULE_REFUSE_H

#include <errno.h>

#include "park.h"

/* Does this park listen to kill, scopes and interrupts? */
static inline bool bine_park_listens(const struct bine_greenlet *g, unsigned flags)
{
    return !(flags & BINE_PARK_FIRM) && !g->shields;
}

/* The error that ends a listening park before it begins; 0: none. */
static inline int bine_pending_error(const struct bine_greenlet *g)
{
    if (g->attention & BINE_A_KILLED)
        return ECANCELED;
    for (const struct bine_timeout *scope = g->timeouts; scope; scope = scope->outer)
        if (scope->expired)
            return ETIMEDOUT;
    return g->interrupt;
}

static inline void bine_interrupt_spent(struct bine_greenlet *g)
{
    g->interrupt = 0;
    g->attention &= (uint8_t)~BINE_A_INTERRUPT;
}

/* What a park fails with, or a call that would park, because `error` is pending. It spends an
 * interrupt. 0: it waits all the same. */
int bine_park_refuse(struct bine_hub *hub, struct bine_greenlet *g, int error, uintptr_t object,
                     unsigned flags);

#endif
