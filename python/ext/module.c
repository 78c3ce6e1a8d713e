/* The module bine._bine: names and types. */
#include <errno.h>

#include "base/arguments.h"
#include "base/error.h"
#include "carrier/carry.h"
#include "carrier/delivery.h"
#include "carrier/greenlet_package.h"
#include "carrier/identity.h"
#include "carrier/interpreter.h"
#include "carrier/pending.h"
#include "greenlet/greenlet.h"
#include "greenlet/hub_object.h"
#include "greenlet/monitor.h"
#include "greenlet/watchdog.h"
#include "io/names/localhost.h"
#include "libc/libc.h"
#include "loop/loop.h"
#include "objects/objects.h"
#include "patching.h"
#include "wait/io.h"
#include "wait/loop_exit.h"
#include "wait/park.h"
#include "wait/sleeper.h"
#include "wait/timeout.h"

static PyObject *py_getcurrent(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    PyObject *current = (PyObject *)bine_py_current();
    Py_XINCREF(current);
    return current;
}

/* sleep(seconds=0, ref=True), of which ref means nothing here. Parsed by hand: CPython's parser
 * takes a fifth of a switch. */
static int parse_sleep(PyObject *const *args, Py_ssize_t count, PyObject *names, PyObject **seconds)
{
    *seconds = count > 0 ? args[0] : NULL;
    bool ref = count > 1, good = count <= 2;
    for (Py_ssize_t i = 0; good && names && i < PyTuple_GET_SIZE(names); i++) {
        PyObject *name = PyTuple_GET_ITEM(names, i);
        if (!*seconds && PyUnicode_CompareWithASCIIString(name, "seconds") == 0)
            *seconds = args[count + i];
        else if (!ref && PyUnicode_CompareWithASCIIString(name, "ref") == 0)
            ref = true;
        else
            good = false;
    }
    if (!good)
        PyErr_SetString(PyExc_TypeError, "sleep() takes seconds and ref");
    return good ? 0 : -1;
}

