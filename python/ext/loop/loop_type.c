/* The Loop type: how loops are made and end, and which function is which method. See loop.h. */
#include <stddef.h>

#include "base/arguments.h"
#include "greenlet/greenlet.h"
#include "libc/container_of.h"
#include "loop.h"

typedef struct bine_loop Loop;

/* ---- making and ending ----------------------------------------------------------------------- */

/* In a turn of the child after fork: what was waited for is begun again, and who calls the
 * callbacks. */
static void renew(struct bine_message *message)
{
    Loop *loop = BINE_CONTAINER_OF(message, Loop, renewal);
    for (struct bine_watcher *watcher = loop->active; watcher; watcher = watcher->next)
        if (watcher->class->renew)
            watcher->class->renew(watcher);
    if (!loop->active && !loop->queued)
        return;
    PyGILState_STATE gil = PyGILState_Ensure();
    if (bine_loop_ready(loop) < 0)
        PyErr_WriteUnraisable((PyObject *)loop);
    PyGILState_Release(gil);
}

static void loop_forked(struct bine_hub *hub)
{
    for (Loop *loop = bine_loops_here; loop; loop = loop->next_here) {
        /* It has gone with the other greenlets, unless it is the one that forked. */
        if (loop->runner != hub->current) {
            loop->runner = NULL;
            loop->started = false;
            if (loop->host && loop->host->state != BINE_PY_ENDED) {
                loop->host->state = BINE_PY_NEW;
                loop->host->carried_by = NULL;
            }
        }
        loop->parked = loop->prepared = false;
        for (struct bine_loop_callback *callback = loop->first; callback; callback = callback->next)
            bine_hub_engage(hub);
        bine_watchers_forked(loop);
        loop->renewal = (struct bine_message){.deliver = renew};
        bine_hub_send(hub, &loop->renewal);
    }
    bine_loop_attend_recess(hub);
}

static void stop_all(Loop *loop)
{
    while (loop->active)
        bine_watcher_stop(loop->active);
    bine_loop_callbacks_drop(loop);
    for (unsigned queue = 0; queue < BINE_LOOP_PRIORITIES; queue++)
        for (struct bine_watcher *watcher = loop->queues[queue]; watcher;
             watcher = watcher->next_queued)
            watcher->due = false;
    for (unsigned queue = 0; queue < BINE_LOOP_PRIORITIES; queue++)
        while (loop->queues[queue])
            bine_watcher_call_first(loop, queue);
}

static void leave_thread(Loop *loop)
{
    for (Loop **link = &bine_loops_here; *link; link = &(*link)->next_here)
        if (*link == loop) {
            *link = loop->next_here;
            Py_DECREF(loop);
            break;
        }
}

static void loop_hub_ended(struct bine_hub *hub)
{
    (void)hub;
    if (!bine_loops_here || !Py_IsInitialized())
        return;
    PyGILState_STATE gil = PyGILState_Ensure();
    for (Loop *loop; (loop = bine_loops_here);) {
        Py_INCREF(loop);
        loop->destroyed = true;
        loop->parked = false;
        stop_all(loop);
        leave_thread(loop);
        Py_DECREF(loop);
    }
    PyGILState_Release(gil);
}

/* It has its hub before __init__(), which a subclass may forget. */
static PyObject *loop_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    (void)args, (void)kwargs;
    Loop *self = bine_carrier_current() ? (Loop *)type->tp_alloc(type, 0) : NULL;
    if (!self)
        return NULL;
    self->hub = bine_hub_here();
    self->life = self->hub->life;
    self->next_here = bine_loops_here;
    bine_loops_here = self;
    Py_INCREF(self);
    return (PyObject *)self;
}

static int loop_init(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"flags", "default", NULL};
    PyObject *flags, *is_default;
    (void)object;
    return PyArg_ParseTupleAndKeywords(args, kwargs, "|OO:loop", names, &flags, &is_default) ? 0
                                                                                             : -1;
}

static int loop_traverse(PyObject *object, visitproc visit, void *arg)
{
    Loop *self = (Loop *)object;
    Py_VISIT(self->host);
    Py_VISIT(self->error_handler);
    Py_VISIT(self->dict);
    return 0;
}

static int loop_clear(PyObject *object)
{
    Loop *self = (Loop *)object;
    Py_CLEAR(self->host);
    Py_CLEAR(self->error_handler);
    Py_CLEAR(self->dict);
    return 0;
}

static void loop_dealloc(PyObject *object)
{
    Loop *self = (Loop *)object;
    PyObject_GC_UnTrack(object);
    if (self->weak_references)
        PyObject_ClearWeakRefs(object);
    loop_clear(object);
    Py_TYPE(object)->tp_free(object);
}

