/*
 * Python's signals.
 *
 * One signal is reserved for delivery.c, by Python's table of handlers only: what the kernel does
 * with it stays as it was, so C code may use that number. If Python code wants it, another one is
 * reserved.
 *
 * A signal that comes while a greenlet runs is marked for it, as it would be for the main thread;
 * and the functions of the signal module that only the main thread may call are called as the main
 * thread. All greenlets of the main thread are that (identity.c).
 */
#include "signals.h"

#include <signal.h>
#include <stdatomic.h>

#include "identity.h"
#include "libc/libc.h"
#include "patch/signals/signals.h"
#include "patch/table/interpreter.h"

static int reserved;      /* 0: none, as the main thread has not imported us */
static PyObject *deliver; /* its handler */
static void (*mark)(int); /* CPython's own C handler, which marks a signal as arrived */

int bine_signal_reserved(void)
{
    return reserved;
}

/* ---- marking one ----------------------------------------------------------------------------- */

#if PY_VERSION_HEX >= 0x030D0000

/* From 3.13 on each thread state has a word of its own that says what its evaluation loop has to
 * attend to, and a signal is marked in the main thread's only. This is that bit, learned from what
 * a signal changes. */
static uintptr_t bit;

static void learn_bit(void)
{
    PyThreadState *state = PyThreadState_Get();
    uintptr_t before = __atomic_load_n(&state->eval_breaker, __ATOMIC_RELAXED);
    mark(reserved);
    bit = __atomic_load_n(&state->eval_breaker, __ATOMIC_RELAXED) & ~before;
}

void bine_signal_mark(const struct bine_carrier *carrier)
{
    PyThreadState *state =
        carrier && carrier->state ? carrier->state : PyGILState_GetThisThreadState();
    if (state && bit)
        __atomic_fetch_or(&state->eval_breaker, bit, __ATOMIC_SEQ_CST);
}

#else

static void learn_bit(void)
{
}

void bine_signal_mark(const struct bine_carrier *carrier)
{
    (void)carrier;
}

#endif

void bine_signal_trip(void)
{
    struct bine_hub *hub = bine_hub_here();
    struct bine_greenlet *g = hub ? hub->current : NULL;
    uint8_t flags = g ? g->flags : 0;
    /* Up to 3.12 the evaluation loop is told to look only by a thread that may. */
    if (g)
        g->flags |= BINE_G_MAIN_IDENTITY;
    mark(reserved);
    if (g) {
        g->flags = flags;
        bine_signal_mark(bine_carrier_of(g));
    }
}

/* A handler of the process's begins or ends, on this thread. Async-signal-safe. A greenlet that is
 * parked, or is the root, is not told before the handler: the root is woken. But either may be on
 * its way into a park, and look at signals no more: then the greenlet that goes on next looks
 * (bine_signal_take_over). */
static void arrives(struct bine_hub *hub, bool begins)
{
    struct bine_greenlet *g = hub->current;
    bool told = g != hub->root && g->state != BINE_PARKED;
    if (!hub->main_thread || !bine_identity_known())
        return;
    if (begins) {
        g->flags |= told ? BINE_G_MAIN_IDENTITY : 0;
        return;
    }
    g->flags &= told ? (uint8_t)~BINE_G_MAIN_IDENTITY : UINT8_MAX;
    bine_identity_seek();
    bine_signal_trip();
}

/* ---- reserving one --------------------------------------------------------------------------- */

static int action(int number, const struct sigaction *wanted, struct sigaction *before)
{
    return bine_patched() & BINE_PATCH_SIGNAL ? bine_signal_action(number, wanted, before)
                                              : bine_libc.sigaction(number, wanted, before);
}

/* Does nobody use it? -1 with an exception. */
static int is_free(PyObject *signals, int number)
{
    struct sigaction now;
    if (action(number, NULL, &now) != 0 || now.sa_handler != SIG_DFL)
        return 0;
    PyObject *handler = PyObject_CallMethod(signals, "getsignal", "i", number),
             *none = PyObject_GetAttrString(signals, "SIG_DFL");
    int is = handler && none ? PyObject_RichCompareBool(handler, none, Py_EQ) : -1;
    Py_XDECREF(handler);
    Py_XDECREF(none);
    return is;
}

/* Have Python handle it, and the kernel do what it did. */
static int reserve(PyObject *signals, int number)
{
    struct sigaction before, python;
    PyObject *old = action(number, NULL, &before) == 0
                        ? PyObject_CallMethod(signals, "signal", "iO", number, deliver)
                        : NULL;
    if (!old)
        return -1;
    Py_DECREF(old);
    action(number, NULL, &python);
    action(number, &before, NULL);
    mark = python.sa_handler;
    reserved = number;
    return 0;
}

/* 0; -1 with an exception. */
static int reserve_any(PyObject *signals)
{
    for (int number = SIGRTMAX - 2, free; number >= SIGRTMIN; number--)
        if (number != reserved && (free = is_free(signals, number)))
            return free < 0 ? -1 : reserve(signals, number);
    PyErr_SetString(PyExc_RuntimeError, "bine: no real-time signal is left");
    return -1;
}

