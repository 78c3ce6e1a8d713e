/*
 * PyPI's package greenlet in the same process.
 *
 * Its GreenletExit is Bine's if it is installed. A greenlet of the package that GreenletExit ends
 * returns it to the one that switched to it, which goes on: a kill of the greenlet of Bine's around
 * both would be lost there. So in one of the package's greenlets a kill raises Killed instead,
 * which the package passes on from each to its parent.
 */
#include "greenlet_package.h"

#include <errno.h>

#include "base/error.h"
#include "interpreter.h"

PyObject *bine_GreenletExit;
static PyObject *killed;
static bool taken;            /* GreenletExit is the package's */
static PyObject *get_current; /* the package's getcurrent(), or NULL as long as nobody uses it */

/* The package keeps the thread's current greenlet in a thread-local object. If each of ours has
 * one, each has a main greenlet of the package's own: they are told apart, and their stacks never
 * mix. Its 1.x has none, and needs none. From then on a switch takes longer, so it is not done
 * before the program imports the package (bine._package puts it aside). */
static int use_variables(void)
{
    if (bine_states_by_key && bine_patch_local_tls("_greenlet*.so") < 0 && errno != ENOTSUP) {
        bine_py_error(errno);
        return -1;
    }
    return 0;
}

/* The program has imported the package, or is about to be given what was put aside of it. */
static int use_package(PyObject *package)
{
    PyObject *function = package ? PyObject_GetAttrString(package, "getcurrent") : NULL;
    PyErr_Clear();
    Py_XSETREF(get_current, function);
    return use_variables();
}

PyObject *bine_py_use_package(PyObject *module, PyObject *unused)
{
    (void)unused;
    PyObject *ours = PyImport_ImportModule("bine._package"),
             *aside = ours ? PyObject_GetAttrString(ours, "_aside") : NULL;
    int result = aside ? use_package(PyDict_GetItemString(aside, "greenlet")) : -1;
    (void)module;
    Py_XDECREF(aside);
    Py_XDECREF(ours);
    if (result < 0)
        return NULL;
    Py_RETURN_NONE;
}

static int take_exit(void)
{
    PyObject *ours = PyImport_ImportModule("bine._package"),
             *theirs = ours ? PyObject_GetAttrString(ours, "GreenletExit") : NULL;
    Py_XDECREF(ours);
    if (!theirs)
        return -1;
    if (theirs != Py_None) {
        bine_GreenletExit = theirs;
        taken = true;
        return 0;
    }
    Py_DECREF(theirs);
    bine_GreenletExit = PyErr_NewExceptionWithDoc(
        "bine.GreenletExit",
        "Raised in a greenlet by kill(); a greenlet that ends with it has not failed.",
        PyExc_BaseException, NULL);
    return bine_GreenletExit ? 0 : -1;
}

/* Its modules are not put aside: the program has imported it, or may import it when it is installed
 * later. */
int bine_package_begin(void)
{
    PyObject *name = PyUnicode_FromString("greenlet"),
             *package = name ? PyImport_GetModule(name) : NULL;
    Py_XDECREF(name);
    int result = package || !taken ? use_package(package) : 0;
    Py_XDECREF(package);
    return result;
}

int bine_package_init(PyObject *module)
{
    killed = PyErr_NewExceptionWithDoc(
        "bine._bine.Killed",
        "Raised by a kill in a greenlet of the package greenlet inside one of Bine's. "
        "Its argument is the GreenletExit.",
        PyExc_BaseException, NULL);
    return killed && take_exit() == 0 &&
                   PyModule_AddObjectRef(module, "GreenletExit", bine_GreenletExit) == 0 &&
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
    PyObject *reason = args && PyTuple_Check(args) && PyTuple_GET_SIZE(args) == 1
                           ? PyTuple_GET_ITEM(args, 0)
                           : NULL;
    if (reason && PyExceptionInstance_Check(reason)) {
        Py_INCREF(reason);
        Py_SETREF(exception, reason);
    }
    PyErr_Clear();
    Py_XDECREF(args);
    return exception;
}
