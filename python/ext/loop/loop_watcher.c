/* What all watchers have in common. See loop.h. */
#include <errno.h>

#include "base/arguments.h"
#include "base/error.h"
#include "loop.h"
#include "wait/order.h"

typedef struct bine_watcher Watcher;

static void engage(Watcher *self, bool wanted)
{
    if (self->engaged == wanted)
        return;
    self->engaged = wanted;
    if (wanted)
        bine_hub_engage(self->loop->hub);
    else
        bine_hub_release(self->loop->hub);
}

/* ---- starting and stopping ------------------------------------------------------------------- */

static int activate(Watcher *self)
{
    struct bine_loop *loop = self->loop;
    if (!self->queued)
        Py_INCREF(self);
    self->active = true;
    self->previous = NULL;
    self->next = loop->active;
    if (loop->active)
        loop->active->previous = self;
    loop->active = self;
    engage(self, self->keeps);
    if (self->class->begin(self) == 0)
        return 0;
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    bine_watcher_stop(self);
    PyErr_Restore(type, value, traceback);
    return -1;
}

void bine_watcher_deactivate(Watcher *self)
{
    struct bine_loop *loop = self->loop;
    if (!self->active)
        return;
    self->active = false;
    if (self->previous)
        self->previous->next = self->next;
    else
        loop->active = self->next;
    if (self->next)
        self->next->previous = self->previous;
    if (bine_loop_here(loop)) {
        self->class->end(self);
        engage(self, false);
    }
    if (!self->queued)
        Py_DECREF(self);
}

void bine_watcher_stop(Watcher *self)
{
    Py_INCREF(self);
    self->due = false;
    self->revents = 0;
    bine_watcher_deactivate(self);
    Py_CLEAR(self->callback);
    Py_CLEAR(self->args);
    Py_DECREF(self);
}

static void loop_watcher_stop_there(PyObject *object, PyObject *unused, bool gone)
{
    (void)unused, (void)gone;
    bine_watcher_stop((Watcher *)object);
}

static int stop_anywhere(Watcher *self)
{
    if (!self->loop)
        return 0;
    if (bine_loop_here(self->loop) || bine_hub_gone(self->loop->hub, self->loop->life)) {
        bine_watcher_stop(self);
        return 0;
    }
    int error = bine_py_order_there(self->loop->hub, self->loop->life, loop_watcher_stop_there,
                                    (PyObject *)self, NULL);
    if (error && error != ESRCH) {
        bine_py_error(error);
        return -1;
    }
    return 0;
}

static void start_there(PyObject *object, PyObject *call, bool gone)
{
    Watcher *self = (Watcher *)object;
    PyObject *callback, *args;
    int pass_events;
    if (!gone && PyArg_ParseTuple(call, "OOp", &callback, &args, &pass_events) &&
        bine_watcher_start(self, callback, args, pass_events) < 0)
        bine_loop_failed(self->loop, object);
}

int bine_watcher_start(Watcher *self, PyObject *callback, PyObject *args, bool pass_events)
{
    struct bine_loop *loop = self->loop;
    if (!PyCallable_Check(callback)) {
        PyErr_Format(PyExc_TypeError,
                     callback == Py_None ? "callback must be callable, not None"
                                         : "Expected callable, not %R",
                     callback);
        return -1;
    }
    if (!loop || self->closed || loop->destroyed) {
        PyErr_SetString(PyExc_ValueError, !loop || self->closed ? "operation on closed watcher"
                                                                : "operation on destroyed loop");
        return -1;
    }
    if (!bine_loop_here(loop)) {
        PyObject *call = Py_BuildValue("OOi", callback, args, pass_events);
        int error =
            call ? bine_py_order_there(loop->hub, loop->life, start_there, (PyObject *)self, call)
                 : 0;
        Py_XDECREF(call);
        if (error)
            bine_py_error(error);
        return call && !error ? 0 : -1;
    }
    if (!loop->started && bine_loop_ready(loop) < 0)
        return -1;
    Py_INCREF(callback);
    Py_XSETREF(self->callback, callback);
    Py_INCREF(args);
    Py_XSETREF(self->args, args);
    self->pass_events = pass_events;
    return self->active ? 0 : activate(self);
}

/* start(callback, *args, pass_events=False, update=None). The latter is ignored: the clock is read
 * whenever a timer starts. */
