/* loop.async_: a watcher that any thread may have called. See loop.h. */
#include "libc/container_of.h"
#include "loop.h"

typedef struct {
    struct bine_watcher base; /* first */
    struct bine_message message;
    atomic_uint sent; /* the message is on its way, with a reference, in the process of that
                       * number; 0: it is not */
} Async;

/* The next one after each fork: messages are the parent's, and their references are not given
 * back. */
static unsigned process = 1;

static bool is_sent(Async *self)
{
    return atomic_load(&self->sent) == process;
}

static void loop_async_dropped(struct bine_message *message)
{
    Async *self = BINE_CONTAINER_OF(message, Async, message);
    atomic_store(&self->sent, 0);
    if (!Py_IsInitialized())
        return;
    PyGILState_STATE gil = PyGILState_Ensure();
    Py_DECREF(self);
    PyGILState_Release(gil);
}

static void loop_async_arrived(struct bine_message *message)
{
    Async *self = BINE_CONTAINER_OF(message, Async, message);
    if (self->base.loop->destroyed) {
        loop_async_dropped(message); /* nobody empties its queues any more */
        return;
    }
    atomic_store(&self->sent, 0);
    if (self->base.active)
        bine_watcher_fire(&self->base, BINE_LOOP_CUSTOM);
    bine_watcher_return(&self->base);
}

static int loop_async_begin(struct bine_watcher *watcher)
{
    (void)watcher;
    return 0;
}

static void loop_async_end(struct bine_watcher *watcher)
{
    (void)watcher;
}

static void loop_async_forked(struct bine_hub *hub)
{
    (void)hub;
    process++;
}

static const struct bine_watcher_class class = {
    loop_async_begin, loop_async_end, NULL, NULL, NULL, NULL};

static int async_init(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"loop", "ref", "priority", NULL};
    PyObject *loop, *priority = Py_None;
    int ref = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|pO:async_", names, &loop, &ref, &priority))
        return -1;
    return bine_watcher_setup((struct bine_watcher *)object, &class, loop, ref, priority);
}

static PyObject *async_send(PyObject *object, PyObject *unused)
{
    Async *self = (Async *)object;
    struct bine_loop *loop = self->base.loop;
    (void)unused;
    if (!loop || !self->base.active)
        Py_RETURN_NONE;
    if (bine_loop_here(loop)) {
        bine_watcher_fire(&self->base, BINE_LOOP_CUSTOM);
        Py_RETURN_NONE;
    }
    if (atomic_exchange(&self->sent, process) == process)
        Py_RETURN_NONE; /* one call answers all that was sent before it */
    Py_INCREF(self);
    self->message =
        (struct bine_message){.deliver = loop_async_arrived, .dropped = loop_async_dropped};
    if (bine_hub_gone(loop->hub, loop->life) || bine_hub_send(loop->hub, &self->message) != 0) {
        atomic_store(&self->sent, 0);
        Py_DECREF(self);
    }
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    BINE_WATCHER_METHODS,
    {"send", async_send, METH_NOARGS,
     "send()\n--\n\nHave the callback called soon, once for all that was sent before. Any thread. "
     "No effect if it is not active."},
    {"send_ignoring_arg", async_send, METH_O,
     "send_ignoring_arg(unused)\n--\n\nThe same as send(), for those who pass an argument."},
    {NULL, NULL, 0, NULL},
};

static PyObject *loop_async_get_pending(PyObject *object, void *unused)
{
    (void)unused;
    return PyBool_FromLong(((struct bine_watcher *)object)->due || is_sent((Async *)object));
}

static PyGetSetDef getset[] = {
    {"pending", loop_async_get_pending, NULL,
     "True if it was sent and the callback is to be called.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyTypeObject bine_LoopAsync_Type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "bine._bine.async_",
    .tp_basicsize = sizeof(Async),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_doc = "async_(loop, ref=True, priority=None)\n--\n\nA watcher that is called after send(), "
              "which any thread may call.",
    .tp_init = async_init,
    .tp_traverse = bine_watcher_traverse,
    .tp_clear = bine_watcher_clear,
    .tp_dealloc = bine_watcher_dealloc,
    .tp_methods = methods,
    .tp_getset = getset,
};

int bine_loop_async_init(PyObject *module)
{
    bine_hub_on_fork(loop_async_forked);
    bine_LoopAsync_Type.tp_base = &bine_Watcher_Type;
    return PyModule_AddType(module, &bine_LoopAsync_Type);
}
