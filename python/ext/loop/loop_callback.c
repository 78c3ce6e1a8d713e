/* Functions that a loop calls soon: run_callback(). See loop.h. */
#include <errno.h>

#include "base/error.h"
#include "loop.h"
#include "wait/order.h"

typedef struct bine_loop_callback Callback;

static void loop_callback_stop(Callback *self)
{
    Py_CLEAR(self->callback);
    Py_CLEAR(self->args);
}

static Callback *pop(struct bine_loop *loop)
{
    Callback *self = loop->first;
    loop->first = self->next;
    if (!loop->first)
        loop->last = NULL;
    loop->queued--;
    if (bine_loop_here(loop))
        bine_hub_release(loop->hub);
    return self;
}

/* Those that are there now: what they add is for the next round. */
void bine_loop_callbacks_run(struct bine_loop *loop)
{
    bool more = loop->first;
    for (const Callback *last = loop->last; more;) {
        Callback *self = pop(loop);
        PyObject *callback = self->callback, *args = self->args;
        self->callback = self->args = NULL;
        if (callback) {
            PyObject *result = PyObject_Call(callback, args, NULL);
            if (!result)
                bine_loop_failed(loop, (PyObject *)self);
            Py_XDECREF(result);
            Py_DECREF(callback);
            Py_DECREF(args);
        }
        more = self != last && loop->first;
        Py_DECREF(self);
    }
}

void bine_loop_callbacks_drop(struct bine_loop *loop)
{
    while (loop->first) {
        Callback *self = pop(loop);
        loop_callback_stop(self);
        Py_DECREF(self);
    }
}

/* On the loop's own thread. -1 with an exception. */
static int loop_callback_append(struct bine_loop *loop, Callback *self)
{
    if (loop->destroyed || !bine_loop_here(loop)) {
        PyErr_SetString(PyExc_ValueError, "operation on destroyed loop");
        return -1;
    }
    if (bine_loop_ready(loop) < 0)
        return -1;
    Py_INCREF(self);
    self->next = NULL;
    if (loop->last)
        loop->last->next = self;
    else
        loop->first = self;
    loop->last = self;
    loop->queued++;
    bine_hub_engage(loop->hub);
    bine_loop_wake(loop);
    return 0;
}

static Callback *new (PyObject *const *args, Py_ssize_t count)
{
    if (count < 1 || !PyCallable_Check(args[0])) {
        PyErr_Format(PyExc_TypeError, "Expected callable: %R", count < 1 ? Py_None : args[0]);
        return NULL;
    }
    PyObject *rest = PyTuple_New(count - 1);
    Callback *self =
        rest ? (Callback *)bine_LoopCallback_Type.tp_alloc(&bine_LoopCallback_Type, 0) : NULL;
    if (!self) {
        Py_XDECREF(rest);
        return NULL;
    }
    for (Py_ssize_t i = 1; i < count; i++) {
        Py_INCREF(args[i]);
        PyTuple_SET_ITEM(rest, i - 1, args[i]);
    }
    Py_INCREF(args[0]);
    self->callback = args[0];
    self->args = rest;
    return self;
}

PyObject *bine_loop_run_callback(PyObject *object, PyObject *const *args, Py_ssize_t count)
{
    struct bine_loop *loop = (struct bine_loop *)object;
    if (!bine_loop_here(loop))
        return bine_loop_run_callback_threadsafe(object, args, count);
    Callback *self = new (args, count);
    if (self && loop_callback_append(loop, self) < 0)
        Py_CLEAR(self);
    return (PyObject *)self;
}

static void append_there(PyObject *loop, PyObject *callback, bool gone)
{
    if (!gone && loop_callback_append((struct bine_loop *)loop, (Callback *)callback) == 0)
        return;
    PyErr_Clear(); /* destroyed meanwhile */
    loop_callback_stop((Callback *)callback);
}

PyObject *bine_loop_run_callback_threadsafe(PyObject *object, PyObject *const *args,
                                            Py_ssize_t count)
{
    struct bine_loop *loop = (struct bine_loop *)object;
    if (bine_loop_here(loop))
        return bine_loop_run_callback(object, args, count);
    Callback *self = new (args, count);
    if (!self)
        return NULL;
    int error = loop->destroyed ? ESRCH
                                : bine_py_order_there(loop->hub, loop->life, append_there, object,
                                                      (PyObject *)self);
    if (error) {
        Py_DECREF(self);
        if (error != ESRCH)
            return bine_py_error(error);
        PyErr_SetString(PyExc_ValueError, "operation on destroyed loop");
        return NULL;
    }
    return (PyObject *)self;
}

/* ---- the type -------------------------------------------------------------------------------- */

static PyObject *callback_stop(PyObject *object, PyObject *unused)
{
    (void)unused;
    loop_callback_stop((Callback *)object);
    Py_RETURN_NONE;
}

static PyObject *loop_callback_get_pending(PyObject *object, void *unused)
{
    (void)unused;
    return PyBool_FromLong(((Callback *)object)->callback != NULL);
}

static int callback_bool(PyObject *object)
{
    return ((Callback *)object)->callback != NULL;
}

static int callback_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(((Callback *)object)->callback);
    Py_VISIT(((Callback *)object)->args);
    return 0;
}

static int callback_clear(PyObject *object)
{
    loop_callback_stop((Callback *)object);
    return 0;
}

static void callback_dealloc(PyObject *object)
{
    PyObject_GC_UnTrack(object);
    loop_callback_stop((Callback *)object);
    Py_TYPE(object)->tp_free(object);
}

static PyObject *callback_repr(PyObject *object)
{
    Callback *self = (Callback *)object;
    if (!self->callback)
        return PyUnicode_FromFormat("<callback at %p stopped>", object);
    return PyUnicode_FromFormat("<callback at %p pending callback=%R args=%R>", object,
                                self->callback, self->args);
}

static PyMethodDef methods[] = {
    {"stop", callback_stop, METH_NOARGS,
     "stop()\n--\n\nDo not call it. No effect if it was called."},
    {"close", callback_stop, METH_NOARGS, "close()\n--\n\nThe same as stop()."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef members[] = {
    {"callback", T_OBJECT, offsetof(Callback, callback), READONLY,
     "The function; None once it was stopped or called."},
    {"args", T_OBJECT, offsetof(Callback, args), READONLY,
     "Its arguments, a tuple; None once it was stopped or called."},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef getset[] = {
    {"pending", loop_callback_get_pending, NULL, "True if it was neither called nor stopped.",
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyNumberMethods numbers = {.nb_bool = callback_bool};

PyTypeObject bine_LoopCallback_Type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "bine._bine.callback",
    .tp_basicsize = sizeof(Callback),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_doc = "What loop.run_callback() returns: a call that is to come, which stop() prevents.",
    .tp_traverse = callback_traverse,
    .tp_clear = callback_clear,
    .tp_dealloc = callback_dealloc,
    .tp_repr = callback_repr,
    .tp_methods = methods,
    .tp_members = members,
    .tp_getset = getset,
    .tp_as_number = &numbers,
};

int bine_loop_callback_init(PyObject *module)
{
    return PyModule_AddType(module, &bine_LoopCallback_Type);
}
