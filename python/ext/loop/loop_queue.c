/* Watchers whose events have happened: queued in turns of the hub, called by the loop's greenlet.
 * See loop.h. */
#include "loop.h"

typedef struct bine_watcher Watcher;

static void enqueue(Watcher *self)
{
    struct bine_loop *loop = self->loop;
    unsigned queue = (unsigned)(BINE_LOOP_MAXPRI - self->priority);
    self->queued = true;
    self->next_queued = NULL;
    if (loop->queues[queue])
        loop->tails[queue]->next_queued = self;
    else
        loop->queues[queue] = self;
    loop->tails[queue] = self;
    loop->queued++;
    bine_loop_wake(loop);
}

void bine_watcher_fire(Watcher *self, int revents)
{
    self->revents |= revents;
    self->due = true;
    if (!self->queued)
        enqueue(self);
}

void bine_watcher_feed(Watcher *self, int revents)
{
    if (!self->active && !self->queued)
        Py_INCREF(self);
    bine_watcher_fire(self, revents);
}

void bine_watcher_return(Watcher *self)
{
    if (self->active || self->queued)
        self->lent++;
    if (!self->queued)
        enqueue(self);
}

/* `given`: the watcher's args, which it may lose meanwhile; or NULL. */
static PyObject *arguments(const Watcher *self, PyObject *given)
{
    if (!given)
        return PyTuple_New(0);
    if (!self->pass_events) {
        Py_INCREF(given);
        return given;
    }
    Py_ssize_t count = PyTuple_GET_SIZE(given);
    PyObject *args = PyTuple_New(count + 1), *events = PyLong_FromLong(self->revents);
    if (!args || !events) {
        Py_XDECREF(args);
        Py_XDECREF(events);
        return NULL;
    }
    PyTuple_SET_ITEM(args, 0, events);
    for (Py_ssize_t i = 0; i < count; i++) {
        Py_INCREF(PyTuple_GET_ITEM(given, i));
        PyTuple_SET_ITEM(args, i + 1, PyTuple_GET_ITEM(given, i));
    }
    return args;
}

static void call(Watcher *self)
{
    struct bine_loop *loop = self->loop;
    if (self->active && self->class->over && self->class->over(self))
        bine_watcher_deactivate(self);
    PyObject *callback = self->callback, *given = self->args;
    /* A tuple is made, so garbage may be collected, and a finaliser may stop the watcher. */
    Py_INCREF(callback);
    Py_XINCREF(given);
    PyObject *args = arguments(self, given);
    self->revents = 0;
    PyObject *result = args ? PyObject_Call(callback, args, NULL) : NULL;
    Py_XDECREF(args);
    Py_XDECREF(given);
    Py_DECREF(callback);
    if (!result)
        bine_loop_failed(loop, (PyObject *)self);
    Py_XDECREF(result);
    if (!self->active && !self->due)
        bine_watcher_stop(self); /* what it would have been called with goes */
    else if (self->active && self->class->go_on && self->class->go_on(self) < 0) {
        bine_loop_failed(loop, (PyObject *)self);
        bine_watcher_stop(self);
    }
}

void bine_watcher_call_first(struct bine_loop *loop, unsigned queue)
{
    Watcher *self = loop->queues[queue];
    loop->queues[queue] = self->next_queued;
    loop->queued--;
    self->queued = false;
    bool due = self->due, active = self->active;
    unsigned lent = self->lent;
    self->due = false;
    self->lent = 0;
    /* The queue's reference is the activity's, if it is active. */
    if (active)
        Py_INCREF(self);
    if (due && self->callback)
        call(self);
    while (lent-- > 0)
        Py_DECREF(self);
    Py_DECREF(self);
}
