/* Queue, LifoQueue, PriorityQueue and JoinableQueue. They behave as gevent.queue's documentation
 * says. */
#include <stddef.h>

#include "base/arguments.h"
#include "greenlet/hub_object.h"
#include "libc/layout.h"
#include "objects.h"
#include "queue_hooks.h"
#include "queue_parts.h"
#include "wait/timeout.h"

static PyTypeObject Queue_Type, LifoQueue_Type, PriorityQueue_Type, JoinableQueue_Type;
PyObject *bine_queue_empty_error, *bine_queue_full_error, *bine_queue_shut_error;

/* For readers from outside. */
BINE_LAYOUT(python_queue_rows) = {
    BINE_FIELD_AS("python_queue", "ring_count", Queue, items.ring.count),
    BINE_FIELD_AS("python_queue", "heap_count", Queue, items.heap_count),
    BINE_FIELD_AS("python_queue", "hooks", Queue, hooks)};

static PyObject *queue_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    (void)args, (void)kwargs;
    Queue *self = (Queue *)type->tp_alloc(type, 0);
    if (self) {
        self->waitable.class = &bine_queue_waitable_class;
        self->items.kind = PyType_IsSubtype(type, &LifoQueue_Type)       ? BINE_PY_LIFO
                           : PyType_IsSubtype(type, &PriorityQueue_Type) ? BINE_PY_PRIORITY
                                                                         : BINE_PY_FIFO;
    }
    return (PyObject *)self;
}

/* Returns the type of this file that the object has, or that its class is derived from. */
static PyTypeObject *queue_kind_of(PyObject *object)
{
    PyTypeObject *kinds[] = {&LifoQueue_Type, &PriorityQueue_Type, &JoinableQueue_Type};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (PyObject_TypeCheck(object, kinds[i]))
            return kinds[i];
    return &Queue_Type;
}

static int init_with_hooks(Queue *self, PyObject *maxsize, PyObject *args, PyObject *kwargs)
{
    PyObject *module = PyImport_ImportModule("bine._hooked");
    PyObject *state = module ? PyObject_CallMethod(module, "State", "O", maxsize) : NULL;
    Py_XDECREF(module);
    if (!state)
        return -1;
    Py_XSETREF(self->hooks, state);
    PyObject *done = bine_queue_by_hooks("init", (PyObject *)self, args, kwargs);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

static int queue_init(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"maxsize", "items", "unfinished_tasks", NULL};
    Queue *self = (Queue *)object;
    PyObject *maxsize = Py_None, *items = NULL, *unfinished = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OOO", names, &maxsize, &items, &unfinished))
        return -1;
    int hooked = Py_TYPE(object) == queue_kind_of(object)
                     ? 0
                     : bine_queue_hooked(Py_TYPE(object), queue_kind_of(object));
    if (hooked)
        return hooked < 0 ? -1 : init_with_hooks(self, maxsize, args, kwargs);
    Py_ssize_t capacity = maxsize == Py_None ? 0 : PyNumber_AsSsize_t(maxsize, PyExc_OverflowError);
    Py_ssize_t tasks =
        unfinished == Py_None ? 0 : PyNumber_AsSsize_t(unfinished, PyExc_OverflowError);
    if (PyErr_Occurred())
        return -1;
    bine_py_items_clear(&self->items);
    self->capacity = capacity > 0 ? (size_t)capacity : SIZE_MAX;
    self->unfinished = 0;
    self->shut = false;
    self->ready = true;
    PyObject *iterator = items ? PyObject_GetIter(items) : NULL, *item;
    while (iterator && (item = PyIter_Next(iterator))) {
        int result = bine_queue_give(self, item, 0, Py_None);
        Py_DECREF(item);
        if (result < 0)
            break;
    }
    Py_XDECREF(iterator);
    if (tasks > 0)
        self->unfinished = (size_t)tasks;
    return PyErr_Occurred() ? -1 : 0;
}

static int queue_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(((Queue *)object)->hooks);
    return bine_py_items_traverse(&((Queue *)object)->items, visit, arg);
}

