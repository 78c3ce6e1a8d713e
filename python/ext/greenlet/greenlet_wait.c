/* Waiting for a greenlet's end: join() and get(). */
#include <errno.h>

#include "base/error.h"
#include "carrier/pending.h"
#include "greenlet_parts.h"
#include "wait/park.h"
#include "wait/sleeper.h"
#include "wait/timeout.h"

/* Parks until the greenlet has ended. Returns 0, ETIME, or -1 with an exception. */
static int greenlet_wait_until(Greenlet *self, int64_t deadline)
{
    if (bine_py_ended(self))
        return 0;
    struct bine_carrier *carrier = bine_carrier_current();
    if (!carrier)
        return -1;
    if (self == carrier->running || self == carrier->face) {
        /* If it has killed itself before, that exception is raised. */
        if (bine_carrier_pending(carrier) && bine_pending_raise() < 0)
            return -1;
        PyErr_SetString(PyExc_RuntimeError, "a greenlet cannot wait for itself");
        return -1;
    }
    if (!deadline)
        return bine_py_refused();
    struct bine_py_sleeper sleeper;
    int error;
    bine_py_sleeper_begin(&sleeper, carrier);
    do {
        error =
            bine_py_sleep_in(&self->waitable.watchers, &sleeper, "join", (uintptr_t)self, deadline);
    } while ((error == 0 || error == EINTR) && !bine_py_ended(self));
    bine_py_sleeper_end(&sleeper);
    return error > 0 && bine_py_ended(self) ? 0 : error;
}

int bine_greenlet_wait(Greenlet *self, int64_t deadline, PyObject *timeout)
{
    return self->state == BINE_PY_ENDED
               ? 0
               : bine_py_timeout_waited(timeout, greenlet_wait_until(self, deadline));
}

/* join(timeout=None). Its arguments are parsed by hand, as sleep()'s are, which is faster. */
PyObject *bine_greenlet_join(PyObject *self, PyObject *const *args, Py_ssize_t count,
                             PyObject *names)
{
    PyObject *timeout = Py_None;
    int64_t deadline;
    Py_ssize_t named = names ? PyTuple_GET_SIZE(names) : 0;
    if (count + named > 1 ||
        (named && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, 0), "timeout") != 0)) {
        PyErr_SetString(PyExc_TypeError, "join() takes a timeout");
        return NULL;
    }
    if (count + named)
        timeout = args[0];
    if (bine_py_deadline(timeout, &deadline) < 0)
        return NULL;
    if (bine_greenlet_wait((Greenlet *)self, deadline, timeout) < 0)
        return NULL;
    Py_RETURN_NONE;
}

PyObject *bine_greenlet_get(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"block", "timeout", NULL};
    Greenlet *self = (Greenlet *)object;
    PyObject *timeout = Py_None;
    int block = 1, error;
    int64_t deadline;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|pO:get", names, &block, &timeout) ||
        bine_py_deadline(timeout, &deadline) < 0)
        return NULL;
    error = bine_greenlet_wait(self, block ? deadline : 0, block ? timeout : Py_None);
    if (error < 0)
        return NULL;
    if (error)
        return bine_py_raise_timeout(block ? timeout : Py_None);
    if (self->exception) {
        PyObject *exception = self->exception;
        Py_INCREF(exception);
        bine_py_raise_again(exception, self->traceback);
        Py_DECREF(exception);
        return NULL;
    }
    PyObject *value = self->value ? self->value : Py_None;
    Py_INCREF(value);
    return value;
}
