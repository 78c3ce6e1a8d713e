/* The error of a C extension that was cut short is replaced by the exception that cut it. */
#ifndef BINE_EXT_REPLACE_ERROR_H
#define BINE_EXT_REPLACE_ERROR_H

#include "base/python.h"

/* An extension is about to fail because of what is pending in the current greenlet: have that
 * raised instead of its error. False if that cannot be done, because the greenlet is traced. GIL
 * held. */
bool bine_replace_error(void);
/* Is that the trace function that bine_replace_error() sets? */
bool bine_replace_error_traces(Py_tracefunc function);

#endif
