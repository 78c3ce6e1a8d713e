/* Links: what is called when a Greenlet has ended. */
#include "greenlet_parts.h"

int bine_greenlet_call_links_soon(Greenlet *self)
{
    PyObject *run = PyObject_GetAttrString((PyObject *)self, "_run_links");
    Greenlet *runner =
        run ? (Greenlet *)PyObject_CallFunctionObjArgs((PyObject *)&bine_Greenlet_Type, run, NULL)
            : NULL;
    Py_XDECREF(run);
    if (!runner)
        return -1;
    /* In the thread of `self`; in this one if that has ended. */
    runner->hub = self->hub;
    runner->life = self->life;
    int result = bine_greenlet_start_after(runner, 0);
    Py_DECREF(runner);
    return result;
}

PyObject *bine_greenlet_rawlink(PyObject *object, PyObject *callback)
{
    Greenlet *self = (Greenlet *)object;
    if (!PyCallable_Check(callback)) {
        PyErr_Format(PyExc_TypeError, "Expected callable: %R", callback);
        return NULL;
    }
    if (!self->links && !(self->links = PyList_New(0)))
        return NULL;
    if (PyList_Append(self->links, callback) < 0)
        return NULL;
    /* Never inside link(): as gevent does. */
    if (bine_py_ended(self) && bine_greenlet_call_links_soon(self) < 0)
        return NULL;
    Py_RETURN_NONE;
}

/* link(callback): callback(self) in a new greenlet; link_value and link_exception only after
 * success or failure. */
static PyObject *link_with(PyObject *self, PyObject *args, PyObject *kwargs, const char *spawner)
{
    static char *names[] = {"callback", "SpawnedLink", NULL};
    PyObject *callback, *kind = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O", names, &callback, &kind))
        return NULL;
    PyObject *helper = PyImport_ImportModule("bine._link");
    PyObject *class = helper ? PyObject_GetAttrString(helper, spawner) : NULL;
    PyObject *link = class ? PyObject_CallFunctionObjArgs(class, callback, NULL) : NULL;
    PyObject *result = link ? bine_greenlet_rawlink(self, link) : NULL;
    Py_XDECREF(link);
    Py_XDECREF(class);
    Py_XDECREF(helper);
    return result;
}

PyObject *bine_greenlet_link(PyObject *self, PyObject *args, PyObject *kwargs)
{
    return link_with(self, args, kwargs, "SpawnedLink");
}

PyObject *bine_greenlet_link_value(PyObject *self, PyObject *args, PyObject *kwargs)
{
    return link_with(self, args, kwargs, "SuccessSpawnedLink");
}

PyObject *bine_greenlet_link_exception(PyObject *self, PyObject *args, PyObject *kwargs)
{
    return link_with(self, args, kwargs, "FailureSpawnedLink");
}

PyObject *bine_greenlet_run_links(PyObject *self, PyObject *unused)
{
    (void)unused;
    bine_greenlet_call_links((Greenlet *)self);
    Py_RETURN_NONE;
}

PyObject *bine_greenlet_unlink(PyObject *object, PyObject *callback)
{
    Greenlet *self = (Greenlet *)object;
    if (self->links) {
        Py_ssize_t at = PySequence_Index(self->links, callback);
        if (at >= 0 && PySequence_DelItem(self->links, at) < 0)
            return NULL;
        PyErr_Clear();
    }
    Py_RETURN_NONE;
}

PyObject *bine_greenlet_unlink_all(PyObject *object, PyObject *unused)
{
    (void)unused;
    Py_CLEAR(((Greenlet *)object)->links);
    Py_RETURN_NONE;
}
