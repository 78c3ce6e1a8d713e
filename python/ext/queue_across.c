/*
 * Queues that another OS thread uses. Who waits in a queue, and for what, is its own thread's business. So that thread is sent what needs no
 * answer, and what waits or takes is refused.
 */
#include <errno.h>

#include "core/greenlet.h"
#include "queue_parts.h"

bool bine_queue_at_home(const Queue *self)
{
    if (self->hub == bine_hub_here() && self->life == self->hub->life)
        return true;
    PyObject *reason = Py_BuildValue("(is)", EPERM, "the queue belongs to the OS thread that made it");
    if (reason)
        PyErr_SetObject(PyExc_PermissionError, reason);
    Py_XDECREF(reason);
    return false;
}

static int order(Queue *self, bine_py_order *run, PyObject *argument)
{
    int error = bine_py_order_there(self->hub, self->life, run, (PyObject *)self, argument);
    if (error)
        bine_py_error(error);
    return error ? -1 : 0;
}

static void put_there(PyObject *queue, PyObject *item, bool gone)
{
    if (!gone)
        bine_queue_put_here((Queue *)queue, item, 0, Py_None); /* what fails is reported as unraisable */
}

static void task_done_there(PyObject *object, PyObject *unused, bool gone)
{
    Queue *self = (Queue *)object;
    (void)unused;
    self->done_on_way--;
    if (!gone)
        bine_queue_task_done(self->queue);
}

static void shut_down_there(PyObject *queue, PyObject *immediate, bool gone)
{
    if (!gone)
        bine_queue_shutdown(((Queue *)queue)->queue, immediate == Py_True);
}

int bine_queue_put_there(Queue *self, PyObject *item)
{
    return order(self, put_there, item);
}

int bine_queue_task_done_there(Queue *self)
{
    if (order(self, task_done_there, NULL) < 0)
        return -1;
    self->done_on_way++;
    return 0;
}

int bine_queue_shut_down_there(Queue *self, bool immediate)
{
    return order(self, shut_down_there, immediate ? Py_True : Py_False);
}
