/* Waits that Python sees. See bine_python.h. */
#include <errno.h>
#include <math.h>

#include "bine_python.h"
#include "core/hub/greenlet.h"
#include "core/hub/streak.h"
#include "gil.h"

PyObject *bine_LoopExit, *bine_BlockingSwitchOutError;

int bine_py_raise_pending(void)
{
    struct bine_carrier *carrier = bine_carrier_current();
    if (!carrier)
        return -1;
    PyObject *exception = carrier->thrown;
    if (exception)
        carrier->thrown = NULL;
    else if (carrier->expired)
        exception = bine_py_expired_exception(carrier);
    if (!exception)
        return PyErr_Occurred() ? -1 : 0;
    bine_delivery_done(carrier);
    exception = bine_package_thrown(exception);
    PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    Py_DECREF(exception);
    return -1;
}

static void raise_loop_exit(void)
{
    PyObject *text = bine_py_dump_text();
    PyObject *all = text ? PyUnicode_FromFormat("This operation would block forever\n%U", text) : NULL;
    PyObject *error = all ? PyObject_CallFunctionObjArgs(bine_LoopExit, all, NULL) : NULL;
    if (error && PyObject_SetAttrString(error, "_raised", Py_True) == 0) /* its hub is the thread's */
        PyErr_SetObject(bine_LoopExit, error);
    Py_XDECREF(error);
    Py_XDECREF(all);
    Py_XDECREF(text);
}

static void set_refusal(struct bine_carrier *carrier)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    carrier->thrown = PyObject_CallFunction(bine_BlockingSwitchOutError, "s",
                                            "Impossible to call blocking function in the event loop callback");
    PyErr_Restore(type, value, traceback);
}

void bine_py_refuse_callback(struct bine_carrier *carrier)
{
    if (bine_carrier_pending(carrier))
        return;
    if (bine_gil_state(carrier)) {
        set_refusal(carrier);
        return;
    }
    PyGILState_STATE gil = PyGILState_Ensure();
    set_refusal(carrier);
    PyGILState_Release(gil);
}

int bine_py_park(const char *verb, uintptr_t object, int64_t deadline)
{
    struct bine_carrier *carrier = bine_carrier_current();
    if (!carrier)
        return -1;
    if (__builtin_expect(bine_carrier_pending(carrier), 0))
        return bine_py_raise_pending();
    struct bine_hub *hub = bine_hub_here();
    carrier->waiting++;
    int error = bine_park(hub, verb, object, deadline, BINE_PARK_SIGNALS);
    carrier->waiting--;
    if (__builtin_expect(error == 0 || error == ETIME, 1)) {
        if (__builtin_expect(bine_carrier_pending(carrier), 0))
            bine_delivery_poke(carrier); /* it came too late for this wait */
        return error;
    }
    return bine_py_park_failed(carrier, error);
}

int bine_py_park_failed(struct bine_carrier *carrier, int error)
{
    if (bine_carrier_pending(carrier))
        return bine_py_raise_pending();
    if (error == EINTR)
        return PyErr_CheckSignals() < 0 ? -1 : EINTR;
    if (error == EDEADLK)
        raise_loop_exit();
    else
        bine_py_error(error);
    return -1;
}

int bine_py_deadline(PyObject *seconds, int64_t *deadline)
{
    if (seconds != Py_None)
        seconds = bine_py_timeout_seconds(seconds);
    if (!seconds || seconds == Py_None) {
        *deadline = INT64_MAX;
        return 0;
    }
    double value = PyLong_CheckExact(seconds) ? PyLong_AsDouble(seconds) : PyFloat_AsDouble(seconds);
    if (value == -1.0 && PyErr_Occurred())
        return -1;
    if (isnan(value)) {
        PyErr_SetString(PyExc_ValueError, "seconds must not be NaN");
        return -1;
    }
    if (value >= 9e9)
        *deadline = INT64_MAX;
    else
        *deadline = value <= 0 ? 0 : bine_hub_deadline(bine_hub_here(), (int64_t)ceil(value * 1e9));
    return 0;
}