int bine_watcher_arguments(PyObject *const *args, Py_ssize_t count, PyObject *names,
                           PyObject **callback, PyObject **rest, bool *pass_events)
{
    Py_ssize_t named = names ? PyTuple_GET_SIZE(names) : 0;
    *callback = count > 0 ? args[0] : NULL;
    *pass_events = false;
    for (Py_ssize_t i = 0; i < named; i++) {
        PyObject *name = PyTuple_GET_ITEM(names, i), *value = args[count + i];
        if (PyUnicode_CompareWithASCIIString(name, "callback") == 0 && !*callback) {
            *callback = value;
        } else if (PyUnicode_CompareWithASCIIString(name, "pass_events") == 0) {
            int wanted = PyObject_IsTrue(value);
            if (wanted < 0)
                return -1;
            *pass_events = wanted;
        } else if (PyUnicode_CompareWithASCIIString(name, "update") != 0) {
            PyErr_Format(PyExc_TypeError, "start() got an unexpected keyword argument %R", name);
            return -1;
        }
    }
    if (!*callback) {
        PyErr_SetString(PyExc_TypeError, "start() needs a callback");
        return -1;
    }
    *rest = PyTuple_New(count > 1 ? count - 1 : 0);
    for (Py_ssize_t i = 1; *rest && i < count; i++) {
        Py_INCREF(args[i]);
        PyTuple_SET_ITEM(*rest, i - 1, args[i]);
    }
    return *rest ? 0 : -1;
}

PyObject *bine_watcher_start_method(PyObject *object, PyObject *const *args, Py_ssize_t count,
                                    PyObject *names)
{
    PyObject *callback, *rest;
    bool pass_events;
    if (bine_watcher_arguments(args, count, names, &callback, &rest, &pass_events) < 0)
        return NULL;
    int result = bine_watcher_start((Watcher *)object, callback, rest, pass_events);
    Py_DECREF(rest);
    if (result < 0)
        return NULL;
    Py_RETURN_NONE;
}

