/*
 * Semaphore, BoundedSemaphore and RLock. gevent's semantics: see gevent.lock's documentation.
 *
 * They belong to no thread. What they keep is guarded by the GIL; so what is free is taken at once
 * on any thread, and a thread that waits depends on nobody but the one that releases.
 */
#include <limits.h>

#include "base/arguments.h"
#include "greenlet/greenlet.h"
#include "greenlet/hub_object.h"
#include "libc/container_of.h"
#include "libc/layout.h"
#include "objects.h"
#include "semaphore_parts.h"
#include "wait/park.h"
#include "wait/sleeper.h"
#include "wait/timeout.h"

static PyTypeObject Semaphore_Type, BoundedSemaphore_Type, RLock_Type;

/* For readers from outside. */
BINE_LAYOUT(python_lock_rows) = {BINE_FIELD_AS("python_lock", "owner", Lock, owner),
                                 BINE_FIELD_AS("python_lock", "permits", Lock, counter)};

static bool is_rlock(const Lock *self)
{
    return PyObject_TypeCheck((PyObject *)self, &RLock_Type);
}

static bool lock_ready(const struct bine_waitable *waitable)
{
    const Lock *self = BINE_CONTAINER_OF(waitable, Lock, waitable);
    return is_rlock(self) ? !self->owner : self->counter > 0;
}

static const struct bine_waitable_class waitable_class = {"Semaphore", lock_ready, NULL, NULL};

static PyObject *semaphore_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    (void)args, (void)kwargs;
    Lock *self = (Lock *)type->tp_alloc(type, 0);
    if (self) {
        self->waitable.class = &waitable_class;
        self->counter = 1;
        self->maximum = INT_MAX;
    }
    return (PyObject *)self;
}

static int semaphore_init(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"value", "hub", NULL};
    Lock *self = (Lock *)object;
    PyObject *hub = NULL;
    long value = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|lO", names, &value, &hub))
        return -1;
    if (value < 0 || value > INT_MAX) {
        PyErr_SetString(PyExc_ValueError, "semaphore initial value must be >= 0");
        return -1;
    }
    self->counter = (unsigned)value;
    self->maximum =
        PyObject_TypeCheck(object, &BoundedSemaphore_Type) && value > 0 ? (unsigned)value : INT_MAX;
    return 0;
}

/* A locked RLock keeps its owner, which may keep the RLock; and links may. */
static int lock_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(((Lock *)object)->owner);
    Py_VISIT(((Lock *)object)->links);
    return 0;
}

static int lock_clear(PyObject *object)
{
    Py_CLEAR(((Lock *)object)->owner);
    Py_CLEAR(((Lock *)object)->links);
    return 0;
}

static void lock_dealloc(PyObject *object)
{
    PyObject_GC_UnTrack(object);
    if (((Lock *)object)->weak_references)
        PyObject_ClearWeakRefs(object);
    lock_clear(object);
    Py_TYPE(object)->tp_free(object); /* nobody waits: a waiter has a reference */
}

/* ---- acquiring and releasing ----------------------------------------------------------------- */

static void release_permit(PyObject *object)
{
    Lock *self = (Lock *)object;
    if (bine_py_claim(&self->waiters))
        return;
    self->counter++;
    bine_waitable_notify(&self->waitable);
    if (self->links)
        bine_semaphore_links_soon(self);
}

static void release_rlock(PyObject *object)
{
    Lock *self = (Lock *)object;
    struct bine_py_greenlet *owner = self->owner;
    struct bine_py_sleeper *next = bine_py_claim(&self->waiters);
    self->depth = next ? 1 : 0;
    self->owner = next ? bine_py_face_of(next->carrier) : NULL;
    Py_XINCREF(self->owner);
    if (!next)
        bine_waitable_notify(&self->waitable);
    Py_XDECREF(owner); /* last: it may run code */
}

static void give_permit_back(struct bine_py_sleeper *sleeper)
{
    release_permit(sleeper->object);
}

static void give_rlock_back(struct bine_py_sleeper *sleeper)
{
    release_rlock(sleeper->object);
}

