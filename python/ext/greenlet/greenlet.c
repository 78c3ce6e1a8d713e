/* The Greenlet type: gevent's, on carriers. */
#include "greenlet.h"

#include <errno.h>
#include <stddef.h>

#include "base/arguments.h"
#include "base/error.h"
#include "carrier/carry.h"
#include "carrier/pending.h"
#include "carrier/switch_tracer.h"
#include "carrier/tracing.h"
#include "greenlet_parts.h"
#include "libc/container_of.h"
#include "wait/park.h"
#include "wait/sleeper.h"
#include "wait/timeout.h"

static bool greenlet_ended(const struct bine_waitable *waitable)
{
    return bine_py_ended(BINE_CONTAINER_OF(waitable, Greenlet, waitable));
}

static const struct bine_waitable_class waitable_class = {"Greenlet", greenlet_ended, NULL, NULL};

/* ---- making ---------------------------------------------------------------------------------- */

static PyObject *greenlet_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
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

static int greenlet_init(PyObject *object, PyObject *args, PyObject *kwargs)
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

static int greenlet_traverse(PyObject *object, visitproc visit, void *arg)
{
    Greenlet *self = (Greenlet *)object;
    Py_VISIT(self->run);
    Py_VISIT(self->args);
    Py_VISIT(self->kwargs);
    Py_VISIT(self->value);
    Py_VISIT(self->exception);
    Py_VISIT(self->traceback);
    Py_VISIT(self->links);
    Py_VISIT(self->context);
    Py_VISIT(self->spawn_locals);
    Py_VISIT(self->spawner);
    Py_VISIT(self->self);
    Py_VISIT(self->name);
    Py_VISIT(self->dict);
    return bine_tracing_traverse(self->tracing, visit, arg);
}

static int greenlet_clear(PyObject *object)
{
    Greenlet *self = (Greenlet *)object;
    Py_CLEAR(self->run);
    Py_CLEAR(self->args);
    Py_CLEAR(self->kwargs);
    Py_CLEAR(self->value);
    Py_CLEAR(self->exception);
    Py_CLEAR(self->traceback);
    Py_CLEAR(self->links);
    Py_CLEAR(self->context);
    Py_CLEAR(self->spawn_locals);
    Py_CLEAR(self->spawner);
    Py_CLEAR(self->self);
    Py_CLEAR(self->name);
    Py_CLEAR(self->dict);
    bine_tracing_forget(&self->tracing);
    return 0;
}

static void greenlet_dealloc(PyObject *object)
{
    Greenlet *self = (Greenlet *)object;
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    if (self->weak_references)
        PyObject_ClearWeakRefs(object);
    greenlet_clear(object);
    if (self->ident)
        bine_greenlet_give_ident_back(self);
    bine_stack_forget(self);
    type->tp_free(object);
}

