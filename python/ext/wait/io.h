/* Descriptors that a greenlet waits for, as functions of the module. */
#ifndef BINE_EXT_IO_H
#define BINE_EXT_IO_H

#include "base/python.h"

int bine_io_init(PyObject *module);

#endif
