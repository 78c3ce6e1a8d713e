/* What the parts of queue.c share. */
#ifndef BINE_PYTHON_QUEUE_PARTS_H
#define BINE_PYTHON_QUEUE_PARTS_H

#include "bine_python.h"

typedef struct {
    PyObject_HEAD
    bine_queue *queue;
    struct bine_hub *hub;
    uint64_t life; /* of that hub */
    size_t done_on_way; /* task_done() calls of other threads that the queue's own has not seen yet */
    bool shut;
    PyObject *hooks; /* the class has hooks of its own (queue_hooks.c): a bine._hooked.State, and `queue` is NULL */
    PyObject *weak_references;
} Queue;

/* Put on the queue's own thread. -1 with an exception. */
int bine_queue_put_here(Queue *self, PyObject *item, int64_t deadline, PyObject *timeout);

/* ---- queue_across.c -------------------------------------------------------------------------------------- */

/* Is this the thread that made the queue? Else false, with an exception. */
bool bine_queue_at_home(const Queue *self);
/* Of another OS thread: what needs no answer is left to the queue's own. -1 with an exception. */
int bine_queue_put_there(Queue *self, PyObject *item);
int bine_queue_task_done_there(Queue *self);
int bine_queue_shut_down_there(Queue *self, bool immediate);

#endif
