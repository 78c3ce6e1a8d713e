/* Seconds of Python as deadlines of the hub's clock, and back. */
#ifndef BINE_EXT_DEADLINE_H
#define BINE_EXT_DEADLINE_H

#include "base/python.h"

/* Seconds (None: for ever; a number, also negative: at once) to an absolute deadline. -1 with an
 * exception. bine_py_deadline() (timeout.h) takes a Timeout as well. */
int bine_py_deadline_of(PyObject *seconds, int64_t *deadline);
/* What is left until an absolute deadline, for libbine's relative timeouts. */
int64_t bine_py_left(int64_t deadline);

#endif
