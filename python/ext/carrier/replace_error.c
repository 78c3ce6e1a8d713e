/*
 * A C extension cut short.
 *
 * A libc call in which an exception is thrown fails, with EINTR and then ECANCELED, and the
 * extension raises an error of its own for it. What was thrown must come instead, before any
 * `except` clause looks at the error. A trace function can do that: CPython calls it in the Python
 * frame that an exception arrives in, and raises what it raises. So one is set, in this greenlet's
 * thread state only, from the cut until the frame that called the extension goes on; frames that
 * the extension runs meanwhile, say to decode the text of its error, do not count. Not if the
 * greenlet is traced already (a debugger, coverage): then the error comes first, and what was
 * thrown at the next wait.
 */
#include "replace_error.h"

#include "pending.h"

/* `caller`: the frame that called the extension, or NULL if there was none. */
static int trace(PyObject *caller, PyFrameObject *frame, int what, PyObject *arg)
{
    struct bine_carrier *carrier = bine_carrier_of(bine_hub_here()->current);
    if (caller && (PyObject *)frame != caller)
        return 0;
    PyEval_SetTrace(NULL, NULL);
    if (!carrier || !bine_carrier_pending(carrier))
        return 0;
    if (what != PyTrace_EXCEPTION) {
        bine_pending_poke(carrier); /* it ended well after all */
        return 0;
    }
    PyObject *error =
        PyTuple_Check(arg) && PyTuple_GET_SIZE(arg) == 3 ? PyTuple_GET_ITEM(arg, 1) : NULL;
    if (bine_pending_raise() == 0)
        return 0;
    if (!error || !PyExceptionInstance_Check(error))
        return -1;
    PyObject *type, *reason, *traceback;
    PyErr_Fetch(&type, &reason, &traceback);
    PyErr_NormalizeException(&type, &reason, &traceback);
    if (reason != error) {
        Py_INCREF(error);
        PyException_SetContext(reason, error);
    }
    PyErr_Restore(type, reason, traceback);
    return -1;
}

static bool traced(void)
{
    PyObject *gettrace = PySys_GetObject("gettrace");
    PyObject *function = gettrace ? PyObject_CallNoArgs(gettrace) : NULL;
    bool yes = function != Py_None;
    if (!function)
        PyErr_Clear();
    Py_XDECREF(function);
    return yes;
}

bool bine_replace_error_traces(Py_tracefunc function)
{
    return function == trace;
}

bool bine_replace_error(void)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    bool free = !traced();
    if (free)
        PyEval_SetTrace(trace, (PyObject *)PyEval_GetFrame());
    PyErr_Restore(type, value, traceback);
    return free;
}
