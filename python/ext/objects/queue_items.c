/*
 * Items of Python queues. See queue_items.h.
 *
 * Comparing two items may run code of the program. That code may let another thread have the GIL,
 * switch to another greenlet, or use the very queue. So a heap is never left half sorted: push and
 * pop first find the way of the items that will move, and move them only if nobody has changed the
 * heap meanwhile. No lock is needed, and an exception leaves the heap as it was.
 */
#include "queue_items.h"

#include <errno.h>

enum {
    LARGE = 1024,
    HEIGHT = 64
};

int bine_py_items_grow(struct bine_py_items *items, size_t more)
{
    /* What was taken from a heap is given back to the ring. */
    int error = bine_ring_grow(&items->ring, items->ring.count + more);
    if (error || items->kind != BINE_PY_PRIORITY || items->heap_count + more <= items->heap_room)
        return error;
    size_t room = items->heap_room ? items->heap_room : 8;
    while (room < items->heap_count + more)
        room *= 2;
    struct bine_py_heap_entry *heap = PyMem_Realloc(items->heap, room * sizeof *heap);
    if (!heap)
        return ENOMEM;
    items->heap = heap;
    items->heap_room = room;
    return 0;
}

/* ---- the heap -------------------------------------------------------------------------------- */

/* 1: a comes before b; 0: it does not; -1: an exception, or (without one) others have changed the
 * heap. */
static int queue_items_before(const struct bine_py_items *items, struct bine_py_heap_entry a,
                              struct bine_py_heap_entry b)
{
    uint64_t changes = items->changes;
    Py_INCREF(a.item);
    Py_INCREF(b.item);
    int less = PyObject_RichCompareBool(a.item, b.item, Py_LT);
    if (less == 0) {
        int more = PyObject_RichCompareBool(b.item, a.item, Py_LT);
        less = more < 0 ? -1 : more == 0 && a.order < b.order;
    }
    Py_DECREF(a.item);
    Py_DECREF(b.item);
    return items->changes == changes || PyErr_Occurred() ? less : -1;
}

static int heap_push(struct bine_py_items *items, PyObject *item)
{
    struct bine_py_heap_entry entry = {item, items->order};
    size_t place = items->heap_count;
    while (place > 0) {
        int up = queue_items_before(items, entry, items->heap[(place - 1) / 2]);
        if (up < 0)
            return PyErr_Occurred() ? -1 : 0;
        if (!up)
            break;
        place = (place - 1) / 2;
    }
    for (size_t hole = items->heap_count; hole != place; hole = (hole - 1) / 2)
        items->heap[hole] = items->heap[(hole - 1) / 2];
    Py_INCREF(item);
    items->heap[place] = entry;
    items->heap_count++;
    items->order++;
    items->changes++;
    return 1;
}

static int heap_pop(struct bine_py_items *items, PyObject **item)
{
    size_t way[HEIGHT], steps = 0, place = 0, count = items->heap_count - 1;
    struct bine_py_heap_entry last = items->heap[count];
    /* The last item goes to the top, and down to where no child comes before it. */
    for (size_t child; (child = 2 * place + 1) < count; place = child) {
        int right = child + 1 < count
                        ? queue_items_before(items, items->heap[child + 1], items->heap[child])
                        : 0;
        if (right < 0)
            return PyErr_Occurred() ? -1 : 0;
        child += (size_t)right;
        int down = queue_items_before(items, items->heap[child], last);
        if (down < 0)
            return PyErr_Occurred() ? -1 : 0;
        if (!down)
            break;
        way[steps++] = child;
    }
    *item = items->heap[0].item;
    place = 0;
    for (size_t i = 0; i < steps; i++) {
        items->heap[place] = items->heap[way[i]];
        place = way[i];
    }
    items->heap[place] = last;
    items->heap_count--;
    items->changes++;
    return 1;
}

/* ---- both ------------------------------------------------------------------------------------ */

int bine_py_items_push(struct bine_py_items *items, PyObject *item)
{
    if (items->kind == BINE_PY_PRIORITY)
        return heap_push(items, item);
    Py_INCREF(item);
    bine_ring_push(&items->ring, item);
    return 1;
}

static bool next_is_last(const struct bine_py_items *items)
{
    return items->kind == BINE_PY_LIFO;
}

int bine_py_items_pop(struct bine_py_items *items, PyObject **item)
{
    if (items->ring.count == 0)
        return heap_pop(items, item);
    *item =
        next_is_last(items) ? bine_ring_pop_last(&items->ring) : bine_ring_pop_first(&items->ring);
    return 1;
}

PyObject *bine_py_items_next(const struct bine_py_items *items)
{
    if (items->ring.count == 0)
        return items->heap[0].item;
    return next_is_last(items) ? bine_ring_last(&items->ring)
                               : items->ring.slots[items->ring.first];
}

void bine_py_items_give_back(struct bine_py_items *items, PyObject *item)
{
    struct bine_ring *ring = &items->ring;
    if (next_is_last(items)) {
        bine_ring_push(ring, item);
        return;
    }
    ring->first = (ring->first - 1) & (ring->room - 1);
    ring->slots[ring->first] = item;
    ring->count++;
}

void bine_py_items_shrink(struct bine_py_items *items)
{
    bine_ring_shrink(&items->ring);
    if (items->heap_count == 0 && items->heap_room >= LARGE) {
        PyMem_Free(items->heap);
        items->heap = NULL;
        items->heap_room = 0;
    }
}

int bine_py_items_traverse(struct bine_py_items *items, visitproc visit, void *arg)
{
    for (size_t i = 0; i < items->ring.count; i++)
        Py_VISIT(items->ring.slots[(items->ring.first + i) & (items->ring.room - 1)]);
    for (size_t i = 0; i < items->heap_count; i++)
        Py_VISIT(items->heap[i].item);
    return 0;
}

void bine_py_items_clear(struct bine_py_items *items)
{
    /* One by one, for destructors may use the queue; and only those that are there now, for they
     * may put others. */
    for (size_t left = bine_py_items_count(items); left > 0 && bine_py_items_count(items) > 0;
         left--) {
        items->changes++;
        Py_DECREF(items->ring.count > 0 ? (PyObject *)bine_ring_pop_last(&items->ring)
                                        : items->heap[--items->heap_count].item);
    }
}

void bine_py_items_free(struct bine_py_items *items)
{
    bine_py_items_clear(items);
    bine_ring_free(&items->ring);
    PyMem_Free(items->heap);
}
