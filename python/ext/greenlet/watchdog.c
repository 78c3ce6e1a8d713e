/*
 * bine.watchdog: the library's watchdog. The Python stack of a report comes from faulthandler,
 * which python/bine/_watchdog.py sets up.
 */
#include "watchdog.h"

#include <bine/watchdog.h>
#include <errno.h>

#include "base/error.h"
#include "core/watch/sample.h"

static PyObject *py_watchdog(PyObject *module, PyObject *seconds)
{
    (void)module;
    if (seconds == Py_None) {
        Py_BEGIN_ALLOW_THREADS bine_watchdog_stop();
        Py_END_ALLOW_THREADS Py_RETURN_NONE;
    }
    double duration = PyFloat_AsDouble(seconds);
    if (duration == -1 && PyErr_Occurred())
        return NULL;
    if (!(duration >= 0.001 && duration < 1e9))
        return PyErr_Format(PyExc_ValueError, "seconds must be at least 0.001: %R", seconds);
    if (bine_watchdog_start((int64_t)(duration * BINE_SECOND), NULL, NULL) < 0)
        return bine_py_error(errno);
    Py_RETURN_NONE;
}

static PyObject *py_watchdog_stack(PyObject *module, PyObject *arguments)
{
    int signal_number, fd;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "ii:watchdog_stack", &signal_number, &fd))
        return NULL;
    bine_sample_on_runtime(signal_number, fd);
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"watchdog", py_watchdog, METH_O,
     "watchdog(seconds)\n--\n\nStart the watchdog; None: stop it. See bine.watchdog."},
    {"watchdog_stack", py_watchdog_stack, METH_VARARGS,
     "watchdog_stack(signal_number, fd)\n--\n\nThe handler of this signal writes the Python stack "
     "to this file."},
    {NULL, NULL, 0, NULL},
};

int bine_watchdog_init(PyObject *module)
{
    return PyModule_AddFunctions(module, functions);
}
