/*
 * bine.watchdog: the library's watchdog, whose reports get the Python stack of the greenlet that blocks.
 *
 * The stack is written in a signal handler of the greenlet's thread, by the function of CPython that faulthandler uses. It takes no lock and
 * allocates nothing. CPython 3.13 and newer do not export it; there a report has the C stack only.
 */
#include "watchdog.h"

#include <bine/watchdog.h>
#include <errno.h>

#include "base/error.h"
#include "carrier/carrier.h"
#include "core/watch/sample.h"
#include "libc/libc.h"

typedef void write_traceback(int fd, PyThreadState *state);
static write_traceback *traceback;

static void write_stack(int fd)
{
    struct bine_hub *hub = bine_hub_here();
    if (!Py_IsInitialized() || !hub)
        return; /* the interpreter ends */
    const struct bine_carrier *carrier = bine_carrier_of(hub->current);
    PyThreadState *state =
        carrier && carrier->state ? carrier->state : PyGILState_GetThisThreadState();
    if (state)
        traceback(fd, state);
}

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

static PyMethodDef functions[] = {
    {"watchdog", py_watchdog, METH_O,
     "watchdog(seconds)\n--\n\nReport on standard error each greenlet that lets no other one run "
     "for so long while "
     "others wait: what it does, its "
     "C stack and its Python\nstack. Watches all threads. None: no more. ValueError if seconds is "
     "less than 0.001. Any "
     "thread; does not switch."},
    {NULL, NULL, 0, NULL},
};

int bine_watchdog_init(PyObject *module)
{
    *(void **)&traceback = bine_libc.dlsym(RTLD_DEFAULT, "_Py_DumpTraceback");
    if (traceback)
        bine_sample_on_runtime(write_stack);
    return PyModule_AddFunctions(module, functions);
}
