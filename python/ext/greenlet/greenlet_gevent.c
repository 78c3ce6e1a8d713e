/*
 * What gevent's greenlets have from PyPI's greenlet and from gevent's own bookkeeping: their frame
 * and context while they wait, callbacks when one is started, where it was spawned.
 */
#include "carrier/greenlet_package.h"
#include "greenlet_parts.h"
#include "hub_object.h"

static bool greenlet_gevent_is_current(const Greenlet *self)
{
    const struct bine_hub *hub = bine_hub_here();
    return hub && self->carried_by == hub->current && bine_greenlet_here(self);
}

/* The thread state of a greenlet of Python's that has begun and waits. NULL if there is none to
 * look at: the current one, main ones. That of another thread may run, but only without the GIL. */
static PyThreadState *waiting_state(const Greenlet *self)
{
    if (self->state != BINE_PY_RUNNING || bine_hub_gone(self->hub, self->life) ||
        greenlet_gevent_is_current(self))
        return NULL;
    const struct bine_carrier *carrier = bine_carrier_of(self->carried_by);
    return carrier ? carrier->state : NULL;
}

PyObject *bine_greenlet_get_frame(PyObject *self, void *unused)
{
    (void)unused;
    PyThreadState *state = waiting_state((Greenlet *)self);
    PyObject *frame = state ? (PyObject *)PyThreadState_GetFrame(state) : NULL;
    if (frame)
        return frame;
    Py_RETURN_NONE;
}

PyObject *bine_greenlet_get_context(PyObject *object, void *unused)
{
    Greenlet *self = (Greenlet *)object;
    (void)unused;
    const PyThreadState *state = self->state == BINE_PY_RUNNING && greenlet_gevent_is_current(self)
                                     ? PyThreadState_Get()
                                     : waiting_state(self);
    PyObject *context = state ? state->context : self->context;
    if (!context)
        Py_RETURN_NONE;
    Py_INCREF(context);
    return context;
}

int bine_greenlet_set_context(PyObject *object, PyObject *context, void *unused)
{
    Greenlet *self = (Greenlet *)object;
    (void)unused;
    if (!context || (context != Py_None && !PyContext_CheckExact(context))) {
        PyErr_SetString(PyExc_TypeError, "greenlet context must be a contextvars.Context or None");
        return -1;
    }
    if (self->state == BINE_PY_RUNNING) {
        PyErr_SetString(PyExc_ValueError, "cannot set the context of a greenlet that runs");
        return -1;
    }
    PyObject *own = context == Py_None ? PyContext_New() : context;
    if (!own)
        return -1;
    if (own == context)
        Py_INCREF(own);
    Py_XSETREF(self->context, own);
    return 0;
}

/* The hub, which in gevent every greenlet returns to; None for a main greenlet. */
PyObject *bine_greenlet_get_parent(PyObject *object, void *unused)
{
    Greenlet *self = (Greenlet *)object;
    if (self->state == BINE_PY_RUNNING && !bine_hub_gone(self->hub, self->life) &&
        (self->carried_by->flags & BINE_G_ROOT))
        Py_RETURN_NONE;
    return bine_py_get_hub(NULL, unused);
}

PyObject *bine_greenlet_get_args(PyObject *object, void *unused)
{
    PyObject *args = ((Greenlet *)object)->args;
    (void)unused;
    if (!args)
        return PyTuple_New(0);
    Py_INCREF(args);
    return args;
}

int bine_greenlet_set_args(PyObject *object, PyObject *args, void *unused)
{
    (void)unused;
    if (!args || !PyTuple_Check(args)) {
        PyErr_SetString(PyExc_TypeError, "args must be a tuple");
        return -1;
    }
    Py_INCREF(args);
    Py_XSETREF(((Greenlet *)object)->args, args);
    return 0;
}

/* Most are called without any: their dict is made when it is asked for. */
PyObject *bine_greenlet_get_kwargs(PyObject *object, void *unused)
{
    Greenlet *self = (Greenlet *)object;
    PyObject *kwargs = self->kwargs ? self->kwargs : PyDict_New();
    (void)unused;
    if (!kwargs || self->state == BINE_PY_ENDED)
        return kwargs;
    self->kwargs = kwargs;
    Py_INCREF(kwargs);
    return kwargs;
}

