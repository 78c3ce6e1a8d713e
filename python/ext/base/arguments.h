/* How the methods of the extension's types take their arguments. */
#ifndef BINE_EXT_ARGUMENTS_H
#define BINE_EXT_ARGUMENTS_H

#include "python.h"

/*
 * Each gives a PyMethodDef its function and flags. The method takes its arguments in a tuple and a
 * dict (KEYWORDS), or as they lie on the interpreter's stack, without names (FAST) or with them
 * (FAST_NAMED).
 */
#define BINE_KEYWORDS(function) (PyCFunction)(void (*)(void)) function, METH_VARARGS | METH_KEYWORDS
#define BINE_FAST(function) (PyCFunction)(void (*)(void)) function, METH_FASTCALL
#define BINE_FAST_NAMED(function) \
    (PyCFunction)(void (*)(void)) function, METH_FASTCALL | METH_KEYWORDS

/*
 * Sort the arguments of a METH_FASTCALL | METH_KEYWORDS method, all of which are optional, in the
 * order of `names` (which NULL ends). Those that were given go to `values` (borrowed); the others
 * stay as they were. Returns -1 with a TypeError.
 */
int bine_py_arguments(const char *function, const char *const *names, PyObject *const *given,
                      Py_ssize_t count, PyObject *keywords, PyObject **values);

#endif
