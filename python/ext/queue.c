/* Queues on libbine's. gevent's semantics: see gevent.queue's documentation. */
#include <errno.h>
#include <stddef.h>

#include "bine_python.h"
#include "core/greenlet.h"
#include "queue_parts.h"

static PyTypeObject Queue_Type, LifoQueue_Type, PriorityQueue_Type, JoinableQueue_Type;
static PyObject *Empty, *Full, *ShutDown;

static void discard(void *item)
{
    Py_XDECREF((PyObject *)item);
}

/* Items compare by Python's <; what that raises is raised by the put or get that caused it. It may not switch. */
static int compare(const void *a, const void *b)
{
    if (PyErr_Occurred())
        return 0;
    int less = PyObject_RichCompareBool((PyObject *)a, (PyObject *)b, Py_LT);
    if (less)
        return less < 0 ? 0 : -1;
    return PyObject_RichCompareBool((PyObject *)b, (PyObject *)a, Py_LT) > 0;
}

static PyObject *queue_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    (void)args, (void)kwargs;
    struct bine_hub *hub = bine_hub_get();
    Queue *self = hub ? (Queue *)type->tp_alloc(type, 0) : NULL;
    if (!self)
        return hub ? NULL : bine_py_error(errno);
    self->hub = hub;
    self->life = hub->life;
    return (PyObject *)self;
}

/* Puts the exception, if any, for a failed call whose argument was `timeout` (None: it was not to wait). */
static void raise_failure(int error, PyObject *none_there, PyObject *timeout)
{
    if (PyErr_Occurred())
        return;
    if ((error == EAGAIN || error == ETIMEDOUT) && PyObject_TypeCheck(timeout, &bine_Timeout_Type))
        bine_py_raise_timeout(timeout);
    else if (error == EAGAIN || error == ETIMEDOUT)
        PyErr_SetNone(none_there);
    else if (error == EPIPE)
        PyErr_SetNone(ShutDown);
    else
        bine_py_error(error);
}

/* A wait whose result and errno these are is over: the same, or what a Timeout as its argument makes of it. */
static int waited(PyObject *timeout, int result)
{
    int error = errno;
    int outcome = bine_py_timeout_waited(timeout, PyErr_Occurred() ? -1 : result < 0 && error == ETIMEDOUT ? ETIME : 0);
    errno = outcome == ETIME ? ETIMEDOUT : error;
    return result;
}

int bine_queue_put_here(Queue *self, PyObject *item, int64_t deadline, PyObject *timeout)
{
    int result, verdict = 0;
    if (!bine_queue_at_home(self))
        return -1;
    Py_INCREF(item);
    if (deadline == 0 || !bine_queue_full(self->queue)) {
        result = bine_queue_put_nowait(self->queue, item);
    } else {
        do {
            if (bine_py_wait_begin() < 0) {
                Py_DECREF(item);
                return -1;
            }
            result = bine_queue_put(self->queue, item, bine_py_left(deadline));
            verdict = bine_py_wait_end(result < 0);
        } while (verdict == 1);
        result = waited(timeout, result);
    }
    if (result == 0)
        return PyErr_Occurred() ? -1 : 0;
    int error = errno;
    Py_DECREF(item);
    if (error == EAGAIN && bine_py_refused() < 0)
        return -1;
    raise_failure(error, Full, timeout);
    return -1;
}

