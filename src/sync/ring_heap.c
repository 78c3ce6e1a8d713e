/* The ring and the heap that hold items. See ring_heap.h. */
#include "ring_heap.h"

#include <stdlib.h>
#include <string.h>

enum {
    SMALLEST = 8,
    LARGE = 1024
};

int bine_ring_grow(struct bine_ring *ring, size_t room)
{
    size_t size = SMALLEST;
    while (size < room) {
        if (size > SIZE_MAX / 2 / sizeof(void *))
            return ENOMEM;
        size *= 2;
    }
    if (size <= ring->room)
        return 0;
    void **slots = malloc(size * sizeof *slots);
    if (!slots)
        return ENOMEM;
    /* Unroll: what wrapped round comes after what did not. */
    size_t before_wrap =
        ring->room - ring->first < ring->count ? ring->room - ring->first : ring->count;
    if (ring->count > 0) {
        memcpy(slots, ring->slots + ring->first, before_wrap * sizeof *slots);
        memcpy(slots + before_wrap, ring->slots, (ring->count - before_wrap) * sizeof *slots);
    }
    free(ring->slots);
    ring->slots = slots;
    ring->first = 0;
    ring->room = size;
    return 0;
}

void bine_ring_shrink(struct bine_ring *ring)
{
    if (ring->room >= LARGE && ring->count == 0)
        bine_ring_free(ring);
}

void bine_ring_free(struct bine_ring *ring)
{
    free(ring->slots);
    *ring = (struct bine_ring){NULL, 0, 0, 0};
}

int bine_heap_reserve(struct bine_heap *heap)
{
    if (heap->count < heap->room)
        return 0;
    size_t room = heap->room ? heap->room * 2 : SMALLEST;
    struct bine_heap_entry *entries = reallocarray(heap->entries, room, sizeof *entries);
    if (!entries)
        return ENOMEM;
    heap->entries = entries;
    heap->room = room;
    return 0;
}

static bool ring_heap_before(const struct bine_heap *heap, const struct bine_heap_entry *a,
                             const struct bine_heap_entry *b)
{
    int order;
    if (heap->compare)
        order = heap->compare(a->item, b->item);
    else
        order = ((intptr_t)a->item > (intptr_t)b->item) - ((intptr_t)a->item < (intptr_t)b->item);
    return order != 0 ? order < 0 : a->order < b->order;
}

void bine_heap_push(struct bine_heap *heap, void *item)
{
    struct bine_heap_entry entry = {item, heap->order++};
    size_t place = heap->count++;
    while (place > 0) {
        size_t parent = (place - 1) / 2;
        if (!ring_heap_before(heap, &entry, &heap->entries[parent]))
            break;
        heap->entries[place] = heap->entries[parent];
        place = parent;
    }
    heap->entries[place] = entry;
}

void *bine_heap_pop(struct bine_heap *heap)
{
    void *item = heap->entries[0].item;
    struct bine_heap_entry last = heap->entries[--heap->count];
    size_t place = 0;
    for (size_t child; (child = 2 * place + 1) < heap->count; place = child) {
        if (child + 1 < heap->count &&
            ring_heap_before(heap, &heap->entries[child + 1], &heap->entries[child]))
            child++;
        if (!ring_heap_before(heap, &heap->entries[child], &last))
            break;
        heap->entries[place] = heap->entries[child];
    }
    heap->entries[place] = last;
    if (heap->count == 0 && heap->room >= LARGE)
        bine_heap_free(heap);
    return item;
}

void bine_heap_free(struct bine_heap *heap)
{
    free(heap->entries);
    heap->entries = NULL;
    heap->count = heap->room = 0;
}
