/* bine/patch.h as functions of the module, for bine.monkey. */
#include "patching.h"

#include <errno.h>

#include "base/error.h"
#include "patch/table/interpreter.h"
#include "patch/table/table.h"

/* patch(families) and unpatch(families). */
static PyObject *by_families(int (*function)(unsigned), PyObject *args)
{
    unsigned families;
    if (!PyArg_ParseTuple(args, "I", &families))
        return NULL;
    if (function(families) < 0)
        return bine_py_error(errno);
    Py_RETURN_NONE;
}

static PyObject *py_patch(PyObject *module, PyObject *args)
{
    (void)module;
    return by_families(bine_patch, args);
}

static PyObject *py_unpatch(PyObject *module, PyObject *args)
{
    (void)module;
    return by_families(bine_unpatch, args);
}

/* The functions of bine/patch.h that take a pattern of object names. */
static PyObject *by_object(int (*function)(const char *), PyObject *args)
{
    const char *object;
    if (!PyArg_ParseTuple(args, "s", &object))
        return NULL;
    if (function(object) < 0)
        return bine_py_error(errno);
    Py_RETURN_NONE;
}

static PyObject *py_exclude(PyObject *module, PyObject *args)
{
    (void)module;
    return by_object(bine_patch_exclude, args);
}

static PyObject *py_threads_as_greenlets(PyObject *module, PyObject *args)
{
    (void)module;
    return by_object(bine_patch_threads_as_greenlets, args);
}

static PyObject *py_own_threads(PyObject *module, PyObject *args)
{
    (void)module;
    return by_object(bine_patch_own_threads, args);
}

static PyObject *py_patch_time_and_locks(PyObject *module, PyObject *args)
{
    (void)module;
    return by_object(bine_patch_time_and_locks, args);
}

static PyObject *py_patch_patient(PyObject *module, PyObject *args)
{
    (void)module;
    return by_object(bine_patch_patient, args);
}

static PyObject *py_patch_only(PyObject *module, PyObject *args)
{
    const char *object;
    unsigned families;
    (void)module;
    if (!PyArg_ParseTuple(args, "sI:patch_only", &object, &families))
        return NULL;
    if (bine_patch_only(object, families) < 0)
        return bine_py_error(errno);
    Py_RETURN_NONE;
}

static PyObject *py_patched(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    return PyLong_FromUnsignedLong(bine_patched());
}

static PyMethodDef functions[] = {
    {"patch", py_patch, METH_VARARGS, NULL},
    {"unpatch", py_unpatch, METH_VARARGS, NULL},
    {"patched", py_patched, METH_NOARGS, NULL},
    {"patch_time_and_locks", py_patch_time_and_locks, METH_VARARGS, NULL},
    {"patch_patient", py_patch_patient, METH_VARARGS, NULL},
    {"patch_only", py_patch_only, METH_VARARGS, NULL},
    {"patch_exclude", py_exclude, METH_VARARGS, NULL},
    {"patch_threads_as_greenlets", py_threads_as_greenlets, METH_VARARGS, NULL},
    {"patch_own_threads", py_own_threads, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

/* The bits of families, so that no number is typed twice. */
static const struct {
    const char *name;
    long bits;
} constants[] = {
    {"PATCH_SOCKET", BINE_PATCH_SOCKET},       {"PATCH_DNS", BINE_PATCH_DNS},
    {"PATCH_TIME", BINE_PATCH_TIME},           {"PATCH_SELECT", BINE_PATCH_SELECT},
    {"PATCH_FILE", BINE_PATCH_FILE},           {"PATCH_STDIO", BINE_PATCH_STDIO},
    {"PATCH_PROCESS", BINE_PATCH_PROCESS},     {"PATCH_THREAD", BINE_PATCH_THREAD},
    {"PATCH_SIGNAL", BINE_PATCH_SIGNAL},       {"PATCH_ALL", BINE_PATCH_ALL},
    {"PATCH_SEMAPHORE", BINE_PATCH_SEMAPHORE}, {"PATCH_INTERPRETER", BINE_PATCH_INTERPRETER},
};

int bine_patching_init(PyObject *module)
{
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
        if (PyModule_AddIntConstant(module, constants[i].name, constants[i].bits) < 0)
            return -1;
    return PyModule_AddFunctions(module, functions);
}
