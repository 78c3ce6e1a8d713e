/*
 * Where a greenlet was spawned: Greenlet.spawning_stack.
 *
 * Of each frame its code is noted and the instruction in it. The lines, and the objects that look
 * like frames (bine._spawning.Frame), are made when a program asks for them. All is done with the
 * GIL.
 */
#include <string.h>

#include "greenlet_parts.h"
#include <frameobject.h> /* needs Python.h before it */

enum {
    LIMIT = 10, /* of the class, as in gevent */
    MOST = 256  /* frames that are noted, whatever a subclass says */
};

struct noted {
    PyCodeObject *code;
    int at; /* the instruction as PyCode_Addr2Line() wants it; the line where frames do not tell
             * the instruction */
};

struct bine_py_stack {
    Py_ssize_t count;
    struct noted frames[]; /* the innermost first */
};

static bool tracked;

bool bine_stacks_noted(void)
{
    return tracked;
}

void bine_stack_forget(Greenlet *self)
{
    struct bine_py_stack *stack = self->stack;
    self->stack = NULL;
    for (Py_ssize_t i = 0; stack && i < stack->count; i++)
        Py_DECREF(stack->frames[i].code);
    PyMem_Free(stack);
}

static int place_in(PyFrameObject *frame)
{
#if PY_VERSION_HEX >= 0x030B0000
    return PyFrame_GetLasti(frame);
#else
    return PyFrame_GetLineNumber(frame);
#endif
}

static int line_of(const struct noted *noted)
{
#if PY_VERSION_HEX >= 0x030B0000
    return PyCode_Addr2Line(noted->code, noted->at);
#else
    return noted->at;
#endif
}

/* How many frames the class wants: -1 with an exception. */
static Py_ssize_t limit_of(Greenlet *self)
{
    if (Py_TYPE(self) == &bine_Greenlet_Type)
        return LIMIT;
    PyObject *limit = PyObject_GetAttrString((PyObject *)self, "spawning_stack_limit");
    Py_ssize_t frames = limit ? PyNumber_AsSsize_t(limit, NULL) : -1;
    Py_XDECREF(limit);
    if (frames == -1 && PyErr_Occurred())
        return -1;
    return frames < 0 ? 0 : frames > MOST ? MOST : frames;
}

/* The current greenlet's innermost frames. */
int bine_stack_note(Greenlet *self)
{
    struct noted found[MOST];
    Py_ssize_t limit = limit_of(self), count = 0;
    if (limit < 0)
        return -1;
    PyFrameObject *frame = limit ? PyThreadState_GetFrame(PyThreadState_Get()) : NULL;
    while (frame && count < limit) {
        found[count++] = (struct noted){PyFrame_GetCode(frame), place_in(frame)};
        PyFrameObject *back = PyFrame_GetBack(frame);
        Py_DECREF(frame);
        frame = back;
    }
    Py_XDECREF(frame);
    bine_stack_forget(self); /* it may be initialised again */
    self->stack = PyMem_Malloc(sizeof *self->stack + (size_t)count * sizeof found[0]);
    if (!self->stack) {
        while (count)
            Py_DECREF(found[--count].code);
        PyErr_NoMemory();
        return -1;
    }
    self->stack->count = count;
    memcpy(self->stack->frames, found, (size_t)count * sizeof found[0]);
    return 0;
}

PyObject *bine_greenlet_get_spawning_stack(PyObject *object, void *unused)
{
    Greenlet *self = (Greenlet *)object;
    PyObject *frame = Py_None;
    (void)unused;
    Py_INCREF(frame);
    if (!self->stack)
        return frame;
    PyObject *module = PyImport_ImportModule("bine._spawning"),
             *kind = module ? PyObject_GetAttrString(module, "Frame") : NULL;
    if (!kind)
        Py_CLEAR(frame);
    for (Py_ssize_t i = kind ? self->stack->count : 0; frame && i-- > 0;) {
        const struct noted *noted = &self->stack->frames[i];
        Py_SETREF(frame, PyObject_CallFunction(kind, "OiO", noted->code, line_of(noted), frame));
    }
    Py_XDECREF(kind);
    Py_XDECREF(module);
    return frame;
}

PyObject *bine_greenlet_stack_limit(void)
{
    return PyLong_FromLong(LIMIT);
}

PyObject *bine_py_track_spawning(PyObject *module, PyObject *wanted)
{
    (void)module;
    int noted = PyObject_IsTrue(wanted);
    if (noted < 0)
        return NULL;
    tracked = noted;
    bine_spawning_watch();
    Py_RETURN_NONE;
}
