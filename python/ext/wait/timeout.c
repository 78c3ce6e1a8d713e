/*
 * Timeout: gevent's. A timer of the hub; when it is due, the exception is raised in the greenlet
 * that started it, wherever it waits. The timer fires in the hub's turn, without the GIL: it only
 * links the record into the carrier's list and pokes.
 */
#include "timeout.h"

#include <errno.h>
#include <stddef.h>

#include "base/arguments.h"
#include "base/error.h"
#include "carrier/pending.h"
#include "carrier/supplied.h"
#include "deadline.h"
#include "libc/carrier.h"
#include "order.h"

typedef struct bine_py_timeout {
    PyBaseExceptionObject base;              /* it is an exception itself */
    uint32_t timer;                          /* of the hub's, while started */
    struct bine_hub *hub;                    /* NULL: not started */
    uint64_t life;                           /* of the hub, when it was started */
    struct bine_carrier *carrier;            /* of the greenlet that started it; NULL: that has
                                              * ended */
    struct bine_py_timeout *younger, *older; /* in carrier->timeouts, while started */
    struct bine_py_timeout *next;            /* in carrier->expired, or in `spent` */
    PyObject *seconds, *exception;
    PyObject *watcher; /* of the event loop, in place of the timer, if a subclass overrides
                        * _on_expiration(); else NULL */
    bool expired;      /* in either list */
} Timeout;

/* What became due after the greenlet that had started it had ended. The timer that found out did
 * not have the GIL to let go of them. */
static BINE_CARRIED Timeout *spent_;
#define spent BINE_OF_CARRIER(spent_)

static void fire(void *timeout, int64_t deadline)
{
    (void)deadline;
    Timeout *self = timeout, **last = self->carrier ? &self->carrier->expired : &spent;
    while (*last)
        last = &(*last)->next;
    *last = self;
    self->next = NULL;
    self->expired = true;
    if (self->carrier)
        bine_pending_poke(self->carrier);
}

/* Has the thread that started it ended? Then so have its timer and its carrier, and the hub may be
 * another thread's by now. */
static bool outlived(const Timeout *self)
{
    return bine_hub_gone(self->hub, self->life);
}

static void unlink_from(Timeout **list, Timeout *self)
{
    for (Timeout **link = list; *link; link = &(*link)->next)
        if (*link == self) {
            *link = self->next;
            break;
        }
}

/* The carrier's greenlet has it no more. */
static void leave_carrier(Timeout *self)
{
    if (self->younger)
        self->younger->older = self->older;
    else
        self->carrier->timeouts = self->older;
    if (self->older)
        self->older->younger = self->younger;
    self->carrier = NULL;
}

static void timeout_stop(Timeout *self);

static void timeout_stop_there(PyObject *object, PyObject *unused, bool gone)
{
    (void)unused, (void)gone;
    timeout_stop((Timeout *)object);
}

/* Without memory for the order to another thread the timer stays: it is raised late rather than
 * never. */
static void timeout_stop(Timeout *self)
{
    PyObject *watcher = self->watcher;
    self->watcher = NULL;
    bine_py_close(watcher);
    if (!self->hub)
        return;
    bool over = outlived(self);
    if (!over && self->hub != bine_hub_here() &&
        bine_py_order_there(self->hub, self->life, timeout_stop_there, (PyObject *)self, NULL) !=
            ESRCH)
        return;
    over |= self->hub != bine_hub_here();
    if (!over) {
        bine_timer_stop(&self->hub->timers, self->timer);
        bine_timer_give_back(&self->hub->timers, self->timer);
    }
    struct bine_carrier *carrier = over ? NULL : self->carrier;
    if (self->expired && !over)
        unlink_from(carrier ? &carrier->expired : &spent, self);
    if (carrier) {
        leave_carrier(self);
        if (self->expired && !bine_carrier_pending(carrier))
            bine_pending_done(carrier);
    }
    self->expired = false;
    self->hub = NULL;
    Py_DECREF(self); /* the reference that the timer held */
}

/* Let go of what is spent. */
static void reap(void)
{
    while (spent)
        timeout_stop(spent);
}

void bine_timeouts_abandon(struct bine_carrier *carrier)
{
    /* In a thread that became a greenlet the GIL is not to be had here: what was due already is let
     * go later. */
    for (Timeout *due; (due = carrier->expired);) {
        carrier->expired = due->next;
        due->next = spent;
        spent = due;
    }
    while (carrier->timeouts)
        leave_carrier(carrier->timeouts);
}

