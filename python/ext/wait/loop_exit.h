/* LoopExit: nothing can wake any greenlet any more. */
#ifndef BINE_EXT_LOOP_EXIT_H
#define BINE_EXT_LOOP_EXIT_H

#include "base/python.h"

int bine_loop_exit_init(PyObject *module);
/* Raise it. Its text says which greenlet waits for what. */
void bine_loop_exit_raise(void);
/* Which greenlet of this thread waits for what, as text: a new reference, or NULL with an
 * exception. */
PyObject *bine_py_dump_text(void);

#endif
