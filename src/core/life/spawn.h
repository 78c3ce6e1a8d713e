/*
 * The part of a spawn that all spawns share, inlined.
 */
#ifndef BINE_CORE_LIFE_SPAWN_H
#define BINE_CORE_LIFE_SPAWN_H

#include <errno.h>

#include "core/hub/record.h"
#include "core/schedule/schedule.h"

/* A new greenlet, not yet in the ready queue. */
static inline __attribute__((always_inline)) struct bine_greenlet *bine_spawn_prepare(
    int class, bine_run *run, void *arg, const char *site)
{
    struct bine_hub *hub = bine_hub_of_thread;
    if (!run || !site) {
        errno = EINVAL;
        return NULL;
    }
    if (!hub && !(hub = bine_hub_get()))
        return NULL;
    if (class < 0)
        class = hub->default_stack_class;
    if (bine_stacks_reserve(hub->stacks, class) < 0)
        return NULL;
    struct bine_greenlet *g = bine_record_new(hub);
    if (!g) {
        bine_stacks_unreserve(hub->stacks, class);
        errno = ENOMEM;
        return NULL;
    }
    g->stack_class = (uint8_t) class;
    g->run = run;
    g->arg = arg;
    g->site = site;
    g->spawner = hub->current->timer | -(uint32_t)hub->no_park;
    g->references = 2; /* the spawner's, and its own until it has ended */
    hub->greenlets++;
    return g;
}

/* Starts g, which is prepared, in `delay` nanoseconds. */
void bine_spawn_start_later(struct bine_greenlet *g, int64_t delay);

#endif
