/*
 * Queues whose class overrides the hooks that gevent's and the standard library's queues have:
 * _init, _qsize, _put, _get, _peek, _create_queue. Their items are the class's own business, so the
 * queue does not hold them: the calls go to bine._hooked.
 */
#include "queue_hooks.h"

static const char *const hooks[] = {"_init", "_qsize", "_put", "_get", "_peek", "_create_queue"};

int bine_queue_hooked(PyTypeObject *class, PyTypeObject *base)
{
    int result = 0;
    for (size_t i = 0; i < sizeof hooks / sizeof *hooks && result == 0; i++) {
        PyObject *own = PyObject_GetAttrString((PyObject *)class, hooks[i]);
        PyObject *inherited = own ? PyObject_GetAttrString((PyObject *)base, hooks[i]) : NULL;
        result = !inherited ? -1 : own != inherited;
        Py_XDECREF(inherited);
        Py_XDECREF(own);
    }
    return result;
}

static PyObject *with_queue(PyObject *queue, PyObject *args)
{
    Py_ssize_t count = args ? PyTuple_GET_SIZE(args) : 0;
    PyObject *all = PyTuple_New(count + 1);
    if (!all)
        return NULL;
    Py_INCREF(queue);
    PyTuple_SET_ITEM(all, 0, queue);
    for (Py_ssize_t i = 0; i < count; i++) {
        Py_INCREF(PyTuple_GET_ITEM(args, i));
        PyTuple_SET_ITEM(all, i + 1, PyTuple_GET_ITEM(args, i));
    }
    return all;
}

PyObject *bine_queue_by_hooks(const char *name, PyObject *queue, PyObject *args, PyObject *kwargs)
{
    PyObject *module = PyImport_ImportModule("bine._hooked");
    PyObject *function = module ? PyObject_GetAttrString(module, name) : NULL,
             *all = function ? with_queue(queue, args) : NULL;
    PyObject *result = all ? PyObject_Call(function, all, kwargs) : NULL;
    Py_XDECREF(all);
    Py_XDECREF(function);
    Py_XDECREF(module);
    return result;
}

/* What a class inherits that overrides some of them. */

PyObject *bine_queue_hook_init(PyObject *queue, PyObject *args)
{
    return bine_queue_by_hooks("hook_init", queue, args, NULL);
}

PyObject *bine_queue_hook_qsize(PyObject *queue, PyObject *args)
{
    return bine_queue_by_hooks("hook_qsize", queue, args, NULL);
}

PyObject *bine_queue_hook_put(PyObject *queue, PyObject *args)
{
    return bine_queue_by_hooks("hook_put", queue, args, NULL);
}

PyObject *bine_queue_hook_get(PyObject *queue, PyObject *args)
{
    return bine_queue_by_hooks("hook_get", queue, args, NULL);
}

PyObject *bine_queue_hook_peek(PyObject *queue, PyObject *args)
{
    return bine_queue_by_hooks("hook_peek", queue, args, NULL);
}

PyObject *bine_queue_hook_create(PyObject *queue, PyObject *args)
{
    return bine_queue_by_hooks("hook_create_queue", queue, args, NULL);
}