/* ---- methods --------------------------------------------------------------------------------- */

static PyObject *loop_destroy(PyObject *object, PyObject *unused)
{
    Loop *self = (Loop *)object;
    (void)unused;
    if (self->destroyed)
        Py_RETURN_NONE;
    if (!bine_loop_here(self)) {
        PyErr_SetString(PyExc_RuntimeError, "a loop is destroyed by its own thread");
        return NULL;
    }
    self->destroyed = true;
    stop_all(self);
    bine_loop_wake(self);
    leave_thread(self);
    bine_loop_attend_recess(self->hub);
    Py_RETURN_NONE;
}

static PyObject *loop_now(PyObject *object, PyObject *unused)
{
    (void)object, (void)unused;
    return PyFloat_FromDouble((double)bine_hub_now(bine_hub_here()) / 1e9);
}

static PyObject *loop_nothing(PyObject *object, PyObject *unused)
{
    (void)object, (void)unused;
    Py_RETURN_NONE;
}

/* io(fd, events, ref=True, priority=None) and the like: the type, with the loop in front. */
static PyObject *loop_make(PyTypeObject *type, PyObject *loop, PyObject *const *args,
                           Py_ssize_t count, PyObject *names)
{
    PyObject *all[16];
    Py_ssize_t named = names ? PyTuple_GET_SIZE(names) : 0;
    if (count + named > 15) {
        PyErr_SetString(PyExc_TypeError, "too many arguments");
        return NULL;
    }
    all[0] = loop;
    for (Py_ssize_t i = 0; i < count + named; i++)
        all[i + 1] = args[i];
    return PyObject_Vectorcall((PyObject *)type, all, (size_t)count + 1, names);
}

static PyObject *loop_io(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    return loop_make(&bine_LoopIo_Type, object, args, count, names);
}

static PyObject *loop_timer(PyObject *object, PyObject *const *args, Py_ssize_t count,
                            PyObject *names)
{
    return loop_make(&bine_LoopTimer_Type, object, args, count, names);
}

static PyObject *loop_async(PyObject *object, PyObject *const *args, Py_ssize_t count,
                            PyObject *names)
{
    return loop_make(&bine_LoopAsync_Type, object, args, count, names);
}

/* Another greenlet calls the callbacks from now on; the present one ends when it has called its
 * own. */
static int set_host(PyObject *object, PyObject *host, void *unused)
{
    Loop *self = (Loop *)object;
    (void)unused;
    if (!host || (host != Py_None && !PyObject_TypeCheck(host, &bine_Greenlet_Type))) {
        PyErr_SetString(PyExc_TypeError, "a Greenlet calls the callbacks");
        return -1;
    }
    bine_loop_wake(self);
    self->runner = NULL;
    self->started = false;
    if (host != Py_None)
        Py_INCREF(host);
    Py_XSETREF(self->host, host == Py_None ? NULL : (struct bine_py_greenlet *)host);
    return self->host && (self->active || self->queued) ? bine_loop_ready(self) : 0;
}

static PyObject *get_host(PyObject *object, void *unused)
{
    (void)unused;
    PyObject *host = (PyObject *)((Loop *)object)->host;
    host = host ? host : Py_None;
    Py_INCREF(host);
    return host;
}

static PyObject *loop_ref(PyObject *object, PyObject *unused)
{
    (void)unused;
    if (bine_loop_here((Loop *)object))
        bine_hub_engage(((Loop *)object)->hub);
    Py_RETURN_NONE;
}

static PyObject *loop_unref(PyObject *object, PyObject *unused)
{
    struct bine_hub *hub = ((Loop *)object)->hub;
    (void)unused;
    if (bine_loop_here((Loop *)object) && hub->engaged)
        bine_hub_release(hub);
    Py_RETURN_NONE;
}

static PyObject *loop_closing_fd(PyObject *object, PyObject *number)
{
    long fd = PyLong_AsLong(number);
    if (fd == -1 && PyErr_Occurred())
        return NULL;
    return PyBool_FromLong(bine_loop_here((Loop *)object) &&
                           bine_loop_closing((Loop *)object, (int)fd));
}

static PyObject *get_activecnt(PyObject *object, void *unused)
{
    (void)unused;
    Loop *self = (Loop *)object;
    size_t count = 0;
    for (const struct bine_watcher *watcher = self->active; watcher; watcher = watcher->next)
        count += watcher->engaged;
    return PyLong_FromSize_t(count);
}

static PyObject *get_pendingcnt(PyObject *object, void *unused)
{
    (void)unused;
    return PyLong_FromSize_t(((Loop *)object)->queued);
}