/* 1: taken; 0: it must wait; -1: an exception. */
static int try_acquire(Lock *self)
{
    if (!is_rlock(self)) {
        if (self->counter == 0)
            return 0;
        self->counter--;
        return 1;
    }
    struct bine_py_greenlet *current = bine_py_current();
    if (!current)
        return -1;
    if (self->owner && self->owner != current)
        return 0;
    if (!self->owner) {
        Py_INCREF(current);
        self->owner = current;
    }
    self->depth++;
    return 1;
}

/* 1: got it; 0: not within the time, which the argument `timeout` made the deadline; -1: an
 * exception. */
static int acquire(Lock *self, int64_t deadline, PyObject *timeout)
{
    int result = try_acquire(self);
    if (result)
        return result;
    if (deadline == 0)
        return bine_py_refused() < 0 ? -1 : 0;
    struct bine_carrier *carrier = bine_carrier_current();
    if (!carrier)
        return -1;
    struct bine_py_sleeper sleeper;
    bine_py_sleeper_begin(&sleeper, carrier);
    sleeper.object = (PyObject *)self;
    sleeper.give_back = is_rlock(self) ? give_rlock_back : give_permit_back;
    result =
        bine_py_take_from(&self->waiters, &sleeper,
                          is_rlock(self) ? "acquire rlock" : "acquire semaphore", self, deadline);
    result = bine_py_timeout_waited(timeout, result);
    return result < 0 ? -1 : result == 0;
}

static PyObject *semaphore_acquire(PyObject *self, PyObject *const *args, Py_ssize_t count,
                                   PyObject *keywords)
{
    static const char *const names[] = {"blocking", "timeout", NULL};
    PyObject *given[] = {Py_True, Py_None};
    int64_t deadline;
    if (bine_py_arguments("acquire", names, args, count, keywords, given) < 0)
        return NULL;
    int blocking = PyObject_IsTrue(given[0]);
    PyObject *timeout = given[1];
    if (blocking < 0)
        return NULL;
    /* threading's "for ever" is -1. */
    int overflow;
    if (PyLong_Check(timeout) && PyLong_AsLongAndOverflow(timeout, &overflow) == -1 && !overflow)
        timeout = Py_None;
    if (bine_py_deadline(timeout, &deadline) < 0)
        return NULL;
    int result = acquire((Lock *)self, blocking ? deadline : 0, timeout);
    return result < 0 ? NULL : PyBool_FromLong(result);
}

static PyObject *semaphore_release(PyObject *object, PyObject *unused)
{
    Lock *self = (Lock *)object;
    (void)unused;
    if (self->counter == self->maximum) {
        PyErr_SetString(PyExc_ValueError, "Semaphore released too many times");
        return NULL;
    }
    release_permit(object);
    return PyLong_FromLong(self->counter);
}

static PyObject *rlock_release(PyObject *object, PyObject *unused)
{
    Lock *self = (Lock *)object;
    struct bine_py_greenlet *current = bine_py_current();
    (void)unused;
    if (!current)
        return NULL;
    if (self->owner != current) {
        PyErr_SetString(PyExc_RuntimeError, "cannot release un-acquired lock");
        return NULL;
    }
    if (self->depth == 1)
        release_rlock(object);
    else
        self->depth--;
    Py_RETURN_NONE;
}

static PyObject *semaphore_locked(PyObject *object, PyObject *unused)
{
    (void)unused;
    return PyBool_FromLong(!lock_ready(&((Lock *)object)->waitable));
}

static PyObject *semaphore_ready(PyObject *object, PyObject *unused)
{
    (void)unused;
    return PyBool_FromLong(lock_ready(&((Lock *)object)->waitable));
}

static PyObject *rlock_is_owned(PyObject *object, PyObject *unused)
{
    struct bine_py_greenlet *current = bine_py_current();
    (void)unused;
    return current ? PyBool_FromLong(((Lock *)object)->owner == current) : NULL;
}

static PyObject *semaphore_wait(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"timeout", NULL};
    Lock *self = (Lock *)object;
    PyObject *timeout = Py_None;
    int64_t deadline;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:wait", names, &timeout) ||
        bine_py_deadline(timeout, &deadline) < 0)
        return NULL;
    if (!lock_ready(&self->waitable)) {
        int ready = bine_py_watch(&self->waitable, "wait for semaphore", deadline);
        if (bine_py_timeout_waited(timeout, ready < 0 ? -1 : ready ? 0 : ETIME) < 0)
            return NULL;
    }
    return PyLong_FromLong(self->counter);
}