/* Which of the types that do without Python's hooks is it, or derived from? */
static PyTypeObject *kind_of(PyObject *object)
{
    PyTypeObject *kinds[] = { &LifoQueue_Type, &PriorityQueue_Type, &JoinableQueue_Type };
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
    static char *names[] = { "maxsize", "items", "unfinished_tasks", NULL };
    Queue *self = (Queue *)object;
    PyObject *maxsize = Py_None, *items = NULL, *unfinished = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OOO", names, &maxsize, &items, &unfinished))
        return -1;
    int hooked = Py_TYPE(object) == kind_of(object) ? 0 : bine_queue_hooked(Py_TYPE(object), kind_of(object));
    if (hooked)
        return hooked < 0 ? -1 : init_with_hooks(self, maxsize, args, kwargs);
    Py_ssize_t capacity = maxsize == Py_None ? 0 : PyNumber_AsSsize_t(maxsize, PyExc_OverflowError);
    if (PyErr_Occurred())
        return -1;
    bine_queue_options options = { .capacity = capacity > 0 ? (size_t)capacity : 0, .discard = discard };
    if (PyObject_TypeCheck(object, &LifoQueue_Type))
        options.order = BINE_LIFO;
    if (PyObject_TypeCheck(object, &PriorityQueue_Type)) {
        options.order = BINE_PRIORITY;
        options.compare = compare;
    }
    if (self->queue)
        bine_queue_free(self->queue);
    self->queue = bine_queue_new_with(&options);
    if (!self->queue) {
        bine_py_error(errno);
        return -1;
    }
    PyObject *iterator = items ? PyObject_GetIter(items) : NULL, *item;
    while (iterator && (item = PyIter_Next(iterator))) {
        int result = bine_queue_put_here(self, item, 0, Py_None);
        Py_DECREF(item);
        if (result < 0)
            break;
    }
    Py_XDECREF(iterator);
    return PyErr_Occurred() ? -1 : 0;
}

static void free_there(void *queue)
{
    PyGILState_STATE gil = PyGILState_Ensure();
    bine_queue_free(queue);
    PyGILState_Release(gil);
}

static void queue_dealloc(PyObject *object)
{
    Queue *self = (Queue *)object;
    PyTypeObject *type = Py_TYPE(object);
    if (self->weak_references)
        PyObject_ClearWeakRefs(object);
    if (self->queue && bine_queue_free(self->queue) < 0 && errno == EPERM)
        bine_post(self->hub, free_there, self->queue);
    Py_XDECREF(self->hooks);
    type->tp_free(object);
}

static int ready(Queue *self)
{
    if (self->queue)
        return 0;
    PyErr_SetString(PyExc_RuntimeError, "__init__ was not called");
    return -1;
}

static PyObject *take(Queue *self, int64_t deadline, bool peek, PyObject *timeout)
{
    void *item = NULL;
    int result, verdict = 0;
    if (ready(self) < 0 || !bine_queue_at_home(self))
        return NULL;
    if (!peek && (deadline == 0 || bine_queue_size(self->queue))) {
        result = bine_queue_get_nowait(self->queue, &item);
    } else {
        do {
            if (bine_py_wait_begin() < 0)
                return NULL;
            int64_t left = bine_py_left(deadline);
            result = peek ? bine_queue_peek(self->queue, &item, left) : bine_queue_get(self->queue, &item, left);
            verdict = bine_py_wait_end(result < 0);
        } while (verdict == 1);
        result = waited(timeout, result);
    }
    if (result < 0) {
        int error = errno;
        if (error == EAGAIN && bine_py_refused() < 0)
            return NULL;
        raise_failure(error, Empty, timeout);
        return NULL;
    }
    if (peek)
        Py_INCREF((PyObject *)item);
    return item;
}

/* An unbounded queue takes items of every thread. */
static int put_anywhere(Queue *self, PyObject *item, int64_t deadline, PyObject *timeout)
{
    if (self->hub == bine_hub_here() || bine_queue_capacity(self->queue))
        return bine_queue_put_here(self, item, deadline, timeout);
    if (!self->shut)
        return bine_queue_put_there(self, item);
    PyErr_SetNone(ShutDown);
    return -1;
}

static int parse_block(PyObject *args, PyObject *kwargs, const char *format, char **names, PyObject **item, int64_t *deadline,
                       PyObject **timeout)
{
    int block = 1;
    *timeout = Py_None;
    int good = item ? PyArg_ParseTupleAndKeywords(args, kwargs, format, names, item, &block, timeout)
                    : PyArg_ParseTupleAndKeywords(args, kwargs, format, names, &block, timeout);
    if (!good || bine_py_deadline(*timeout, deadline) < 0)
        return -1;
    if (!block) {
        *deadline = 0;
        *timeout = Py_None;
    }
    return 0;
}

