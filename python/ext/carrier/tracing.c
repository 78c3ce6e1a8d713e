/*
 * Trace and profile functions of greenlets.
 *
 * CPython keeps them in the thread state. gevent's greenlets share the thread's; Bine's have a
 * state each, so a new greenlet is given what its first step is to be traced by: the function of
 * threading.settrace() or threading.setprofile(), as a new thread is; else what traced its spawner,
 * as in gevent. Coverage and debuggers rely on one or the other.
 */
#include "tracing.h"

#include "libc/carrier.h"
#include "replace_error.h"
#include <frameobject.h> /* needs Python.h before it */

struct bine_py_tracing {
    Py_tracefunc trace, profile; /* either may be NULL */
    PyObject *trace_argument, *profile_argument;
};

static PyObject *threading_names; /* the module's dict */
static PyObject *trace_hook, *profile_hook;

/* Has threading's dict changed since the hooks were last looked at? Two look-ups for each greenlet
 * would be 8 % of a spawn. */
#if PY_VERSION_HEX >= 0x030C0000

static bool changed = true;

static int note_change(PyDict_WatchEvent event, PyObject *dict, PyObject *key, PyObject *value)
{
    (void)event, (void)dict, (void)key, (void)value;
    changed = true;
    return 0;
}

static int watch_names(void)
{
    int watcher = PyDict_AddWatcher(note_change);
    return watcher < 0 ? -1 : PyDict_Watch(watcher, threading_names);
}

static bool names_changed(void)
{
    bool was = changed;
    changed = false;
    return was;
}

#else

static int watch_names(void)
{
    return 0;
}

static bool names_changed(void)
{
    static uint64_t seen;
    uint64_t now = ((PyDictObject *)threading_names)->ma_version_tag;
    bool is = now != seen;
    seen = now;
    return is;
}

#endif

/* Has threading a trace or a profile function? */
static bool has_hooks(void)
{
    static bool known;
    if (__builtin_expect(!names_changed(), 1))
        return known;
    PyObject *trace = PyDict_GetItemWithError(threading_names, trace_hook);
    PyObject *profile = PyDict_GetItemWithError(threading_names, profile_hook);
    PyErr_Clear();
    return known = (trace && trace != Py_None) || (profile && profile != Py_None);
}

/* ---- tracers written in C -------------------------------------------------------------------- */

/*
 * coverage.py's tracer serves several greenlets (--concurrency=gevent): it keeps a stack of frames
 * for each, and asks which greenlet runs where a function is called or returns. gevent's waits are
 * Python functions, and the tracer hears of their return. Bine's are C functions, and so are the
 * waits of patched libraries: the tracer would take the lines that follow one for another
 * greenlet's. So a greenlet that goes on after a wait tells its tracer of a call and a return, of a
 * frame made for that.
 *
 * A trace function written in Python is not told: it is a debugger's, which would stop there.
 */
static Py_tracefunc trampoline; /* what CPython calls such functions by; NULL: not learned yet */
static BINE_CARRIED unsigned shared_; /* greenlets that began with their spawner's tracer, or
                                       * spawned such ones */
#define shared BINE_OF_CARRIER(shared_)

void bine_tracing_ended(struct bine_carrier *carrier)
{
    if (!carrier) {
        shared = 0;
        return;
    }
    carrier->shares_tracer = false;
    if (shared && --shared == 0)
        bine_carrier_tell(BINE_HEARS_WAKES, false);
}

static void note_sharing(struct bine_carrier *carrier)
{
    if (carrier->shares_tracer)
        return;
    carrier->shares_tracer = true;
    shared++;
    bine_carrier_tell(BINE_HEARS_WAKES, true);
}

/* ---- what a greenlet begins with ------------------------------------------------------------- */

int bine_tracing_inherit(struct bine_py_tracing **noted)
{
    const PyThreadState *state = PyThreadState_Get();
    if (__builtin_expect(!state->c_tracefunc && !state->c_profilefunc, 1))
        return 0;
    struct bine_py_tracing *tracing = PyMem_Calloc(1, sizeof *tracing);
    if (!tracing) {
        PyErr_NoMemory();
        return -1;
    }
    if (state->c_tracefunc && !bine_replace_error_traces(state->c_tracefunc)) {
        struct bine_carrier *carrier = bine_carrier_current();
        tracing->trace = state->c_tracefunc;
        Py_XINCREF(tracing->trace_argument = state->c_traceobj);
        if (carrier && tracing->trace != trampoline)
            note_sharing(carrier);
    }
    if (state->c_profilefunc) {
        tracing->profile = state->c_profilefunc;
        Py_XINCREF(tracing->profile_argument = state->c_profileobj);
    }
    bine_tracing_forget(noted);
    *noted = tracing;
    return 0;
}

void bine_tracing_forget(struct bine_py_tracing **noted)
{
    struct bine_py_tracing *tracing = *noted;
    if (!tracing)
        return;
    *noted = NULL;
    Py_XDECREF(tracing->trace_argument);
    Py_XDECREF(tracing->profile_argument);
    PyMem_Free(tracing);
}

int bine_tracing_traverse(struct bine_py_tracing *tracing, visitproc visit, void *arg)
{
    if (tracing) {
        Py_VISIT(tracing->trace_argument);
        Py_VISIT(tracing->profile_argument);
    }
    return 0;
}

