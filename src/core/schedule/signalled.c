/* What a signal handler that has run means for the hub's greenlets. See signalled.h and park.h. */
#include "park.h"

#include <errno.h>

void bine_greenlet_signalled(struct bine_greenlet *g, bool restart)
{
    if (g->state != BINE_PARKED || !(g->park_flags & BINE_PARK_SIGNALS))
        return;
    if (restart && (g->park_flags & BINE_PARK_RESTARTS))
        return;
    bine_end_wait(g, EINTR);
}

void bine_hub_signalled(struct bine_hub *hub, bool restart)
{
    bine_greenlet_signalled(hub->root, restart);
}

static void (*signal_hook)(struct bine_hub *hub);

void bine_hub_on_signal(void (*signalled)(struct bine_hub *hub))
{
    signal_hook = signalled;
}

void bine_hub_take_signals(struct bine_hub *hub)
{
    unsigned char signals = atomic_exchange(&hub->signals, 0);
    if (signals & (BINE_SIGNALLED_RESTART | BINE_SIGNALLED_BREAK))
        bine_hub_signalled(hub, !(signals & BINE_SIGNALLED_BREAK));
    if (signals && signal_hook)
        signal_hook(hub);
}