PyObject *bine_watcher_stop_method(PyObject *object, PyObject *unused)
{
    (void)unused;
    if (stop_anywhere((Watcher *)object) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *watcher_close(PyObject *object, PyObject *unused)
{
    (void)unused;
    ((Watcher *)object)->closed = true;
    if (stop_anywhere((Watcher *)object) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *watcher_enter(PyObject *object, PyObject *unused)
{
    (void)unused;
    Py_INCREF(object);
    return object;
}

static PyObject *watcher_exit(PyObject *object, PyObject *unused)
{
    (void)unused;
    return watcher_close(object, NULL);
}

/* feed(revents, callback, *args) */
static PyObject *watcher_feed(PyObject *object, PyObject *const *args, Py_ssize_t count)
{
    Watcher *self = (Watcher *)object;
    if (count < 2) {
        PyErr_SetString(PyExc_TypeError, "feed() takes revents, a callback and its arguments");
        return NULL;
    }
    long revents = PyLong_AsLong(args[0]);
    if (revents == -1 && PyErr_Occurred())
        return NULL;
    if (!self->loop || !bine_loop_here(self->loop) || self->loop->destroyed) {
        PyErr_SetString(PyExc_ValueError, "feed() is for the loop's own thread");
        return NULL;
    }
    PyObject *callback, *rest;
    bool pass_events;
    if (bine_watcher_arguments(args + 1, count - 1, NULL, &callback, &rest, &pass_events) < 0)
        return NULL;
    if (bine_loop_ready(self->loop) < 0) {
        Py_DECREF(rest);
        return NULL;
    }
    Py_INCREF(callback);
    Py_XSETREF(self->callback, callback);
    Py_XSETREF(self->args, rest);
    bine_watcher_feed(self, (int)revents);
    Py_RETURN_NONE;
}

void bine_watchers_forked(struct bine_loop *loop)
{
    for (Watcher *self = loop->active; self; self = self->next) {
        if (self->engaged)
            bine_hub_engage(loop->hub); /* the child's counts begin anew */
        if (self->class->forked)
            self->class->forked(self);
    }
}

/* ---- the type -------------------------------------------------------------------------------- */

int bine_watcher_setup(Watcher *self, const struct bine_watcher_class *class, PyObject *loop,
                       int keeps, PyObject *priority)
{
    if (!PyObject_TypeCheck(loop, &bine_Loop_Type)) {
        PyErr_Format(PyExc_TypeError, "a watcher needs a loop, not %R", loop);
        return -1;
    }
    if (((struct bine_loop *)loop)->destroyed) {
        PyErr_SetString(PyExc_ValueError, "operation on destroyed loop");
        return -1;
    }
    long wanted = 0;
    if (priority && priority != Py_None && (wanted = PyLong_AsLong(priority)) == -1 &&
        PyErr_Occurred())
        return -1;
    if (wanted < BINE_LOOP_MINPRI)
        wanted = BINE_LOOP_MINPRI;
    if (wanted > BINE_LOOP_MAXPRI)
        wanted = BINE_LOOP_MAXPRI;
    if (self->loop) {
        PyErr_SetString(PyExc_TypeError, "a watcher is initialised once");
        return -1;
    }
    self->class = class;
    Py_INCREF(loop);
    self->loop = (struct bine_loop *)loop;
    self->priority = (int8_t)wanted;
    self->keeps = keeps;
    return 0;
}

/* A type of watchers that is written in Python overrides _begin and _end, and calls _fire. */
static int begin_in_python(Watcher *self)
{
    PyObject *result = PyObject_CallMethod((PyObject *)self, "_begin", NULL);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

static void end_in_python(Watcher *self)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *result = PyObject_CallMethod((PyObject *)self, "_end", NULL);
    if (!result)
        PyErr_WriteUnraisable((PyObject *)self);
    Py_XDECREF(result);
    PyErr_Restore(type, value, traceback);
}

static const struct bine_watcher_class in_python = {
    begin_in_python, end_in_python, NULL, NULL, NULL, NULL};

static int watcher_init(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"loop", "ref", "priority", NULL};
    PyObject *loop, *priority = Py_None;
    int ref = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|pO:watcher", names, &loop, &ref, &priority))
        return -1;
    return bine_watcher_setup((Watcher *)object, &in_python, loop, ref, priority);
}

static PyObject *watcher_nothing(PyObject *object, PyObject *unused)
{
    (void)object, (void)unused;
    Py_RETURN_NONE;
}

static PyObject *watcher_fire(PyObject *object, PyObject *args)
{
    Watcher *self = (Watcher *)object;
    int revents = BINE_LOOP_CUSTOM;
    if (!PyArg_ParseTuple(args, "|i:_fire", &revents))
        return NULL;
    if (self->active && bine_loop_here(self->loop))
        bine_watcher_fire(self, revents);
    Py_RETURN_NONE;
}

int bine_watcher_traverse(PyObject *object, visitproc visit, void *arg)
{
    Watcher *self = (Watcher *)object;
    Py_VISIT(self->loop);
    Py_VISIT(self->callback);
    Py_VISIT(self->args);
    return 0;
}

int bine_watcher_clear(PyObject *object)
{
    Watcher *self = (Watcher *)object;
    Py_CLEAR(self->callback);
    Py_CLEAR(self->args);
    return 0;
}

void bine_watcher_dealloc(PyObject *object)
{
    Watcher *self = (Watcher *)object;
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    if (self->weak_references)
        PyObject_ClearWeakRefs(object);
    /* It is neither active nor queued: then it would have a reference to itself. */
    bine_watcher_clear(object);
    Py_CLEAR(self->loop);
    type->tp_free(object);
}

static PyObject *get_active(PyObject *object, void *unused)
{
    (void)unused;
    return PyBool_FromLong(((Watcher *)object)->active);
}

static PyObject *loop_watcher_get_pending(PyObject *object, void *unused)
{
    (void)unused;
    return PyBool_FromLong(((Watcher *)object)->due);
}

static PyObject *get_ref(PyObject *object, void *unused)
{
    (void)unused;
    return PyBool_FromLong(((Watcher *)object)->keeps);
}

static int set_ref(PyObject *object, PyObject *value, void *unused)
{
    Watcher *self = (Watcher *)object;
    int wanted = value ? PyObject_IsTrue(value) : -1;
    (void)unused;
    if (wanted < 0) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "ref cannot be deleted");
        return -1;
    }
    self->keeps = wanted;
    if (self->active && bine_loop_here(self->loop))
        engage(self, self->keeps);
    return 0;
}

static PyObject *get_priority(PyObject *object, void *unused)
{
    (void)unused;
    return PyLong_FromLong(((Watcher *)object)->priority);
}

static int set_priority(PyObject *object, PyObject *value, void *unused)
{
    Watcher *self = (Watcher *)object;
    long wanted = value ? PyLong_AsLong(value) : -1;
    (void)unused;
    if (wanted == -1 && PyErr_Occurred())
        return -1;
    if (self->active || self->queued) {
        PyErr_SetString(PyExc_AttributeError, "Cannot set priority of an active watcher");
        return -1;
    }
    self->priority = (int8_t)(wanted < BINE_LOOP_MINPRI   ? BINE_LOOP_MINPRI
                              : wanted > BINE_LOOP_MAXPRI ? BINE_LOOP_MAXPRI
                                                          : wanted);
    return 0;
}

static PyObject *watcher_repr(PyObject *object)
{
    Watcher *self = (Watcher *)object;
    PyObject *format = PyObject_CallMethod(object, "_format", NULL);
    if (!format)
        return NULL;
    const char *name = strrchr(Py_TYPE(object)->tp_name, '.');
    PyObject *text =
        PyUnicode_FromFormat("<%s at %p%S%s%s", name ? name + 1 : Py_TYPE(object)->tp_name, object,
                             format, self->active ? " active" : "", self->due ? " pending" : "");
    Py_DECREF(format);
    if (text && self->callback) {
        PyObject *longer =
            PyUnicode_FromFormat("%U callback=%R args=%R>", text, self->callback, self->args);
        Py_SETREF(text, longer);
    } else if (text) {
        PyObject *longer = PyUnicode_FromFormat("%U>", text);
        Py_SETREF(text, longer);
    }
    return text;
}

static PyObject *watcher_format(PyObject *object, PyObject *unused)
{
    (void)object, (void)unused;
    return PyUnicode_FromString("");
}

static PyMethodDef methods[] = {
    BINE_WATCHER_METHODS,
    {"close", watcher_close, METH_NOARGS, "close()\n--\n\nStop it for good."},
    {"feed", BINE_FAST(watcher_feed),
     "feed(revents, callback, *args)\n--\n\nCall callback(*args) soon, as if these events had "
     "happened."},
    {"__enter__", watcher_enter, METH_NOARGS, NULL},
    {"__exit__", watcher_exit, METH_VARARGS, NULL},
    {"_begin", watcher_nothing, METH_NOARGS,
     "Begin to wait: for types that are written in Python."},
    {"_end", watcher_nothing, METH_NOARGS, "Stop waiting: for types that are written in Python."},
    {"_fire", watcher_fire, METH_VARARGS,
     "_fire(revents)\n--\n\nThe event has happened. No effect if it is not active."},
    {"_format", watcher_format, METH_NOARGS, "What repr() shows besides."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef members[] = {
    {"loop", T_OBJECT, offsetof(Watcher, loop), READONLY, "The loop that it belongs to."},
    {"callback", T_OBJECT, offsetof(Watcher, callback), 0,
     "What start() was given, None if it is not started."},
    {"args", T_OBJECT, offsetof(Watcher, args), READONLY,
     "The callback's arguments, None if it is not started."},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef getset[] = {
    {"active", get_active, NULL, "True if it was started and neither stopped nor is over.", NULL},
    {"pending", loop_watcher_get_pending, NULL,
     "True if an event has happened and the callback is to be called.", NULL},
    {"ref", get_ref, set_ref,
     "While it is active it keeps the loop running: hub.join() waits for it, and waiting for ever "
     "is no LoopExit.",
     NULL},
    {"priority", get_priority, set_priority,
     "From loop.MINPRI to loop.MAXPRI: of events that happened together the higher ones are called "
     "first.",
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyTypeObject bine_Watcher_Type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "bine._bine.watcher",
    .tp_basicsize = sizeof(Watcher),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_doc =
        "watcher(loop, ref=True, priority=None)\n--\n\nWhat all watchers of a loop have in common.",
    .tp_new = PyType_GenericNew,
    .tp_init = watcher_init,
    .tp_traverse = bine_watcher_traverse,
    .tp_clear = bine_watcher_clear,
    .tp_dealloc = bine_watcher_dealloc,
    .tp_repr = watcher_repr,
    .tp_methods = methods,
    .tp_members = members,
    .tp_getset = getset,
    .tp_weaklistoffset = offsetof(Watcher, weak_references),
};

int bine_watcher_init(PyObject *module)
{
    return PyModule_AddType(module, &bine_Watcher_Type);
}
