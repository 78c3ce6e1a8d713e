/* wait, iwait, joinall, killall: several objects at once, of any thread. */
#include <errno.h>

#include "base/arguments.h"
#include "base/error.h"
#include "core/alone.h"
#include "greenlet/greenlet.h"
#include "objects.h"
#include "wait/park.h"
#include "wait/sleeper.h"
#include "wait/timeout.h"

/* The waitable record inside an object that wait() accepts, or NULL with a TypeError. */
static struct bine_waitable *waitable_of(PyObject *object)
{
    struct bine_waitable *waitable;
    if (PyObject_TypeCheck(object, &bine_Greenlet_Type))
        return &((struct bine_py_greenlet *)object)->waitable;
    if ((waitable = bine_py_event_waitable(object)) ||
        (waitable = bine_py_semaphore_waitable(object)) ||
        (waitable = bine_py_queue_waitable(object)))
        return waitable;
    PyErr_Format(PyExc_TypeError, "cannot wait for %R", object);
    return NULL;
}

/* ---- the iterator ---------------------------------------------------------------------------- */

typedef struct iteration Iteration;

/* One object that is waited for. */
struct place {
    struct bine_waiter waiter; /* first */
    Iteration *iteration;
    struct place *next_ready;
    PyObject *object;   /* owned */
    PyObject *stand_in; /* owned: a bine._link.StandIn for an object that is not one of ours; or
                         * NULL */
};

struct iteration {
    PyObject_HEAD struct place *places;
    Py_ssize_t n;
    struct place *ready_first, *ready_last;
    struct bine_py_sleeper *sleeper; /* that waits for the next; or NULL */
    int64_t deadline;
    PyObject *timeout; /* owned: the argument that the deadline was made of */
    Py_ssize_t left;   /* still to be returned */
};

static PyTypeObject Iteration_Type;

static void became_ready(struct bine_waiter *waiter)
{
    struct place *place = (struct place *)waiter;
    Iteration *self = place->iteration;
    if (self->ready_first)
        self->ready_last->next_ready = place;
    else
        self->ready_first = place;
    self->ready_last = place;
    if (self->sleeper)
        bine_py_wake(self->sleeper);
}

/* What is waited for at that place, whose object is set. One that has gevent's rawlink(), or is a
 * Popen, gets a stand-in. NULL with a TypeError. */
static struct bine_waitable *waitable_at(struct place *place)
{
    struct bine_waitable *waitable = waitable_of(place->object);
    if (waitable || !PyErr_ExceptionMatches(PyExc_TypeError))
        return waitable;
    PyErr_Clear();
    PyObject *module = PyImport_ImportModule("bine._link");
    place->stand_in = module ? PyObject_CallMethod(module, "StandIn", "O", place->object) : NULL;
    Py_XDECREF(module);
    PyObject *ready = place->stand_in ? PyObject_GetAttrString(place->stand_in, "ready") : NULL;
    waitable = ready ? waitable_of(ready) : NULL;
    Py_XDECREF(ready); /* the stand-in has it */
    return waitable;
}

/* Watch every object that is not ready yet. -1 with an exception. */
static int watch_all(Iteration *self, PyObject *objects)
{
    Py_ssize_t n = PyTuple_GET_SIZE(objects);
    self->places = PyMem_Calloc((size_t)n + 1, sizeof *self->places);
    if (!self->places) {
        PyErr_NoMemory();
        return -1;
    }
    while (self->n < n) {
        struct place *place = &self->places[self->n];
        place->object = PyTuple_GET_ITEM(objects, self->n++);
        Py_INCREF(place->object);
        place->iteration = self;
        struct bine_waitable *waitable = waitable_at(place);
        if (!waitable)
            return -1;
        place->waiter.notify = became_ready;
        if (waitable->class->ready(waitable))
            became_ready(&place->waiter);
        else
            bine_waiters_push(&waitable->watchers, &place->waiter);
    }
    return 0;
}

