/* Greenlets are made and started; the object of a greenlet that Python did not spawn. */
#include "greenlet.h"

#include <errno.h>

#include "base/error.h"
#include "carrier/carry.h"
#include "carrier/tracing.h"
#include "greenlet_parts.h"
#include "libc/container_of.h"

static bool greenlet_ended(const struct bine_waitable *waitable)
{
    return bine_py_ended(BINE_CONTAINER_OF(waitable, Greenlet, waitable));
}

static const struct bine_waitable_class waitable_class = {"Greenlet", greenlet_ended, NULL, NULL};

/* ---- making ---------------------------------------------------------------------------------- */

PyObject *bine_greenlet_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    (void)args, (void)kwargs;
    struct bine_hub *hub = bine_hub_of_thread ? bine_hub_of_thread : bine_hub_get();
    if (!hub)
        return bine_py_error(errno);
    Greenlet *self = (Greenlet *)type->tp_alloc(type, 0);
    if (self) {
        self->waitable.class = &waitable_class;
        self->hub = hub;
        self->life = hub->life;
    }
    return (PyObject *)self;
}

static int set_call(Greenlet *self, PyObject *run, PyObject *args, PyObject *kwargs)
{
    if (run && run != Py_None) {
        if (!PyCallable_Check(run)) {
            PyErr_Format(PyExc_TypeError, "The run argument or self._run must be callable, not %R",
                         run);
            return -1;
        }
        Py_INCREF(run);
        Py_XSETREF(self->run, run);
    }
    Py_INCREF(args);
    Py_XSETREF(self->args, args);
    if (kwargs && PyDict_GET_SIZE(kwargs)) {
        Py_INCREF(kwargs);
        Py_XSETREF(self->kwargs, kwargs);
    }
    Py_XSETREF(self->context, PyContext_CopyCurrent());
    return self->context ? 0 : -1;
}

/* The current greenlet is the spawner: its children share one weak reference to it, and the tree's
 * locals. */
static int set_spawner(Greenlet *self)
{
    Greenlet *spawner = bine_py_current();
    if (!spawner ||
        (!spawner->self && !(spawner->self = PyWeakref_NewRef((PyObject *)spawner, NULL))) ||
        (!spawner->spawn_locals && !(spawner->spawn_locals = PyDict_New())))
        return -1;
    Py_INCREF(spawner->self);
    Py_XSETREF(self->spawner, spawner->self);
    Py_INCREF(spawner->spawn_locals);
    Py_XSETREF(self->spawn_locals, spawner->spawn_locals);
    if (__builtin_expect(bine_spawning_watched, 0) && bine_spawning_made(self) < 0)
        return -1;
    return bine_tracing_inherit(&self->tracing);
}

int bine_greenlet_initialise(PyObject *object, PyObject *args, PyObject *kwargs)
{
    Greenlet *self = (Greenlet *)object;
    PyObject *run = NULL, *rest, *named = NULL;
    Py_ssize_t n = PyTuple_GET_SIZE(args);
    if (n) {
        run = PyTuple_GET_ITEM(args, 0);
    } else if (kwargs && (run = PyDict_GetItemString(kwargs, "run"))) {
        named = PyDict_Copy(kwargs);
        if (!named || PyDict_DelItemString(named, "run") < 0) {
            Py_XDECREF(named);
            return -1;
        }
        kwargs = named;
    }
    rest = PyTuple_GetSlice(args, 1, n ? n : 1);
    int result = rest && set_call(self, run, rest, kwargs) == 0 ? set_spawner(self) : -1;
    Py_XDECREF(rest);
    Py_XDECREF(named);
    return result;
}

/* An object for a C greenlet that Python did not spawn (root, thread): a new reference. */
static Greenlet *face(struct bine_greenlet *g)
{
    Greenlet *self = (Greenlet *)bine_greenlet_new(&bine_Greenlet_Type, NULL, NULL);
    if (!self)
        return NULL;
    self->state = BINE_PY_RUNNING;
    self->carried_by = g;
    self->hub = g->hub;
    self->life = g->hub->life;
    self->args = PyTuple_New(0);
    return self;
}

Greenlet *bine_py_face_of(struct bine_carrier *carrier)
{
    if (carrier->running)
        return carrier->running;
    if (!carrier->face)
        carrier->face = face(carrier->g);
    return carrier->face;
}

Greenlet *bine_py_current(void)
{
    struct bine_carrier *carrier = bine_carrier_current();
    return carrier ? bine_py_face_of(carrier) : NULL;
}

/* ---- starting -------------------------------------------------------------------------------- */

static int watched(Greenlet *self)
{
    return __builtin_expect(bine_spawning_watched, 0) ? bine_spawning_started(self) : 0;
}

struct bine_greenlet *bine_greenlet_carry(Greenlet *self, int64_t delay)
{
    return self->own_thread ? bine_carrier_start_own(self) : bine_carrier_start(self, delay);
}

