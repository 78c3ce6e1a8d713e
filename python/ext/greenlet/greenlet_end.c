/* How a Greenlet is ended from outside: kill(), throw(), the end of a `with` block. */
#include "carrier/carry.h"
#include "carrier/greenlet_package.h"
#include "carrier/pending.h"
#include "greenlet_parts.h"
#include "wait/timeout.h"

void bine_py_throw_into(struct bine_carrier *carrier, PyObject *exception)
{
    Py_XSETREF(carrier->thrown, exception);
    bine_pending_poke(carrier);
}

/* The exception as an instance: new reference. */
static PyObject *instance_of(PyObject *exception)
{
    if (PyExceptionClass_Check(exception))
        return PyObject_CallNoArgs(exception);
    if (PyExceptionInstance_Check(exception)) {
        Py_INCREF(exception);
        return exception;
    }
    PyErr_SetString(PyExc_TypeError, "exceptions must be classes, or instances, of BaseException");
    return NULL;
}

/* What throw(exception, value, traceback) raises: new reference. */
static PyObject *instance_of_three(PyObject *exception, PyObject *value, PyObject *traceback)
{
    PyObject *instance;
    if (value && value != Py_None && PyExceptionClass_Check(exception) &&
        !PyExceptionInstance_Check(value))
        instance = PyObject_CallFunctionObjArgs(exception, value, NULL);
    else
        instance = instance_of(value && PyExceptionInstance_Check(value) ? value : exception);
    if (instance && traceback && PyTraceBack_Check(traceback))
        PyException_SetTraceback(instance, traceback);
    return instance;
}

void bine_greenlet_end_before_start(Greenlet *self, PyObject *instance)
{
    struct bine_greenlet *g = self->carried_by;
    Py_INCREF(self);
    bine_greenlet_end(self, NULL, instance);
    if (g)
        bine_carrier_cancel(g);
    Py_DECREF(self);
}

enum when {
    SOON,
    AT_ONCE
}; /* is an exception raised that the current greenlet throws into itself */

/* The instance is stolen. */
static int throw_into(Greenlet *self, PyObject *instance, enum when when)
{
    if (!instance)
        return -1;
    if (bine_py_ended(self)) {
        Py_DECREF(instance);
        return 0;
    }
    if (self->state != BINE_PY_NEW && !bine_greenlet_here(self)) {
        int result = bine_greenlet_throw_there(self, instance);
        Py_DECREF(instance);
        return result;
    }
    if (self->state != BINE_PY_RUNNING) {
        bine_greenlet_end_before_start(self, instance);
        return 0;
    }
    struct bine_carrier *carrier = bine_carrier_of(self->carried_by);
    if (carrier->g == bine_hub_here()->current && when == AT_ONCE) {
        PyErr_SetObject((PyObject *)Py_TYPE(instance), instance);
        Py_DECREF(instance);
        return -1;
    }
    bine_py_throw_into(carrier, instance);
    return 0;
}

PyObject *bine_greenlet_kill(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"exception", "block", "timeout", NULL};
    PyObject *exception = bine_GreenletExit, *timeout = Py_None;
    int block = 1;
    int64_t deadline;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OpO:kill", names, &exception, &block,
                                     &timeout) ||
        bine_py_deadline(timeout, &deadline) < 0)
        return NULL;
    PyObject *instance =
        PyTuple_Check(exception) && PyTuple_GET_SIZE(exception) == 3
            ? instance_of_three(PyTuple_GET_ITEM(exception, 0), PyTuple_GET_ITEM(exception, 1),
                                PyTuple_GET_ITEM(exception, 2))
            : instance_of(exception);
    if (throw_into((Greenlet *)self, instance, block ? AT_ONCE : SOON) < 0)
        return NULL;
    if (block && bine_greenlet_wait((Greenlet *)self, deadline, timeout) < 0)
        return NULL;
    Py_RETURN_NONE;
}

PyObject *bine_greenlet_throw(PyObject *self, PyObject *args)
{
    PyObject *exception = bine_GreenletExit, *value = NULL, *traceback = NULL;
    if (!PyArg_UnpackTuple(args, "throw", 0, 3, &exception, &value, &traceback))
        return NULL;
    if (throw_into((Greenlet *)self, instance_of_three(exception, value, traceback), AT_ONCE) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static int kill_and_wait(Greenlet *self, PyObject *instance)
{
    return throw_into(self, instance, AT_ONCE) < 0 ? -1
                                                   : bine_greenlet_wait(self, INT64_MAX, Py_None);
}

/* Leaving a `with` block ends the greenlet. One that ends well waits for it, and kills it if that
 * wait is broken off. One that fails throws its exception into the greenlet. */
PyObject *bine_greenlet_exit(PyObject *object, PyObject *args)
{
    Greenlet *self = (Greenlet *)object;
    PyObject *type, *value, *traceback;
    if (!PyArg_UnpackTuple(args, "__exit__", 3, 3, &type, &value, &traceback))
        return NULL;
    if (type != Py_None) {
        if (kill_and_wait(self, instance_of_three(type, value, traceback)) < 0)
            return NULL;
        Py_RETURN_NONE;
    }
    if (bine_greenlet_wait(self, INT64_MAX, Py_None) == 0)
        Py_RETURN_NONE;
    PyObject *reason_type, *reason, *reason_traceback;
    PyErr_Fetch(&reason_type, &reason, &reason_traceback);
    if (kill_and_wait(self, instance_of(bine_GreenletExit)) < 0)
        PyErr_Clear(); /* the first reason counts */
    PyErr_Restore(reason_type, reason, reason_traceback);
    return NULL;
}