/* ---- functions for the main thread only ------------------------------------------------------ */

static PyCFunction original_signal, original_wakeup;

/* The current greenlet answers as the main thread does. What it answered before. */
static uint8_t signals_begin(struct bine_greenlet **g)
{
    struct bine_hub *hub = bine_hub_here();
    *g = hub && hub->main_thread ? hub->current : NULL;
    uint8_t flags = *g ? (*g)->flags : 0;
    if (*g)
        (*g)->flags |= BINE_G_MAIN_IDENTITY;
    return flags;
}

static void signals_end(struct bine_greenlet *g, uint8_t flags)
{
    if (g && !(flags & BINE_G_MAIN_IDENTITY))
        g->flags &= (uint8_t)~BINE_G_MAIN_IDENTITY;
}

/* Python code wants the reserved signal: it gets it, as if nobody had had it. */
static int give_way(PyObject *module)
{
    int number = reserved;
    if (reserve_any(module) < 0)
        return -1;
    PyObject *none = PyObject_GetAttrString(module, "SIG_DFL");
    PyObject *old = none ? PyObject_CallMethod(module, "signal", "iO", number, none) : NULL;
    Py_XDECREF(none);
    Py_XDECREF(old);
    return old ? 0 : -1;
}

static PyObject *signal_as_main(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    if (count == 2 && reserved && args[1] == deliver && PyLong_Check(args[0]) &&
        PyLong_AsLong(args[0]) == reserved) {
        Py_INCREF(deliver); /* monkey.py installs all handlers again */
        return deliver;
    }
    int number = reserved;
    bool wanted = count == 2 && number && PyLong_Check(args[0]) && PyLong_AsLong(args[0]) == number;
    struct bine_greenlet *g;
    uint8_t flags = signals_begin(&g);
    PyObject *result = wanted && give_way(module) < 0
                           ? NULL
                           : ((PyObject * (*)(PyObject *, PyObject *const *, Py_ssize_t))(
                                 void (*)(void))original_signal)(module, args, count);
    signals_end(g, flags);
    return result;
}

static PyObject *wakeup_as_main(PyObject *module, PyObject *args, PyObject *kwargs)
{
    struct bine_greenlet *g;
    uint8_t flags = signals_begin(&g);
    PyObject *result =
        ((PyCFunctionWithKeywords)(void (*)(void))original_wakeup)(module, args, kwargs);
    signals_end(g, flags);
    return result;
}

static PyObject *wakeup_as_main_fast(PyObject *module, PyObject *const *args, Py_ssize_t count,
                                     PyObject *names)
{
    struct bine_greenlet *g;
    uint8_t flags = signals_begin(&g);
    PyObject *result = ((PyObject * (*)(PyObject *, PyObject *const *, Py_ssize_t, PyObject *))(
        void (*)(void))original_wakeup)(module, args, count, names);
    signals_end(g, flags);
    return result;
}

/* Put `ours` under the function's object, so that whoever imported it before calls it, too; `flags`
 * say what its arguments are like. */
static void slip_under(PyObject *module, const char *name, int flags, PyCFunction ours,
                       PyCFunction *original)
{
    PyObject *function = PyObject_GetAttrString(module, name);
    PyMethodDef *definition =
        function && PyCFunction_Check(function) ? ((PyCFunctionObject *)function)->m_ml : NULL;
    if (definition && definition->ml_flags == flags && !*original) {
        *original = definition->ml_meth;
        definition->ml_meth = ours;
    }
    PyErr_Clear();
    Py_XDECREF(function);
}

#define FUNCTION(name) (PyCFunction)(void (*)(void)) name

static void call_as_main(PyObject *module)
{
    slip_under(module, "signal", METH_FASTCALL, FUNCTION(signal_as_main), &original_signal);
    slip_under(module, "set_wakeup_fd", METH_VARARGS | METH_KEYWORDS, FUNCTION(wakeup_as_main),
               &original_wakeup);
    slip_under(module, "set_wakeup_fd", METH_FASTCALL | METH_KEYWORDS,
               FUNCTION(wakeup_as_main_fast), &original_wakeup);
}

int bine_signals_init(PyObject *module)
{
    PyObject *signals = PyImport_ImportModule("_signal");
    deliver = signals ? PyObject_GetAttrString(module, "_deliver") : NULL;
    if (!deliver || reserve_any(signals) < 0) {
        Py_XDECREF(signals);
        if (!deliver || !PyErr_ExceptionMatches(PyExc_ValueError))
            return -1;
        /* Not the main thread: kill and Timeout then only reach waits of Bine's own objects. */
        PyErr_Clear();
        return 0;
    }
    learn_bit();
    bine_identity_of_main = bine_os_thread_identity();
    call_as_main(signals);
    bine_signal_arrives = arrives;
    Py_DECREF(signals);
    return 0;
}
