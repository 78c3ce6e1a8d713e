/*
 * Who holds the GIL, by public API.
 */
#ifndef BINE_PYTHON_GIL_H
#define BINE_PYTHON_GIL_H

#include "bine_python.h"

/* The thread state that this very greenlet holds the GIL with, or NULL. With or without the GIL, from any thread. */
#if PY_VERSION_HEX >= 0x030D0000

static inline PyThreadState *bine_gil_state(const struct bine_carrier *carrier)
{
    (void)carrier;
    return PyThreadState_GetUnchecked();
}

#elif PY_VERSION_HEX >= 0x030C0000

/* PyThreadState_GetDict() may be called without a state. It makes the dict if there is none; then this is asked again for the locks
 * that tracemalloc waits for meanwhile, with the GIL. */
static inline PyThreadState *bine_gil_state(const struct bine_carrier *carrier)
{
    static _Thread_local bool asking;
    (void)carrier;
    if (asking)
        return PyThreadState_Get();
    asking = true;
    PyObject *dict = PyThreadState_GetDict();
    asking = false;
    return dict ? PyThreadState_Get() : NULL;
}

#else

/*
 * Up to 3.11 the interpreter has one current state for all threads, which may be another thread's, so nothing but a comparison will do.
 * PyGILState_Check() makes one, until there is a subinterpreter: from then on it says yes to everybody. (PyThreadState_Get() is for the
 * moment between CPython's making the check blind and our hearing of it: who makes a subinterpreter holds the GIL.) Then we go by
 * who asks: Bine's own calls hold the GIL, and around blocking calls of libc it was released. An extension that did not stops the
 * other greenlets' Python code for the time of the call, as it does threads.
 */
static inline PyThreadState *bine_gil_state(const struct bine_carrier *carrier)
{
    if (!bine_states_by_key)
        return PyThreadState_Get();
    PyThreadState *own = carrier && carrier->state ? carrier->state : PyGILState_GetThisThreadState();
    if (!own || !PyGILState_Check())
        return NULL;
    if (bine_check_is_blind)
        return carrier && carrier->waiting && !carrier->without_gil ? PyThreadState_Get() : NULL;
    return PyThreadState_Get() == own ? own : NULL;
}

#endif

#endif
