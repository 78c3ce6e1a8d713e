/* What the parts of queue.c share. */
#ifndef BINE_EXT_QUEUE_PARTS_H
#define BINE_EXT_QUEUE_PARTS_H

#include "core/hub/waitable.h"
#include "queue_items.h"

typedef struct {
    PyObject_HEAD struct bine_waitable waitable; /* ready: an item can be taken, or none will
                                                  * ever come */
    struct bine_waiters getters, putters, joiners;
    struct bine_py_items items;
    size_t capacity; /* SIZE_MAX: no limit; 0: items go from a putter to a getter only */
    size_t granted;  /* places that waiting putters were given, and have not filled yet */
    size_t lent;     /* items that waiting getters were given, and may still give back */
    size_t unfinished;
    bool ready; /* __init__ was called */
    bool shut;
    PyObject *hooks; /* the class has hooks of its own (queue_hooks.c): a bine._hooked.State, and
                      * the above is not used */
    PyObject *weak_references;
} Queue;

extern const struct bine_waitable_class bine_queue_waitable_class;
/* Exceptions. */
extern PyObject *bine_queue_empty_error, *bine_queue_full_error, *bine_queue_shut_error;

/* ---- queue_exchange.c, for any thread -------------------------------------------------------- */

enum bine_queue_taking {
    BINE_QUEUE_TAKE,
    BINE_QUEUE_LOOK
};

bool bine_queue_has_room(const Queue *self);
/* They wait until `deadline` (absolute; 0: not at all), which the argument `timeout` made. -1 or
 * NULL with an exception. `look` leaves the item. */
int bine_queue_give(Queue *self, PyObject *item, int64_t deadline, PyObject *timeout);
PyObject *bine_queue_take(Queue *self, enum bine_queue_taking taking, int64_t deadline,
                          PyObject *timeout);
/* 1: no task is unfinished; 0: some are, and the deadline has passed; -1 with an exception. */
int bine_queue_wait_for_tasks(Queue *self, int64_t deadline, PyObject *timeout);
/* A task is done. False: there is none. */
bool bine_queue_done(Queue *self);
/* Nothing can be put any more. `drop`: what is there is dropped, and counts as done. */
void bine_queue_shut(Queue *self, bool drop);

/* ---- queue_copy.c ---------------------------------------------------------------------------- */

PyObject *bine_queue_get_items(PyObject *object, void *unused);
int bine_queue_set_items(PyObject *object, PyObject *items, void *unused);
PyObject *bine_queue_copy(PyObject *object, PyObject *unused);
PyObject *bine_queue_of(PyObject *class, PyObject *parameters);

/* ---- queue.c --------------------------------------------------------------------------------- */

/* Arguments `[item], block, timeout` of put and get. 0, or -1 with an exception. */
int bine_queue_parse_block(PyObject *args, PyObject *kwargs, const char *format, char **names,
                           PyObject **item, int64_t *deadline, PyObject **timeout);

#endif
