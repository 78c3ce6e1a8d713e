/*
 * Who holds the GIL, by public API.
 */
#ifndef BINE_EXT_GIL_H
#define BINE_EXT_GIL_H

#include "carrier.h"
#include "interpreter.h"

/* The thread state that this very greenlet holds the GIL with, or NULL. With or without the GIL,
 * from any thread. */
#if PY_VERSION_HEX >= 0x030D0000

static inline PyThreadState *bine_gil_state(const struct bine_carrier *carrier)
{
    (void)carrier;
    return PyThreadState_GetUnchecked();
}

#elif PY_VERSION_HEX >= 0x030C0000

/* PyThreadState_GetDict() may be called without a state. It makes the dict if there is none; then
 * this is asked again for the locks that tracemalloc waits for meanwhile, with the GIL. */
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
 * Bine's own calls hold the GIL, but for parts that say so. Around blocking calls of libc it was
 * released, if their caller knows what is proper. Up to 3.11 the interpreter has one current state
 * for all threads, which may be another thread's, so nothing but a comparison will do:
 * PyGILState_Check() makes one. After the first subinterpreter it says yes to everybody. From then
 * on an extension that does not release the GIL stops the other greenlets' Python code for the time
 * of its call, as it does threads.
 */
static inline PyThreadState *bine_gil_state(const struct bine_carrier *carrier)
{
    if (!bine_states_by_key || (carrier && carrier->waiting && !carrier->without_gil))
        return PyThreadState_Get();
    PyThreadState *own =
        carrier && carrier->state ? carrier->state : PyGILState_GetThisThreadState();
    bine_look_for_subinterpreter();
    return own && !bine_check_is_blind && PyGILState_Check() ? own : NULL;
}

#endif

#endif
