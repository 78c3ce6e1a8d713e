/*
 * A carrier's thread state: how it is made, and how it is wiped between two greenlets.
 *
 * A thread state outlives the greenlet that used it, so everything that Python code can leave in
 * one must be gone before the next greenlet runs. Trace functions are taken out by the public calls
 * for that. For anything else the state is deleted and a new one is made: CPython and its
 * extensions keep caches that name a state by its id (asyncio's running loop), which a wiped state
 * would keep.
 */
#include "state.h"

#include "core/hub/own.h"
#include "core/hub/renew.h"
#include "patch/locals/local_keys.h"
#include "patch/locals/local_tls.h"

#if PY_VERSION_HEX >= 0x030E0000
#pragma weak PyUnstable_ThreadState_SetStackProtection

/* From 3.14 on CPython compares the stack pointer with the bounds of the thread's stack, to raise
 * RecursionError and to put off the end of nested objects. It asks pthread_getattr_np when the
 * state is first used, which answers for the greenlet if threads are patched; else it reads the
 * list of all mappings, the greenlets' stacks among them. So this says it in any case, before that.
 * Not in 3.14.0. */
static void tell_stack(const struct bine_carrier *carrier)
{
    const struct bine_own *own = bine_own_of(carrier->g);
    const struct bine_stack *stack = carrier->g->stack;
    void *bottom = own ? own->bottom : bine_stack_bottom(stack);
    size_t size = own ? own->size : bine_stack_size(stack);
    if (bottom && PyUnstable_ThreadState_SetStackProtection &&
        PyUnstable_ThreadState_SetStackProtection(carrier->state, bottom, size) < 0)
        Py_FatalError("bine: CPython refuses the stack");
}
#else
static void tell_stack(const struct bine_carrier *carrier)
{
    (void)carrier;
}
#endif

void bine_state_new(struct bine_carrier *carrier)
{
    carrier->state = PyThreadState_New(PyInterpreterState_Main());
    if (!carrier->state)
        Py_FatalError("bine: no memory for a thread state");
    tell_stack(carrier);
    PyEval_RestoreThread(carrier->state);
#if PY_VERSION_HEX >= 0x030C0000 && PY_VERSION_HEX < 0x030D0000
    /* The dict is made when it is first asked for, which is not to be in the midst of something
     * (gil.h). */
    if (!PyThreadState_GetDict())
        Py_FatalError("bine: no memory for a thread state's dict");
#endif
}

void bine_state_delete(struct bine_carrier *carrier)
{
    PyThreadState_Clear(carrier->state);
    PyThreadState_DeleteCurrent();
    carrier->state = NULL;
}

/* ---- threading's dummies --------------------------------------------------------------------- */

#if PY_VERSION_HEX < 0x030D0000

static PyObject *active, *dummy_class; /* threading._active, threading._DummyThread */

static int find_dummies(void)
{
    PyObject *threading = PyImport_ImportModule("threading");
    if (threading) {
        active = PyObject_GetAttrString(threading, "_active");
        dummy_class = PyObject_GetAttrString(threading, "_DummyThread");
        Py_DECREF(threading);
    }
    return active && dummy_class && PyDict_Check(active) ? 0 : -1;
}

/* current_thread() makes an object for a thread that threading did not start, and keeps it under
 * the thread's identity, which is the carrier's: the next greenlet must not find it. From 3.13 on
 * that object goes with the thread state. */
static void forget_dummy(void)
{
    if (PyDict_GET_SIZE(active) < 2) /* the main thread's alone */
        return;
    PyObject *ident = PyLong_FromUnsignedLong(PyThread_get_thread_ident());
    PyObject *thread = ident ? PyDict_GetItemWithError(active, ident) : NULL;
    if (thread && (PyObject *)Py_TYPE(thread) == dummy_class && PyDict_DelItem(active, ident) < 0)
        PyErr_Clear();
    Py_XDECREF(ident);
    PyErr_Clear();
}

#else

static int find_dummies(void)
{
    return 0;
}

static void forget_dummy(void)
{
}

#endif

/* ---- wiping ---------------------------------------------------------------------------------- */

static void stop_tracing(const PyThreadState *state)
{
    if (state->c_tracefunc)
        PyEval_SetTrace(NULL, NULL);
    if (state->c_profilefunc)
        PyEval_SetProfile(NULL, NULL);
}

#if PY_VERSION_HEX >= 0x030D0000
/* The running loop lies in a part of the state that no public name reaches. Once asyncio is there
 * it is asked. */
static bool has_running_loop(void)
{
    static PyObject *name, *ask;
    if (!ask) {
        PyObject *module = name || (name = PyUnicode_InternFromString("_asyncio"))
                               ? PyImport_GetModule(name)
                               : NULL;
        ask = module ? PyObject_GetAttrString(module, "_get_running_loop") : NULL;
        Py_XDECREF(module);
    }
    PyObject *loop = ask ? PyObject_CallNoArgs(ask) : NULL;
    bool has = loop && loop != Py_None;
    PyErr_Clear();
    Py_XDECREF(loop);
    return has;
}
#else
static bool has_running_loop(void)
{
    return false; /* it lies in the dict */
}
#endif

/* Is there anything in the state that a new one does not have? */
static bool is_used(const PyThreadState *state)
{
#if PY_VERSION_HEX >= 0x030D0000
    if (state->threading_local_key)
        return true;
#endif
    return (state->dict && PyDict_GET_SIZE(state->dict)) || state->async_exc ||
           state->async_gen_firstiter || state->async_gen_finalizer ||
           state->coroutine_origin_tracking_depth ||
           (state->context && PyObject_Size(state->context) != 0) || has_running_loop();
}

void bine_state_wipe(struct bine_carrier *carrier)
{
    bine_local_tls_renew();
    forget_dummy();
    stop_tracing(carrier->state);
    /* PyGILState's key holds the state itself. */
    bool belongings = carrier->g->slots[BINE_SLOT_PATCH] || bine_local_values_but(carrier->state);
    if (!belongings && !is_used(carrier->state))
        return;
    bine_state_delete(carrier);
    if (belongings)
        bine_greenlet_renew(BINE_SLOT_PYTHON);
    bine_state_new(carrier);
}

void bine_state_leave(struct bine_carrier *carrier)
{
    forget_dummy();
    stop_tracing(carrier->state);
}

void bine_state_check(struct bine_carrier *carrier)
{
    PyThreadState *state = carrier->state;
    if (__builtin_expect(!state->c_tracefunc && !state->c_profilefunc && !state->async_exc, 1))
        return;
    stop_tracing(state);
    Py_CLEAR(state->async_exc);
}

int bine_state_init(void)
{
    return find_dummies();
}
