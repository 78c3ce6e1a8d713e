/* wait, iwait, joinall, killall: several objects at once, on bine_iwait. */
#include <errno.h>
#include <stddef.h>

#include "bine_python.h"
#include "core/greenlet.h"

struct bine_waitable *bine_py_waitable(PyObject *object)
{
    struct bine_waitable *waitable;
    if (PyObject_TypeCheck(object, &bine_Greenlet_Type))
        return &((struct bine_py_greenlet *)object)->waitable;
    if ((waitable = bine_py_event_waitable(object)) || (waitable = bine_py_semaphore_waitable(object)) ||
        (waitable = bine_py_queue_waitable(object)))
        return waitable;
    PyErr_Format(PyExc_TypeError, "cannot wait for %R", object);
    return NULL;
}

/* ---- the iterator ------------------------------------------------------------------------------------------ */

typedef struct {
    PyObject_HEAD
    PyObject *objects; /* tuple */
    bine_iwait *iteration;
    int64_t deadline;
    Py_ssize_t left;   /* still to be returned */
} Iteration;

static PyTypeObject Iteration_Type;

static PyObject *iteration_new(PyObject *objects, PyObject *timeout, PyObject *count)
{
    Iteration *self = PyObject_New(Iteration, &Iteration_Type);
    if (!self)
        return NULL;
    self->iteration = NULL;
    self->objects = PySequence_Tuple(objects);
    Py_ssize_t n = self->objects ? PyTuple_GET_SIZE(self->objects) : -1;
    self->left = n;
    if (n >= 0 && count && count != Py_None) {
        Py_ssize_t wanted = PyNumber_AsSsize_t(count, PyExc_OverflowError);
        if (wanted < self->left)
            self->left = wanted < 0 ? 0 : wanted;
    }
    void **waitables = n < 0 || PyErr_Occurred() ? NULL : PyMem_Malloc((size_t)(n + 1) * sizeof *waitables);
    bool good = waitables && bine_carrier_current() && bine_py_deadline(timeout, &self->deadline) == 0;
    for (Py_ssize_t i = 0; good && i < n; i++)
        good = (waitables[i] = bine_py_waitable(PyTuple_GET_ITEM(self->objects, i))) != NULL;
    if (good && !(self->iteration = bine_iwait_begin(waitables, (size_t)n))) {
        bine_py_error(errno);
        good = false;
    }
    PyMem_Free(waitables);
    if (!good)
        Py_CLEAR(self);
    return (PyObject *)self;
}

static void iteration_dealloc(PyObject *object)
{
    Iteration *self = (Iteration *)object;
    bine_iwait_end(self->iteration);
    Py_XDECREF(self->objects);
    PyObject_Free(self);
}

/* The Python object that a waitable belongs to: borrowed. */
static PyObject *object_of(Iteration *self, void *waitable)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(self->objects); i++)
        if (bine_py_waitable(PyTuple_GET_ITEM(self->objects, i)) == waitable)
            return PyTuple_GET_ITEM(self->objects, i);
    return NULL;
}

static PyObject *iteration_next(PyObject *object)
{
    Iteration *self = (Iteration *)object;
    void *ready;
    int verdict;
    if (self->left <= 0)
        return NULL;
    do {
        if (bine_py_wait_begin() < 0)
            return NULL;
        ready = bine_iwait_next(self->iteration, bine_py_left(self->deadline));
        verdict = bine_py_wait_end(!ready);
    } while (verdict == 1);
    if (!ready)
        return NULL; /* out of time, at the end, or an exception */
    self->left--;
    PyObject *found = object_of(self, ready);
    Py_XINCREF(found);
    return found;
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
    bine_iwait_end(self->iteration);
    self->iteration = NULL;
    self->left = 0;
    Py_RETURN_NONE;
}

static PyMethodDef iteration_methods[] = {
    { "__enter__", iteration_enter, METH_NOARGS, NULL },
    { "__exit__", iteration_exit, METH_VARARGS, NULL },
    { NULL, NULL, 0, NULL },
};

static PyTypeObject Iteration_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "bine._bine.Iteration",
    .tp_basicsize = sizeof(Iteration),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_dealloc = iteration_dealloc,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = iteration_next,
    .tp_methods = iteration_methods,
};

/* ---- the functions -------------------------------------------------------------------------------------------- */

static PyObject *wait_for_all(PyObject *timeout)
{
    int64_t deadline;
    ssize_t result;
    int verdict;
    if (!bine_carrier_current() || bine_py_deadline(timeout, &deadline) < 0)
        return NULL;
    do {
        if (bine_py_wait_begin() < 0)
            return NULL;
        result = bine_wait(NULL, 0, NULL, 0, bine_py_left(deadline));
        verdict = bine_py_wait_end(result < 0);
    } while (verdict == 1);
    if (verdict < 0)
        return NULL;
    struct bine_hub *hub = bine_hub_here();
    return PyBool_FromLong(hub->greenlets <= (hub->current == hub->root ? 0u : 1u));
}

static PyObject *py_wait(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static char *names[] = { "objects", "timeout", "count", NULL };
    PyObject *objects = Py_None, *timeout = Py_None, *count = Py_None;
    (void)module;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OOO:wait", names, &objects, &timeout, &count))
        return NULL;
    if (objects == Py_None)
        return wait_for_all(timeout);
    PyObject *iteration = iteration_new(objects, timeout, count), *list = iteration ? PySequence_List(iteration) : NULL;
    Py_XDECREF(iteration);
    return list;
}

static PyObject *py_iwait(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static char *names[] = { "objects", "timeout", "count", NULL };
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
    static char *names[] = { "greenlets", "timeout", "raise_error", "count", NULL };
    PyObject *greenlets, *timeout = Py_None, *count = Py_None;
    int raise_error = 0;
    (void)module;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|OpO:joinall", names, &greenlets, &timeout, &raise_error, &count))
        return NULL;
    PyObject *iteration = iteration_new(greenlets, timeout, count), *done = iteration ? PyList_New(0) : NULL, *object;
    while (done && (object = iteration_next(iteration))) {
        PyObject *exception = raise_error ? PyObject_GetAttrString(object, "exception") : NULL;
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
    { "wait", (PyCFunction)(void (*)(void))py_wait, METH_VARARGS | METH_KEYWORDS,
      "wait(objects=None, timeout=None, count=None)\n--\n\nWait until objects are ready; the list of those that are. Without objects: until all greenlets have ended." },
    { "iwait", (PyCFunction)(void (*)(void))py_iwait, METH_VARARGS | METH_KEYWORDS,
      "iwait(objects=None, timeout=None, count=None)\n--\n\nIterate over objects as they become ready." },
    { "joinall", (PyCFunction)(void (*)(void))py_joinall, METH_VARARGS | METH_KEYWORDS,
      "joinall(greenlets, timeout=None, raise_error=False, count=None)\n--\n\nWait for greenlets; the list of those that ended." },
    { NULL, NULL, 0, NULL },
};

int bine_collect_init(PyObject *module)
{
    return PyType_Ready(&Iteration_Type) < 0 ? -1 : PyModule_AddFunctions(module, functions);
}
