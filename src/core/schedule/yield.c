/* bine_yield. See park.h. */
#include "park.h"
#include "schedule.h"
#include "switch.h"

void bine_yield(struct bine_hub *hub)
{
    struct bine_greenlet *g = hub->current;
    if (__builtin_expect(hub->no_park, 0))
        return;
    hub->streak = 0;
    const struct bine_around *around = hub->around;
    void *left = NULL;
    if (around) {
        g->verb = NULL; /* it does not park */
        left = around->leave(hub, g);
    }
    /* Not before `leave`, which may make others ready. */
    bine_ready_push(&hub->ready, g);
    bine_switch(hub, g, hub->simulated ? bine_schedule_next(hub) : bine_schedule_next_quick(hub));
    if (around)
        around->back(hub, g, left, 0);
}
