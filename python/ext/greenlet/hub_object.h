/* The Hub object of each OS thread. */
#ifndef BINE_EXT_HUB_OBJECT_H
#define BINE_EXT_HUB_OBJECT_H

#include "base/python.h"

int bine_hub_object_init(PyObject *module);
/* The calling thread's Hub object, made if need be: a new reference, or NULL with an exception. It
 * is the getter of several types. */
PyObject *bine_py_get_hub(PyObject *object, void *unused);

#endif
