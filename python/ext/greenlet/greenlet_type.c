/* The Greenlet type: gevent's, on carriers. This file only says which function is which method. */
#include <stddef.h>

#include "base/arguments.h"
#include "carrier/carry.h"
#include "carrier/supplied.h"
#include "carrier/switch_tracer.h"
#include "carrier/tracing.h"
#include "greenlet_parts.h"

/* ---- the object ------------------------------------------------------------------------------ */

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

static PyObject *greenlet_enter(PyObject *self, PyObject *unused)
{
    (void)unused;
    Py_INCREF(self);
    return self;
}

/* ---- its methods ----------------------------------------------------------------------------- */

static PyMethodDef greenlet_methods[] = {
    {"start", bine_greenlet_start, METH_NOARGS,
     "start()\n--\n\nSchedule the greenlet to run in this loop iteration. No effect if it was "
     "started before."},
    {"start_later", bine_greenlet_start_later, METH_O,
     "start_later(seconds)\n--\n\nSchedule the greenlet to run that much later. No effect if it "
     "was started before."},
    {"spawn", BINE_FAST_NAMED(bine_greenlet_spawn) | METH_CLASS,
     "spawn(*args, **kwargs)\n--\n\nCreate a new Greenlet and schedule it to run."},
    {"spawn_later", BINE_KEYWORDS(bine_greenlet_spawn_later) | METH_CLASS,
     "spawn_later(seconds, *args, **kwargs)\n--\n\nCreate a Greenlet and schedule it to run that "
     "much later."},
    {"join", BINE_FAST_NAMED(bine_greenlet_join),
     "join(timeout=None)\n--\n\nWait until the greenlet has ended or timeout (seconds) has "
     "passed."},
    {"get", BINE_KEYWORDS(bine_greenlet_get),
     "get(block=True, timeout=None)\n--\n\nWait for and return the greenlet's result, or raise its "
     "exception; Timeout if it takes longer."},
    {"kill", BINE_KEYWORDS(bine_greenlet_kill),
     "kill(exception=GreenletExit, block=True, timeout=None)\n--\n\nRaise the exception in the "
     "greenlet wherever it waits, and wait for its end. In the current greenlet it is raised at "
     "once, or with block=False at the next wait."},
    {"throw", bine_greenlet_throw, METH_VARARGS,
     "throw(type=GreenletExit, value=None, traceback=None)\n--\n\nRaise an exception in the "
     "greenlet."},
    {"switch", BINE_KEYWORDS(bine_greenlet_switch),
     "switch(*args, **kwargs)\n--\n\nHave the greenlet go on that waits in hub.switch(), which "
     "returns the argument, or start one that was not started with these arguments.\n"
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
     "itself: a subclass that overrides run() calls this one. Called from elsewhere it runs the "
     "function at once, in the caller; never twice."},
    {"_run", bine_greenlet_run_nothing, METH_NOARGS,
     "_run()\n--\n\nWhat the greenlet does if it was given no function: subclasses override it."},
    {"add_spawn_callback", bine_greenlet_add_spawn_callback, METH_O | METH_STATIC,
     "add_spawn_callback(callback)\n--\n\nCall callback(greenlet) for each Greenlet that is "
     "started from now on, in the greenlet that starts it, of any thread."},
    {"remove_spawn_callback", bine_greenlet_remove_spawn_callback, METH_O | METH_STATIC,
     "remove_spawn_callback(callback)\n--\n\nDo not call it any more. No effect if it was not "
     "added."},
    {"settrace", bine_py_set_switch_tracer, METH_O | METH_STATIC,
     "settrace(function)\n--\n\nCall function(event, (origin, target)) after each switch between "
     "greenlets of this thread, in the target; event is 'switch' or 'throw'. None: no more. The "
     "function may not switch. Returns the one before."},
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
    {"own_thread", bine_greenlet_get_own_thread, bine_greenlet_set_own_thread,
     "True: to C code the greenlet is a thread, with thread-local variables and pthread_self of "
     "its own. It can be set before the greenlet is started. start() then fails with OSError "
     "(ENOTSUP) where bine.own_thread_refusal() says why, and with MemoryError.",
     NULL},
    {"loop", bine_greenlet_get_loop, NULL, "The event loop of the calling thread's hub.", NULL},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

/* ---- the type -------------------------------------------------------------------------------- */

static PyNumberMethods greenlet_number = {.nb_bool = bine_greenlet_bool};

PyTypeObject bine_Greenlet_Type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "bine._bine.Greenlet",
    .tp_basicsize = sizeof(Greenlet),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_doc = "Greenlet(run=None, *args, **kwargs)\n--\n\nA light-weight cooperatively scheduled "
              "execution unit.",
    .tp_new = bine_greenlet_new,
    .tp_init = bine_greenlet_initialise,
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
    bine_supplied.run = bine_greenlet_run;
    bine_supplied.exit_child = bine_greenlet_exit_child;
    bine_supplied.face_of = bine_py_face_of;
    bine_carriers_on_end(bine_greenlets_end);
    bine_greenlet_show_names();
    return PyModule_AddType(module, &bine_Greenlet_Type) < 0
               ? -1
               : bine_greenlet_add_names(&bine_Greenlet_Type);
}
