/*
 * The interpreter as an object to patch: its thread states are greenlets', but some of its threads and its waits for its own locks
 * stay real ones (patch/table/interpreter.h).
 */
#include <errno.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

#include "bine_python.h"
#include "gil.h"
#include "patch/table/interpreter.h"
#include "patch/threads/thread_greenlets.h"

/*
 * faulthandler.dump_traceback_later() starts a thread that must run while Python does not give way, so not every thread of the
 * interpreter can be a greenlet. From 3.12 on those that Python code starts are announced by an audit event, right before; faulthandler's is
 * not. Earlier versions announce none: there bine.monkey has that function called by call_with_real_threads().
 */
#if PY_VERSION_HEX >= 0x030C0000

static _Thread_local bool announced;

static int hear(const char *event, PyObject *args, void *data)
{
    (void)args, (void)data;
    if (strncmp(event, "_thread.start_", 14) == 0) /* _new_thread; from 3.13 on also _joinable_thread */
        announced = true;
    return 0;
}

static bool stays_real(void)
{
    bool real = !announced;
    announced = false;
    return real;
}

#else

static _Thread_local const struct bine_greenlet *starts_real_threads;

static bool stays_real(void)
{
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

bool bine_check_is_blind;

/* The making of an interpreter may raise no event (without a current thread state none is), but its initialisation raises many. */
static int hear(const char *event, PyObject *args, void *data)
{
    (void)event, (void)args, (void)data;
    bine_look_for_subinterpreter();
    return 0;
}

/* Has there been a subinterpreter before us? */
static void try_check(void)
{
    PyThreadState *state = PyEval_SaveThread();
    bine_check_is_blind = PyGILState_Check();
    PyEval_RestoreThread(state);
}

#endif

/* ---- the interpreter, and its own waits --------------------------------------------------------------------------- */

static const char *
    interpreter_name; /* its file's name; "": the program (Debian's python3 is linked statically, although it has a library beside it) */
static uintptr_t interpreter_begin, interpreter_end; /* its code */

const char *bine_interpreter_object(void)
{
    return interpreter_name;
}

bool bine_states_by_key;

bool bine_disabled(void)
{
    const char *said = secure_getenv("BINE_DISABLE");
    return said && *said && strcmp(said, "0") != 0;
}

bool bine_inside_interpreter(const void *caller)
{
    return (uintptr_t)caller >= interpreter_begin && (uintptr_t)caller < interpreter_end;
}

/* Nobody waits for one of Python's locks with the GIL, or without a thread state, or without having tried to get it before. */
static bool waits_for_the_runtime(const void *caller, const void *semaphore)
{
    if (!bine_inside_interpreter(caller))
        return false;
    struct bine_hub *hub = bine_hub_here();
    if (hub && bine_carrier_of(hub->current))
        bine_delivery_waits_again(bine_carrier_of(hub->current), (uintptr_t)semaphore);
    if (bine_check_is_blind)
        return semaphore != bine_semaphore_refused;
    return !PyGILState_GetThisThreadState() || (hub && bine_gil_state(bine_carrier_of(hub->current)));
}

static int find_interpreter(struct dl_phdr_info *object, size_t size, void *data)
{
    uintptr_t inside = (uintptr_t)PyThreadState_New;
    (void)size, (void)data;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        uintptr_t begin = object->dlpi_addr + object->dlpi_phdr[i].p_vaddr, end = begin + object->dlpi_phdr[i].p_memsz;
        if (object->dlpi_phdr[i].p_type == PT_LOAD && inside >= begin && inside < end) {
            const char *slash = strrchr(object->dlpi_name, '/');
            interpreter_name = slash ? slash + 1 : object->dlpi_name;
            interpreter_begin = begin;
            interpreter_end = end;
            return 1;
        }
    }
    return 0;
}

int bine_interpreter_init(void)
{
    if (!bine_thread_stays_real && PySys_AddAuditHook(hear, NULL) < 0)
        return -1;
#if PY_VERSION_HEX < 0x030C0000
    try_check();
#endif
    dl_iterate_phdr(find_interpreter, NULL);
    /* The thread state that PyGILState finds is the greenlet's, before anything is patched. */
    bine_states_by_key = !bine_disabled();
    if (bine_states_by_key && (bine_patch_local_keys(interpreter_name) < 0 || bine_patch_keys_always() < 0)) {
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    if (bine_package_begin() < 0)
        return -1;
    bine_thread_stays_real = stays_real;
    bine_condition_stays_real = bine_inside_interpreter; /* the only conditions in there are the GIL's */
    bine_semaphore_stays_real = waits_for_the_runtime;
    return 0;
}