static PyObject *py_sleep(PyObject *module, PyObject *const *args, Py_ssize_t count,
                          PyObject *names)
{
    PyObject *seconds;
    int64_t deadline;
    (void)module;
    if (parse_sleep(args, count, names, &seconds) < 0)
        return NULL;
    struct bine_carrier *carrier = bine_carrier_current();
    if (!carrier)
        return NULL;
    if (!seconds)
        deadline = 0;
    else if (bine_py_deadline(seconds, &deadline) < 0)
        return NULL;
    if (deadline <= 0) {
        if (__builtin_expect(carrier->callback, 0))
            bine_pending_refuse_callback(carrier);
        if (bine_carrier_pending(carrier) && bine_pending_raise() < 0)
            return NULL;
        carrier->waiting++;
        bine_yield(bine_hub_here());
        carrier->waiting--;
        if (bine_carrier_pending(carrier) && bine_pending_raise() < 0)
            return NULL;
        Py_RETURN_NONE;
    }
    int error;
    do {
        error = bine_py_park("sleep", 0, deadline);
    } while (error == EINTR);
    if (error < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *py_idle(PyObject *module, PyObject *args)
{
    PyObject *priority = NULL;
    (void)module;
    if (!PyArg_ParseTuple(args, "|O:idle", &priority))
        return NULL;
    struct bine_carrier *carrier = bine_carrier_current();
    if (!carrier)
        return NULL;
    carrier->waiting++;
    int result = bine_idle(), error = errno;
    carrier->waiting--;
    if (bine_carrier_pending(carrier) && bine_pending_raise() < 0)
        return NULL;
    if (result < 0)
        return bine_py_error(error);
    Py_RETURN_NONE;
}

/* ---- offload: a call on a real OS thread ----------------------------------------------------- */

struct call {
    PyObject *function, *args, *kwargs, *result;
    PyObject *type, *value, *traceback;
};

static void *call_there(void *arg)
{
    struct call *call = arg;
    PyGILState_STATE gil = PyGILState_Ensure();
    call->result = PyObject_Call(call->function, call->args, call->kwargs);
    if (!call->result)
        PyErr_Fetch(&call->type, &call->value, &call->traceback);
    PyGILState_Release(gil);
    return NULL;
}

static PyObject *py_offload(PyObject *module, PyObject *args)
{
    struct call call = {NULL};
    (void)module;
    if (!PyArg_ParseTuple(args, "OO!|O!:offload", &call.function, &PyTuple_Type, &call.args,
                          &PyDict_Type, &call.kwargs))
        return NULL;
    /* Not to be left while the thread works on our stack: what is thrown meanwhile is raised
     * afterwards. */
    struct bine_py_outside outside;
    if (bine_py_leave_gil(&outside) < 0)
        return NULL;
    int result = bine_offload(call_there, &call, NULL), error = errno;
    bine_py_take_gil(&outside);
    bine_py_wait_end(false);
    if (result < 0)
        return bine_py_error(error);
    if (!call.result)
        PyErr_Restore(call.type, call.value, call.traceback);
    return call.result;
}

/* Calls that the function makes of libc block the thread, whatever is patched. */
static PyObject *py_call_blocking(PyObject *module, PyObject *args)
{
    (void)module;
    Py_ssize_t count = PyTuple_GET_SIZE(args);
    if (count == 0) {
        PyErr_SetString(PyExc_TypeError, "call_blocking() takes a function");
        return NULL;
    }
    if (!bine_carrier_current())
        return NULL;
    PyObject *rest = PyTuple_GetSlice(args, 1, count);
    if (!rest)
        return NULL;
    struct bine_hub *hub = bine_hub_here();
    bool outer = hub->no_park;
    hub->no_park = true;
    PyObject *result = PyObject_CallObject(PyTuple_GET_ITEM(args, 0), rest);
    hub->no_park = outer;
    Py_DECREF(rest);
    return result;
}

static PyObject *py_simulate(PyObject *module, PyObject *seed)
{
    (void)module;
    unsigned long long number = PyLong_AsUnsignedLongLong(seed);
    if (PyErr_Occurred())
        return NULL;
    bine_simulate(number);
    Py_RETURN_NONE;
}

static PyObject *py_throw_into_main(PyObject *module, PyObject *exception)
{
    (void)module;
    if (!PyExceptionInstance_Check(exception))
        return PyErr_Format(PyExc_TypeError, "not an exception: %R", exception);
    if (!bine_carrier_current()) /* the first call on this thread makes its main greenlet */
        return NULL;
    bine_py_throw_into_root(exception);
    Py_RETURN_NONE;
}

static PyObject *py_poller_name(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    return PyUnicode_FromString(bine_poller_name());
}

static PyObject *py_thread_ident(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    return PyLong_FromUnsignedLong(bine_os_thread_identity());
}

static PyObject *py_greenlet_ident(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    const struct bine_hub *hub = bine_hub_here();
    const struct bine_greenlet *g = hub ? hub->current : NULL;
    if (!g || (g->flags & (BINE_G_ROOT | BINE_G_FORKED)) == BINE_G_ROOT)
        return PyLong_FromUnsignedLong((unsigned long)bine_libc.pthread_self());
    return PyLong_FromVoidPtr((void *)g);
}

static PyObject *py_own_thread_refusal(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    const char *refusal = bine_own_thread_refusal();
    if (!refusal)
        Py_RETURN_NONE;
    return PyUnicode_FromString(refusal);
}

static PyObject *py_interpreter_object(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    return PyUnicode_FromString(bine_interpreter_object());
}

static PyObject *py_disabled(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    return PyBool_FromLong(bine_disabled());
}

static PyMethodDef functions[] = {
    {"interpreter_object", py_interpreter_object, METH_NOARGS, NULL},
    {"disabled", py_disabled, METH_NOARGS, NULL},
    {"offload", py_offload, METH_VARARGS,
     "offload(function, args, kwargs={})\n--\n\nCall it on an OS thread; only this greenlet "
     "waits."},
    {"call_blocking", py_call_blocking, METH_VARARGS,
     "call_blocking(function, *args)\n--\n\nCall it so that its calls of libc block the thread, "
     "whatever is patched. It may not wait for other greenlets."},
    {"simulate", py_simulate, METH_O,
     "simulate(seed)\n--\n\nFrom now on hubs whose poller is not open yet are simulated, for "
     "tests: the clock jumps to the next timer, and\n"
     "ready greenlets run in an order drawn from the seed, an integer. Any thread. Does not "
     "switch."},
    {"poller_name", py_poller_name, METH_NOARGS,
     "poller_name()\n--\n\nWhich poller this thread uses."},
    {"thread_ident", py_thread_ident, METH_NOARGS,
     "thread_ident()\n--\n\nThe identity of the OS thread: the same in all of its greenlets, where "
     "threading.get_ident() tells them apart."},
    {"greenlet_ident", py_greenlet_ident, METH_NOARGS,
     "greenlet_ident()\n--\n\nA number that no other greenlet of any thread has while this one "
     "lives, whatever is patched. A thread's main greenlet has the OS thread's, also in a thread "
     "without greenlets. Does not switch."},
    {"own_thread_refusal", py_own_thread_refusal, METH_NOARGS,
     "own_thread_refusal()\n--\n\nNone if greenlets of the calling thread can have threads of "
     "their own (Greenlet.own_thread); otherwise why not. Does not switch."},
    {"getcurrent", py_getcurrent, METH_NOARGS, "getcurrent()\n--\n\nThe greenlet that runs now."},
    {"sleep", BINE_FAST_NAMED(py_sleep),
     "sleep(seconds=0, ref=True)\n--\n\nPut the current greenlet to sleep for at least that many "
     "seconds; 0 lets the others run."},
    {"idle", py_idle, METH_VARARGS,
     "idle(priority=0)\n--\n\nWait until there is nothing else to do."},
#if PY_VERSION_HEX < 0x030C0000
    {"call_with_real_threads", BINE_KEYWORDS(bine_py_call_with_real_threads), NULL},
#endif
    {"track_spawning", bine_py_track_spawning, METH_O,
     "track_spawning(wanted)\n--\n\nNote the spawning_stack of each new greenlet, or no more."},
    {"_throw_into_main", py_throw_into_main, METH_O, NULL},
    {"_learn_identity", bine_py_learn_identity, METH_NOARGS, NULL},
    {"_count_tries", bine_py_count_tries, METH_NOARGS, NULL},
    {"_use_package", bine_py_use_package, METH_NOARGS, NULL},
    {"_deliver", bine_py_deliver, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "bine._bine", .m_doc = "The runtime of the bine package.",
    .m_size = -1,          .m_methods = functions,
};

/* The order is that of the rooms, but for carriers: greenlets may run from then on. */
static int init(PyObject *module)
{
    bine_localhost_at_once = true; /* gevent's bind() does not switch */
    bine_sqlite_init();
    if (bine_package_init(module) < 0 || bine_pending_init(module) < 0 ||
        bine_loop_exit_init(module) < 0 || bine_timeout_init(module) < 0 ||
        bine_sleepers_init() < 0 || bine_io_init(module) < 0)
        return -1;
    if (bine_greenlet_init(module) < 0 || bine_monitor_init(module) < 0 ||
        bine_watchdog_init(module) < 0 || bine_event_init(module) < 0 ||
        bine_semaphore_init(module) < 0 || bine_queue_init(module) < 0 ||
        bine_channel_init(module) < 0 || bine_wait_many_init(module) < 0)
        return -1;
    if (bine_carriers_init(module) < 0 || bine_hub_object_init(module) < 0 ||
        bine_loops_init(module) < 0)
        return -1;
    return bine_patching_init(module) < 0
               ? -1
               : PyModule_AddStringConstant(module, "version", bine_version());
}

PyMODINIT_FUNC PyInit__bine(void)
{
    PyObject *module = PyModule_Create(&definition);
    if (module && init(module) < 0)
        Py_CLEAR(module);
    return module;
}
