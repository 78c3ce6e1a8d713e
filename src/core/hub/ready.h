/*
 * The ready queue of one hub: a ring of pointers, first in first out. A ring and not a list through the records: who runs
 * after next is known without touching the record of who runs next, so the processor can fetch several greenlets
 * at a time (100,000 in turn: a list makes each switch wait for the memory of the one before).
 *
 * A greenlet is in it at most once, and the ring always has room for every record of the hub (greenlet.c sees to that when it makes
 * records), so that making a greenlet ready cannot fail.
 */
#ifndef BINE_CORE_HUB_READY_H
#define BINE_CORE_HUB_READY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bine_greenlet;

struct bine_ready {
    struct bine_greenlet **slots;
    uint32_t head, tail; /* they run on: slots[head & mask] is next, tail - head are in it */
    uint32_t mask;       /* the room, a power of two, - 1 */
    uint32_t slept;      /* runs on, too: those that timers woke are before this */
};

/* Make room for n in all. 0, or -1 with ENOMEM and nothing changed. */
int bine_ready_reserve(struct bine_ready *ready, size_t n);
void bine_ready_free(struct bine_ready *ready);
/* Take out the one that `skip` others precede (fewer than there are); these keep their order. */
struct bine_greenlet *bine_ready_take(struct bine_ready *ready, uint32_t skip);

static inline uint32_t bine_ready_count(const struct bine_ready *ready)
{
    return ready->tail - ready->head;
}

static inline bool bine_ready_empty(const struct bine_ready *ready)
{
    return ready->head == ready->tail;
}

static inline void bine_ready_push(struct bine_ready *ready, struct bine_greenlet *g)
{
    ready->slots[ready->tail++ & ready->mask] = g;
}

/* The next one (the queue is not empty), left in place. */
static inline struct bine_greenlet *bine_ready_first(const struct bine_ready *ready)
{
    return ready->slots[ready->head & ready->mask];
}

static inline struct bine_greenlet *bine_ready_pop(struct bine_ready *ready)
{
    return ready->slots[ready->head++ & ready->mask];
}

#endif
