/*
 * The ready queue of one hub: a ring of pointers, first in, first out.
 *
 * It is a ring and not a list through the records. So the greenlet after the next is known without
 * touching the record of the next, and the processor can fetch several greenlets at a time. With a
 * list and very many greenlets each switch would wait for the memory of the one before.
 *
 * A greenlet is in the ring at most once. The ring always has room for every record of the hub, so
 * that making a greenlet ready cannot fail. greenlet.c makes that room when it makes records.
 */
#ifndef BINE_CORE_HUB_READY_H
#define BINE_CORE_HUB_READY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bine_greenlet;

struct bine_ready {
    struct bine_greenlet **slots;
    /* They only grow: slots[head & mask] is next, and tail - head greenlets are in the ring. */
    uint32_t head, tail;
    uint32_t mask;  /* the room - 1; the room is a power of two */
    uint32_t slept; /* Only grows, too: the greenlets that timers woke are before this place. */
};

/* Makes room for n in all. Returns 0, or -1 with ENOMEM and nothing changed. */
int bine_ready_reserve(struct bine_ready *ready, size_t n);
void bine_ready_free(struct bine_ready *ready);
/* Takes out the greenlet that `skip` others precede. The others keep their order. `skip` must be
 * less than the number of greenlets in the ring. */
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

/* Returns the next greenlet and leaves it in place. The queue must not be empty. */
static inline struct bine_greenlet *bine_ready_first(const struct bine_ready *ready)
{
    return ready->slots[ready->head & ready->mask];
}

static inline struct bine_greenlet *bine_ready_pop(struct bine_ready *ready)
{
    return ready->slots[ready->head++ & ready->mask];
}

#endif