int bine_greenlet_set_kwargs(PyObject *object, PyObject *kwargs, void *unused)
{
    (void)unused;
    if (kwargs && kwargs != Py_None && !PyDict_Check(kwargs)) {
        PyErr_SetString(PyExc_TypeError, "kwargs must be a dict");
        return -1;
    }
    if (kwargs == Py_None)
        kwargs = NULL;
    Py_XINCREF(kwargs);
    Py_XSETREF(((Greenlet *)object)->kwargs, kwargs);
    return 0;
}

/* _run() of a greenlet that was given no function and whose class has none. */
PyObject *bine_greenlet_run_nothing(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    Py_RETURN_NONE;
}

/* ---- spawning watched ------------------------------------------------------------------------ */

bool bine_spawning_watched;
static PyObject *callbacks; /* a list, or NULL */

void bine_spawning_watch(void)
{
    bine_spawning_watched = callbacks || bine_stacks_noted();
}

static PyObject *none_after(void)
{
    bine_spawning_watch();
    Py_RETURN_NONE;
}

/* The lists are replaced and not changed: they may be walked through meanwhile. */
PyObject *bine_greenlet_remove_spawn_callback(PyObject *unused, PyObject *callback)
{
    (void)unused;
    PyObject *rest = PyList_New(0);
    for (Py_ssize_t i = 0; rest && callbacks && i < PyList_GET_SIZE(callbacks); i++) {
        PyObject *item = PyList_GET_ITEM(callbacks, i);
        int same = PyObject_RichCompareBool(item, callback, Py_EQ);
        if (same < 0 || (!same && PyList_Append(rest, item) < 0))
            Py_CLEAR(rest);
    }
    if (!rest)
        return NULL;
    if (PyList_GET_SIZE(rest) == 0)
        Py_CLEAR(rest);
    Py_XSETREF(callbacks, rest);
    return none_after();
}

PyObject *bine_greenlet_add_spawn_callback(PyObject *unused, PyObject *callback)
{
    if (!PyCallable_Check(callback))
        return PyErr_Format(PyExc_TypeError, "Expected callable: %R", callback);
    PyObject *removed = bine_greenlet_remove_spawn_callback(unused, callback);
    PyObject *all = !removed    ? NULL
                    : callbacks ? PyList_GetSlice(callbacks, 0, PyList_GET_SIZE(callbacks))
                                : PyList_New(0);
    Py_XDECREF(removed);
    if (!all || PyList_Append(all, callback) < 0) {
        Py_XDECREF(all);
        return NULL;
    }
    Py_XSETREF(callbacks, all);
    return none_after();
}

int bine_spawning_started(Greenlet *self)
{
    PyObject *all = callbacks;
    int result = 0;
    Py_XINCREF(all);
    for (Py_ssize_t i = 0; all && result == 0 && i < PyList_GET_SIZE(all); i++) {
        PyObject *returned = PyObject_CallFunctionObjArgs(PyList_GET_ITEM(all, i), self, NULL);
        result = returned ? 0 : -1;
        Py_XDECREF(returned);
    }
    Py_XDECREF(all);
    return result;
}

int bine_spawning_made(Greenlet *self)
{
    return bine_stacks_noted() ? bine_stack_note(self) : 0;
}

/* ---- names of PyPI's greenlet ---------------------------------------------------------------- */

PyObject *bine_greenlet_getcurrent(PyObject *unused, PyObject *nothing)
{
    (void)unused, (void)nothing;
    PyObject *current = (PyObject *)bine_py_current();
    Py_XINCREF(current);
    return current;
}

/* Objects that the class has, as PyPI's class has them. The type is ready. */
int bine_greenlet_add_names(PyTypeObject *type)
{
    PyObject *limit = bine_greenlet_stack_limit(), *ours = PyImport_ImportModule("bine._package"),
             *error = ours ? PyObject_GetAttrString(ours, "error") : NULL;
    int result = limit && error &&
                         PyDict_SetItemString(type->tp_dict, "spawning_stack_limit", limit) == 0 &&
                         PyDict_SetItemString(type->tp_dict, "error", error) == 0 &&
                         PyDict_SetItemString(type->tp_dict, "GreenletExit", bine_GreenletExit) == 0
                     ? 0
                     : -1;
    PyType_Modified(type);
    Py_XDECREF(error);
    Py_XDECREF(ours);
    Py_XDECREF(limit);
    return result;
}
