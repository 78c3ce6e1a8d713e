/* settrace(): a Python function that hears of each switch, as PyPI's greenlet has it. */
#ifndef BINE_EXT_SWITCH_TRACER_H
#define BINE_EXT_SWITCH_TRACER_H

#include "carrier.h"

void bine_switch_tracer_init(void);
/* Is a function told of this thread's switches? */
bool bine_switch_told(void);
/* Tell it of the switch to the current greenlet, if there is one. GIL held. */
void bine_switch_tell(struct bine_hub *hub);
/* The thread's hub ends. GIL held. */
void bine_switch_end(void);
/* settrace(function or None), which returns the one before, and gettrace(). */
PyObject *bine_py_set_switch_tracer(PyObject *unused, PyObject *function);
PyObject *bine_py_get_switch_tracer(PyObject *unused, PyObject *nothing);

#endif
