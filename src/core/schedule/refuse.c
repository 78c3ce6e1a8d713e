/* See refuse.h. */
#include "refuse.h"

int bine_park_refuse(struct bine_hub *hub, struct bine_greenlet *g, int error, uintptr_t object,
                     unsigned flags)
{
    if (error == g->interrupt && !(g->attention & BINE_A_KILLED))
        bine_interrupt_spent(g);
    if (hub->around)
        error = hub->around->refuse(hub, g, error, object, flags);
    g->interruptions += error != 0;
    return error;
}

unsigned bine_interruptions(void)
{
    return bine_hub_of_thread ? bine_hub_of_thread->current->interruptions : 0;
}

bool bine_error_passes(int error, unsigned interruptions)
{
    return error == EINTR || error == EAGAIN || error == EDEADLK || error == ENOMEM ||
           bine_interruptions() != interruptions;
}

int bine_cancelled_now(struct bine_hub *hub)
{
    struct bine_greenlet *g = hub->current;
    int error = g->attention && bine_park_listens(g, 0) ? bine_pending_error(g) : 0;
    return error ? bine_park_refuse(hub, g, error, 0, 0) : 0;
}

int bine_cancelled_for_good(struct bine_hub *hub)
{
    struct bine_greenlet *g = hub->current;
    int error = g->attention && bine_park_listens(g, 0) ? bine_pending_error(g) : 0;
    return error && error == g->interrupt && !(g->attention & BINE_A_KILLED) ? 0 : error;
}

void bine_interrupted(void)
{
    struct bine_hub *hub = bine_hub_here();
    if (hub && hub->around)
        hub->around->interrupted(hub, hub->current);
}