/* Is it raised itself? A string is a remark that str() shows. */
static bool raises_itself(const Timeout *self)
{
    return !self->exception || self->exception == Py_None || self->exception == Py_False ||
           PyUnicode_Check(self->exception);
}

/* What to raise for it; it is stopped. New reference. */
static PyObject *exception_of(Timeout *self)
{
    PyObject *exception;
    if (raises_itself(self)) {
        exception = (PyObject *)self;
        Py_INCREF(exception);
    } else if (PyExceptionClass_Check(self->exception)) {
        exception = PyObject_CallNoArgs(self->exception);
    } else if (PyExceptionInstance_Check(self->exception)) {
        exception = self->exception;
        Py_INCREF(exception);
    } else {
        PyObject *text = PyUnicode_FromFormat(
            "exceptions must be classes, or instances, deriving from BaseException, not %s",
            Py_TYPE(self->exception)->tp_name);
        exception = text ? PyObject_CallFunctionObjArgs(PyExc_TypeError, text, NULL) : NULL;
        Py_XDECREF(text);
    }
    timeout_stop(self);
    return exception;
}

static PyObject *timeout_expired_exception(struct bine_carrier *carrier)
{
    return exception_of(carrier->expired);
}

int bine_py_deadline(PyObject *timeout, int64_t *deadline)
{
    if (timeout && timeout != Py_None && PyObject_TypeCheck(timeout, &bine_Timeout_Type))
        timeout = ((Timeout *)timeout)->seconds;
    return bine_py_deadline_of(timeout, deadline);
}

/* Is the timeout itself the exception that is set? */
static bool is_raised(Timeout *self)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    bool it_is = value == (PyObject *)self;
    PyErr_Restore(type, value, traceback);
    return it_is;
}

int bine_py_timeout_waited(PyObject *timeout, int outcome)
{
    if (__builtin_expect(timeout == Py_None || !PyObject_TypeCheck(timeout, &bine_Timeout_Type), 1))
        return outcome;
    Timeout *self = (Timeout *)timeout;
    timeout_stop(self);
    if (outcome < 0 && is_raised(self)) {
        PyErr_Clear();
        outcome = ETIME;
    }
    if (outcome != ETIME || raises_itself(self))
        return outcome;
    bine_py_raise_timeout(timeout);
    return -1;
}

PyObject *bine_py_raise_timeout(PyObject *timeout)
{
    PyObject *exception =
        PyObject_TypeCheck(timeout, &bine_Timeout_Type)
            ? exception_of((Timeout *)timeout)
            : PyObject_CallFunctionObjArgs((PyObject *)&bine_Timeout_Type, timeout, NULL);
    if (exception) {
        PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
        Py_DECREF(exception);
    }
    return NULL;
}

static int timeout_init(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"seconds", "exception", "ref", "priority", NULL};
    Timeout *self = (Timeout *)object;
    PyObject *seconds = Py_None, *exception = Py_None, *ref, *priority;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OOOO:Timeout", names, &seconds, &exception,
                                     &ref, &priority))
        return -1;
    PyObject *none = PyTuple_New(0);
    if (!none || ((PyTypeObject *)PyExc_BaseException)->tp_init(object, none, NULL) < 0) {
        Py_XDECREF(none);
        return -1;
    }
    Py_DECREF(none);
    Py_INCREF(seconds);
    Py_XSETREF(self->seconds, seconds);
    Py_INCREF(exception);
    Py_XSETREF(self->exception, exception);
    return 0;
}

static int timeout_traverse(PyObject *object, visitproc visit, void *arg)
{
    Timeout *self = (Timeout *)object;
    Py_VISIT(self->seconds);
    Py_VISIT(self->exception);
    Py_VISIT(self->watcher);
    return ((PyTypeObject *)PyExc_BaseException)->tp_traverse(object, visit, arg);
}

static int timeout_clear(PyObject *object)
{
    Timeout *self = (Timeout *)object;
    Py_CLEAR(self->seconds);
    Py_CLEAR(self->exception);
    Py_CLEAR(self->watcher);
    return ((PyTypeObject *)PyExc_BaseException)->tp_clear(object);
}

static void timeout_dealloc(PyObject *object)
{
    Timeout *self = (Timeout *)object;
    /* A started one holds a reference to itself, so this one is stopped. */
    PyObject_GC_UnTrack(object);
    Py_CLEAR(self->seconds);
    Py_CLEAR(self->exception);
    Py_CLEAR(self->watcher);
    PyObject_GC_Track(object);
    ((PyTypeObject *)PyExc_BaseException)->tp_dealloc(object);
}

/* ---- a subclass's _on_expiration() ----------------------------------------------------------- */

