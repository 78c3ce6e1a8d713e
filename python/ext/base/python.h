/* CPython's headers and Bine's public ones, as all files of the extension include them. */
#ifndef BINE_EXT_PYTHON_H
#define BINE_EXT_PYTHON_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#include <bine.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if PY_VERSION_HEX < 0x030A0000
static inline int PyModule_AddObjectRef(PyObject *module, const char *name, PyObject *value)
{
    Py_XINCREF(value);
    return PyModule_AddObject(module, name, value);
}
#endif

#endif
