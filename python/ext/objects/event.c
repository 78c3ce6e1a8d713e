/*
 * Event and AsyncResult. gevent's semantics: see gevent.event's documentation.
 *
 * They belong to no thread: what they keep is guarded by the GIL. Links are called on the thread
 * that set the first of them.
 */
#include <errno.h>

#include "base/arguments.h"
#include "base/error.h"
#include "greenlet/greenlet.h"
#include "greenlet/hub_object.h"
#include "libc/container_of.h"
#include "objects.h"
#include "wait/order.h"
#include "wait/park.h"
#include "wait/sleeper.h"
#include "wait/timeout.h"

typedef struct {
    PyObject_HEAD struct bine_waitable waitable; /* ready: it is set */
    struct bine_waiters waiters;
    bool set;
    PyObject *links;      /* list of callables, or NULL */
    struct bine_hub *hub; /* of the thread that calls them; NULL: there were none */
    uint64_t life;        /* of that hub */
    PyObject *value;      /* AsyncResult: NULL while there is none */
    PyObject *exception;  /* AsyncResult: an exception instance, or NULL */
    PyObject *traceback;  /* the one it came with */
    PyObject *weak_references;
} Event;

static PyTypeObject Event_Type, AsyncResult_Type;

static bool is_set(const Event *self)
{
    return self->set;
}

static bool event_ready(const struct bine_waitable *waitable)
{
    return is_set(BINE_CONTAINER_OF(waitable, Event, waitable));
}

static const struct bine_waitable_class waitable_class = {"Event", event_ready, NULL, NULL};

static PyObject *event_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    (void)args, (void)kwargs;
    Event *self = (Event *)type->tp_alloc(type, 0);
    if (self)
        self->waitable.class = &waitable_class;
    return (PyObject *)self;
}

static int event_traverse(PyObject *object, visitproc visit, void *arg)
{
    Event *self = (Event *)object;
    Py_VISIT(self->links);
    Py_VISIT(self->value);
    Py_VISIT(self->exception);
    Py_VISIT(self->traceback);
    return 0;
}

static int event_clear(PyObject *object)
{
    Event *self = (Event *)object;
    Py_CLEAR(self->links);
    Py_CLEAR(self->value);
    Py_CLEAR(self->exception);
    Py_CLEAR(self->traceback);
    return 0;
}

static void event_dealloc(PyObject *object)
{
    Event *self = (Event *)object;
    PyObject_GC_UnTrack(object);
    if (self->weak_references)
        PyObject_ClearWeakRefs(object);
    event_clear(object);
    Py_TYPE(object)->tp_free(object); /* nobody waits: a waiter has a reference */
}

/* The links are called in a greenlet of their own, as gevent calls them in the hub: never inside
 * set() or rawlink(). */
static int call_links_soon(Event *self)
{
    if (!self->links || PyList_GET_SIZE(self->links) == 0)
        return 0;
    PyObject *run = PyObject_GetAttrString((PyObject *)self, "_call_links");
    PyObject *greenlet =
        run ? PyObject_CallMethod((PyObject *)&bine_Greenlet_Type, "spawn", "O", run) : NULL;
    Py_XDECREF(greenlet);
    Py_XDECREF(run);
    return greenlet ? 0 : -1;
}

static PyObject *event_call_links(PyObject *object, PyObject *unused)
{
    Event *self = (Event *)object;
    (void)unused;
    /* One by one: a link may unlink another that has not been called yet. */
    while (self->links && PyList_GET_SIZE(self->links) > 0 && is_set(self)) {
        PyObject *link = PyList_GET_ITEM(self->links, 0);
        Py_INCREF(link);
        if (PyList_SetSlice(self->links, 0, 1, NULL) < 0) {
            Py_DECREF(link);
            return NULL;
        }
        PyObject *result = PyObject_CallFunctionObjArgs(link, self, NULL);
        if (!result)
            PyErr_WriteUnraisable(link);
        Py_XDECREF(result);
        Py_DECREF(link);
    }
    Py_RETURN_NONE;
}

static void call_links_there(PyObject *object, PyObject *unused, bool gone)
{
    (void)unused;
    if (!gone)
        call_links_soon((Event *)object);
}

static int set_event(Event *self)
{
    self->set = true;
    while (bine_py_claim(&self->waiters))
        ;
    bine_waitable_notify(&self->waitable);
    if (!self->links || PyList_GET_SIZE(self->links) == 0)
        return 0;
    if (self->hub != bine_hub_here() &&
        bine_py_order_there(self->hub, self->life, call_links_there, (PyObject *)self, NULL) == 0)
        return 0;
    return call_links_soon(self); /* here, too, if that thread has ended */
}

/* 1: set; 0: not within the time, which the argument `timeout` made the deadline; -1: an
 * exception. */