static PyObject *on_expiration; /* the class's own */

static bool is_overridden(Timeout *self)
{
    if (__builtin_expect(Py_TYPE(self) == &bine_Timeout_Type, 1))
        return false;
    PyObject *found = PyObject_GetAttrString((PyObject *)Py_TYPE(self), "_on_expiration");
    bool other = found != on_expiration;
    PyErr_Clear();
    Py_XDECREF(found);
    return other;
}

/* The loop calls it, as gevent's does, with the greenlet that started the timeout and what is to be
 * raised there. */
static int start_watcher(Timeout *self)
{
    PyObject *module = PyImport_ImportModule("bine.timeout");
    PyObject *raised = raises_itself(self) ? (PyObject *)self : self->exception;
    self->watcher = module ? PyObject_CallMethod(module, "_watch", "OO", self, raised) : NULL;
    Py_XDECREF(module);
    return self->watcher ? 0 : -1;
}

static bool is_watched(Timeout *self)
{
    PyObject *active = self->watcher ? PyObject_GetAttrString(self->watcher, "active") : NULL;
    bool it_is = active && PyObject_IsTrue(active) == 1;
    PyErr_Clear();
    Py_XDECREF(active);
    return it_is;
}

static PyObject *timeout_on_expiration(PyObject *self, PyObject *args)
{
    PyObject *greenlet, *exception;
    (void)self;
    if (!PyArg_UnpackTuple(args, "_on_expiration", 2, 2, &greenlet, &exception))
        return NULL;
    return PyObject_CallMethod(greenlet, "throw", "O", exception);
}

static int start(Timeout *self)
{
    int64_t deadline;
    if (self->hub || is_watched(self)) {
        PyErr_Format(PyExc_AssertionError, "%R is already started; to restart it, cancel it first",
                     self);
        return -1;
    }
    reap();
    if (self->seconds == Py_None)
        return 0; /* never due */
    if (is_overridden(self)) {
        timeout_stop(self);
        return start_watcher(self);
    }
    struct bine_carrier *carrier = bine_carrier_current();
    if (!carrier || bine_py_deadline(self->seconds, &deadline) < 0)
        return -1;
    struct bine_hub *hub = bine_hub_here();
    int64_t timer = bine_timer_take(&hub->timers);
    if (timer < 0) {
        PyErr_NoMemory();
        return -1;
    }
    self->carrier = carrier;
    self->younger = NULL;
    self->older = carrier->timeouts;
    if (self->older)
        self->older->younger = self;
    carrier->timeouts = self;
    self->hub = hub;
    self->life = hub->life;
    self->timer = (uint32_t)timer;
    Py_INCREF(self);
    bine_timer_start(&hub->timers, self->timer, fire, self, deadline);
    return 0;
}

static PyObject *timeout_start(PyObject *self, PyObject *unused)
{
    (void)unused;
    if (start((Timeout *)self) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *timeout_cancel(PyObject *self, PyObject *unused)
{
    (void)unused;
    timeout_stop((Timeout *)self);
    Py_RETURN_NONE;
}

static PyObject *timeout_start_new(PyObject *class, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"timeout", "exception", "ref", NULL};
    PyObject *seconds = Py_None, *exception = Py_None, *ref = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OOO:start_new", names, &seconds, &exception,
                                     &ref))
        return NULL;
    PyObject *self;
    if (PyObject_TypeCheck(seconds, &bine_Timeout_Type)) {
        self = seconds;
        Py_INCREF(self);
        if (((Timeout *)self)->hub || is_watched((Timeout *)self))
            return self;
    } else {
        self = PyObject_CallFunctionObjArgs(class, seconds, exception, NULL);
    }
    if (self && start((Timeout *)self) < 0)
        Py_CLEAR(self);
    return self;
}

static PyObject *timeout_enter(PyObject *object, PyObject *unused)
{
    (void)unused;
    if (!((Timeout *)object)->hub && !is_watched((Timeout *)object) && start((Timeout *)object) < 0)
        return NULL;
    Py_INCREF(object);
    return object;
}

static PyObject *timeout_exit(PyObject *object, PyObject *args)
{
    Timeout *self = (Timeout *)object;
    PyObject *type, *value, *traceback;
    if (!PyArg_UnpackTuple(args, "__exit__", 3, 3, &type, &value, &traceback))
        return NULL;
    bool silent = self->exception == Py_False;
    if (self->expired && value != Py_None && value != object) {
        /* It was due, and the extension that waited reported the cut as an error of its own: the
         * timeout is the reason. */
        PyObject *reason = exception_of(self);
        if (!reason)
            return NULL;
        if (!silent) {
            Py_INCREF(value);
            PyException_SetContext(reason, value);
            PyErr_SetObject((PyObject *)Py_TYPE(reason), reason);
        }
        Py_DECREF(reason);
        if (silent)
            Py_RETURN_TRUE;
        return NULL;
    }
    timeout_stop(self);
    /* Timeout(seconds, False): the block ends silently. */
    return PyBool_FromLong(value == object && silent);
}

