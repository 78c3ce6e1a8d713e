/* Semaphore, BoundedSemaphore and RLock on libbine's. gevent's semantics: see gevent.lock's documentation. */
#include <errno.h>
#include <stddef.h>

#include "bine_python.h"
#include "core/greenlet.h"

typedef struct {
    PyObject_HEAD
    void *object; /* bine_semaphore or bine_rlock */
    struct bine_hub *hub;
    PyObject *weak_references;
} Lock;

static PyTypeObject Semaphore_Type, BoundedSemaphore_Type, RLock_Type;

static bool is_rlock(const Lock *self)
{
    return PyObject_TypeCheck((PyObject *)self, &RLock_Type);
}

static PyObject *semaphore_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    (void)args, (void)kwargs;
    struct bine_hub *hub = bine_hub_get();
    Lock *self = hub ? (Lock *)type->tp_alloc(type, 0) : NULL;
    if (!self)
        return hub ? NULL : bine_py_error(errno);
    self->hub = hub;
    if (is_rlock(self) && !(self->object = bine_rlock_new(0))) {
        bine_py_error(errno);
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

static int semaphore_init(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = { "value", "hub", NULL };
    Lock *self = (Lock *)object;
    PyObject *hub = NULL;
    long value = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|lO", names, &value, &hub))
        return -1;
    if (value < 0 || value > INT_MAX) {
        PyErr_SetString(PyExc_ValueError, "semaphore initial value must be >= 0");
        return -1;
    }
    if (self->object)
        bine_semaphore_free(self->object);
    bool bounded = PyObject_TypeCheck(object, &BoundedSemaphore_Type) && value > 0;
    self->object = bounded ? bine_semaphore_new_bounded((unsigned)value, BINE_PY_SHARED) : bine_semaphore_new((unsigned)value, BINE_PY_SHARED);
    if (!self->object) {
        bine_py_error(errno);
        return -1;
    }
    return 0;
}

static void free_semaphore(void *object)
{
    bine_semaphore_free(object);
}

static void free_rlock(void *object)
{
    bine_rlock_free(object);
}

static void semaphore_dealloc(PyObject *object)
{
    Lock *self = (Lock *)object;
    PyTypeObject *type = Py_TYPE(object);
    if (self->weak_references)
        PyObject_ClearWeakRefs(object);
    if (self->object) {
        int result = is_rlock(self) ? bine_rlock_free(self->object) : bine_semaphore_free(self->object);
        if (result < 0 && errno == EPERM)
            bine_post(self->hub, is_rlock(self) ? free_rlock : free_semaphore, self->object);
    }
    type->tp_free(object);
}

/* 1: got it; 0: not within the time; -1: an exception. */
static int acquire(Lock *self, int64_t deadline)
{
    int result, verdict;
    if (!self->object) {
        PyErr_SetString(PyExc_RuntimeError, "__init__ was not called");
        return -1;
    }
    do {
        if (bine_py_wait_begin() < 0)
            return -1;
        int64_t left = bine_py_left(deadline);
        result = is_rlock(self) ? bine_rlock_acquire(self->object, left) : bine_semaphore_acquire(self->object, left);
        verdict = bine_py_wait_end(result < 0);
    } while (verdict == 1);
    return verdict < 0 ? -1 : result == 0;
}

static PyObject *semaphore_acquire(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = { "blocking", "timeout", NULL };
    PyObject *timeout = Py_None;
    int blocking = 1;
    int64_t deadline;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|pO:acquire", names, &blocking, &timeout))
        return NULL;
    /* threading's "for ever" is -1. */
    if (PyLong_Check(timeout) && PyLong_AsLong(timeout) == -1)
        timeout = Py_None;
    if (PyErr_Occurred() || bine_py_deadline(timeout, &deadline) < 0)
        return NULL;
    int result = acquire((Lock *)self, blocking ? deadline : 0);
    return result < 0 ? NULL : PyBool_FromLong(result);
}

static PyObject *semaphore_release(PyObject *object, PyObject *unused)
{
    Lock *self = (Lock *)object;
    (void)unused;
    int result = is_rlock(self) ? bine_rlock_release(self->object) : bine_semaphore_release(self->object);
    if (result < 0) {
        if (errno == EOVERFLOW)
            PyErr_SetString(PyExc_ValueError, "Semaphore released too many times");
        else if (errno == EPERM)
            PyErr_SetString(PyExc_RuntimeError, "cannot release un-acquired lock");
        else
            bine_py_error(errno);
        return NULL;
    }
    if (is_rlock(self))
        Py_RETURN_NONE;
    return PyLong_FromLong(bine_semaphore_permits(self->object));
}

static PyObject *semaphore_locked(PyObject *object, PyObject *unused)
{
    Lock *self = (Lock *)object;
    (void)unused;
    return PyBool_FromLong(is_rlock(self) ? bine_rlock_locked(self->object) : bine_semaphore_locked(self->object));
}

static PyObject *semaphore_ready(PyObject *object, PyObject *unused)
{
    (void)unused;
    return PyBool_FromLong(!bine_semaphore_locked(((Lock *)object)->object));
}

static PyObject *rlock_is_owned(PyObject *object, PyObject *unused)
{
    (void)unused;
    return PyBool_FromLong(bine_rlock_owned(((Lock *)object)->object));
}

static PyObject *semaphore_wait(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = { "timeout", NULL };
    Lock *self = (Lock *)object;
    PyObject *timeout = Py_None;
    int64_t deadline;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:wait", names, &timeout) || bine_py_deadline(timeout, &deadline) < 0)
        return NULL;
    int verdict;
    do {
        if (bine_py_wait_begin() < 0)
            return NULL;
        void *objects[] = { self->object };
        ssize_t result = bine_wait(objects, 1, NULL, 1, bine_py_left(deadline));
        verdict = bine_py_wait_end(result < 0);
    } while (verdict == 1);
    return verdict < 0 ? NULL : PyLong_FromLong(bine_semaphore_permits(self->object));
}

static PyObject *semaphore_enter(PyObject *self, PyObject *unused)
{
    (void)unused;
    if (acquire((Lock *)self, INT64_MAX) < 0)
        return NULL;
    Py_INCREF(self);
    return self;
}

static PyObject *semaphore_exit(PyObject *self, PyObject *args)
{
    (void)args;
    PyObject *result = semaphore_release(self, NULL);
    if (!result)
        return NULL;
    Py_DECREF(result);
    Py_RETURN_NONE;
}

static PyObject *get_counter(PyObject *object, void *unused)
{
    (void)unused;
    return PyLong_FromLong(bine_semaphore_permits(((Lock *)object)->object));
}

static PyObject *semaphore_repr(PyObject *object)
{
    Lock *self = (Lock *)object;
    if (is_rlock(self))
        return PyUnicode_FromFormat("<%s at %p %s>", Py_TYPE(object)->tp_name, object,
                                    bine_rlock_locked(self->object) ? "locked" : "unlocked");
    return PyUnicode_FromFormat("<%s at %p counter=%u>", Py_TYPE(object)->tp_name, object, bine_semaphore_permits(self->object));
}

#define KEYWORDS(function) (PyCFunction)(void (*)(void)) function, METH_VARARGS | METH_KEYWORDS
#define COMMON                                                                                                                   \
    { "acquire", KEYWORDS(semaphore_acquire), "acquire(blocking=True, timeout=None)\n--\n\nTake it; False if the time passed." }, \
        { "release", semaphore_release, METH_NOARGS, "release()\n--\n\nGive it back." },                                          \
        { "locked", semaphore_locked, METH_NOARGS, "locked()\n--\n\nTrue if it cannot be acquired without waiting." },            \
        { "__enter__", semaphore_enter, METH_NOARGS, NULL },                                                                      \
        { "__exit__", semaphore_exit, METH_VARARGS, NULL }

static PyMethodDef semaphore_methods[] = {
    COMMON,
    { "ready", semaphore_ready, METH_NOARGS, "ready()\n--\n\nTrue if it can be acquired without waiting." },
    { "wait", KEYWORDS(semaphore_wait), "wait(timeout=None)\n--\n\nWait until it can be acquired, without acquiring it." },
    { NULL, NULL, 0, NULL },
};

static PyMethodDef rlock_methods[] = {
    COMMON,
    { "_is_owned", rlock_is_owned, METH_NOARGS, NULL },
    { NULL, NULL, 0, NULL },
};

static PyGetSetDef semaphore_getset[] = {
    { "counter", get_counter, NULL, "Permits that are there.", NULL },
    { NULL, NULL, NULL, NULL, NULL },
};

static PyTypeObject Semaphore_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "bine.lock.Semaphore",
    .tp_basicsize = sizeof(Lock),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_doc = "Semaphore(value=1)\n--\n\nA counter of permits.",
    .tp_new = semaphore_new,
    .tp_init = semaphore_init,
    .tp_dealloc = semaphore_dealloc,
    .tp_repr = semaphore_repr,
    .tp_methods = semaphore_methods,
    .tp_getset = semaphore_getset,
    .tp_weaklistoffset = offsetof(Lock, weak_references),
};