/* An object for a C greenlet that Python did not spawn (root, thread): a new reference. */
static Greenlet *face(struct bine_greenlet *g)
{
    Greenlet *self = (Greenlet *)greenlet_new(&bine_Greenlet_Type, NULL, NULL);
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

int bine_greenlet_start_after(Greenlet *self, int64_t delay)
{
    if (self->state != BINE_PY_NEW)
        return 0; /* once is enough, as in gevent */
    if (!self->args) {
        PyErr_SetString(PyExc_AssertionError, "Greenlet.__init__ was not called");
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
    struct bine_greenlet *g = bine_carrier_start(self, delay);
    if (!g)
        return -1;
    self->carried_by = g;
    self->state = BINE_PY_STARTED;
    return watched(self);
}

static PyObject *greenlet_start(PyObject *self, PyObject *unused)
{
    (void)unused;
    if (bine_greenlet_start_after((Greenlet *)self, 0) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *greenlet_start_later(PyObject *self, PyObject *seconds)
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
    Greenlet *self = (Greenlet *)greenlet_new(&bine_Greenlet_Type, NULL, NULL);
    if (self && (set_call(self, args[0], rest, NULL) < 0 || set_spawner(self) < 0 ||
                 bine_greenlet_start_after(self, 0) < 0))
        Py_CLEAR(self);
    Py_DECREF(rest);
    return (PyObject *)self;
}

static PyObject *greenlet_spawn(PyObject *class, PyObject *const *args, Py_ssize_t count,
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

static PyObject *greenlet_spawn_later(PyObject *class, PyObject *args, PyObject *kwargs)
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

/* ---- waiting for it -------------------------------------------------------------------------- */

/* 0: it has ended; ETIME; -1 with an exception. */
static int greenlet_wait_until(Greenlet *self, int64_t deadline)
{
    if (bine_py_ended(self))
        return 0;
    struct bine_carrier *carrier = bine_carrier_current();
    if (!carrier)
        return -1;
    if (self == carrier->running || self == carrier->face) {
        /* It may have killed itself before. */
        if (bine_carrier_pending(carrier) && bine_pending_raise() < 0)
            return -1;
        PyErr_SetString(PyExc_RuntimeError, "a greenlet cannot wait for itself");
        return -1;
    }
    if (!deadline)
        return bine_py_refused();
    struct bine_py_sleeper sleeper;
    int error;
    bine_py_sleeper_begin(&sleeper, carrier);
    do {
        error =
            bine_py_sleep_in(&self->waitable.watchers, &sleeper, "join", (uintptr_t)self, deadline);
    } while ((error == 0 || error == EINTR) && !bine_py_ended(self));
    bine_py_sleeper_end(&sleeper);
    return error > 0 && bine_py_ended(self) ? 0 : error;
}

int bine_greenlet_wait(Greenlet *self, int64_t deadline, PyObject *timeout)
{
    return self->state == BINE_PY_ENDED
               ? 0
               : bine_py_timeout_waited(timeout, greenlet_wait_until(self, deadline));
}

/* join(timeout=None), parsed by hand as sleep() is. */
static PyObject *greenlet_join(PyObject *self, PyObject *const *args, Py_ssize_t count,
                               PyObject *names)
{
    PyObject *timeout = Py_None;
    int64_t deadline;
    Py_ssize_t named = names ? PyTuple_GET_SIZE(names) : 0;
    if (count + named > 1 ||
        (named && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, 0), "timeout") != 0)) {
        PyErr_SetString(PyExc_TypeError, "join() takes a timeout");
        return NULL;
    }
    if (count + named)
        timeout = args[0];
    if (bine_py_deadline(timeout, &deadline) < 0)
        return NULL;
    if (bine_greenlet_wait((Greenlet *)self, deadline, timeout) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *greenlet_get(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"block", "timeout", NULL};
    Greenlet *self = (Greenlet *)object;
    PyObject *timeout = Py_None;
    int block = 1, error;
    int64_t deadline;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|pO:get", names, &block, &timeout) ||
        bine_py_deadline(timeout, &deadline) < 0)
        return NULL;
    error = bine_greenlet_wait(self, block ? deadline : 0, block ? timeout : Py_None);
    if (error < 0)
        return NULL;
    if (error)
        return bine_py_raise_timeout(block ? timeout : Py_None);
    if (self->exception) {
        PyObject *exception = self->exception;
        Py_INCREF(exception);
        bine_py_raise_again(exception, self->traceback);
        Py_DECREF(exception);
        return NULL;
    }
    PyObject *value = self->value ? self->value : Py_None;
    Py_INCREF(value);
    return value;
}

static PyObject *greenlet_enter(PyObject *self, PyObject *unused)
{
    (void)unused;
    Py_INCREF(self);
    return self;
}

/* ---- the type -------------------------------------------------------------------------------- */

static PyMethodDef greenlet_methods[] = {
    {"start", greenlet_start, METH_NOARGS,
     "start()\n--\n\nSchedule the greenlet to run in this loop iteration. No effect if it was "
     "started before."},
    {"start_later", greenlet_start_later, METH_O,
     "start_later(seconds)\n--\n\nSchedule the greenlet to run that much later. No effect if it "
     "was started before."},
    {"spawn", BINE_FAST_NAMED(greenlet_spawn) | METH_CLASS,
     "spawn(*args, **kwargs)\n--\n\nCreate a new Greenlet and schedule it to run."},
    {"spawn_later", BINE_KEYWORDS(greenlet_spawn_later) | METH_CLASS,
     "spawn_later(seconds, *args, **kwargs)\n--\n\nCreate a Greenlet and schedule it to run that "
     "much later."},
    {"join", BINE_FAST_NAMED(greenlet_join),
     "join(timeout=None)\n--\n\nWait until the greenlet has ended or timeout (seconds) has "
     "passed."},
    {"get", BINE_KEYWORDS(greenlet_get),
     "get(block=True, timeout=None)\n--\n\nWait for and return the greenlet's result, or raise its "
     "exception; Timeout "
     "if it takes longer."},
    {"kill", BINE_KEYWORDS(bine_greenlet_kill),
     "kill(exception=GreenletExit, block=True, timeout=None)\n--\n\nRaise the exception in the "
     "greenlet wherever it "
     "waits, and wait for its end. In the current greenlet it is raised at once, or with "
     "block=False at the next "
     "wait."},
    {"throw", bine_greenlet_throw, METH_VARARGS,
     "throw(type=GreenletExit, value=None, traceback=None)\n--\n\nRaise an exception in the "
     "greenlet."},
    {"switch", BINE_KEYWORDS(bine_greenlet_switch),
     "switch(*args, **kwargs)\n--\n\nHave the greenlet go on that waits in hub.switch(), which "
     "returns the argument, "
     "or start one that was not started with these arguments.\n"
     "Then wait until somebody switches to the caller; a callback of the event loop goes on at "
     "once."},
    {"_hand", bine_greenlet_hand, METH_O,
     "_hand(value)\n--\n\nThe same with one argument, and the caller goes on."},
    {"ready", bine_greenlet_ready, METH_NOARGS, "ready()\n--\n\nTrue if the greenlet has ended."},
    {"successful", bine_greenlet_successful, METH_NOARGS,
     "successful()\n--\n\nTrue if the greenlet has ended without an exception."},
    {"rawlink", bine_greenlet_rawlink, METH_O,
     "rawlink(callback)\n--\n\nCall callback(self) when the greenlet has ended."},
    {"link", BINE_KEYWORDS(bine_greenlet_link),
     "link(callback)\n--\n\nCall callback(self) in a new greenlet when it has ended."},
    {"link_value", BINE_KEYWORDS(bine_greenlet_link_value),
     "link_value(callback)\n--\n\nThe same, only if it succeeded."},
    {"link_exception", BINE_KEYWORDS(bine_greenlet_link_exception),
     "link_exception(callback)\n--\n\nThe same, only if it failed."},
    {"unlink", bine_greenlet_unlink, METH_O,
     "unlink(callback)\n--\n\nRemove a callback set by link() or rawlink()."},
    {"has_links", bine_greenlet_has_links, METH_NOARGS,
     "has_links()\n--\n\nHow many callbacks wait for its end."},
    {"unlink_all", bine_greenlet_unlink_all, METH_NOARGS,
     "unlink_all()\n--\n\nRemove all callbacks."},
    {"_run_links", bine_greenlet_run_links, METH_NOARGS, NULL},
    {"_is_here", bine_greenlet_is_here, METH_NOARGS, NULL},
    {"_move_to", bine_greenlet_move_to, METH_O, NULL},
    {"run", bine_greenlet_run_here, METH_NOARGS,
     "run()\n--\n\nCall its function and keep the result or the exception. The greenlet does so "
     "itself: a subclass "
     "that overrides "
     "run() calls this one. Called from elsewhere it runs the function at once, in the caller; "
     "never twice."},
    {"_run", bine_greenlet_run_nothing, METH_NOARGS,
     "_run()\n--\n\nWhat the greenlet does if it was given no function: subclasses override it."},
    {"add_spawn_callback", bine_greenlet_add_spawn_callback, METH_O | METH_STATIC,
     "add_spawn_callback(callback)\n--\n\nCall callback(greenlet) for each Greenlet that is "
     "started from now on, in "
     "the greenlet that starts it, of any thread."},
    {"remove_spawn_callback", bine_greenlet_remove_spawn_callback, METH_O | METH_STATIC,
     "remove_spawn_callback(callback)\n--\n\nDo not call it any more. No effect if it was not "
     "added."},
    {"settrace", bine_py_set_switch_tracer, METH_O | METH_STATIC,
     "settrace(function)\n--\n\nCall function(event, (origin, target)) after each switch between "
     "greenlets of this "
     "thread, in the target; event is 'switch' or 'throw'. None: no more. The function may not "
     "switch. Returns the one "
     "before."},
    {"gettrace", bine_py_get_switch_tracer, METH_NOARGS | METH_STATIC,
     "gettrace()\n--\n\nThe function that settrace() has set in this thread, or None."},
    {"getcurrent", bine_greenlet_getcurrent, METH_NOARGS | METH_STATIC,
     "getcurrent()\n--\n\nThe current greenlet."},
    {"__enter__", greenlet_enter, METH_NOARGS, NULL},
    {"__exit__", bine_greenlet_exit, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef greenlet_members[] = {
    {"value", T_OBJECT, offsetof(Greenlet, value), READONLY,
     "What the function returned; None until then."},
    {"exception", T_OBJECT, offsetof(Greenlet, exception), READONLY,
     "The exception it failed with, or None."},
    {"spawn_tree_locals", T_OBJECT, offsetof(Greenlet, spawn_locals), 0,
     "A dict shared by all greenlets of one spawn tree."},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef greenlet_getset[] = {
    {"args", bine_greenlet_get_args, bine_greenlet_set_args,
     "The arguments it is called with; () after its end.", NULL},
    {"kwargs", bine_greenlet_get_kwargs, bine_greenlet_set_kwargs,
     "The keyword arguments it is called with; {} after its end.", NULL},
    {"gr_frame", bine_greenlet_get_frame, NULL,
     "The frame that it waits in; None if it does not wait, and for main greenlets.", NULL},
    {"gr_context", bine_greenlet_get_context, bine_greenlet_set_context,
     "Its contextvars.Context. It can be set before the greenlet begins; None then means an empty "
     "one.",
     NULL},
    {"parent", bine_greenlet_get_parent, NULL, "The hub; None for a main greenlet.", NULL},
    {"spawning_stack", bine_greenlet_get_spawning_stack, NULL,
     "Where it was spawned, for traceback.print_stack(); None unless "
     "gevent.config.track_greenlet_tree asks for it.",
     NULL},
    {"dead", bine_greenlet_get_dead, NULL, "True if it has ended.", NULL},
    {"started", bine_greenlet_get_started, NULL, "True if it was started and has not ended.", NULL},
    {"exc_info", bine_greenlet_get_exc_info, NULL,
     "What sys.exc_info() was when it failed, or None.", NULL},
    {"spawning_greenlet", bine_greenlet_get_spawning_greenlet, NULL,
     "A weak reference to the greenlet that made it, or None.", NULL},
    {"minimal_ident", bine_greenlet_get_minimal_ident, NULL,
     "The smallest integer that no other living greenlet has been asked for.", NULL},
    {"name", bine_greenlet_get_name, bine_greenlet_set_name,
     "A name for people: its type and minimal_ident, or what was assigned.", NULL},
    {"loop", bine_greenlet_get_loop, NULL, "The event loop of the calling thread's hub.", NULL},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyNumberMethods greenlet_number = {.nb_bool = bine_greenlet_bool};

PyTypeObject bine_Greenlet_Type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "bine._bine.Greenlet",
    .tp_basicsize = sizeof(Greenlet),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_doc = "Greenlet(run=None, *args, **kwargs)\n--\n\nA light-weight cooperatively scheduled "
              "execution unit.",
    .tp_new = greenlet_new,
    .tp_init = greenlet_init,
    .tp_dealloc = greenlet_dealloc,
    .tp_traverse = greenlet_traverse,
    .tp_clear = greenlet_clear,
    .tp_repr = bine_greenlet_repr,
    .tp_as_number = &greenlet_number,
    .tp_methods = greenlet_methods,
    .tp_members = greenlet_members,
    .tp_getset = greenlet_getset,
    .tp_dictoffset = offsetof(Greenlet, dict),
    .tp_weaklistoffset = offsetof(Greenlet, weak_references),
};

int bine_greenlet_init(PyObject *module)
{
    bine_carriers_on_end(bine_greenlets_end);
    return PyModule_AddType(module, &bine_Greenlet_Type) < 0
               ? -1
               : bine_greenlet_add_names(&bine_Greenlet_Type);
}
