/* Where a queue of Python keeps its items: in order of arrival, or as a heap. The GIL guards it.
 * Only comparing items runs code of the program. */
#ifndef BINE_EXT_QUEUE_ITEMS_H
#define BINE_EXT_QUEUE_ITEMS_H

#include "base/python.h"
#include "sync/ring_heap.h"

enum bine_py_order_of_items {
    BINE_PY_FIFO,
    BINE_PY_LIFO,
    BINE_PY_PRIORITY
};

struct bine_py_heap_entry {
    PyObject *item;
    uint64_t order; /* of arrival: items that compare equal keep it */
};

/* All zero is an empty collection. It owns a reference to each item. */
struct bine_py_items {
    struct bine_ring ring; /* all items, or those of a heap that were given back: the next ones */
    struct bine_py_heap_entry *heap;
    size_t heap_count, heap_room;
    uint64_t order;   /* of the next item of the heap */
    uint64_t changes; /* of the heap: a comparison may let other threads and greenlets change it */
    enum bine_py_order_of_items kind;
};

static inline size_t bine_py_items_count(const struct bine_py_items *items)
{
    return items->ring.count + items->heap_count;
}

/* Make sure that `more` items can be pushed, and given back. 0 or ENOMEM. */
int bine_py_items_grow(struct bine_py_items *items, size_t more);
static inline int bine_py_items_reserve(struct bine_py_items *items, size_t more)
{
    bool there = items->ring.count + more <= items->ring.room && items->kind != BINE_PY_PRIORITY;
    return __builtin_expect(there, 1) ? 0 : bine_py_items_grow(items, more);
}
/*
 * Push an item (borrowed), for which there is room, or pop one into *item (a new reference), if
 * there is one. 1: done. 0: others have changed the collection while items were compared, and this
 * call has not; the caller looks at everything again. -1: what a comparison raised; nothing has
 * changed.
 */
int bine_py_items_push(struct bine_py_items *items, PyObject *item);
int bine_py_items_pop(struct bine_py_items *items, PyObject **item);
/* The item that pop would take: borrowed. There is one. */
PyObject *bine_py_items_next(const struct bine_py_items *items);
/* An item (the reference is taken over) was popped for nothing: it is the next one again. Room was
 * reserved. */
void bine_py_items_give_back(struct bine_py_items *items, PyObject *item);
/* An empty collection that had grown large gives its memory back. */
void bine_py_items_shrink(struct bine_py_items *items);
int bine_py_items_traverse(struct bine_py_items *items, visitproc visit, void *arg);
/* Drop the items that are there; also the memory. */
void bine_py_items_clear(struct bine_py_items *items);
void bine_py_items_free(struct bine_py_items *items);

#endif
