/* How a greenlet is ended from outside. */
#include <errno.h>

#include "core/hub/trace.h"
#include "park.h"
#include "schedule.h"

static void kill_here(void *g)
{
    bine_kill(g);
}

/* One of another thread, by a message to that. If the thread has ended, so has g. */
static __attribute__((noinline, cold)) int kill_elsewhere(struct bine_greenlet *g)
{
    int saved = errno;
    if (bine_post(g->hub, kill_here, g) == 0 || errno == ESRCH) {
        errno = saved;
        return 0;
    }
    return -1;
}

int bine_kill(bine_greenlet *g)
{
    struct bine_hub *hub = bine_hub_of_thread;
    if (!g) {
        errno = EINVAL;
        return -1;
    }
    if (__builtin_expect(g->hub != hub, 0))
        return kill_elsewhere(g);
    if (g->state == BINE_DEAD || (g->attention & BINE_A_KILLED))
        return 0;
    g->attention |= BINE_A_KILLED;
    bine_trace_event(hub, BINE_TRACE_KILL, g, hub->current);
    if (g->state == BINE_NEW) {
        /* It never runs. If it is in the ready queue already, the record stays there, dead, until
         * it is popped and its reference dropped. If it waits for its delay, nothing else refers to
         * it. */
        bool delayed = bine_timer_started(&hub->timers, g->timer);
        bine_greenlet_abandon(g, ECANCELED);
        if (delayed)
            bine_greenlet_release(g);
    } else if (g->state == BINE_PARKED && !(g->park_flags & BINE_PARK_FIRM) && !g->shields) {
        bine_end_wait(g, ECANCELED);
    }
    return 0;
}

void bine_cancel(struct bine_greenlet *g)
{
    if (g->state == BINE_DEAD)
        return;
    g->attention |= BINE_A_KILLED;
    if (g->state == BINE_PARKED && !(g->park_flags & BINE_PARK_FIRM) && !g->shields)
        bine_end_wait(g, ECANCELED);
}

void bine_uncancel(struct bine_greenlet *g)
{
    g->attention &= (uint8_t)~BINE_A_KILLED;
}

bool bine_killed(const bine_greenlet *g)
{
    return g && (g->attention & BINE_A_KILLED);
}

int bine_check(void)
{
    int error = bine_hub_of_thread ? bine_cancelled_now(bine_hub_of_thread) : 0;
    if (error)
        errno = error;
    return error ? -1 : 0;
}