static PyObject *semaphore_enter(PyObject *self, PyObject *unused)
{
    (void)unused;
    if (acquire((Lock *)self, INT64_MAX, Py_None) < 0)
        return NULL;
    Py_INCREF(self);
    return self;
}

static PyObject *semaphore_exit(PyObject *self, PyObject *args)
{
    (void)args;
    PyObject *result =
        is_rlock((Lock *)self) ? rlock_release(self, NULL) : semaphore_release(self, NULL);
    if (!result)
        return NULL;
    Py_DECREF(result);
    Py_RETURN_NONE;
}

static PyObject *get_counter(PyObject *object, void *unused)
{
    (void)unused;
    return PyLong_FromLong(((Lock *)object)->counter);
}

/* Permits appear: whoever waits gets them first. They vanish only as far as they are there. */
static int set_counter(PyObject *object, PyObject *value, void *unused)
{
    Lock *self = (Lock *)object;
    long counter = value ? PyLong_AsLong(value) : -1;
    (void)unused;
    if (counter == -1 && PyErr_Occurred())
        return -1;
    if (counter < 0 || counter > INT_MAX) {
        PyErr_SetString(PyExc_ValueError, "semaphore counter must be >= 0");
        return -1;
    }
    while (counter > 0 && bine_py_claim(&self->waiters))
        counter--;
    self->counter = (unsigned)counter;
    if (counter)
        bine_waitable_notify(&self->waitable);
    if (self->links)
        bine_semaphore_links_soon(self);
    return 0;
}

static PyObject *get_initial_value(PyObject *object, void *unused)
{
    (void)unused;
    return PyLong_FromLong(((Lock *)object)->maximum);
}

static PyObject *rlock_get_count(PyObject *object, void *unused)
{
    (void)unused;
    return PyLong_FromLong(((Lock *)object)->depth);
}

static PyObject *rlock_get_owner(PyObject *object, void *unused)
{
    PyObject *owner = (PyObject *)((Lock *)object)->owner;
    (void)unused;
    owner = owner ? owner : Py_None;
    Py_INCREF(owner);
    return owner;
}

/* For threading.Condition: the lock is let go however often it was taken, and taken as often
 * again. */
static PyObject *rlock_release_save(PyObject *object, PyObject *unused)
{
    Lock *self = (Lock *)object;
    (void)unused;
    if (!self->owner) {
        PyErr_SetString(PyExc_RuntimeError, "cannot release un-acquired lock");
        return NULL;
    }
    PyObject *state = Py_BuildValue("(IO)", self->depth, self->owner);
    if (state)
        release_rlock(object);
    return state;
}

static PyObject *rlock_acquire_restore(PyObject *object, PyObject *state)
{
    Lock *self = (Lock *)object;
    unsigned depth;
    PyObject *owner;
    if (!PyTuple_Check(state) ||
        !PyArg_ParseTuple(state, "IO!", &depth, &bine_Greenlet_Type, &owner))
        return NULL;
    if (acquire(self, INT64_MAX, Py_None) < 0)
        return NULL;
    self->depth = depth;
    Py_INCREF(owner);
    Py_XSETREF(self->owner, (struct bine_py_greenlet *)owner);
    Py_RETURN_NONE;
}

static PyObject *semaphore_repr(PyObject *object)
{
    Lock *self = (Lock *)object;
    if (is_rlock(self))
        return PyUnicode_FromFormat("<%s at %p %s>", Py_TYPE(object)->tp_name, object,
                                    self->owner ? "locked" : "unlocked");
    return PyUnicode_FromFormat("<%s at %p counter=%u>", Py_TYPE(object)->tp_name, object,
                                self->counter);
}

#define COMMON                                                                          \
    {"acquire", BINE_FAST_NAMED(semaphore_acquire),                                     \
     "acquire(blocking=True, timeout=None)\n--\n\nTake it; False if the time passed."}, \
        {"locked", semaphore_locked, METH_NOARGS,                                       \
         "locked()\n--\n\nTrue if it cannot be acquired without waiting."},             \
        {"__enter__", semaphore_enter, METH_NOARGS, NULL},                              \
    {                                                                                   \
        "__exit__", semaphore_exit, METH_VARARGS, NULL                                  \
    }