PyObject *bine_py_raise_again(PyObject *exception, PyObject *traceback)
{
    PyException_SetTraceback(exception, traceback ? traceback : Py_None);
    PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    return NULL;
}

PyObject *bine_py_error(int error)
{
    if (error == ENOMEM)
        return PyErr_NoMemory();
    errno = error;
    return PyErr_SetFromErrno(PyExc_OSError);
}

int bine_py_wait_begin(void)
{
    struct bine_carrier *carrier = bine_carrier_current();
    if (!carrier)
        return -1;
    if (__builtin_expect(bine_carrier_pending(carrier), 0) && bine_py_raise_pending() < 0)
        return -1;
    carrier->waiting++;
    return 0;
}

int bine_py_wait_end(bool failed)
{
    int error = errno;
    struct bine_carrier *carrier = bine_carrier_of(bine_hub_here()->current);
    carrier->waiting--;
    if (__builtin_expect(!failed, 1)) {
        if (__builtin_expect(bine_carrier_pending(carrier), 0))
            bine_delivery_poke(carrier); /* it came too late for this wait */
        return 0;
    }
    if (bine_carrier_pending(carrier) && (error == EINTR || error == ECANCELED))
        return bine_py_raise_pending();
    if (error == EINTR)
        return PyErr_CheckSignals() < 0 ? -1 : 1;
    if (error == EDEADLK)
        raise_loop_exit();
    else if (error == ENOMEM || error == ECANCELED || error == EPERM)
        bine_py_error(error);
    return PyErr_Occurred() ? -1 : error == ETIMEDOUT ? ETIMEDOUT : 0;
}

int bine_py_leave_gil(struct bine_py_outside *outside)
{
    if (bine_py_wait_begin() < 0)
        return -1;
    outside->carrier = bine_carrier_current();
    outside->state = PyEval_SaveThread();
    outside->carrier->without_gil++;
    return 0;
}

void bine_py_take_gil(struct bine_py_outside *outside)
{
    int error = errno;
    PyEval_RestoreThread(outside->state);
    outside->carrier->without_gil--;
    errno = error;
}

void bine_py_close(PyObject *object)
{
    if (!object)
        return;
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *result = PyObject_CallMethod(object, "close", NULL);
    if (!result)
        PyErr_WriteUnraisable(object);
    Py_XDECREF(result);
    Py_DECREF(object);
    PyErr_Restore(type, value, traceback);
}

int bine_py_refused(void)
{
    struct bine_hub *hub = bine_hub_here();
    if (!hub || hub->no_park)
        return ETIME;
    if (bine_py_wait_begin() < 0)
        return -1;
    bine_streak_firmly(hub);
    return bine_py_wait_end(false) < 0 ? -1 : ETIME;
}

int64_t bine_py_left(int64_t deadline)
{
    if (deadline == INT64_MAX)
        return BINE_FOREVER;
    if (deadline <= 0)
        return 0;
    int64_t now = bine_hub_now(bine_hub_here());
    return deadline > now ? deadline - now : 0;
}

int bine_waiting_init(PyObject *module)
{
    bine_LoopExit = PyErr_NewExceptionWithDoc(
        "bine.exceptions.LoopExit", "Nothing can wake any greenlet any more; the text says who waits for what.",
        PyExc_Exception, NULL);
    bine_BlockingSwitchOutError = PyErr_NewExceptionWithDoc(
        "bine.exceptions.BlockingSwitchOutError", "Raised in a callback of the event loop by a call that would wait.",
        PyExc_AssertionError, NULL);
    return bine_LoopExit && bine_BlockingSwitchOutError &&
                   PyModule_AddObjectRef(module, "BlockingSwitchOutError", bine_BlockingSwitchOutError) == 0 &&
                   PyModule_AddObjectRef(module, "LoopExit", bine_LoopExit) == 0
               ? 0
               : -1;
}
