/* Channel: a queue without room, so that an item goes from the one that puts to the one that
 * gets. */
#include "base/arguments.h"
#include "greenlet/hub_object.h"
#include "objects.h"
#include "queue_parts.h"

static PyObject *channel_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    (void)args, (void)kwargs;
    Queue *self = (Queue *)type->tp_alloc(type, 0);
    if (self) {
        self->waitable.class = &bine_queue_waitable_class;
        self->ready = true;
    }
    return (PyObject *)self;
}

static int channel_init(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"maxsize", NULL};
    long maxsize = 1;
    (void)object;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|l:Channel", names, &maxsize))
        return -1;
    if (maxsize == 1)
        return 0;
    PyErr_SetString(PyExc_ValueError, "Channel() has no maxsize");
    return -1;
}

static int channel_traverse(PyObject *object, visitproc visit, void *arg)
{
    return bine_py_items_traverse(&((Queue *)object)->items, visit, arg);
}

static int channel_clear(PyObject *object)
{
    bine_py_items_clear(&((Queue *)object)->items);
    return 0;
}

static void channel_dealloc(PyObject *object)
{
    Queue *self = (Queue *)object;
    PyObject_GC_UnTrack(object);
    if (self->weak_references)
        PyObject_ClearWeakRefs(object);
    bine_py_items_free(&self->items);
    Py_TYPE(object)->tp_free(object);
}

static PyObject *channel_put(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"item", "block", "timeout", NULL};
    PyObject *item, *timeout;
    int64_t deadline;
    if (bine_queue_parse_block(args, kwargs, "O|pO:put", names, &item, &deadline, &timeout) < 0 ||
        bine_queue_give((Queue *)self, item, deadline, timeout) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *channel_put_nowait(PyObject *self, PyObject *item)
{
    if (bine_queue_give((Queue *)self, item, 0, Py_None) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *channel_get(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"block", "timeout", NULL};
    PyObject *timeout;
    int64_t deadline;
    if (bine_queue_parse_block(args, kwargs, "|pO:get", names, NULL, &deadline, &timeout) < 0)
        return NULL;
    return bine_queue_take((Queue *)self, BINE_QUEUE_TAKE, deadline, timeout);
}

static PyObject *channel_get_nowait(PyObject *self, PyObject *unused)
{
    (void)unused;
    return bine_queue_take((Queue *)self, BINE_QUEUE_TAKE, 0, Py_None);
}

/* for item in channel: until the item is StopIteration. */
static PyObject *channel_next(PyObject *self)
{
    PyObject *item = bine_queue_take((Queue *)self, BINE_QUEUE_TAKE, INT64_MAX, Py_None);
    if (item != PyExc_StopIteration)
        return item;
    Py_DECREF(item);
    return NULL;
}

/* As a call of its own, which the iterator's slot cannot be. */
static PyObject *channel_next_item(PyObject *self, PyObject *unused)
{
    PyObject *item = channel_next(self);
    (void)unused;
    if (!item && !PyErr_Occurred())
        PyErr_SetNone(PyExc_StopIteration);
    return item;
}

static PyObject *channel_qsize(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    return PyLong_FromLong(0);
}

static PyObject *channel_true(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    Py_RETURN_TRUE;
}

static long waiting(const struct bine_waiters *queue)
{
    long count = 0;
    for (const struct bine_waiter *waiter = queue->first; waiter; waiter = waiter->next)
        count++;
    return count;
}

static PyObject *get_balance(PyObject *object, void *unused)
{
    Queue *self = (Queue *)object;
    (void)unused;
    return PyLong_FromLong(waiting(&self->putters) - waiting(&self->getters));
}

static PyObject *get_maxsize(PyObject *self, void *unused)
{
    (void)self, (void)unused;
    return PyLong_FromLong(0);
}

static PyMethodDef channel_methods[] = {
    {"put", BINE_KEYWORDS(channel_put),
     "put(item, block=True, timeout=None)\n--\n\nPut an item, waiting until it is taken; Full if "
     "nobody takes it within timeout (seconds)."},
    {"put_nowait", channel_put_nowait, METH_O, "put_nowait(item)\n--\n\nput(item, False)"},
    {"get", BINE_KEYWORDS(channel_get),
     "get(block=True, timeout=None)\n--\n\nThe next item, waiting for it; Empty if there is none "
     "within timeout (seconds)."},
    {"get_nowait", channel_get_nowait, METH_NOARGS, "get_nowait()\n--\n\nget(False)"},
    {"next", channel_next_item, METH_NOARGS,
     "next()\n--\n\nget(), but StopIteration if that class is the item."},
    {"qsize", channel_qsize, METH_NOARGS, "qsize()\n--\n\n0: a channel keeps nothing."},
    {"empty", channel_true, METH_NOARGS, "empty()\n--\n\nTrue."},
    {"full", channel_true, METH_NOARGS, "full()\n--\n\nTrue."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef channel_getset[] = {
    {"hub", bine_py_get_hub, NULL, "The hub of the calling thread.", NULL},
    {"balance", get_balance, NULL, "Greenlets that wait in put(), less those in get().", NULL},
    {"maxsize", get_maxsize, NULL, "0.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyTypeObject Channel_Type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "bine.queue.Channel",
    .tp_basicsize = sizeof(Queue),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_doc =
        "Channel()\n--\n\nA rendezvous: put() waits until somebody gets the item. Any thread.",
    .tp_new = channel_new,
    .tp_init = channel_init,
    .tp_dealloc = channel_dealloc,
    .tp_traverse = channel_traverse,
    .tp_clear = channel_clear,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = channel_next,
    .tp_methods = channel_methods,
    .tp_getset = channel_getset,
    .tp_weaklistoffset = offsetof(Queue, weak_references),
};

int bine_channel_init(PyObject *module)
{
    return PyModule_AddType(module, &Channel_Type);
}