static PyMethodDef semaphore_methods[] = {
    COMMON,
    {"rawlink", bine_semaphore_rawlink, METH_O,
     "rawlink(callback)\n--\n\nCall callback(self), once, in another greenlet when there is a "
     "permit."},
    {"unlink", bine_semaphore_unlink, METH_O, "unlink(callback)\n--\n\nDo not call it."},
    {"linkcount", bine_semaphore_linkcount, METH_NOARGS,
     "linkcount()\n--\n\nHow many callbacks wait for a permit."},
    {"_call_links", bine_semaphore_call_links, METH_NOARGS, NULL},
    {"release", semaphore_release, METH_NOARGS,
     "release()\n--\n\nGive it back; how many are free then."},
    {"ready", semaphore_ready, METH_NOARGS,
     "ready()\n--\n\nTrue if it can be acquired without waiting."},
    {"wait", BINE_KEYWORDS(semaphore_wait),
     "wait(timeout=None)\n--\n\nWait until it can be acquired, without acquiring it."},
    {NULL, NULL, 0, NULL},
};

static PyMethodDef rlock_methods[] = {
    COMMON,
    {"release", rlock_release, METH_NOARGS,
     "release()\n--\n\nGive it back. RuntimeError unless the current greenlet has it."},
    {"_is_owned", rlock_is_owned, METH_NOARGS, NULL},
    {"_release_save", rlock_release_save, METH_NOARGS, NULL},
    {"_acquire_restore", rlock_acquire_restore, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef semaphore_getset[] = {
    {"counter", get_counter, set_counter,
     "Permits that are there. It can be set; those who wait then get theirs.", NULL},
    {"hub", bine_py_get_hub, NULL, "The hub of the calling thread.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyGetSetDef bounded_getset[] = {
    {"_initial_value", get_initial_value, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyGetSetDef rlock_getset[] = {
    {"_count", rlock_get_count, NULL, NULL, NULL},
    {"_owner", rlock_get_owner, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyTypeObject Semaphore_Type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "bine.lock.Semaphore",
    .tp_basicsize = sizeof(Lock),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_doc = "Semaphore(value=1)\n--\n\nA counter of permits. Any thread.",
    .tp_new = semaphore_new,
    .tp_init = semaphore_init,
    .tp_dealloc = lock_dealloc,
    .tp_traverse = lock_traverse,
    .tp_clear = lock_clear,
    .tp_repr = semaphore_repr,
    .tp_methods = semaphore_methods,
    .tp_getset = semaphore_getset,
    .tp_weaklistoffset = offsetof(Lock, weak_references),
};

static PyTypeObject BoundedSemaphore_Type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "bine.lock.BoundedSemaphore",
    .tp_basicsize = sizeof(Lock),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_traverse = lock_traverse,
    .tp_clear = lock_clear,
    .tp_getset = bounded_getset,
    .tp_doc = "BoundedSemaphore(value=1)\n--\n\nA Semaphore that cannot be released too often.",
    .tp_base = &Semaphore_Type,
};

static PyTypeObject RLock_Type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "bine.lock.RLock",
    .tp_basicsize = sizeof(Lock),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_doc = "RLock()\n--\n\nA lock that its greenlet may take again. Any thread.",
    .tp_new = semaphore_new,
    .tp_dealloc = lock_dealloc,
    .tp_traverse = lock_traverse,
    .tp_clear = lock_clear,
    .tp_getset = rlock_getset,
    .tp_repr = semaphore_repr,
    .tp_methods = rlock_methods,
    .tp_weaklistoffset = offsetof(Lock, weak_references),
};

struct bine_waitable *bine_py_semaphore_waitable(PyObject *object)
{
    return PyObject_TypeCheck(object, &Semaphore_Type) || PyObject_TypeCheck(object, &RLock_Type)
               ? &((Lock *)object)->waitable
               : NULL;
}

int bine_semaphore_init(PyObject *module)
{
    PyTypeObject *types[] = {&Semaphore_Type, &BoundedSemaphore_Type, &RLock_Type};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (PyModule_AddType(module, types[i]) < 0)
            return -1;
    return 0;
}
