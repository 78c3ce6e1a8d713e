/* How greenlets are spawned. See spawn.h. */
#include "spawn.h"

static void delay_over(void *greenlet, int64_t deadline)
{
    struct bine_greenlet *g = greenlet;
    (void)deadline;
    bine_ready_push(&g->hub->ready, g);
}

bine_greenlet *bine_spawn_at(bine_run *run, void *arg, const char *site)
{
    struct bine_greenlet *g = bine_spawn_prepare(-1, run, arg, site);
    if (g)
        bine_ready_push(&bine_hub_of_thread->ready, g);
    return g;
}

int bine_go_at(bine_run *run, void *arg, const char *site)
{
    struct bine_greenlet *g = bine_spawn_prepare(-1, run, arg, site);
    if (!g)
        return -1;
    g->references = 1; /* its own */
    bine_ready_push(&g->hub->ready, g);
    return 0;
}

bine_greenlet *bine_spawn_later_at(int64_t delay, bine_run *run, void *arg, const char *site)
{
    if (delay < 0) {
        errno = EINVAL;
        return NULL;
    }
    struct bine_greenlet *g = bine_spawn_prepare(-1, run, arg, site);
    if (g)
        bine_spawn_start_later(g, delay);
    return g;
}

void bine_spawn_start_later(struct bine_greenlet *g, int64_t delay)
{
    bine_timer_start(&g->hub->timers, g->timer, delay_over, g, bine_hub_deadline(g->hub, delay));
}
