/*
 * Whom CPython takes for the main thread when it looks at signals, and which thread sqlite3 takes a greenlet for. See bine_python.h.
 *
 * CPython runs signal handlers in the thread whose pthread_self is the main thread's. For gevent's programs all greenlets of the main thread
 * are that, while each has an identity of its own for locks. So the answer depends on who asks: the places in the interpreter that ask before
 * they look at signals are answered with the main thread's identity, and everybody else with the greenlet's own. Which places these are is
 * learned: they ask while the interpreter is made to look at signals. A place is the function that asks and its caller, as an interpreter that does
 * not inline the first one always asks by it. Functions and not return addresses: a compiler makes copies of a call. Where we called the first one
 * ourselves it asks for that purpose only, and its caller makes no difference (PyErr_CheckSignals(), if everything is inlined there).
 *
 * Finding the functions takes a microsecond, so the answer is as ever while no signal has come.
 */
#include <dlfcn.h>
#include <signal.h>
#include <unwind.h>

#include "bine_python.h"
#include "core/hub/greenlet.h"
#include "libc/libc.h"
#include "patch/table/interpreter.h"

enum {
    MOST = 32
};

struct place {
    uintptr_t inner, outer; /* where the functions begin; outer 0: outside of the interpreter, or any */
};

static struct place places[MOST];
static unsigned known;
static bool learning;

struct search {
    struct place place;
    unsigned found;
};

static _Unwind_Reason_Code visit(struct _Unwind_Context *context, void *arg)
{
    struct search *search = arg;
    bool inside = bine_inside_interpreter((const void *)_Unwind_GetIP(context));
    if (search->found == 0 && !inside)
        return _URC_NO_REASON; /* ourselves */
    uintptr_t function = inside ? _Unwind_GetRegionStart(context) : 0;
    if (search->found++ == 0) {
        search->place.inner = function;
        return _URC_NO_REASON;
    }
    search->place.outer = function;
    return _URC_END_OF_STACK;
}

static bool is_known(const struct place *place)
{
    for (unsigned i = 0; i < known; i++)
        if (places[i].inner == place->inner && (places[i].outer == 0 || places[i].outer == place->outer))
            return true;
    return false;
}

/* Is the identity asked for by a place that looks at signals, and may this greenlet? In another thread only for an exception of its own. */
static bool is_main(struct bine_hub *hub)
{
    struct search search = {.found = 0};
    if (!hub->main_thread) {
        const struct bine_carrier *carrier = bine_carrier_of(hub->current);
        if (!carrier || !carrier->delivery.told)
            return false;
    }
    _Unwind_Backtrace(visit, &search);
    if (search.found < 2)
        return false;
    bool good = is_known(&search.place);
    if (good || !learning || known == MOST)
        return good;
    places[known++] = search.place;
    return true;
}

/*
 * sqlite3 keeps other threads from using a connection, and asks the interpreter which thread it is in. For gevent's programs all greenlets of
 * an OS thread are that thread, and share connections: the module is told the OS thread.
 */

/* SQLite itself lets one caller at a time use a connection, unless it was built without that. A greenlet may park in SQLite, at a file. */
static bool serializes(const void *caller)
{
    static int known_of = -1;
    Dl_info module;
    if (known_of >= 0)
        return known_of;
    void *handle = dladdr(caller, &module) ? dlopen(module.dli_fname, RTLD_NOLOAD | RTLD_LAZY) : NULL;
    int (*mode)(void) = handle ? (int (*)(void))dlsym(handle, "sqlite3_threadsafe") : NULL;
    known_of = !mode || mode() == 1;
    if (handle)
        dlclose(handle);
    return known_of;
}

static unsigned long ident_for_sqlite(void)
{
    if (!serializes(__builtin_return_address(0)))
        return PyThread_get_thread_ident();
    return (unsigned long)bine_libc.pthread_self();
}

static const struct bine_runtime_call call_of_sqlite = {"_sqlite3.*so", "PyThread_get_thread_ident",
                                                        (void *)PyThread_get_thread_ident, (void *)ident_for_sqlite};

void bine_identity_init(void)
{
    bine_runtime_call = &call_of_sqlite;
}

/* Each way in which the interpreter comes to look. */
static bool look_everywhere(PyObject *code, PyObject *names)
{
    bine_signal_trip();
    if (PyErr_CheckSignals() < 0)
        return false;
    bine_signal_trip();
    if (Py_MakePendingCalls() < 0)
        return false;
    bine_signal_trip();
    PyEval_RestoreThread(PyEval_SaveThread());
    if (PyErr_CheckSignals() < 0)
        return false;
    bine_signal_trip();
    PyObject *result = PyEval_EvalCode(code, names, names);
    Py_XDECREF(result);
    return result != NULL;
}

void bine_identity_seek(void)
{
    atomic_store(&bine_identity_sought, true);
}

void bine_identity_found(void)
{
    if (!learning)
        atomic_store(&bine_identity_sought, false);
}

bool bine_identity_known(void)
{
    return known != 0;
}

PyObject *bine_py_learn_identity(PyObject *module, PyObject *unused)
{
    struct bine_hub *hub = bine_hub_get();
    sigset_t all, before;
    (void)module, (void)unused;
    if (known || !hub || !hub->main_thread || !bine_signal_reserved())
        Py_RETURN_NONE;
    PyObject *code = Py_CompileString("for _ in (0, 0, 0): pass", "bine", Py_file_input),
             *names = code ? PyDict_New() : NULL;
    /* Nothing else is to ask: no handlers of the program, nor finalisers of a collection that is due. */
    if (names && PyErr_CheckSignals() == 0) {
        sigfillset(&all);
        bine_libc.pthread_sigmask(SIG_BLOCK, &all, &before);
        bine_identity_is_main = is_main;
        learning = true;
        bine_identity_seek();
        look_everywhere(code, names);
        learning = false;
        bine_identity_found();
        bine_libc.pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    Py_XDECREF(code);
    Py_XDECREF(names);
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}
