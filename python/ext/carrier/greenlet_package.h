/* PyPI's package greenlet in the same process. */
#ifndef BINE_EXT_GREENLET_PACKAGE_H
#define BINE_EXT_GREENLET_PACKAGE_H

#include "base/python.h"

int bine_package_init(PyObject *module);
/* The package is greenlet-local from now on, unless it was put aside for later. -1 with an
 * exception. */
int bine_package_begin(void);
PyObject *bine_py_use_package(PyObject *module, PyObject *unused);
/* An exception (stolen) is about to be raised in the current greenlet because it was thrown there:
 * what to raise. */
PyObject *bine_package_thrown(PyObject *exception);
/* An exception (stolen) ended a greenlet: what it ended with. */
PyObject *bine_package_ended(PyObject *exception);
extern PyObject *bine_GreenletExit;

#endif
