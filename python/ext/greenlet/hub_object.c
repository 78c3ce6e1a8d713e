/* The Hub object of each OS thread, and what it asks of the thread. See loop.h. */
#include "hub_object.h"

#include "greenlet.h"
#include "libc/carrier.h"

static BINE_CARRIED PyObject *hub_object_; /* owned */
#define hub_object BINE_OF_CARRIER(hub_object_)

static void hub_object_ended(struct bine_hub *hub)
{
    (void)hub;
    if (!hub_object || !Py_IsInitialized())
        return;
    PyGILState_STATE gil = PyGILState_Ensure();
    Py_CLEAR(hub_object);
    PyGILState_Release(gil);
}

PyObject *bine_py_get_hub(PyObject *object, void *unused)
{
    (void)object, (void)unused;
    if (hub_object) {
        Py_INCREF(hub_object);
        return hub_object;
    }
    PyObject *module = PyImport_ImportModule("bine.hub"),
             *hub = module ? PyObject_CallMethod(module, "get_hub", NULL) : NULL;
    Py_XDECREF(module);
    return hub;
}

static PyObject *get_hub_object(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    PyObject *object = hub_object ? hub_object : Py_None;
    Py_INCREF(object);
    return object;
}

static PyObject *set_hub_object(PyObject *module, PyObject *object)
{
    (void)module;
    if (!bine_carrier_current())
        return NULL;
    Py_INCREF(object);
    Py_XSETREF(hub_object, object);
    if (object == Py_None)
        Py_CLEAR(hub_object);
    Py_RETURN_NONE;
}

static PyObject *root(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    struct bine_carrier *carrier = bine_carrier_current();
    if (!carrier)
        return NULL;
    struct bine_carrier *its = bine_carrier_of(bine_hub_here()->root);
    /* None: it has not used Bine so far. */
    PyObject *face = its ? (PyObject *)bine_py_face_of(its) : Py_None;
    Py_XINCREF(face);
    return face;
}

static PyObject *wait_for_switch(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    return bine_py_wait_for_switch();
}

static PyMethodDef functions[] = {
    {"_wait_for_switch", wait_for_switch, METH_NOARGS,
     "_wait_for_switch()\n--\n\nWait until somebody calls the current greenlet's switch(); what "
     "was passed."},
    {"_root", root, METH_NOARGS, "_root()\n--\n\nThe calling thread's main greenlet."},
    {"_hub", get_hub_object, METH_NOARGS,
     "_hub()\n--\n\nThe calling thread's Hub object, or None."},
    {"_set_hub", set_hub_object, METH_O,
     "_set_hub(hub)\n--\n\nMake it the calling thread's; None: no Hub."},
    {NULL, NULL, 0, NULL},
};

int bine_hub_object_init(PyObject *module)
{
    bine_hub_on_end(hub_object_ended);
    return PyModule_AddFunctions(module, functions);
}