static int queue_clear(PyObject *object)
{
    Py_CLEAR(((Queue *)object)->hooks);
    bine_py_items_clear(&((Queue *)object)->items);
    return 0;
}

static void queue_dealloc(PyObject *object)
{
    Queue *self = (Queue *)object;
    PyObject_GC_UnTrack(object);
    if (self->weak_references)
        PyObject_ClearWeakRefs(object);
    queue_clear(object);
    bine_py_items_free(&self->items);
    Py_TYPE(object)->tp_free(object); /* no greenlet waits for it: each would have a reference */
}

static int ready(Queue *self)
{
    if (self->ready)
        return 0;
    PyErr_SetString(PyExc_RuntimeError, "__init__ was not called");
    return -1;
}

static PyObject *queue_take(PyObject *self, enum bine_queue_taking taking, int64_t deadline,
                            PyObject *timeout)
{
    return ready((Queue *)self) < 0 ? NULL
                                    : bine_queue_take((Queue *)self, taking, deadline, timeout);
}

int bine_queue_parse_block(PyObject *args, PyObject *kwargs, const char *format, char **names,
                           PyObject **item, int64_t *deadline, PyObject **timeout)
{
    int block = 1;
    *timeout = Py_None;
    int good = item
                   ? PyArg_ParseTupleAndKeywords(args, kwargs, format, names, item, &block, timeout)
                   : PyArg_ParseTupleAndKeywords(args, kwargs, format, names, &block, timeout);
    if (!good || bine_py_deadline(*timeout, deadline) < 0)
        return -1;
    if (!block) {
        *deadline = 0;
        *timeout = Py_None;
    }
    return 0;
}

/* If the queue has hooks, returns what the function of bine._hooked by that name returns. */
#define BY_HOOKS(name, object, args, kwargs)                         \
    do {                                                             \
        if (__builtin_expect(((Queue *)(object))->hooks != NULL, 0)) \
            return bine_queue_by_hooks(name, object, args, kwargs);  \
    } while (0)

static PyObject *without_blocking(const char *name, PyObject *queue, PyObject *item)
{
    PyObject *args = item ? PyTuple_Pack(2, item, Py_False) : PyTuple_Pack(1, Py_False);
    PyObject *result = args ? bine_queue_by_hooks(name, queue, args, NULL) : NULL;
    Py_XDECREF(args);
    return result;
}