/* For a queue with hooks: the method of bine._hooked by that name. */
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
    static char *names[] = { "item", "block", "timeout", NULL };
    Queue *self = (Queue *)object;
    PyObject *item, *timeout;
    int64_t deadline;
    BY_HOOKS("put", object, args, kwargs);
    if (ready(self) < 0 || parse_block(args, kwargs, "O|pO:put", names, &item, &deadline, &timeout) < 0)
        return NULL;
    if (put_anywhere(self, item, deadline, timeout) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *queue_put_nowait(PyObject *object, PyObject *item)
{
    if (((Queue *)object)->hooks)
        return without_blocking("put", object, item);
    if (ready((Queue *)object) < 0 || put_anywhere((Queue *)object, item, 0, Py_None) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *queue_get(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = { "block", "timeout", NULL };
    int64_t deadline;
    PyObject *timeout;
    BY_HOOKS("get", self, args, kwargs);
    if (parse_block(args, kwargs, "|pO:get", names, NULL, &deadline, &timeout) < 0)
        return NULL;
    return take((Queue *)self, deadline, false, timeout);
}

static PyObject *queue_get_nowait(PyObject *self, PyObject *unused)
{
    (void)unused;
    if (((Queue *)self)->hooks)
        return without_blocking("get", self, NULL);
    return take((Queue *)self, 0, false, Py_None);
}

static PyObject *queue_peek(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = { "block", "timeout", NULL };
    int64_t deadline;
    PyObject *timeout;
    BY_HOOKS("peek", self, args, kwargs);
    if (parse_block(args, kwargs, "|pO:peek", names, NULL, &deadline, &timeout) < 0)
        return NULL;
    return take((Queue *)self, deadline, true, timeout);
}

static PyObject *queue_peek_nowait(PyObject *self, PyObject *unused)
{
    (void)unused;
    if (((Queue *)self)->hooks)
        return without_blocking("peek", self, NULL);
    return take((Queue *)self, 0, true, Py_None);
}

static PyObject *queue_qsize(PyObject *self, PyObject *unused)
{
    (void)unused;
    BY_HOOKS("qsize", self, NULL, NULL);
    return ready((Queue *)self) < 0 ? NULL : PyLong_FromSize_t(bine_queue_size(((Queue *)self)->queue));
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
    return ready((Queue *)self) < 0 ? NULL : PyBool_FromLong(bine_queue_full(((Queue *)self)->queue));
}

static PyObject *queue_task_done(PyObject *object, PyObject *unused)
{
    Queue *self = (Queue *)object;
    (void)unused;
    BY_HOOKS("task_done", object, NULL, NULL);
    if (ready(self) < 0)
        return NULL;
    if (bine_queue_unfinished(self->queue) <= self->done_on_way) {
        PyErr_SetString(PyExc_ValueError, "task_done() called too many times");
        return NULL;
    }
    if (self->hub == bine_hub_here()) {
        bine_queue_task_done(self->queue);
        Py_RETURN_NONE;
    }
    if (bine_queue_task_done_there(self) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *queue_join(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = { "timeout", NULL };
    Queue *self = (Queue *)object;
    PyObject *timeout = Py_None;
    int64_t deadline;
    int result, verdict;
    BY_HOOKS("join", object, args, kwargs);
    if (ready(self) < 0 || !bine_queue_at_home(self) || !PyArg_ParseTupleAndKeywords(args, kwargs, "|O:join", names, &timeout) ||
        bine_py_deadline(timeout, &deadline) < 0)
        return NULL;
    do {
        if (bine_py_wait_begin() < 0)
            return NULL;
        result = bine_queue_join(self->queue, bine_py_left(deadline));
        verdict = bine_py_wait_end(result < 0);
    } while (verdict == 1);
    int outcome = bine_py_timeout_waited(timeout, verdict < 0 ? -1 : result == 0 ? 0 : ETIME);
    return outcome < 0 ? NULL : PyBool_FromLong(outcome == 0);
}

static PyObject *queue_shutdown(PyObject *object, PyObject *args, PyObject *kwargs)
{
    Queue *self = (Queue *)object;
    static char *names[] = { "immediate", NULL };
    int immediate = 0;
    BY_HOOKS("shutdown", object, args, kwargs);
    if (ready(self) < 0)
        return NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|p:shutdown", names, &immediate))
        return NULL;
    if (self->hub != bine_hub_here()) {
        if (bine_queue_shut_down_there(self, immediate) < 0)
            return NULL;
    } else if (bine_queue_shutdown(self->queue, immediate) < 0) {
        return bine_py_error(errno);
    }
    self->shut = true;
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
    size_t capacity = bine_queue_capacity(((Queue *)self)->queue);
    if (!capacity)
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
    return PyLong_FromSize_t(bine_queue_unfinished(((Queue *)self)->queue) - ((Queue *)self)->done_on_way);
}

static Py_ssize_t queue_length(PyObject *self)
{
    if (!((Queue *)self)->hooks)
        return ready((Queue *)self) < 0 ? -1 : (Py_ssize_t)bine_queue_size(((Queue *)self)->queue);
    PyObject *size = bine_queue_by_hooks("qsize", self, NULL, NULL);
    Py_ssize_t length = size ? PyNumber_AsSsize_t(size, PyExc_OverflowError) : -1;
    Py_XDECREF(size);
    return length;
}

/* A queue is true even when it is empty, as gevent's. */
static int queue_bool(PyObject *self)
{
    (void)self;
    return 1;
}

/* for item in queue: until the item is StopIteration. */
static PyObject *queue_next(PyObject *self)
{
    PyObject *item = ((Queue *)self)->hooks ? bine_queue_by_hooks("get", self, NULL, NULL) : take((Queue *)self, INT64_MAX, false, Py_None);
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

#define KEYWORDS(function) (PyCFunction)(void (*)(void)) function, METH_VARARGS | METH_KEYWORDS

static PyMethodDef queue_methods[] = {
    { "put", KEYWORDS(queue_put), "put(item, block=True, timeout=None)\n--\n\nPut an item, waiting for room; Full if there is none in time." },
    { "put_nowait", queue_put_nowait, METH_O, "put_nowait(item)\n--\n\nput(item, False)" },
    { "get", KEYWORDS(queue_get), "get(block=True, timeout=None)\n--\n\nThe next item, waiting for it; Empty if there is none in time." },
    { "get_nowait", queue_get_nowait, METH_NOARGS, "get_nowait()\n--\n\nget(False)" },
    { "peek", KEYWORDS(queue_peek), "peek(block=True, timeout=None)\n--\n\nThe next item, left in the queue." },
    { "peek_nowait", queue_peek_nowait, METH_NOARGS, "peek_nowait()\n--\n\npeek(False)" },
    { "qsize", queue_qsize, METH_NOARGS, "qsize()\n--\n\nItems in the queue." },
    { "empty", queue_empty, METH_NOARGS, "empty()\n--\n\nTrue if there is no item." },
    { "full", queue_full, METH_NOARGS, "full()\n--\n\nTrue if there is no room." },
    { "shutdown", KEYWORDS(queue_shutdown), "shutdown(immediate=False)\n--\n\nNo more puts; gets take what is left." },
    { "task_done", queue_task_done, METH_NOARGS, "task_done()\n--\n\nA task that was taken is done." },
    { "join", KEYWORDS(queue_join), "join(timeout=None)\n--\n\nWait until all tasks are done; False if the time passed." },
    { "_init", bine_queue_hook_init, METH_VARARGS, "_init(maxsize, items=())\n--\n\nHook for subclasses: make the collection, self.queue." },
    { "_create_queue", bine_queue_hook_create, METH_VARARGS, "_create_queue(items=())\n--\n\nHook for subclasses: the collection that _init uses." },
    { "_qsize", bine_queue_hook_qsize, METH_VARARGS, "_qsize()\n--\n\nHook for subclasses: items in the collection." },
    { "_put", bine_queue_hook_put, METH_VARARGS, "_put(item)\n--\n\nHook for subclasses: add to the collection." },
    { "_get", bine_queue_hook_get, METH_VARARGS, "_get()\n--\n\nHook for subclasses: take from the collection." },
    { "_peek", bine_queue_hook_peek, METH_VARARGS, "_peek()\n--\n\nHook for subclasses: what _get would take." },
    { NULL, NULL, 0, NULL },
};

static PyMemberDef queue_members[] = {
    { "_hooks", T_OBJECT, offsetof(Queue, hooks), READONLY, NULL },
    { NULL, 0, 0, 0, NULL },
};

static PyGetSetDef queue_getset[] = {
    { "maxsize", get_maxsize, NULL, "Items at most, None: no limit.", NULL },
    { "is_shutdown", get_is_shutdown, NULL, "True after shutdown().", NULL },
    { "unfinished_tasks", get_unfinished, NULL, "Tasks that are not done.", NULL },
    { NULL, NULL, NULL, NULL, NULL },
};

static PySequenceMethods queue_sequence = { .sq_length = queue_length };
static PyNumberMethods queue_number = { .nb_bool = queue_bool };

static PyTypeObject Queue_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "bine.queue.Queue",
    .tp_basicsize = sizeof(Queue),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_doc = "Queue(maxsize=None, items=())\n--\n\nFirst in, first out.",
    .tp_new = queue_new,
    .tp_init = queue_init,
    .tp_dealloc = queue_dealloc,
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

#define KIND(type, type_name, doc, ...)                                                                    \
    static PyTypeObject type = {                                                                           \
        PyVarObject_HEAD_INIT(NULL, 0).tp_name = type_name, .tp_basicsize = sizeof(Queue),                 \
        .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, .tp_doc = doc, .tp_base = &Queue_Type, __VA_ARGS__ \
    }

KIND(LifoQueue_Type, "bine.queue.LifoQueue", "LifoQueue(maxsize=None, items=())\n--\n\nLast in, first out.", .tp_dictoffset = 0);
KIND(PriorityQueue_Type, "bine.queue.PriorityQueue", "PriorityQueue(maxsize=None, items=())\n--\n\nThe smallest item first.",
     .tp_dictoffset = 0);
KIND(JoinableQueue_Type, "bine.queue.JoinableQueue", "JoinableQueue(maxsize=None, items=())\n--\n\nA Queue that counts unfinished tasks.",
     .tp_dictoffset = 0);

struct bine_waitable *bine_py_queue_waitable(PyObject *object)
{
    /* One with hooks has none. */
    return PyObject_TypeCheck(object, &Queue_Type) ? (struct bine_waitable *)((Queue *)object)->queue : NULL;
}

int bine_queue_init(PyObject *module)
{
    PyObject *standard = PyImport_ImportModule("queue");
    if (!standard || !(Empty = PyObject_GetAttrString(standard, "Empty")) || !(Full = PyObject_GetAttrString(standard, "Full")))
        return -1;
    ShutDown = PyObject_GetAttrString(standard, "ShutDown"); /* since 3.13 */
    if (!ShutDown) {
        PyErr_Clear();
        ShutDown = PyErr_NewException("bine.queue.ShutDown", NULL, NULL);
    }
    Py_DECREF(standard);
    if (!ShutDown || PyModule_AddObjectRef(module, "ShutDown", ShutDown) < 0)
        return -1;
    PyTypeObject *types[] = { &Queue_Type, &LifoQueue_Type, &PriorityQueue_Type, &JoinableQueue_Type };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (PyType_Ready(types[i]) < 0 ||
            PyModule_AddObjectRef(module, strrchr(types[i]->tp_name, '.') + 1, (PyObject *)types[i]) < 0)
            return -1;
    return 0;
}
