/* The interpreter is made to look at signals in each way it has, so that the places are learned
 * that ask for the main thread's identity before they look (identity.c). */
#include <signal.h>

#include "identity.h"
#include "libc/libc.h"
#include "signals.h"

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

PyObject *bine_py_learn_identity(PyObject *module, PyObject *unused)
{
    struct bine_hub *hub = bine_hub_get();
    sigset_t all, before;
    (void)module, (void)unused;
    if (bine_identity_known() || !hub || !hub->main_thread || !bine_signal_reserved())
        Py_RETURN_NONE;
    PyObject *code = Py_CompileString("for _ in (0, 0, 0): pass", "bine", Py_file_input),
             *names = code ? PyDict_New() : NULL;
    /* Nothing else is to ask: no handlers of the program, nor finalisers of a collection that is
     * due. */
    if (names && PyErr_CheckSignals() == 0) {
        sigfillset(&all);
        bine_libc.pthread_sigmask(SIG_BLOCK, &all, &before);
        bine_identity_begin_learning();
        look_everywhere(code, names);
        bine_identity_end_learning();
        bine_libc.pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    Py_XDECREF(code);
    Py_XDECREF(names);
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}
