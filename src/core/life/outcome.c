/* How a greenlet ends by its own will, and what has become of one. */
#include <errno.h>
#include <pthread.h>

#include "core/hub/greenlet.h"
#include "core/schedule/schedule.h"
#include "core/stack/watermark.h"

void bine_exit(void *value)
{
    struct bine_hub *hub = bine_hub_of_thread;
    if (!hub)
        pthread_exit(value);
    bine_greenlet_finish(hub, value, 0);
}

void bine_fail(int error)
{
    struct bine_hub *hub = bine_hub_of_thread;
    if (!hub)
        pthread_exit(NULL);
    bine_greenlet_finish(hub, NULL, error ? error : EINVAL);
}

bine_greenlet *bine_getcurrent(void)
{
    struct bine_hub *hub = bine_hub_of_thread;
    if (!hub && !(hub = bine_hub_get()))
        return NULL;
    return hub->current;
}

bool bine_started(const bine_greenlet *g)
{
    return g && g->state != BINE_NEW && g->state != BINE_DEAD;
}

bool bine_dead(const bine_greenlet *g)
{
    return g && g->state == BINE_DEAD;
}

bool bine_successful(const bine_greenlet *g)
{
    return bine_dead(g) && g->error == 0;
}

void *bine_value(const bine_greenlet *g)
{
    return bine_dead(g) ? g->arg : NULL;
}

int bine_error(const bine_greenlet *g)
{
    return !g ? EINVAL : g->state == BINE_DEAD ? g->error : 0;
}

size_t bine_stack_high_water(const bine_greenlet *g)
{
    return g && !bine_greenlet_foreign(g) && g->stack ? bine_stack_touched(g->stack) : 0;
}
