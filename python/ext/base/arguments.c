/* The arguments of methods that take them as they lie on the interpreter's stack, without a tuple
 * and a dict (METH_FASTCALL). */
#include "arguments.h"

static int place_of(PyObject *keyword, const char *const *names)
{
    for (int i = 0; names[i]; i++)
        if (PyUnicode_CompareWithASCIIString(keyword, names[i]) == 0)
            return i;
    return -1;
}

/* Those that were given by name, behind `count` others. */
static int take_named(const char *function, const char *const *names, PyObject *const *given,
                      Py_ssize_t count, PyObject *keywords, PyObject **values)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(keywords); i++) {
        PyObject *keyword = PyTuple_GET_ITEM(keywords, i);
        int place = place_of(keyword, names);
        if (place < 0) {
            PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument %R", function,
                         keyword);
            return -1;
        }
        if (place < count) {
            PyErr_Format(PyExc_TypeError, "%s() got multiple values for argument %R", function,
                         keyword);
            return -1;
        }
        values[place] = given[count + i];
    }
    return 0;
}

int bine_py_arguments(const char *function, const char *const *names, PyObject *const *given,
                      Py_ssize_t count, PyObject *keywords, PyObject **values)
{
    Py_ssize_t most = 0;
    while (names[most])
        most++;
    if (count > most) {
        PyErr_Format(PyExc_TypeError, "%s() takes at most %zd arguments (%zd given)", function,
                     most, count);
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++)
        values[i] = given[i];
    return keywords ? take_named(function, names, given, count, keywords, values) : 0;
}
