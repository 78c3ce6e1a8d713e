/* Timeout, and the timeout argument of calls. */
#ifndef BINE_EXT_TIMEOUT_H
#define BINE_EXT_TIMEOUT_H

#include "base/python.h"

struct bine_carrier;

extern PyTypeObject bine_Timeout_Type;
int bine_timeout_init(PyObject *module);
/* The carrier's greenlet has ended. What it had started concerns nobody any more. With or without
 * the GIL, on its hub's thread. */
void bine_timeouts_abandon(struct bine_carrier *carrier);
/* The timeout argument of a call, in seconds or a Timeout of the caller's, to an absolute deadline,
 * as bine_py_deadline_of(). -1 with an exception. */
int bine_py_deadline(PyObject *timeout, int64_t *deadline);
/* A wait with the argument `timeout` is over: `outcome` is 0, ETIME when its limit passed, or -1
 * with an exception. A Timeout object that was given is stopped. If it was what ended the wait the
 * outcome is ETIME, or -1 with the exception that it was made with. */
int bine_py_timeout_waited(PyObject *timeout, int outcome);
/* Raise a Timeout of that many seconds (None: without a number), or the caller's own. Returns
 * NULL. */
PyObject *bine_py_raise_timeout(PyObject *timeout);

#endif