static PyTypeObject BoundedSemaphore_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "bine.lock.BoundedSemaphore",
    .tp_basicsize = sizeof(Lock),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_doc = "BoundedSemaphore(value=1)\n--\n\nA Semaphore that cannot be released too often.",
    .tp_base = &Semaphore_Type,
};

static PyTypeObject RLock_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "bine.lock.RLock",
    .tp_basicsize = sizeof(Lock),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_doc = "RLock()\n--\n\nA lock that its greenlet may take again.",
    .tp_new = semaphore_new,
    .tp_dealloc = semaphore_dealloc,
    .tp_repr = semaphore_repr,
    .tp_methods = rlock_methods,
    .tp_weaklistoffset = offsetof(Lock, weak_references),
};

struct bine_waitable *bine_py_semaphore_waitable(PyObject *object)
{
    return PyObject_TypeCheck(object, &Semaphore_Type) || PyObject_TypeCheck(object, &RLock_Type) ? ((Lock *)object)->object : NULL;
}

int bine_semaphore_init(PyObject *module)
{
    PyTypeObject *types[] = { &Semaphore_Type, &BoundedSemaphore_Type, &RLock_Type };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (PyType_Ready(types[i]) < 0 ||
            PyModule_AddObjectRef(module, strrchr(types[i]->tp_name, '.') + 1, (PyObject *)types[i]) < 0)
            return -1;
    return 0;
}