int bine_greenlet_start_after(Greenlet *self, int64_t delay)
{
    if (self->state != BINE_PY_NEW)
        return 0; /* once is enough, as in gevent */
    if (!self->args) {
        PyErr_SetString(PyExc_AssertionError, "Greenlet.__init__ was not called");
        return -1;
    }
    if (self->own_thread && delay) {
        PyErr_SetString(PyExc_ValueError,
                        "a greenlet with a thread of its own cannot be started later");
        return -1;
    }
    if (!bine_greenlet_here(self)) {
        if (!bine_hub_gone(self->hub, self->life))
            return bine_greenlet_start_there(self, delay) < 0 ? -1 : watched(self);
        struct bine_hub *hub = bine_hub_get();
        if (!hub) {
            bine_py_error(errno);
            return -1;
        }
        self->hub = hub; /* its thread has ended before it began: it is this one's now */
        self->life = hub->life;
    }
    struct bine_greenlet *g = bine_greenlet_carry(self, delay);
    if (!g)
        return -1;
    self->carried_by = g;
    self->state = BINE_PY_STARTED;
    return watched(self);
}

PyObject *bine_greenlet_start(PyObject *self, PyObject *unused)
{
    (void)unused;
    if (bine_greenlet_start_after((Greenlet *)self, 0) < 0)
        return NULL;
    Py_RETURN_NONE;
}

PyObject *bine_greenlet_start_later(PyObject *self, PyObject *seconds)
{
    double delay = PyFloat_AsDouble(seconds);
    if (delay == -1.0 && PyErr_Occurred())
        return NULL;
    if (bine_greenlet_start_after((Greenlet *)self, delay <= 0    ? 0
                                                    : delay > 9e9 ? BINE_FOREVER - 1
                                                                  : (int64_t)(delay * 1e9)) < 0)
        return NULL;
    Py_RETURN_NONE;
}

/* spawn(function, *args, **kwargs), as a class method: subclasses get all arguments in __init__. */
static PyObject *spawn_class(PyObject *class, PyObject *args, PyObject *kwargs, int64_t delay)
{
    Greenlet *self = (Greenlet *)PyObject_Call(class, args, kwargs);
    if (self && bine_greenlet_start_after(self, delay) < 0)
        Py_CLEAR(self);
    return (PyObject *)self;
}

static PyObject *tuple_of(PyObject *const *items, Py_ssize_t count)
{
    PyObject *tuple = PyTuple_New(count);
    for (Py_ssize_t i = 0; tuple && i < count; i++) {
        Py_INCREF(items[i]);
        PyTuple_SET_ITEM(tuple, i, items[i]);
    }
    return tuple;
}

/* With a function and nothing by name, as nearly always: without the tuples and dicts of a call of
 * the class. */
static PyObject *spawn_plainly(PyObject *const *args, Py_ssize_t count)
{
    PyObject *rest = tuple_of(args + 1, count - 1);
    if (!rest)
        return NULL;
    Greenlet *self = (Greenlet *)bine_greenlet_new(&bine_Greenlet_Type, NULL, NULL);
    if (self && (set_call(self, args[0], rest, NULL) < 0 || set_spawner(self) < 0 ||
                 bine_greenlet_start_after(self, 0) < 0))
        Py_CLEAR(self);
    Py_DECREF(rest);
    return (PyObject *)self;
}

PyObject *bine_greenlet_spawn(PyObject *class, PyObject *const *args, Py_ssize_t count,
                              PyObject *names)
{
    if (class == (PyObject *)&bine_Greenlet_Type && count > 0 && !names)
        return spawn_plainly(args, count);
    PyObject *positional = tuple_of(args, count), *named = names ? PyDict_New() : NULL,
             *self = NULL;
    bool good = positional && (named || !names);
    for (Py_ssize_t i = 0; good && names && i < PyTuple_GET_SIZE(names); i++)
        good = PyDict_SetItem(named, PyTuple_GET_ITEM(names, i), args[count + i]) == 0;
    if (good)
        self = spawn_class(class, positional, named, 0);
    Py_XDECREF(positional);
    Py_XDECREF(named);
    return self;
}

PyObject *bine_greenlet_spawn_later(PyObject *class, PyObject *args, PyObject *kwargs)
{
    if (PyTuple_GET_SIZE(args) < 1) {
        PyErr_SetString(PyExc_TypeError, "spawn_later() needs a number of seconds");
        return NULL;
    }
    double delay = PyFloat_AsDouble(PyTuple_GET_ITEM(args, 0));
    if (delay == -1.0 && PyErr_Occurred())
        return NULL;
    if (class == (PyObject *)&bine_Greenlet_Type && PyTuple_GET_SIZE(args) == 1) {
        PyErr_SetString(PyExc_TypeError, "spawn_later() needs a function");
        return NULL;
    }
    PyObject *rest = PyTuple_GetSlice(args, 1, PyTuple_GET_SIZE(args));
    PyObject *self =
        rest ? spawn_class(class, rest, kwargs, delay <= 0 ? 0 : (int64_t)(delay * 1e9)) : NULL;
    Py_XDECREF(rest);
    return self;
}
