/* What can be seen of a Greenlet: its text, its state, its names. */
#include <string.h>

#include "greenlet_parts.h"
#include "hub_object.h"

static PyObject *call_text(Greenlet *self)
{
    if (!self->run && !self->args)
        return PyUnicode_FromString(": _run");
    PyObject *run = self->run, *name;
    if (run)
        Py_INCREF(run);
    else if (!(run = PyObject_GetAttrString((PyObject *)self, "_run")))
        return NULL;
    name = PyObject_GetAttrString(run, "__name__");
    if (!name) {
        PyErr_Clear();
        name = PyObject_Repr(run);
    }
    Py_DECREF(run);
    PyObject *texts = name ? PyList_New(0) : NULL;
    for (Py_ssize_t i = 0; texts && self->args && i < PyTuple_GET_SIZE(self->args); i++) {
        PyObject *text = PyObject_Repr(PyTuple_GET_ITEM(self->args, i));
        if (!text || PyList_Append(texts, text) < 0)
            Py_CLEAR(texts);
        Py_XDECREF(text);
    }
    PyObject *key, *value;
    for (Py_ssize_t at = 0;
         texts && self->kwargs && PyDict_Next(self->kwargs, &at, &key, &value);) {
        PyObject *text = PyUnicode_FromFormat("%U=%R", key, value);
        if (!text || PyList_Append(texts, text) < 0)
            Py_CLEAR(texts);
        Py_XDECREF(text);
    }
    PyObject *comma = texts ? PyUnicode_FromString(", ") : NULL,
             *arguments = comma ? PyUnicode_Join(comma, texts) : NULL;
    PyObject *result =
        !arguments ? NULL
                   : PyUnicode_FromFormat(PyUnicode_GET_LENGTH(arguments) ? ": %U(%U)" : ": %U",
                                          name, arguments);
    Py_XDECREF(arguments);
    Py_XDECREF(comma);
    Py_XDECREF(texts);
    Py_XDECREF(name);
    return result;
}

PyObject *bine_greenlet_repr(PyObject *object)
{
    Greenlet *self = (Greenlet *)object;
    PyObject *name = PyObject_GetAttrString((PyObject *)Py_TYPE(object), "__name__"), *call,
             *result = NULL;
    /* A main one. */
    if (self->state == BINE_PY_RUNNING && !self->run && Py_TYPE(object) == &bine_Greenlet_Type)
        call = PyUnicode_FromString("");
    else
        call = call_text(self);
    if (name && call)
        result = self->name
                     ? PyUnicode_FromFormat("<%U \"%S\" at %p%U>", name, self->name, object, call)
                     : PyUnicode_FromFormat("<%U at %p%U>", name, object, call);
    Py_XDECREF(call);
    Py_XDECREF(name);
    return result;
}

PyObject *bine_greenlet_ready(PyObject *self, PyObject *unused)
{
    (void)unused;
    return PyBool_FromLong(bine_py_ended((Greenlet *)self));
}

PyObject *bine_greenlet_successful(PyObject *object, PyObject *unused)
{
    Greenlet *self = (Greenlet *)object;
    (void)unused;
    return PyBool_FromLong(bine_py_ended(self) && !self->exception);
}

int bine_greenlet_bool(PyObject *object)
{
    Greenlet *self = (Greenlet *)object;
    return !bine_py_ended(self) && self->state != BINE_PY_NEW;
}

PyObject *bine_greenlet_get_dead(PyObject *self, void *unused)
{
    (void)unused;
    return PyBool_FromLong(bine_py_ended((Greenlet *)self));
}

PyObject *bine_greenlet_get_started(PyObject *self, void *unused)
{
    (void)unused;
    return PyBool_FromLong(bine_greenlet_bool(self));
}

PyObject *bine_greenlet_get_exc_info(PyObject *object, void *unused)
{
    Greenlet *self = (Greenlet *)object;
    (void)unused;
    if (self->state != BINE_PY_ENDED || !self->exception)
        Py_RETURN_NONE;
    PyObject *traceback = PyException_GetTraceback(self->exception);
    PyObject *result = PyTuple_Pack(3, (PyObject *)Py_TYPE(self->exception), self->exception,
                                    traceback ? traceback : Py_None);
    Py_XDECREF(traceback);
    return result;
}

