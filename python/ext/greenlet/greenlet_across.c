/* A Greenlet and the OS thread that it belongs to: orders from other threads, and the end of its
 * own. */
#include <errno.h>

#include "base/error.h"
#include "carrier/carry.h"
#include "carrier/greenlet_package.h"
#include "greenlet_parts.h"
#include "wait/order.h"

/* ---- the end of its thread ------------------------------------------------------------------- */

/* It will never run again: it counts as killed. `dying`: this is its thread, where nothing can be
 * spawned any more. */
static void greenlet_across_abandon(Greenlet *self, bool dying)
{
    PyObject *reason = PyObject_CallNoArgs(bine_GreenletExit);
    if (!reason)
        PyErr_Clear();
    if (!dying && self->state == BINE_PY_RUNNING)
        self->state = BINE_PY_STARTED; /* so that its links are called in a greenlet of their own */
    bine_greenlet_end(self, reason, NULL);
}

bool bine_py_ended(Greenlet *self)
{
    if (self->state == BINE_PY_ENDED)
        return true;
    if (self->state == BINE_PY_NEW || !bine_hub_gone(self->hub, self->life))
        return false;
    if (self->state == BINE_PY_STARTED && !self->carried_by)
        return false; /* start_there() decides */
    greenlet_across_abandon(self, false);
    return true;
}

/* The hub ends: so have its greenlets. GIL held. */
void bine_greenlets_end(struct bine_hub *hub)
{
    for (struct bine_greenlet *g = hub->all; g; g = g->all_next) {
        struct bine_carrier *carrier = bine_carrier_of(g);
        if (carrier && carrier->running && carrier->running->state != BINE_PY_ENDED)
            greenlet_across_abandon(carrier->running, true);
        if (carrier && carrier->face)
            bine_greenlet_end(carrier->face, NULL, NULL);
    }
}

/* ---- orders from other threads --------------------------------------------------------------- */

bool bine_greenlet_here(const Greenlet *self)
{
    return self->hub == bine_hub_of_thread && self->hub->life == self->life;
}

static void throw_there(PyObject *object, PyObject *exception, bool gone)
{
    Greenlet *self = (Greenlet *)object;
    if (gone || bine_py_ended(self))
        return;
    Py_INCREF(exception);
    if (self->state == BINE_PY_RUNNING)
        bine_py_throw_into(bine_carrier_of(self->carried_by), exception);
    else
        bine_greenlet_end_before_start(self, exception);
}

int bine_greenlet_throw_there(Greenlet *self, PyObject *exception)
{
    int error =
        bine_py_order_there(self->hub, self->life, throw_there, (PyObject *)self, exception);
    if (error == ESRCH) {
        bine_py_ended(self); /* its thread has, and so has it */
    } else if (error) {
        bine_py_error(error);
        return -1;
    }
    return 0;
}

/* `wanted`: the delay, and who sent the order: where it was given, a greenlet that has not begun
 * goes if its own thread is ending. */
static void start_there(PyObject *object, PyObject *wanted, bool gone)
{
    Greenlet *self = (Greenlet *)object;
    long long delay;
    Py_ssize_t sender;
    unsigned long long life;
    if (self->state != BINE_PY_STARTED || !PyArg_ParseTuple(wanted, "LnK", &delay, &sender, &life))
        return;
    if (gone) {
        self->hub = (struct bine_hub *)sender;
        self->life = life;
        int error = bine_py_order_there(self->hub, life, start_there, object, wanted);
        if (error)
            greenlet_across_abandon(self, true);
        return;
    }
    struct bine_greenlet *g = bine_greenlet_carry(self, delay);
    if (g)
        self->carried_by = g;
    else
        bine_greenlet_end(self, NULL, bine_py_take_exception());
}

int bine_greenlet_start_there(Greenlet *self, int64_t delay)
{
    struct bine_hub *here = bine_hub_get();
    if (!here) {
        bine_py_error(errno);
        return -1;
    }
    PyObject *wanted =
        Py_BuildValue("LnK", (long long)delay, (Py_ssize_t)here, (unsigned long long)here->life);
    if (!wanted)
        return -1;
    self->state = BINE_PY_STARTED;
    int error = bine_py_order_there(self->hub, self->life, start_there, (PyObject *)self, wanted);
    if (error == ESRCH) {
        start_there((PyObject *)self, wanted, true);
    } else if (error) {
        self->state = BINE_PY_NEW;
        bine_py_error(error);
    }
    Py_DECREF(wanted);
    return error && error != ESRCH ? -1 : 0;
}

/* ---- for threadpool.py ----------------------------------------------------------------------- */

PyObject *bine_greenlet_is_here(PyObject *self, PyObject *unused)
{
    (void)unused;
    return PyBool_FromLong(bine_greenlet_here((Greenlet *)self));
}

/* One that has not been started belongs to the thread of another from now on, unless that has
 * ended. */
PyObject *bine_greenlet_move_to(PyObject *object, PyObject *other)
{
    Greenlet *self = (Greenlet *)object, *there = (Greenlet *)other;
    if (!PyObject_TypeCheck(other, &bine_Greenlet_Type) || self->state != BINE_PY_NEW)
        return PyErr_Format(
            PyExc_TypeError,
            "a greenlet that has not been started can move to the thread of another");
    if (!bine_hub_gone(there->hub, there->life)) {
        self->hub = there->hub;
        self->life = there->life;
    }
    Py_RETURN_NONE;
}
