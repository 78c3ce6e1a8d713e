/*
 * PyPI's package greenlet in the same process. See bine_python.h.
 *
 * Its GreenletExit is Bine's if it is installed. A greenlet of the package that GreenletExit ends returns it to the one that switched to it, which goes on:
 * a kill of the greenlet of Bine's around both would be lost there. So in one of the package's greenlets a kill raises Killed instead, which the
 * package passes on from each to its parent.
 */
#include "bine_python.h"

PyObject *bine_GreenletExit;
static PyObject *killed;
static PyObject *get_current; /* the package's getcurrent(), or NULL */

static int use_package(void)
{
    PyObject *package = PyImport_ImportModule("greenlet");
    PyObject *theirs = package ? PyObject_GetAttrString(package, "GreenletExit") : NULL;
    PyObject *current = theirs ? PyObject_GetAttrString(package, "getcurrent") : NULL;
    Py_XDECREF(package);
    if (current && PyExceptionClass_Check(theirs)) {
        bine_GreenletExit = theirs;
        get_current = current;
        return 0;
    }
    Py_XDECREF(theirs);
    Py_XDECREF(current);
    PyErr_Clear(); /* it is not installed, or broken */
    bine_GreenletExit = PyErr_NewExceptionWithDoc("bine.GreenletExit",
                                                  "Raised in a greenlet by kill(); a greenlet that ends with it has not failed.",
                                                  PyExc_BaseException, NULL);
    return bine_GreenletExit ? 0 : -1;
}

int bine_package_init(PyObject *module)
{
    killed = PyErr_NewExceptionWithDoc("bine._bine.Killed",
                                       "Raised by a kill in a greenlet of the package greenlet inside one of Bine's. Its argument is the GreenletExit.",
                                       PyExc_BaseException, NULL);
    return killed && use_package() == 0 && PyModule_AddObjectRef(module, "GreenletExit", bine_GreenletExit) == 0 &&
                   PyModule_AddObjectRef(module, "Killed", killed) == 0
               ? 0
               : -1;
}

/* Does one of the package's greenlets run that has a parent, and that GreenletExit would end? */
static bool is_inside(void)
{
    PyObject *current = get_current ? PyObject_CallNoArgs(get_current) : NULL;
    PyObject *parent = current ? PyObject_GetAttrString(current, "parent") : NULL;
    bool inside = parent && parent != Py_None;
    PyErr_Clear();
    Py_XDECREF(parent);
    Py_XDECREF(current);
    return inside;
}

PyObject *bine_package_thrown(PyObject *exception)
{
    if (!PyErr_GivenExceptionMatches(exception, bine_GreenletExit) || !is_inside())
        return exception;
    PyObject *instead = PyObject_CallFunctionObjArgs(killed, exception, NULL);
    if (!instead) {
        PyErr_Clear();
        return exception;
    }
    Py_DECREF(exception);
    return instead;
}

PyObject *bine_package_ended(PyObject *exception)
{
    if (!PyErr_GivenExceptionMatches(exception, killed))
        return exception;
    PyObject *args = PyObject_GetAttrString(exception, "args");
    PyObject *reason = args && PyTuple_Check(args) && PyTuple_GET_SIZE(args) == 1 ? PyTuple_GET_ITEM(args, 0) : NULL;
    if (reason && PyExceptionInstance_Check(reason)) {
        Py_INCREF(reason);
        Py_SETREF(exception, reason);
    }
    PyErr_Clear();
    Py_XDECREF(args);
    return exception;
}