PyObject *bine_greenlet_get_spawning_greenlet(PyObject *object, void *unused)
{
    Greenlet *self = (Greenlet *)object;
    (void)unused;
    if (!self->spawner)
        Py_RETURN_NONE;
    Py_INCREF(self->spawner);
    return self->spawner;
}

/* Which numbers living greenlets have: a byte for each, and none below `lowest` is free. */
static struct {
    char *taken;
    size_t size, lowest;
} idents;

/* The smallest number that is free, plus one; 0 with MemoryError. */
static unsigned long take_ident(void)
{
    char *place = idents.lowest < idents.size
                      ? memchr(idents.taken + idents.lowest, 0, idents.size - idents.lowest)
                      : NULL;
    if (!place) {
        size_t size = idents.size ? 2 * idents.size : 64;
        char *more = PyMem_RawRealloc(idents.taken, size);
        if (!more) {
            PyErr_NoMemory();
            return 0;
        }
        place = more + idents.size;
        memset(place, 0, size - idents.size);
        idents.taken = more;
        idents.size = size;
    }
    *place = 1;
    idents.lowest = (size_t)(place - idents.taken) + 1;
    return (unsigned long)idents.lowest;
}

void bine_greenlet_give_ident_back(Greenlet *self)
{
    size_t place = self->ident - 1;
    idents.taken[place] = 0;
    if (place < idents.lowest)
        idents.lowest = place;
    self->ident = 0;
}

PyObject *bine_greenlet_get_minimal_ident(PyObject *object, void *unused)
{
    Greenlet *self = (Greenlet *)object;
    (void)unused;
    if (!self->ident)
        self->ident = take_ident();
    return self->ident ? PyLong_FromUnsignedLong(self->ident - 1) : NULL;
}

PyObject *bine_greenlet_get_name(PyObject *self, void *unused)
{
    PyObject *name = ((Greenlet *)self)->name;
    if (name) {
        Py_INCREF(name);
        return name;
    }
    PyObject *ident = bine_greenlet_get_minimal_ident(self, unused);
    name = ident ? PyUnicode_FromFormat("%s-%S",
                                        strrchr(Py_TYPE(self)->tp_name, '.')
                                            ? strrchr(Py_TYPE(self)->tp_name, '.') + 1
                                            : Py_TYPE(self)->tp_name,
                                        ident)
                 : NULL;
    Py_XDECREF(ident);
    Py_XINCREF(name);
    ((Greenlet *)self)->name = name; /* from now on its text has it */
    return name;
}

int bine_greenlet_set_name(PyObject *self, PyObject *name, void *unused)
{
    (void)unused;
    Py_XINCREF(name);
    Py_XSETREF(((Greenlet *)self)->name, name);
    return 0;
}

PyObject *bine_greenlet_has_links(PyObject *object, PyObject *unused)
{
    Greenlet *self = (Greenlet *)object;
    (void)unused;
    return PyBool_FromLong(self->links && PyList_GET_SIZE(self->links));
}

/* The loop of the calling thread's hub. */
PyObject *bine_greenlet_get_loop(PyObject *object, void *unused)
{
    PyObject *hub = bine_py_get_hub(object, unused);
    PyObject *loop = hub ? PyObject_GetAttrString(hub, "loop") : NULL;
    Py_XDECREF(hub);
    return loop;
}

PyObject *bine_greenlet_get_own_thread(PyObject *object, void *unused)
{
    (void)unused;
    return PyBool_FromLong(((Greenlet *)object)->own_thread);
}

int bine_greenlet_set_own_thread(PyObject *object, PyObject *wanted, void *unused)
{
    Greenlet *self = (Greenlet *)object;
    (void)unused;
    if (!wanted || !PyBool_Check(wanted)) {
        PyErr_SetString(PyExc_TypeError, "own_thread is True or False");
        return -1;
    }
    if (self->state != BINE_PY_NEW) {
        PyErr_SetString(PyExc_RuntimeError, "own_thread is set before the greenlet is started");
        return -1;
    }
    self->own_thread = wanted == Py_True;
    return 0;
}
