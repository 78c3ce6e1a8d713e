/*
 * How a greenlet's record is taken: the part that every spawn executes, inlined.
 *
 * Records are carved from chunks and recycled, never given back: a stale pointer finds a dead
 * record, not foreign memory, and spawning costs no malloc.
 */
#ifndef BINE_CORE_HUB_RECORD_H
#define BINE_CORE_HUB_RECORD_H

#include "hub.h"

/* Makes more free records. Returns -1 for ENOMEM. */
int bine_records_refill(struct bine_hub *hub);

/* Returns a record of a new greenlet, which is in the hub's list. Returns NULL for ENOMEM. */
static inline struct bine_greenlet *bine_record_new(struct bine_hub *hub)
{
    if (__builtin_expect(!hub->records, 0) && bine_records_refill(hub) < 0)
        return NULL;
    struct bine_greenlet *g = hub->records, *first = hub->all;
    hub->records = g->next_free;
    g->waitable = (struct bine_waitable){.class = &bine_greenlet_class};
    g->context.sp = NULL;
    g->hub = hub;
    g->state = BINE_NEW;
    g->flags = g->park_flags = g->attention = 0;
    g->all_next = first;
    g->all_previous = NULL;
    g->stack = NULL;
    g->shields = 0;
    g->timeouts = NULL;
    g->sanitizer = (struct bine_sanitizer){};
    if (first)
        first->all_previous = g;
    hub->all = g;
    return g;
}

#endif