static PyObject *queue_put(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"item", "block", "timeout", NULL};
    Queue *self = (Queue *)object;
    PyObject *item, *timeout;
    int64_t deadline;
    BY_HOOKS("put", object, args, kwargs);
    if (ready(self) < 0 ||
        bine_queue_parse_block(args, kwargs, "O|pO:put", names, &item, &deadline, &timeout) < 0)
        return NULL;
    if (bine_queue_give(self, item, deadline, timeout) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *queue_put_nowait(PyObject *object, PyObject *item)
{
    if (((Queue *)object)->hooks)
        return without_blocking("put", object, item);
    if (ready((Queue *)object) < 0 || bine_queue_give((Queue *)object, item, 0, Py_None) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *queue_get(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"block", "timeout", NULL};
    int64_t deadline;
    PyObject *timeout;
    BY_HOOKS("get", self, args, kwargs);
    if (bine_queue_parse_block(args, kwargs, "|pO:get", names, NULL, &deadline, &timeout) < 0)
        return NULL;
    return queue_take(self, BINE_QUEUE_TAKE, deadline, timeout);
}

static PyObject *queue_get_nowait(PyObject *self, PyObject *unused)
{
    (void)unused;
    if (((Queue *)self)->hooks)
        return without_blocking("get", self, NULL);
    return queue_take(self, BINE_QUEUE_TAKE, 0, Py_None);
}

static PyObject *queue_peek(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"block", "timeout", NULL};
    int64_t deadline;
    PyObject *timeout;
    BY_HOOKS("peek", self, args, kwargs);
    if (bine_queue_parse_block(args, kwargs, "|pO:peek", names, NULL, &deadline, &timeout) < 0)
        return NULL;
    return queue_take(self, BINE_QUEUE_LOOK, deadline, timeout);
}

static PyObject *queue_peek_nowait(PyObject *self, PyObject *unused)
{
    (void)unused;
    if (((Queue *)self)->hooks)
        return without_blocking("peek", self, NULL);
    return queue_take(self, BINE_QUEUE_LOOK, 0, Py_None);
}

static PyObject *queue_qsize(PyObject *self, PyObject *unused)
{
    (void)unused;
    BY_HOOKS("qsize", self, NULL, NULL);
    return ready((Queue *)self) < 0
               ? NULL
               : PyLong_FromSize_t(bine_py_items_count(&((Queue *)self)->items));
}

static PyObject *queue_empty(PyObject *self, PyObject *unused)
{
    (void)unused;
    Py_ssize_t length = PyObject_Size(self);
    return length < 0 ? NULL : PyBool_FromLong(length == 0);
}

static PyObject *queue_full(PyObject *self, PyObject *unused)
{
    (void)unused;
    BY_HOOKS("full", self, NULL, NULL);
    return ready((Queue *)self) < 0 ? NULL : PyBool_FromLong(!bine_queue_has_room((Queue *)self));
}

static PyObject *queue_task_done(PyObject *object, PyObject *unused)
{
    Queue *self = (Queue *)object;
    (void)unused;
    BY_HOOKS("task_done", object, NULL, NULL);
    if (ready(self) < 0)
        return NULL;
    if (!bine_queue_done(self)) {
        PyErr_SetString(PyExc_ValueError, "task_done() called too many times");
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *queue_join(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"timeout", NULL};
    Queue *self = (Queue *)object;
    PyObject *timeout = Py_None;
    int64_t deadline;
    BY_HOOKS("join", object, args, kwargs);
    if (ready(self) < 0 || !PyArg_ParseTupleAndKeywords(args, kwargs, "|O:join", names, &timeout) ||
        bine_py_deadline(timeout, &deadline) < 0)
        return NULL;
    int result = bine_queue_wait_for_tasks(self, deadline, timeout);
    return result < 0 ? NULL : PyBool_FromLong(result);
}

static PyObject *queue_shutdown(PyObject *object, PyObject *args, PyObject *kwargs)
{
    Queue *self = (Queue *)object;
    static char *names[] = {"immediate", NULL};
    int immediate = 0;
    BY_HOOKS("shutdown", object, args, kwargs);
    if (ready(self) < 0)
        return NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|p:shutdown", names, &immediate))
        return NULL;
    bine_queue_shut(self, immediate);
    Py_RETURN_NONE;
}

static PyObject *state_of_hooks(PyObject *self, const char *name)
{
    return PyObject_GetAttrString(((Queue *)self)->hooks, name);
}

static PyObject *get_maxsize(PyObject *self, void *unused)
{
    (void)unused;
    if (((Queue *)self)->hooks)
        return state_of_hooks(self, "maxsize");
    if (ready((Queue *)self) < 0)
        return NULL;
    size_t capacity = ((Queue *)self)->capacity;
    if (capacity == SIZE_MAX)
        Py_RETURN_NONE;
    return PyLong_FromSize_t(capacity);
}

static PyObject *get_is_shutdown(PyObject *self, void *unused)
{
    (void)unused;
    if (((Queue *)self)->hooks)
        return state_of_hooks(self, "shut");
    return PyBool_FromLong(((Queue *)self)->shut);
}

static PyObject *get_unfinished(PyObject *self, void *unused)
{
    (void)unused;
    if (((Queue *)self)->hooks)
        return state_of_hooks(self, "unfinished");
    if (ready((Queue *)self) < 0)
        return NULL;
    return PyLong_FromSize_t(((Queue *)self)->unfinished);
}

static Py_ssize_t queue_length(PyObject *self)
{
    if (!((Queue *)self)->hooks)
        return ready((Queue *)self) < 0 ? -1
                                        : (Py_ssize_t)bine_py_items_count(&((Queue *)self)->items);
    PyObject *size = bine_queue_by_hooks("qsize", self, NULL, NULL);
    Py_ssize_t length = size ? PyNumber_AsSsize_t(size, PyExc_OverflowError) : -1;
    Py_XDECREF(size);
    return length;
}

/* A queue is true even when it is empty, as in gevent. */
static int queue_bool(PyObject *self)
{
    (void)self;
    return 1;
}

/* `for item in queue` takes items until one is StopIteration. */
static PyObject *queue_next(PyObject *self)
{
    PyObject *item = ((Queue *)self)->hooks ? bine_queue_by_hooks("get", self, NULL, NULL)
                                            : queue_take(self, BINE_QUEUE_TAKE, INT64_MAX, Py_None);
    if (item == PyExc_StopIteration) {
        Py_DECREF(item);
        return NULL;
    }
    return item;
}

static PyObject *queue_repr(PyObject *object)
{
    Py_ssize_t length = queue_length(object);
    if (length < 0)
        return NULL;
    return PyUnicode_FromFormat("<%s at %p size=%zd>", Py_TYPE(object)->tp_name, object, length);
}

static PyMethodDef queue_methods[] = {
    {"put", BINE_KEYWORDS(queue_put),
     "put(item, block=True, timeout=None)\n--\n\nPut an item, waiting for room; Full if there is "
     "none in time."},
    {"put_nowait", queue_put_nowait, METH_O, "put_nowait(item)\n--\n\nput(item, False)"},
    {"get", BINE_KEYWORDS(queue_get),
     "get(block=True, timeout=None)\n--\n\nThe next item, waiting for it; Empty if there is none "
     "in time."},
    {"get_nowait", queue_get_nowait, METH_NOARGS, "get_nowait()\n--\n\nget(False)"},
    {"peek", BINE_KEYWORDS(queue_peek),
     "peek(block=True, timeout=None)\n--\n\nThe next item, left in the queue."},
    {"peek_nowait", queue_peek_nowait, METH_NOARGS, "peek_nowait()\n--\n\npeek(False)"},
    {"qsize", queue_qsize, METH_NOARGS, "qsize()\n--\n\nItems in the queue."},
    {"empty", queue_empty, METH_NOARGS, "empty()\n--\n\nTrue if there is no item."},
    {"full", queue_full, METH_NOARGS, "full()\n--\n\nTrue if there is no room."},
    {"shutdown", BINE_KEYWORDS(queue_shutdown),
     "shutdown(immediate=False)\n--\n\nNo more puts; gets take what is left."},
    {"task_done", queue_task_done, METH_NOARGS,
     "task_done()\n--\n\nA task that was taken is done."},
    {"join", BINE_KEYWORDS(queue_join),
     "join(timeout=None)\n--\n\nWait until all tasks are done; False if the time passed."},
    {"copy", bine_queue_copy, METH_NOARGS,
     "copy()\n--\n\nA new queue with the same items, limit and unfinished tasks."},
    {"__class_getitem__", bine_queue_of, METH_O | METH_CLASS, "Queue[T], for type hints."},
    {"_init", bine_queue_hook_init, METH_VARARGS,
     "_init(maxsize, items=())\n--\n\nHook for subclasses: make the collection, self.queue."},
    {"_create_queue", bine_queue_hook_create, METH_VARARGS,
     "_create_queue(items=())\n--\n\nHook for subclasses: the collection that _init uses."},
    {"_qsize", bine_queue_hook_qsize, METH_VARARGS,
     "_qsize()\n--\n\nHook for subclasses: items in the collection."},
    {"_put", bine_queue_hook_put, METH_VARARGS,
     "_put(item)\n--\n\nHook for subclasses: add to the collection."},
    {"_get", bine_queue_hook_get, METH_VARARGS,
     "_get()\n--\n\nHook for subclasses: take from the collection."},
    {"_peek", bine_queue_hook_peek, METH_VARARGS,
     "_peek()\n--\n\nHook for subclasses: what _get would take."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef queue_members[] = {
    {"_hooks", T_OBJECT, offsetof(Queue, hooks), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef queue_getset[] = {
    {"maxsize", get_maxsize, NULL, "Items at most, None: no limit.", NULL},
    {"queue", bine_queue_get_items, bine_queue_set_items,
     "A copy of the items: a deque, or a list for LifoQueue and PriorityQueue. In a subclass with "
     "hooks what those keep.",
     NULL},
    {"hub", bine_py_get_hub, NULL, "The hub of the calling thread.", NULL},
    {"is_shutdown", get_is_shutdown, NULL, "True after shutdown().", NULL},
    {"unfinished_tasks", get_unfinished, NULL, "Tasks that are not done.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PySequenceMethods queue_sequence = {.sq_length = queue_length};
static PyNumberMethods queue_number = {.nb_bool = queue_bool};

static PyTypeObject Queue_Type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "bine.queue.Queue",
    .tp_basicsize = sizeof(Queue),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_doc = "Queue(maxsize=None, items=(), unfinished_tasks=None)\n--\n\nFirst in, first out. "
              "Any thread.",
    .tp_new = queue_new,
    .tp_init = queue_init,
    .tp_dealloc = queue_dealloc,
    .tp_traverse = queue_traverse,
    .tp_clear = queue_clear,
    .tp_repr = queue_repr,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = queue_next,
    .tp_as_sequence = &queue_sequence,
    .tp_as_number = &queue_number,
    .tp_methods = queue_methods,
    .tp_members = queue_members,
    .tp_getset = queue_getset,
    .tp_weaklistoffset = offsetof(Queue, weak_references),
};

#define KIND(type, type_name, doc)                                                    \
    static PyTypeObject type = {PyVarObject_HEAD_INIT(NULL, 0).tp_name = type_name,   \
                                .tp_basicsize = sizeof(Queue),                        \
                                .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, \
                                .tp_doc = doc, .tp_base = &Queue_Type}

KIND(LifoQueue_Type, "bine.queue.LifoQueue",
     "LifoQueue(maxsize=None, items=(), unfinished_tasks=None)\n--\n\nLast in, first out.");
KIND(
    PriorityQueue_Type, "bine.queue.PriorityQueue",
    "PriorityQueue(maxsize=None, items=(), unfinished_tasks=None)\n--\n\nThe smallest item first.");
KIND(JoinableQueue_Type, "bine.queue.JoinableQueue",
     "JoinableQueue(maxsize=None, items=(), unfinished_tasks=None)\n--\n\nA Queue that counts "
     "unfinished tasks.");

struct bine_waitable *bine_py_queue_waitable(PyObject *object)
{
    /* A queue with hooks has no record that could be waited for. */
    return PyObject_TypeCheck(object, &Queue_Type) && !((Queue *)object)->hooks
               ? &((Queue *)object)->waitable
               : NULL;
}

int bine_queue_init(PyObject *module)
{
    PyObject *standard = PyImport_ImportModule("queue");
    if (!standard || !(bine_queue_empty_error = PyObject_GetAttrString(standard, "Empty")) ||
        !(bine_queue_full_error = PyObject_GetAttrString(standard, "Full")))
        return -1;
    bine_queue_shut_error = PyObject_GetAttrString(standard, "ShutDown"); /* since 3.13 */
    if (!bine_queue_shut_error) {
        PyErr_Clear();
        bine_queue_shut_error = PyErr_NewException("bine.queue.ShutDown", NULL, NULL);
    }
    Py_DECREF(standard);
    if (!bine_queue_shut_error ||
        PyModule_AddObjectRef(module, "ShutDown", bine_queue_shut_error) < 0)
        return -1;
    PyTypeObject *types[] = {&Queue_Type, &LifoQueue_Type, &PriorityQueue_Type,
                             &JoinableQueue_Type};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (PyModule_AddType(module, types[i]) < 0)
            return -1;
    return 0;
}
