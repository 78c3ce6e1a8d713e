/* Where queues and channels keep their items: a ring, and a heap for priorities. No locking, no
 * waiting. */
#ifndef BINE_SYNC_RING_HEAP_H
#define BINE_SYNC_RING_HEAP_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero is an empty ring. `room` is 0 or a power of two. */
struct bine_ring {
    void **slots;
    size_t first, count, room;
};

/* Makes room for `room` items in all. Returns 0, or ENOMEM with nothing changed. */
int bine_ring_grow(struct bine_ring *ring, size_t room);
/* An empty ring that had grown large gives its memory back. */
void bine_ring_shrink(struct bine_ring *ring);
void bine_ring_free(struct bine_ring *ring);

/* Makes sure that one more item can be pushed. Returns 0 or ENOMEM. */
static inline int bine_ring_reserve(struct bine_ring *ring)
{
    return __builtin_expect(ring->count < ring->room, 1) ? 0
                                                         : bine_ring_grow(ring, ring->count + 1);
}

static inline void bine_ring_push(struct bine_ring *ring, void *item)
{
    ring->slots[(ring->first + ring->count++) & (ring->room - 1)] = item;
}

static inline void *bine_ring_pop_first(struct bine_ring *ring)
{
    void *item = ring->slots[ring->first];
    ring->first = (ring->first + 1) & (ring->room - 1);
    ring->count--;
    return item;
}

static inline void *bine_ring_last(const struct bine_ring *ring)
{
    return ring->slots[(ring->first + ring->count - 1) & (ring->room - 1)];
}

static inline void *bine_ring_pop_last(struct bine_ring *ring)
{
    void *item = bine_ring_last(ring);
    ring->count--;
    return item;
}

struct bine_heap_entry {
    void *item;
    uint64_t order; /* the order of arrival, for items that compare equal */
};

struct bine_heap {
    struct bine_heap_entry *entries;
    size_t count, room;
    uint64_t order;
    int (*compare)(const void *a, const void *b);
};

int bine_heap_reserve(struct bine_heap *heap);
void bine_heap_push(struct bine_heap *heap, void *item);
void *bine_heap_pop(struct bine_heap *heap);
void bine_heap_free(struct bine_heap *heap);

#endif