static PyObject *get_destroyed(PyObject *object, void *unused)
{
    (void)unused;
    return PyBool_FromLong(((Loop *)object)->destroyed);
}

static PyObject *get_here(PyObject *object, void *unused)
{
    (void)unused;
    return PyBool_FromLong(bine_loop_here((Loop *)object));
}

static PyMethodDef methods[] = {
    {"io", BINE_FAST_NAMED(loop_io),
     "io(fd, events, ref=True, priority=None)\n--\n\nA watcher of a descriptor: events are READ, "
     "WRITE or both."},
    {"timer", BINE_FAST_NAMED(loop_timer),
     "timer(after, repeat=0.0, ref=True, priority=None)\n--\n\nA watcher of the time: after so "
     "many seconds, then each `repeat` seconds if that is not 0."},
    {"async_", BINE_FAST_NAMED(loop_async),
     "async_(ref=True, priority=None)\n--\n\nA watcher that send() calls from any thread."},
    {"run_callback", BINE_FAST(bine_loop_run_callback),
     "run_callback(function, *args)\n--\n\nCall it soon, once, between two greenlets. What is "
     "returned has stop()."},
    {"run_callback_threadsafe", BINE_FAST(bine_loop_run_callback_threadsafe),
     "run_callback_threadsafe(function, *args)\n--\n\nThe same from any thread."},
    {"destroy", loop_destroy, METH_NOARGS,
     "destroy()\n--\n\nStop all watchers and forget all callbacks. The loop is of no use any more. "
     "Its own thread."},
    {"now", loop_now, METH_NOARGS, "now()\n--\n\nThe clock of timers, in seconds."},
    {"update_now", loop_nothing, METH_NOARGS,
     "update_now()\n--\n\nNothing to do: the clock is read whenever a timer starts."},
    {"update", loop_nothing, METH_NOARGS, "update()\n--\n\nThe same as update_now()."},
    {"ref", loop_ref, METH_NOARGS,
     "ref()\n--\n\nKeep the loop running, until unref(), as an active watcher does."},
    {"unref", loop_unref, METH_NOARGS, "unref()\n--\n\nTake one ref() back."},
    {"closing_fd", loop_closing_fd, METH_O,
     "closing_fd(fd)\n--\n\nThe descriptor is about to be closed: watchers of it are called once "
     "more, and stop. True if there were any."},
    {"_serve", bine_loop_serve, METH_NOARGS,
     "_serve()\n--\n\nCall callbacks until the loop is destroyed: the function of its greenlet."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef members[] = {
    {"iteration", T_ULONG, offsetof(Loop, iterations), READONLY,
     "How many rounds of callbacks it has called."},
    {"error_handler", T_OBJECT, offsetof(Loop, error_handler), 0,
     "An object whose handle_error() is told of failed callbacks; None: handle_error() prints."},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef getset[] = {
    {"activecnt", get_activecnt, NULL, "How many active watchers keep the loop running.", NULL},
    {"pendingcnt", get_pendingcnt, NULL, "How many callbacks are to be called.", NULL},
    {"destroyed", get_destroyed, NULL, NULL, NULL},
    {"_host", get_host, set_host, "The Greenlet that runs _serve().", NULL},
    {"_here", get_here, NULL, "Is it the calling thread's?", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyTypeObject bine_Loop_Type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "bine._bine.Loop",
    .tp_basicsize = sizeof(Loop),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_doc = "Loop(flags=None, default=None)\n--\n\nThe event loop of the calling thread's hub, "
              "as far as it has watchers and callbacks.",
    .tp_new = loop_new,
    .tp_init = loop_init,
    .tp_traverse = loop_traverse,
    .tp_clear = loop_clear,
    .tp_dealloc = loop_dealloc,
    .tp_methods = methods,
    .tp_members = members,
    .tp_getset = getset,
    .tp_dictoffset = offsetof(Loop, dict),
    .tp_weaklistoffset = offsetof(Loop, weak_references),
};

int bine_loop_init(PyObject *module)
{
    bine_hub_on_end(loop_hub_ended);
    bine_hub_on_fork(loop_forked);
    return PyModule_AddType(module, &bine_Loop_Type);
}

int bine_loops_init(PyObject *module)
{
    return bine_watcher_init(module) < 0 || bine_loop_callback_init(module) < 0 ||
                   bine_loop_io_init(module) < 0 || bine_loop_timer_init(module) < 0 ||
                   bine_loop_async_init(module) < 0 || bine_loop_init(module) < 0 ||
                   bine_loop_moment_init(module) < 0
               ? -1
               : 0;
}