static PyObject *iteration_new(PyObject *objects, PyObject *timeout, PyObject *count)
{
    PyObject *all = PySequence_Tuple(objects);
    Iteration *self = all ? PyObject_New(Iteration, &Iteration_Type) : NULL;
    if (!self) {
        Py_XDECREF(all);
        return NULL;
    }
    memset((char *)self + sizeof(PyObject), 0, sizeof *self - sizeof(PyObject));
    self->left = PyTuple_GET_SIZE(all);
    Py_INCREF(timeout);
    self->timeout = timeout;
    if (count && count != Py_None) {
        Py_ssize_t wanted = PyNumber_AsSsize_t(count, PyExc_OverflowError);
        if (wanted < self->left)
            self->left = wanted < 0 ? 0 : wanted;
    }
    if (PyErr_Occurred() || bine_py_deadline(timeout, &self->deadline) < 0 ||
        watch_all(self, all) < 0)
        Py_CLEAR(self);
    Py_DECREF(all);
    return (PyObject *)self;
}

static void let_go(Iteration *self)
{
    self->ready_first = NULL;
    for (; self->n > 0; self->n--) {
        struct place *place = &self->places[self->n - 1];
        bine_waiters_remove(&place->waiter);
        bine_py_close(place->stand_in);
        Py_DECREF(place->object);
    }
}

static void iteration_dealloc(PyObject *object)
{
    Iteration *self = (Iteration *)object;
    let_go(self);
    Py_XDECREF(self->timeout);
    PyMem_Free(self->places);
    PyObject_Free(self);
}

/* 0: one is ready; ETIME; -1 with an exception. */
static int collect_wait_for_one(Iteration *self)
{
    struct bine_carrier *carrier = bine_carrier_current();
    struct bine_py_sleeper sleeper;
    int error;
    if (!carrier)
        return -1;
    if (self->sleeper) {
        PyErr_SetString(PyExc_RuntimeError, "another greenlet waits with this iterator");
        return -1;
    }
    bine_py_sleeper_begin(&sleeper, carrier);
    sleeper.noted = &self->sleeper;
    self->sleeper = &sleeper;
    do {
        error = bine_py_sleep_in(NULL, &sleeper, "wait", (uintptr_t)self->n, self->deadline);
    } while ((error == 0 || error == EINTR) && !self->ready_first);
    self->sleeper = NULL;
    bine_py_sleeper_end(&sleeper);
    return bine_py_timeout_waited(self->timeout, error > 0 && self->ready_first ? 0 : error);
}

static PyObject *iteration_next(PyObject *object)
{
    Iteration *self = (Iteration *)object;
    if (self->left <= 0)
        return NULL;
    if (!self->ready_first &&
        ((self->deadline ? collect_wait_for_one(self) : bine_py_refused()) < 0 ||
         !self->ready_first))
        return NULL; /* an exception, or out of time */
    struct place *place = self->ready_first;
    self->ready_first = place->next_ready;
    self->left--;
    Py_INCREF(place->object);
    return place->object;
}

static PyObject *iteration_enter(PyObject *self, PyObject *unused)
{
    (void)unused;
    Py_INCREF(self);
    return self;
}

static PyObject *iteration_exit(PyObject *object, PyObject *args)
{
    Iteration *self = (Iteration *)object;
    (void)args;
    let_go(self);
    self->left = 0;
    Py_RETURN_NONE;
}