/* The current thread state has no trace function. -1 with an exception. */
static int learn_trampoline(void)
{
    PyObject *function = trampoline ? NULL : PySys_GetObject("settrace");
    if (!function)
        return 0;
    PyObject *result = PyObject_CallFunctionObjArgs(function, function, NULL);
    Py_XDECREF(result);
    trampoline = PyThreadState_Get()->c_tracefunc;
    PyEval_SetTrace(NULL, NULL);
    return result ? 0 : -1;
}

/* Have the current greenlet traced as its spawner was. -1 with an exception. */
static int share(Py_tracefunc function, PyObject *argument)
{
    struct bine_carrier *carrier = bine_carrier_current();
    if (!carrier || learn_trampoline() < 0)
        return -1;
    PyEval_SetTrace(function, argument);
    if (function != trampoline)
        note_sharing(carrier);
    return 0;
}

/* As CPython does around a call of a trace function: what that runs is not traced. */
static void enter(PyThreadState *state)
{
#if PY_VERSION_HEX >= 0x030B0000
    PyThreadState_EnterTracing(state);
#elif PY_VERSION_HEX >= 0x030A0000
    state->tracing++;
    state->cframe->use_tracing = 0;
#else
    state->tracing++;
    state->use_tracing = 0;
#endif
}

static void tracing_leave(PyThreadState *state)
{
#if PY_VERSION_HEX >= 0x030B0000
    PyThreadState_LeaveTracing(state);
#else
    int traced = state->c_tracefunc || state->c_profilefunc;
    state->tracing--;
#if PY_VERSION_HEX >= 0x030A0000
    state->cframe->use_tracing = traced ? 255 : 0;
#else
    state->use_tracing = traced;
#endif
#endif
}

static PyFrameObject *frame_of_wait(PyThreadState *state)
{
    static PyCodeObject *code;
    static PyObject *globals;
    if (!code && !(code = PyCode_NewEmpty("<bine>", "wait", 1)))
        return NULL;
    if (!globals && !(globals = PyDict_New()))
        return NULL;
    return PyFrame_New(state, code, globals, NULL);
}

static int tracing_tell(PyThreadState *state)
{
    Py_tracefunc function = state->c_tracefunc;
    PyObject *argument = state->c_traceobj;
    PyFrameObject *frame = frame_of_wait(state);
    if (!frame)
        return -1;
    Py_XINCREF(argument);
    enter(state);
    int result = function(argument, frame, PyTrace_CALL, Py_None);
    if (result == 0)
        result = function(argument, frame, PyTrace_RETURN, Py_None);
    tracing_leave(state);
    Py_XDECREF(argument);
    Py_DECREF(frame);
    return result;
}

/* The current greenlet goes on after a wait: its trace function is told if it is such a one. */
static void tracing_woken(struct bine_hub *hub)
{
    (void)hub;
    struct bine_carrier *carrier = bine_carrier_current();
    PyThreadState *state = PyThreadState_Get();
    Py_tracefunc function = state->c_tracefunc;
    if (!carrier || !carrier->shares_tracer || state->tracing ||
        bine_replace_error_traces(function))
        return;
    if (!function || function == trampoline) {
        /* It is not traced any more, or was by a function written in Python. */
        bine_tracing_ended(carrier);
        return;
    }
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (tracing_tell(state) < 0) {
        /* A wait cannot fail. CPython drops a trace function that does as well. */
        PyErr_WriteUnraisable(NULL);
        PyEval_SetTrace(NULL, NULL);
    }
    PyErr_Restore(type, value, traceback);
}

/* sys.settrace(hook), or setprofile, if threading has such a hook: 1; 0 if it has none; -1 with an
 * exception. */
static int set_by_hook(PyObject *name, const char *function_name)
{
    PyObject *hook = PyDict_GetItemWithError(threading_names, name);
    if (!hook || hook == Py_None)
        return PyErr_Occurred() ? -1 : 0;
    PyObject *function = PySys_GetObject(function_name);
    Py_INCREF(hook);
    PyObject *result = function ? PyObject_CallFunctionObjArgs(function, hook, NULL) : NULL;
    Py_DECREF(hook);
    Py_XDECREF(result);
    return result ? 1 : -1;
}

int bine_tracing_begin(struct bine_py_tracing **noted)
{
    const struct bine_py_tracing *tracing = *noted;
    if (__builtin_expect(!tracing && !has_hooks(), 1))
        return 0;
    /* The profile function last: else it would see the other one being set. */
    int traced = set_by_hook(trace_hook, "settrace");
    if (traced == 0 && tracing && tracing->trace)
        traced = share(tracing->trace, tracing->trace_argument);
    int profiled = traced < 0 ? -1 : set_by_hook(profile_hook, "setprofile");
    if (profiled == 0 && tracing && tracing->profile)
        PyEval_SetProfile(tracing->profile, tracing->profile_argument);
    bine_tracing_forget(noted);
    return profiled < 0 ? -1 : 0;
}

int bine_tracing_init(void)
{
    PyObject *threading = PyImport_ImportModule("threading");
    if (!threading)
        return -1;
    threading_names = PyModule_GetDict(threading);
    Py_INCREF(threading_names);
    Py_DECREF(threading);
    trace_hook = PyUnicode_InternFromString("_trace_hook");
    profile_hook = PyUnicode_InternFromString("_profile_hook");
    bine_carrier_on_switch(BINE_HEARS_WAKES, tracing_woken);
    return trace_hook && profile_hook ? watch_names() : -1;
}
