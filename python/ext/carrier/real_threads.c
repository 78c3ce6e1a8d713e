/* Which of the interpreter's threads, and of its waits for its own locks, stay real ones
 * (patch/table/interpreter.h). */
#include <string.h>

#include "delivery.h"
#include "gil.h"
#include "interpreter.h"
#include "patch/table/interpreter.h"
#include "patch/threads/thread_greenlets.h"

/*
 * faulthandler.dump_traceback_later() starts a thread that must run even while no greenlet yields.
 * So a thread that the interpreter starts may have to stay a real one. From CPython 3.12 on an
 * audit event comes before each thread that Python code starts, and none before faulthandler's.
 * Earlier versions have no such event: there bine.monkey calls that function by
 * call_with_real_threads().
 */
#if PY_VERSION_HEX >= 0x030C0000

static _Thread_local bool announced;

static int hear(const char *event, PyObject *args, void *data)
{
    (void)args, (void)data;
    /* _thread.start_new_thread, and from 3.13 on also _thread.start_joinable_thread. */
    if (strncmp(event, "_thread.start_", 14) == 0)
        announced = true;
    return 0;
}

/* Threads of extensions are not announced: whether they are greenlets is a rule of their object. */
static bool stays_real(const void *caller)
{
    if (!bine_inside_interpreter(caller))
        return false;
    bool real = !announced;
    announced = false;
    return real;
}

#else

static _Thread_local const struct bine_greenlet *starts_real_threads;

static bool stays_real(const void *caller)
{
    (void)caller;
    struct bine_hub *hub = bine_hub_here();
    return hub && hub->current == starts_real_threads;
}

PyObject *bine_py_call_with_real_threads(PyObject *module, PyObject *args, PyObject *kwargs)
{
    struct bine_carrier *carrier = bine_carrier_current();
    (void)module;
    if (!carrier)
        return NULL;
    if (PyTuple_GET_SIZE(args) < 1)
        return PyErr_Format(PyExc_TypeError, "call_with_real_threads() needs a function");
    PyObject *rest = PyTuple_GetSlice(args, 1, PyTuple_GET_SIZE(args));
    if (!rest)
        return NULL;
    starts_real_threads = carrier->g;
    PyObject *result = PyObject_Call(PyTuple_GET_ITEM(args, 0), rest, kwargs);
    starts_real_threads = NULL;
    Py_DECREF(rest);
    return result;
}

#endif

/* Is it a lock of the interpreter's own? A thread that waits for a lock of the program's has a
 * thread state, has released the GIL, and has tried to take the lock before. */
static bool waits_for_the_runtime(const void *caller, const void *semaphore)
{
    if (!bine_inside_interpreter(caller))
        return false;
    struct bine_hub *hub = bine_hub_here();
    if (hub && bine_carrier_of(hub->current))
        bine_delivery_waits_again(bine_carrier_of(hub->current), (uintptr_t)semaphore);
    if (bine_check_is_blind)
        return semaphore != bine_semaphore_refused;
    return !PyGILState_GetThisThreadState() ||
           (hub && bine_gil_state(bine_carrier_of(hub->current)));
}

int bine_real_threads_init(void)
{
#if PY_VERSION_HEX >= 0x030C0000
    static bool listening;
    if (!listening && PySys_AddAuditHook(hear, NULL) < 0)
        return -1;
    listening = true;
#endif
    bine_thread_stays_real = stays_real;
    /* The interpreter has no conditions but the GIL's. */
    bine_condition_stays_real = bine_inside_interpreter;
    bine_semaphore_stays_real = waits_for_the_runtime;
    return 0;
}
