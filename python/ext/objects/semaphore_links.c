/* Links of semaphores: what is called once when a permit is there. */
#include "greenlet/greenlet.h"
#include "semaphore_parts.h"

static int call_soon(Lock *self)
{
    PyObject *run = PyObject_GetAttrString((PyObject *)self, "_call_links");
    PyObject *greenlet =
        run ? PyObject_CallMethod((PyObject *)&bine_Greenlet_Type, "spawn", "O", run) : NULL;
    Py_XDECREF(greenlet);
    Py_XDECREF(run);
    return greenlet ? 0 : -1;
}

void bine_semaphore_links_soon(Lock *self)
{
    if (PyList_GET_SIZE(self->links) && self->counter && call_soon(self) < 0)
        PyErr_WriteUnraisable((PyObject *)self);
}

PyObject *bine_semaphore_call_links(PyObject *object, PyObject *unused)
{
    Lock *self = (Lock *)object;
    (void)unused;
    /* One by one: a link may take the permit, or unlink another. */
    while (self->links && PyList_GET_SIZE(self->links) && self->counter) {
        PyObject *link = PyList_GET_ITEM(self->links, 0);
        Py_INCREF(link);
        PyObject *result = PyList_SetSlice(self->links, 0, 1, NULL) < 0
                               ? NULL
                               : PyObject_CallFunctionObjArgs(link, self, NULL);
        if (!result)
            PyErr_WriteUnraisable(link);
        Py_XDECREF(result);
        Py_DECREF(link);
    }
    Py_RETURN_NONE;
}

PyObject *bine_semaphore_rawlink(PyObject *object, PyObject *callback)
{
    Lock *self = (Lock *)object;
    if (!PyCallable_Check(callback))
        return PyErr_Format(PyExc_TypeError, "Expected callable: %R", callback);
    if ((!self->links && !(self->links = PyList_New(0))) ||
        PyList_Append(self->links, callback) < 0)
        return NULL;
    if (self->counter && call_soon(self) < 0)
        return NULL;
    Py_RETURN_NONE;
}

PyObject *bine_semaphore_unlink(PyObject *object, PyObject *callback)
{
    Lock *self = (Lock *)object;
    Py_ssize_t at = self->links ? PySequence_Index(self->links, callback) : -1;
    if (at >= 0 && PySequence_DelItem(self->links, at) < 0)
        return NULL;
    PyErr_Clear();
    Py_RETURN_NONE;
}

PyObject *bine_semaphore_linkcount(PyObject *object, PyObject *unused)
{
    Lock *self = (Lock *)object;
    (void)unused;
    return PyLong_FromSsize_t(self->links ? PyList_GET_SIZE(self->links) : 0);
}
