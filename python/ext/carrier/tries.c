/*
 * Calls of the interpreter's own objects that return at once.
 *
 * A loop that tries for what only another greenlet can bring about lets the others run after some
 * tries: the calls of libc that it makes count (patch/table/hook.h). Up to CPython 3.12 each of
 * these makes one, as every lock of Python's is a semaphore. Since 3.13 SimpleQueue and the handle
 * of a thread, and since 3.14 locks, are words in memory, and libc is called for a wait only. So
 * the methods count: ours is put under theirs.
 */
#include "interpreter.h"
#include "patch/table/hook.h"

#if PY_VERSION_HEX >= 0x030D0000

struct method {
    const char *module, *type, *name;
    PyCFunction *original;
    PyCFunction by_dict, by_names, with_class, without; /* ours, by how it is called */
};

#define FUNCTION(name) (PyCFunction)(void (*)(void)) name
#define CALL(type, function) ((type)(void (*)(void))function)

typedef PyObject *names_call(PyObject *, PyObject *const *, Py_ssize_t, PyObject *);
typedef PyObject *class_call(PyObject *, PyTypeObject *, PyObject *const *, Py_ssize_t, PyObject *);

#define COUNTED(method)                                                                            \
    static PyCFunction method;                                                                     \
    static PyObject *method##_by_dict(PyObject *self, PyObject *args, PyObject *kwargs)            \
    {                                                                                              \
        bine_hook_counts(BINE_PATCH_SEMAPHORE);                                                    \
        return CALL(PyCFunctionWithKeywords, method)(self, args, kwargs);                          \
    }                                                                                              \
    static PyObject *method##_by_names(PyObject *self, PyObject *const *args, Py_ssize_t count,    \
                                       PyObject *names)                                            \
    {                                                                                              \
        bine_hook_counts(BINE_PATCH_SEMAPHORE);                                                    \
        return CALL(names_call *, method)(self, args, count, names);                               \
    }                                                                                              \
    static PyObject *method##_with_class(PyObject *self, PyTypeObject *class,                      \
                                         PyObject *const *args, Py_ssize_t count, PyObject *names) \
    {                                                                                              \
        bine_hook_counts(BINE_PATCH_SEMAPHORE);                                                    \
        return CALL(class_call *, method)(self, class, args, count, names);                        \
    }                                                                                              \
    static PyObject *method##_without(PyObject *self, PyObject *nothing)                           \
    {                                                                                              \
        bine_hook_counts(BINE_PATCH_SEMAPHORE);                                                    \
        return method(self, nothing);                                                              \
    }

COUNTED(lock_acquire)
COUNTED(lock_acquire_lock)
COUNTED(lock_enter)
COUNTED(rlock_acquire)
COUNTED(rlock_enter)
COUNTED(queue_get)
COUNTED(queue_get_nowait)
COUNTED(thread_is_done)

#define METHOD(module, type, name, function)                                                   \
    {                                                                                          \
        module, type, name, &(function), FUNCTION(function##_by_dict),                         \
            FUNCTION(function##_by_names), FUNCTION(function##_with_class), function##_without \
    }

static const struct method methods[] = {
#if PY_VERSION_HEX >= 0x030E0000
    METHOD("_thread", "lock", "acquire", lock_acquire),
    METHOD("_thread", "lock", "acquire_lock", lock_acquire_lock),
    METHOD("_thread", "lock", "__enter__", lock_enter),
    METHOD("_thread", "RLock", "acquire", rlock_acquire),
    METHOD("_thread", "RLock", "__enter__", rlock_enter),
#endif
    METHOD("_queue", "SimpleQueue", "get", queue_get),
    METHOD("_queue", "SimpleQueue", "get_nowait", queue_get_nowait),
    METHOD("_thread", "_ThreadHandle", "is_done", thread_is_done),
};

static PyCFunction ours(const struct method *method, int flags)
{
    switch (flags) {
    case METH_VARARGS | METH_KEYWORDS:
        return method->by_dict;
    case METH_FASTCALL | METH_KEYWORDS:
        return method->by_names;
    case METH_METHOD | METH_FASTCALL | METH_KEYWORDS:
        return method->with_class;
    case METH_NOARGS:
        return method->without;
    default:
        return NULL;
    }
}

/* Under the method's definition, so that bound methods that exist already count, too. An
 * interpreter that lacks it is left alone. */
static void slip_under(const struct method *method)
{
    PyObject *module = PyImport_ImportModule(method->module);
    PyObject *type = module ? PyObject_GetAttrString(module, method->type) : NULL;
    PyObject *object = type ? PyObject_GetAttrString(type, method->name) : NULL;
    if (object && Py_IS_TYPE(object, &PyMethodDescr_Type)) {
        PyMethodDef *definition = ((PyMethodDescrObject *)object)->d_method;
        PyCFunction counting = ours(method, definition->ml_flags);
        if (counting) {
            *method->original = definition->ml_meth;
            definition->ml_meth = counting;
        }
    }
    PyErr_Clear();
    Py_XDECREF(object);
    Py_XDECREF(type);
    Py_XDECREF(module);
}

PyObject *bine_py_count_tries(PyObject *module, PyObject *unused)
{
    static bool done;
    (void)module, (void)unused;
    for (size_t i = 0; !done && i < sizeof methods / sizeof *methods; i++)
        slip_under(&methods[i]);
    done = true;
    Py_RETURN_NONE;
}

#else

PyObject *bine_py_count_tries(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    Py_RETURN_NONE;
}

#endif
