/* The interpreter as an object to patch; which threads and waits of it stay real ones. */
#ifndef BINE_EXT_INTERPRETER_H
#define BINE_EXT_INTERPRETER_H

#include "base/python.h"

/* ---- interpreter.c ------------------------------------------------------------------------ */

int bine_interpreter_init(void);
/* The object that CPython itself is in, as patching names it. */
const char *bine_interpreter_object(void);
/* Does that address lie in its code? */
bool bine_inside_interpreter(const void *address);
/* Does PyGILState find each greenlet's own state? Otherwise nothing is patched, and only Bine's own
 * calls park. */
extern bool bine_states_by_key;
/* Has there been a subinterpreter, where that matters? See gil.h. */
#if PY_VERSION_HEX < 0x030C0000
extern bool bine_check_is_blind;
/* The newest interpreter comes first in the list. */
static inline void bine_look_for_subinterpreter(void)
{
    if (__builtin_expect(PyInterpreterState_Head() != PyInterpreterState_Main(), 0))
        bine_check_is_blind = true;
}
#else
enum {
    bine_check_is_blind = false
};
#endif
/* Did the environment (BINE_DISABLE) turn patching off? */
bool bine_disabled(void);

/* ---- real_threads.c ----------------------------------------------------------------------- */

/* After bine_interpreter_init(). -1 with an exception. */
int bine_real_threads_init(void);
/* call_with_real_threads(function, *args, **kwargs): threads that the interpreter starts meanwhile
 * stay real ones. Up to 3.11, where it cannot be known otherwise. */
PyObject *bine_py_call_with_real_threads(PyObject *module, PyObject *args, PyObject *kwargs);

/* ---- tries.c ------------------------------------------------------------------------------ */

/* From now on calls that try for one of the interpreter's objects count, once, when threads are
 * patched. GIL held. Returns None. */
PyObject *bine_py_count_tries(PyObject *module, PyObject *unused);

#endif
