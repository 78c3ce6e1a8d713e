/*
 * settrace(): a Python function that hears of each switch between greenlets of a thread, as PyPI's
 * greenlet has it.
 *
 * Nothing is asked at a switch while no such function is set: it is called by a variant of the
 * functions around a switch (carrier.c).
 */
#include "switch_tracer.h"

#include "libc/carrier.h"
#include "supplied.h"

static BINE_CARRIED PyObject *tracer_;
static BINE_CARRIED struct bine_py_greenlet *last_; /* whom the last switch led to */
static BINE_CARRIED bool inside_; /* a call of the tracer: switches in it are not told */
#define tracer BINE_OF_CARRIER(tracer_)
#define last BINE_OF_CARRIER(last_)
#define inside BINE_OF_CARRIER(inside_)

static void call(struct bine_hub *hub, struct bine_py_greenlet *origin,
                 struct bine_py_greenlet *target)
{
    const struct bine_carrier *carrier = bine_carrier_of(hub->current);
    PyObject *type, *value, *traceback, *function = tracer;
    PyErr_Fetch(&type, &value, &traceback);
    Py_INCREF(function);
    inside = true;
    PyObject *result = PyObject_CallFunction(
        function, "s(OO)", bine_carrier_pending(carrier) ? "throw" : "switch", origin, target);
    inside = false;
    if (!result) {
        /* A switch cannot fail. */
        PyErr_WriteUnraisable(function);
        Py_XDECREF(bine_py_set_switch_tracer(NULL, Py_None));
    }
    Py_XDECREF(result);
    Py_DECREF(function);
    PyErr_Restore(type, value, traceback);
}

void bine_switch_tell(struct bine_hub *hub)
{
    struct bine_carrier *carrier = bine_carrier_of(hub->current);
    if (!tracer || inside || !carrier)
        return;
    struct bine_py_greenlet *target = bine_supplied.face_of(carrier), *origin = last;
    if (!target) {
        PyErr_Clear();
        return;
    }
    if (target == origin)
        return;
    Py_INCREF(target);
    last = target;
    call(hub, origin, target);
    Py_DECREF(origin);
}

bool bine_switch_told(void)
{
    return tracer;
}

void bine_switch_end(void)
{
    Py_CLEAR(tracer);
    Py_CLEAR(last);
}

PyObject *bine_py_set_switch_tracer(PyObject *unused, PyObject *function)
{
    (void)unused;
    if (function != Py_None && !PyCallable_Check(function))
        return PyErr_Format(PyExc_TypeError, "Expected callable: %R", function);
    struct bine_carrier *carrier = bine_carrier_current();
    struct bine_py_greenlet *current = carrier ? bine_supplied.face_of(carrier) : NULL;
    if (!current)
        return NULL;
    PyObject *before = tracer;
    if (!before) {
        before = Py_None;
        Py_INCREF(before);
    }
    if (function == Py_None) {
        tracer = NULL;
        Py_CLEAR(last);
    } else {
        Py_INCREF(function);
        tracer = function;
        Py_INCREF(current);
        Py_XSETREF(last, current);
    }
    bine_carrier_tell(BINE_HEARS_SWITCHES, tracer != NULL);
    return before;
}

PyObject *bine_py_get_switch_tracer(PyObject *unused, PyObject *nothing)
{
    (void)unused, (void)nothing;
    PyObject *function = tracer ? tracer : Py_None;
    Py_INCREF(function);
    return function;
}

void bine_switch_tracer_init(void)
{
    bine_carrier_on_switch(BINE_HEARS_SWITCHES, bine_switch_tell);
}
