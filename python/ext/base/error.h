/* Error numbers and kept exceptions as Python's current exception. The GIL is held. */
#ifndef BINE_EXT_ERROR_H
#define BINE_EXT_ERROR_H

#include "python.h"

/* Set the exception that fits the errno of a bine_ call. Returns NULL. */
PyObject *bine_py_error(int error);
/* Raise a kept instance again, with the traceback that it had then (or NULL). Without that, the
 * traceback would grow each time. Returns NULL. */
PyObject *bine_py_raise_again(PyObject *exception, PyObject *traceback);
/* The current exception as one normalised instance with its traceback: a new reference. */
PyObject *bine_py_take_exception(void);
/* Call close() of an object that an object of ours owned (NULL: none), and let go of it. Its
 * failure is reported. The exception that is set stays. */
void bine_py_close(PyObject *object);

#endif