static PyObject *timeout_str(PyObject *object)
{
    Timeout *self = (Timeout *)object;
    if (!self->seconds || self->seconds == Py_None)
        return PyUnicode_FromString("");
    PyObject *suffix = PyObject_Repr(self->seconds), *text = NULL;
    if (suffix) {
        PyObject *one = PyLong_FromLong(1);
        int is_one = one ? PyObject_RichCompareBool(self->seconds, one, Py_EQ) : -1;
        Py_XDECREF(one);
        const char *plural = is_one == 1 ? "" : "s";
        if (self->exception == Py_False)
            text = PyUnicode_FromFormat("%U second%s (silent)", suffix, plural);
        else if (self->exception && self->exception != Py_None)
            text = PyUnicode_FromFormat("%U second%s: %S", suffix, plural, self->exception);
        else
            text = PyUnicode_FromFormat("%U second%s", suffix, plural);
        Py_DECREF(suffix);
    }
    return text;
}

static PyObject *timeout_repr(PyObject *object)
{
    Timeout *self = (Timeout *)object;
    return PyUnicode_FromFormat("<%s at %p seconds=%S%s>", Py_TYPE(object)->tp_name, object,
                                self->seconds ? self->seconds : Py_None,
                                self->hub || is_watched(self) ? " pending" : "");
}

static PyObject *timeout_get_pending(PyObject *self, void *unused)
{
    (void)unused;
    return PyBool_FromLong((((Timeout *)self)->hub && !((Timeout *)self)->expired) ||
                           is_watched((Timeout *)self));
}

static PyMethodDef timeout_methods[] = {
    {"start", timeout_start, METH_NOARGS,
     "start()\n--\n\nSchedule the timeout for the current greenlet."},
    {"cancel", timeout_cancel, METH_NOARGS, "cancel()\n--\n\nStop it; it can be started again."},
    {"close", timeout_cancel, METH_NOARGS, "close()\n--\n\nThe same as cancel()."},
    {"start_new", BINE_KEYWORDS(timeout_start_new) | METH_CLASS,
     "start_new(timeout=None, exception=None, ref=True)\n--\n\nMake a started Timeout."},
    {"_on_expiration", timeout_on_expiration, METH_VARARGS,
     "_on_expiration(greenlet, exception)\n--\n\nThe timeout is due: throw the exception into the "
     "greenlet that started it. A subclass that overrides it is called by the event loop, where it "
     "may not wait."},
    {"__enter__", timeout_enter, METH_NOARGS, NULL},
    {"__exit__", timeout_exit, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef timeout_members[] = {
    {"seconds", T_OBJECT, offsetof(Timeout, seconds), 0, "Seconds from start() on; None: never."},
    {"exception", T_OBJECT, offsetof(Timeout, exception), 0,
     "What to raise instead of itself; False: only end the block."},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef timeout_getset[] = {
    {"pending", timeout_get_pending, NULL, "True if it is started and not due yet.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyTypeObject bine_Timeout_Type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "bine._bine.Timeout",
    .tp_basicsize = sizeof(Timeout),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_doc = "Timeout(seconds=None, exception=None, ref=True, priority=-1)\n--\n\n"
              "Raise an exception in the current greenlet after that many seconds.",
    .tp_init = timeout_init,
    .tp_dealloc = timeout_dealloc,
    .tp_traverse = timeout_traverse,
    .tp_clear = timeout_clear,
    .tp_str = timeout_str,
    .tp_repr = timeout_repr,
    .tp_methods = timeout_methods,
    .tp_members = timeout_members,
    .tp_getset = timeout_getset,
};

int bine_timeout_init(PyObject *module)
{
    bine_supplied.abandon_timeouts = bine_timeouts_abandon;
    bine_supplied.expired_exception = timeout_expired_exception;
    bine_Timeout_Type.tp_base = (PyTypeObject *)PyExc_BaseException;
    if (PyModule_AddType(module, &bine_Timeout_Type) < 0)
        return -1;
    on_expiration = PyObject_GetAttrString((PyObject *)&bine_Timeout_Type, "_on_expiration");
    return on_expiration ? 0 : -1;
}
