/*
 * Greenlet.switch() and hub.switch(): a greenlet waits until another one, or a callback of the
 * loop, passes it a value.
 *
 * What is passed to a greenlet that does not wait for it is kept until it does: the last value
 * counts.
 */
#include <errno.h>

#include "base/error.h"
#include "greenlet_parts.h"
#include "wait/order.h"
#include "wait/park.h"

PyObject *bine_py_wait_for_switch(void)
{
    struct bine_carrier *carrier = bine_carrier_current();
    if (!carrier)
        return NULL;
    int error = 0;
    while (!carrier->switched && error >= 0) {
        carrier->switching = true;
        error = bine_py_park("hub.switch", 0, INT64_MAX);
        carrier->switching = false;
    }
    PyObject *value = carrier->switched;
    carrier->switched = NULL;
    if (error < 0)
        Py_CLEAR(value); /* an exception was faster */
    return value;
}

static void hand_to(struct bine_carrier *carrier, PyObject *value)
{
    Py_INCREF(value);
    Py_XSETREF(carrier->switched, value);
    if (carrier->switching)
        bine_unpark(carrier->g);
}

static void hand_there(PyObject *object, PyObject *value, bool gone)
{
    Greenlet *self = (Greenlet *)object;
    if (!gone && !bine_py_ended(self) && self->state == BINE_PY_RUNNING)
        hand_to(bine_carrier_of(self->carried_by), value);
}

/* 0; -1 with an exception. One that has ended, or is about to begin, is passed nothing. */
static int hand(Greenlet *self, PyObject *value)
{
    if (bine_py_ended(self) || self->state != BINE_PY_RUNNING)
        return 0;
    if (bine_greenlet_here(self)) {
        hand_to(bine_carrier_of(self->carried_by), value);
        return 0;
    }
    int error = bine_py_order_there(self->hub, self->life, hand_there, (PyObject *)self, value);
    if (error && error != ESRCH) {
        bine_py_error(error);
        return -1;
    }
    return 0;
}

PyObject *bine_greenlet_hand(PyObject *self, PyObject *value)
{
    if (hand((Greenlet *)self, value) < 0)
        return NULL;
    Py_RETURN_NONE;
}

/* What switch(*args, **kwargs) passes: the argument if there is one; () if there is none; else a
 * tuple, a dict, or both. */
static PyObject *passed(PyObject *args, PyObject *kwargs)
{
    bool named = kwargs && PyDict_GET_SIZE(kwargs) > 0;
    if (named && PyTuple_GET_SIZE(args) > 0)
        return PyTuple_Pack(2, args, kwargs);
    PyObject *value = named                         ? kwargs
                      : PyTuple_GET_SIZE(args) == 1 ? PyTuple_GET_ITEM(args, 0)
                                                    : args;
    Py_INCREF(value);
    return value;
}

/* It has not been started: what is passed are the function's arguments. */
static int begin_with(Greenlet *self, PyObject *args, PyObject *kwargs)
{
    if (PyTuple_GET_SIZE(args) > 0 || (kwargs && PyDict_GET_SIZE(kwargs) > 0)) {
        Py_INCREF(args);
        Py_XSETREF(self->args, args);
        Py_XINCREF(kwargs);
        Py_XSETREF(self->kwargs, kwargs);
    }
    return bine_greenlet_start_after(self, 0);
}

PyObject *bine_greenlet_switch(PyObject *object, PyObject *args, PyObject *kwargs)
{
    Greenlet *self = (Greenlet *)object;
    struct bine_carrier *carrier = bine_carrier_current();
    if (!carrier)
        return NULL;
    if (self->state == BINE_PY_NEW) {
        if (begin_with(self, args, kwargs) < 0)
            return NULL;
    } else {
        PyObject *value = passed(args, kwargs);
        if (!value)
            return NULL;
        /* Itself, or one that is no more: the caller goes on, with what it passed. */
        if (self == carrier->running || self == carrier->face || bine_py_ended(self))
            return value;
        int result = hand(self, value);
        Py_DECREF(value);
        if (result < 0)
            return NULL;
    }
    if (carrier->callback)
        Py_RETURN_NONE;
    return bine_py_wait_for_switch();
}
