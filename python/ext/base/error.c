/* Error numbers and kept exceptions as Python's current exception. */
#include "error.h"

#include <errno.h>

PyObject *bine_py_error(int error)
{
    if (error == ENOMEM)
        return PyErr_NoMemory();
    errno = error;
    return PyErr_SetFromErrno(PyExc_OSError);
}

PyObject *bine_py_raise_again(PyObject *exception, PyObject *traceback)
{
    PyException_SetTraceback(exception, traceback ? traceback : Py_None);
    PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    return NULL;
}

PyObject *bine_py_take_exception(void)
{
#if PY_VERSION_HEX >= 0x030C0000
    return PyErr_GetRaisedException();
#else
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback && value)
        PyException_SetTraceback(value, traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return value;
#endif
}

void bine_py_close(PyObject *object)
{
    if (!object)
        return;
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *result = PyObject_CallMethod(object, "close", NULL);
    if (!result)
        PyErr_WriteUnraisable(object);
    Py_XDECREF(result);
    Py_DECREF(object);
    PyErr_Restore(type, value, traceback);
}