static int wait_event(Event *self, int64_t deadline, PyObject *timeout)
{
    if (!is_set(self) && deadline == 0 && bine_py_refused() < 0)
        return -1;
    if (is_set(self) || deadline == 0)
        return is_set(self);
    struct bine_carrier *carrier = bine_carrier_current();
    if (!carrier)
        return -1;
    struct bine_py_sleeper sleeper;
    bine_py_sleeper_begin(&sleeper, carrier);
    int error = bine_py_timeout_waited(
        timeout, bine_py_take_from(&self->waiters, &sleeper, "wait for event", self, deadline));
    return error < 0 ? -1 : error == 0;
}

static PyObject *event_set(PyObject *self, PyObject *unused)
{
    (void)unused;
    if (set_event((Event *)self) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *event_is_set(PyObject *self, PyObject *unused)
{
    (void)unused;
    return PyBool_FromLong(is_set((Event *)self));
}

static PyObject *event_clear_flag(PyObject *object, PyObject *unused)
{
    Event *self = (Event *)object;
    (void)unused;
    self->set = false;
    Py_RETURN_NONE;
}

/* The only argument, timeout. */
static int take_timeout(const char *function, PyObject *const *args, Py_ssize_t count,
                        PyObject *keywords, int64_t *deadline, PyObject **timeout)
{
    static const char *const names[] = {"timeout", NULL};
    *timeout = Py_None;
    return bine_py_arguments(function, names, args, count, keywords, timeout) < 0
               ? -1
               : bine_py_deadline(*timeout, deadline);
}

static PyObject *event_wait(PyObject *self, PyObject *const *args, Py_ssize_t count,
                            PyObject *keywords)
{
    int64_t deadline;
    PyObject *timeout;
    if (take_timeout("wait", args, count, keywords, &deadline, &timeout) < 0)
        return NULL;
    int result = wait_event((Event *)self, deadline, timeout);
    return result < 0 ? NULL : PyBool_FromLong(result);
}

static PyObject *event_rawlink(PyObject *object, PyObject *callback)
{
    Event *self = (Event *)object;
    if (!PyCallable_Check(callback))
        return PyErr_Format(PyExc_TypeError, "Expected callable: %R", callback);
    struct bine_hub *hub = bine_hub_get();
    if (!hub)
        return bine_py_error(errno);
    if ((!self->links && !(self->links = PyList_New(0))) ||
        PyList_Append(self->links, callback) < 0)
        return NULL;
    if (!self->hub || bine_hub_gone(self->hub, self->life)) {
        self->hub = hub;
        self->life = hub->life;
    }
    if (is_set(self) && call_links_soon(self) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *event_linkcount(PyObject *object, PyObject *unused)
{
    Event *self = (Event *)object;
    (void)unused;
    return PyLong_FromSsize_t(self->links ? PyList_GET_SIZE(self->links) : 0);
}

static PyObject *event_unlink(PyObject *object, PyObject *callback)
{
    Event *self = (Event *)object;
    Py_ssize_t at = self->links ? PySequence_Index(self->links, callback) : -1;
    if (at >= 0 && PySequence_DelItem(self->links, at) < 0)
        return NULL;
    PyErr_Clear();
    Py_RETURN_NONE;
}

static PyObject *event_repr(PyObject *self)
{
    return PyUnicode_FromFormat("<%s at %p %s>", Py_TYPE(self)->tp_name, self,
                                is_set((Event *)self) ? "set" : "clear");
}

/* ---- AsyncResult ----------------------------------------------------------------------------- */

static int provide(Event *self, PyObject *value, PyObject *exception)
{
    Py_XINCREF(value);
    Py_XINCREF(exception);
    Py_XSETREF(self->value, value);
    Py_XSETREF(self->exception, exception);
    Py_XSETREF(self->traceback, exception && PyExceptionInstance_Check(exception)
                                    ? PyException_GetTraceback(exception)
                                    : NULL);
    return set_event(self);
}

static PyObject *result_set(PyObject *self, PyObject *const *args, Py_ssize_t count,
                            PyObject *keywords)
{
    static const char *const names[] = {"value", NULL};
    PyObject *value = Py_None;
    if (bine_py_arguments("set", names, args, count, keywords, &value) < 0 ||
        provide((Event *)self, value, NULL) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *result_set_exception(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"exception", "exc_info", NULL};
    PyObject *exception, *info = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:set_exception", names, &exception, &info))
        return NULL;
    if (info && PyTuple_Check(info) && PyTuple_GET_SIZE(info) == 3 &&
        PyExceptionInstance_Check(exception) && PyTraceBack_Check(PyTuple_GET_ITEM(info, 2)))
        PyException_SetTraceback(exception, PyTuple_GET_ITEM(info, 2));
    if (provide((Event *)self, NULL, exception) < 0)
        return NULL;
    Py_RETURN_NONE;
}

/* What it holds: new reference, or NULL with its exception raised. */
static PyObject *result_or_raise(Event *self)
{
    if (self->exception) {
        if (PyExceptionClass_Check(self->exception))
            PyErr_SetNone(self->exception);
        else
            bine_py_raise_again(self->exception, self->traceback);
        return NULL;
    }
    PyObject *value = self->value ? self->value : Py_None;
    Py_INCREF(value);
    return value;
}

static PyObject *result_get(PyObject *object, PyObject *const *args, Py_ssize_t count,
                            PyObject *keywords)
{
    static const char *const names[] = {"block", "timeout", NULL};
    Event *self = (Event *)object;
    PyObject *given[] = {Py_True, Py_None}, *timeout;
    int64_t deadline;
    if (bine_py_arguments("get", names, args, count, keywords, given) < 0)
        return NULL;
    int block = PyObject_IsTrue(given[0]);
    timeout = given[1];
    if (block < 0 || bine_py_deadline(timeout, &deadline) < 0)
        return NULL;
    int result = is_set(self) ? 1 : wait_event(self, block ? deadline : 0, timeout);
    if (result < 0)
        return NULL;
    return result ? result_or_raise(self) : bine_py_raise_timeout(block ? timeout : Py_None);
}

static PyObject *result_result(PyObject *object, PyObject *const *args, Py_ssize_t count,
                               PyObject *keywords)
{
    Event *self = (Event *)object;
    int64_t deadline;
    PyObject *timeout;
    if (take_timeout("result", args, count, keywords, &deadline, &timeout) < 0)
        return NULL;
    int result = wait_event(self, deadline, timeout);
    return result < 0 ? NULL : result ? result_or_raise(self) : bine_py_raise_timeout(timeout);
}

static PyObject *result_get_nowait(PyObject *self, PyObject *unused)
{
    (void)unused;
    int result = wait_event((Event *)self, 0, Py_None);
    if (result < 0)
        return NULL;
    return result ? result_or_raise((Event *)self) : bine_py_raise_timeout(Py_None);
}

static PyObject *result_wait(PyObject *object, PyObject *const *args, Py_ssize_t count,
                             PyObject *keywords)
{
    Event *self = (Event *)object;
    int64_t deadline;
    PyObject *timeout;
    if (take_timeout("wait", args, count, keywords, &deadline, &timeout) < 0)
        return NULL;
    int result = wait_event(self, deadline, timeout);
    if (result < 0)
        return NULL;
    PyObject *value = result && self->value ? self->value : Py_None;
    Py_INCREF(value);
    return value;
}

static PyObject *result_successful(PyObject *object, PyObject *unused)
{
    Event *self = (Event *)object;
    (void)unused;
    return PyBool_FromLong(is_set(self) && !self->exception);
}

/* result(source): a link target, takes what the source ended with. */
static PyObject *result_call(PyObject *self, PyObject *args, PyObject *kwargs)
{
    PyObject *source;
    (void)kwargs;
    if (!PyArg_ParseTuple(args, "O", &source))
        return NULL;
    PyObject *good = PyObject_CallMethod(source, "successful", NULL);
    int successful = good ? PyObject_IsTrue(good) : -1;
    Py_XDECREF(good);
    PyObject *what =
        successful < 0 ? NULL : PyObject_GetAttrString(source, successful ? "value" : "exception");
    int result =
        what ? provide((Event *)self, successful ? what : NULL, successful ? NULL : what) : -1;
    Py_XDECREF(what);
    if (result < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *get_exc_info(PyObject *object, void *unused)
{
    Event *self = (Event *)object;
    (void)unused;
    if (!is_set(self))
        return PyTuple_New(0);
    if (!self->exception)
        return Py_BuildValue("OOO", Py_None, Py_None, Py_None);
    if (PyExceptionClass_Check(self->exception))
        return Py_BuildValue("OOO", self->exception, self->exception, Py_None);
    PyObject *traceback = PyException_GetTraceback(self->exception);
    PyObject *result = PyTuple_Pack(3, (PyObject *)Py_TYPE(self->exception), self->exception,
                                    traceback ? traceback : Py_None);
    Py_XDECREF(traceback);
    return result;
}

static PyObject *result_cancel(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    Py_RETURN_FALSE;
}

#define COMMON                                                                                  \
    {"rawlink", event_rawlink, METH_O,                                                          \
     "rawlink(callback)\n--\n\nCall callback(self) when it is set, in another greenlet of the " \
     "thread that set the "                                                                     \
     "first link."},                                                                            \
        {"unlink", event_unlink, METH_O, "unlink(callback)\n--\n\nRemove a callback."},         \
        {"linkcount", event_linkcount, METH_NOARGS,                                             \
         "linkcount()\n--\n\nHow many callbacks there are."},                                   \
        {"ready", event_is_set, METH_NOARGS, "ready()\n--\n\nTrue if it is set."},              \
    {                                                                                           \
        "_call_links", event_call_links, METH_NOARGS, NULL                                      \
    }

static PyMethodDef event_methods[] = {
    COMMON,
    {"set", event_set, METH_NOARGS, "set()\n--\n\nSet the flag and wake all who wait."},
    {"clear", event_clear_flag, METH_NOARGS, "clear()\n--\n\nReset the flag."},
    {"is_set", event_is_set, METH_NOARGS, "is_set()\n--\n\nTrue if the flag is set."},
    {"isSet", event_is_set, METH_NOARGS, "isSet()\n--\n\nThe same as is_set()."},
    {"wait", BINE_FAST_NAMED(event_wait),
     "wait(timeout=None)\n--\n\nWait until the flag is set; True unless the timeout (seconds) "
     "passed."},
    {NULL, NULL, 0, NULL},
};

static PyMethodDef result_methods[] = {
    COMMON,
    {"set", BINE_FAST_NAMED(result_set),
     "set(value=None)\n--\n\nStore the value and wake all who wait."},
    {"set_exception", BINE_KEYWORDS(result_set_exception),
     "set_exception(exception, exc_info=None)\n--\n\nStore an exception to raise in get()."},
    {"set_result", BINE_FAST_NAMED(result_set), "set_result(value)\n--\n\nThe same as set()."},
    {"get", BINE_FAST_NAMED(result_get),
     "get(block=True, timeout=None)\n--\n\nThe value, or raise the exception; Timeout if it takes "
     "longer."},
    {"result", BINE_FAST_NAMED(result_result), "result(timeout=None)\n--\n\nget(timeout=timeout)"},
    {"get_nowait", result_get_nowait, METH_NOARGS, "get_nowait()\n--\n\nget(block=False)"},
    {"wait", BINE_FAST_NAMED(result_wait),
     "wait(timeout=None)\n--\n\nWait until it is there; the value, or None."},
    {"successful", result_successful, METH_NOARGS,
     "successful()\n--\n\nTrue if a value was stored."},
    {"done", event_is_set, METH_NOARGS, "done()\n--\n\nThe same as ready()."},
    {"cancel", result_cancel, METH_NOARGS, "cancel()\n--\n\nFalse: it cannot be cancelled."},
    {"cancelled", result_cancel, METH_NOARGS, "cancelled()\n--\n\nFalse."},
    {"add_done_callback", event_rawlink, METH_O,
     "add_done_callback(callback)\n--\n\nThe same as rawlink()."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef result_members[] = {
    {"value", T_OBJECT, offsetof(Event, value), READONLY, "The value, or None."},
    {"exception", T_OBJECT, offsetof(Event, exception), READONLY, "The exception, or None."},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef event_getset[] = {
    {"hub", bine_py_get_hub, NULL, "The hub of the calling thread.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyGetSetDef result_getset[] = {
    {"hub", bine_py_get_hub, NULL, "The hub of the calling thread.", NULL},
    {"exc_info", get_exc_info, NULL, "As sys.exc_info() was, if an exception was stored.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyTypeObject Event_Type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "bine.event.Event",
    .tp_basicsize = sizeof(Event),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_doc = "Event()\n--\n\nA flag that greenlets wait for. Any thread.",
    .tp_new = event_new,
    .tp_dealloc = event_dealloc,
    .tp_traverse = event_traverse,
    .tp_clear = event_clear,
    .tp_repr = event_repr,
    .tp_methods = event_methods,
    .tp_getset = event_getset,
    .tp_weaklistoffset = offsetof(Event, weak_references),
};

static PyTypeObject AsyncResult_Type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "bine.event.AsyncResult",
    .tp_basicsize = sizeof(Event),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_doc = "AsyncResult()\n--\n\nA value or an exception that arrives once. Any thread.",
    .tp_new = event_new,
    .tp_dealloc = event_dealloc,
    .tp_traverse = event_traverse,
    .tp_clear = event_clear,
    .tp_repr = event_repr,
    .tp_call = result_call,
    .tp_methods = result_methods,
    .tp_members = result_members,
    .tp_getset = result_getset,
    .tp_weaklistoffset = offsetof(Event, weak_references),
};

struct bine_waitable *bine_py_event_waitable(PyObject *object)
{
    return PyObject_TypeCheck(object, &Event_Type) || PyObject_TypeCheck(object, &AsyncResult_Type)
               ? &((Event *)object)->waitable
               : NULL;
}

int bine_event_init(PyObject *module)
{
    return PyModule_AddType(module, &Event_Type) < 0 ? -1
                                                     : PyModule_AddType(module, &AsyncResult_Type);
}
