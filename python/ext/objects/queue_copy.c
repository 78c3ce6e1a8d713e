/* What gevent's queues show beside: their items, a copy. See queue_parts.h. */
#include "queue_parts.h"

static int queue_copy_append(PyObject *item, void *list)
{
    return PyList_Append(list, item);
}

/* A new list of the items, in the order in which they are kept. */
static PyObject *items_of(Queue *self)
{
    PyObject *list = PyList_New(0);
    if (list && bine_py_items_traverse(&self->items, queue_copy_append, list))
        Py_CLEAR(list);
    return list;
}

/* The attribute of a subclass's object: hooks keep their items there. Borrowed, or NULL, without an
 * exception. */
static PyObject *kept_by_hooks(PyObject *object)
{
    PyObject *dict = PyObject_GetAttrString(object, "__dict__"), *kept = NULL;
    if (dict && PyDict_Check(dict))
        kept = PyDict_GetItemString(dict, "queue");
    PyErr_Clear();
    Py_XDECREF(dict);
    return kept;
}

PyObject *bine_queue_get_items(PyObject *object, void *unused)
{
    Queue *self = (Queue *)object;
    PyObject *kept = kept_by_hooks(object);
    (void)unused;
    if (kept) {
        Py_INCREF(kept);
        return kept;
    }
    PyObject *list = items_of(self);
    if (!list || self->items.kind != BINE_PY_FIFO)
        return list;
    PyObject *module = PyImport_ImportModule("collections"),
             *deque = module ? PyObject_CallMethod(module, "deque", "O", list) : NULL;
    Py_XDECREF(module);
    Py_DECREF(list);
    return deque;
}

int bine_queue_set_items(PyObject *object, PyObject *items, void *unused)
{
    (void)unused;
    PyObject *dict = items ? PyObject_GetAttrString(object, "__dict__") : NULL;
    if (!dict) {
        PyErr_SetString(PyExc_AttributeError, "queue is a copy of the items: put() adds to them");
        return -1;
    }
    int result = PyDict_SetItemString(dict, "queue", items);
    Py_DECREF(dict);
    return result;
}

PyObject *bine_queue_copy(PyObject *object, PyObject *unused)
{
    (void)unused;
    PyObject *maxsize = PyObject_GetAttrString(object, "maxsize"),
             *items = maxsize ? bine_queue_get_items(object, NULL) : NULL;
    PyObject *unfinished = items ? PyObject_GetAttrString(object, "unfinished_tasks") : NULL;
    PyObject *copy = unfinished ? PyObject_CallFunctionObjArgs((PyObject *)Py_TYPE(object), maxsize,
                                                               items, unfinished, NULL)
                                : NULL;
    Py_XDECREF(unfinished);
    Py_XDECREF(items);
    Py_XDECREF(maxsize);
    return copy;
}

PyObject *bine_queue_of(PyObject *class, PyObject *parameters)
{
    return Py_GenericAlias(class, parameters);
}