static PyMethodDef iteration_methods[] = {
    {"__enter__", iteration_enter, METH_NOARGS, NULL},
    {"__exit__", iteration_exit, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject Iteration_Type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "bine._bine.Iteration",
    .tp_basicsize = sizeof(Iteration),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_dealloc = iteration_dealloc,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = iteration_next,
    .tp_methods = iteration_methods,
};

/* ---- the functions --------------------------------------------------------------------------- */

/* Until all other greenlets have ended, or those that are left can never go on: True; False if the
 * time passed. */
static PyObject *wait_for_all(PyObject *timeout)
{
    int64_t deadline;
    int error, verdict;
    if (!bine_carrier_current() || bine_py_deadline(timeout, &deadline) < 0)
        return NULL;
    struct bine_hub *hub = bine_hub_here();
    do {
        if (bine_py_wait_begin() < 0)
            return NULL;
        error = bine_park_until_alone(hub, deadline, true);
        if (error == EDEADLK && !hub->no_park)
            error = 0;
        errno = error == ETIME ? ETIMEDOUT : error;
        verdict = bine_py_wait_end(error != 0);
    } while (verdict == 1);
    if (verdict == 0 && error) {
        bine_py_error(error);
        verdict = -1;
    }
    int outcome = bine_py_timeout_waited(timeout, verdict < 0 ? -1 : error ? ETIME : 0);
    return outcome < 0 ? NULL : PyBool_FromLong(outcome == 0);
}

static PyObject *py_wait(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"objects", "timeout", "count", NULL};
    PyObject *objects = Py_None, *timeout = Py_None, *count = Py_None;
    (void)module;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OOO:wait", names, &objects, &timeout, &count))
        return NULL;
    if (objects == Py_None)
        return wait_for_all(timeout);
    PyObject *iteration = iteration_new(objects, timeout, count),
             *list = iteration ? PySequence_List(iteration) : NULL;
    Py_XDECREF(iteration);
    return list;
}

static PyObject *py_iwait(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"objects", "timeout", "count", NULL};
    PyObject *objects = Py_None, *timeout = Py_None, *count = Py_None;
    (void)module;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OOO:iwait", names, &objects, &timeout, &count))
        return NULL;
    if (objects != Py_None)
        return iteration_new(objects, timeout, count);
    PyObject *done = wait_for_all(timeout), *empty = done ? PyTuple_New(0) : NULL;
    Py_XDECREF(done);
    return empty ? PyObject_GetIter(empty) : NULL;
}

static PyObject *py_joinall(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"greenlets", "timeout", "raise_error", "count", NULL};
    PyObject *greenlets, *timeout = Py_None, *count = Py_None;
    int raise_error = 0;
    (void)module;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|OpO:joinall", names, &greenlets, &timeout,
                                     &raise_error, &count))
        return NULL;
    PyObject *iteration = iteration_new(greenlets, timeout, count),
             *done = iteration ? PyList_New(0) : NULL, *object;
    while (done && (object = iteration_next(iteration))) {
        PyObject *exception = raise_error ? PyObject_GetAttrString(object, "exception") : NULL;
        PyErr_Clear(); /* a Popen has none */
        if (PyList_Append(done, object) < 0) {
            Py_CLEAR(done);
        } else if (exception && exception != Py_None) {
            PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
            Py_CLEAR(done);
        }
        Py_XDECREF(exception);
        Py_DECREF(object);
    }
    Py_XDECREF(iteration);
    if (PyErr_Occurred())
        Py_CLEAR(done);
    return done;
}

static PyMethodDef functions[] = {
    {"wait", BINE_KEYWORDS(py_wait),
     "wait(objects=None, timeout=None, count=None)\n--\n\nWait until objects are ready; the list "
     "of those that are. Without objects: until all other greenlets have ended or can never go "
     "on."},
    {"iwait", BINE_KEYWORDS(py_iwait),
     "iwait(objects=None, timeout=None, count=None)\n--\n\nIterate over objects as they become "
     "ready."},
    {"joinall", BINE_KEYWORDS(py_joinall),
     "joinall(greenlets, timeout=None, raise_error=False, count=None)\n--\n\nWait for greenlets; "
     "the list of those that ended."},
    {NULL, NULL, 0, NULL},
};

int bine_wait_many_init(PyObject *module)
{
    return PyType_Ready(&Iteration_Type) < 0 ? -1 : PyModule_AddFunctions(module, functions);
}
