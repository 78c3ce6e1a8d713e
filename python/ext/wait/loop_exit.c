/* LoopExit: nothing can wake any greenlet any more. */
#include "loop_exit.h"

#include <sys/mman.h>
#include <unistd.h>

#include "core/report/dump.h"

static PyObject *type;

/* The dump goes through a memory file. */
PyObject *bine_py_dump_text(void)
{
    int fd = memfd_create("bine-dump", MFD_CLOEXEC);
    if (fd < 0)
        return PyUnicode_FromString("");
    bine_dump(fd);
    off_t size = lseek(fd, 0, SEEK_END);
    PyObject *text = NULL;
    char *bytes = size > 0 ? PyMem_Malloc((size_t)size) : NULL;
    if (bytes && pread(fd, bytes, (size_t)size, 0) == size)
        text = PyUnicode_DecodeUTF8(bytes, size, "replace");
    PyMem_Free(bytes);
    close(fd);
    return text || PyErr_Occurred() ? text : PyUnicode_FromString("");
}

void bine_loop_exit_raise(void)
{
    PyObject *text = bine_py_dump_text();
    PyObject *all =
        text ? PyUnicode_FromFormat("This operation would block forever\n%U", text) : NULL;
    PyObject *error = all ? PyObject_CallFunctionObjArgs(type, all, NULL) : NULL;
    /* Its hub is the thread's. */
    if (error && PyObject_SetAttrString(error, "_raised", Py_True) == 0)
        PyErr_SetObject(type, error);
    Py_XDECREF(error);
    Py_XDECREF(all);
    Py_XDECREF(text);
}

int bine_loop_exit_init(PyObject *module)
{
    type = PyErr_NewExceptionWithDoc(
        "bine.exceptions.LoopExit",
        "Nothing can wake any greenlet any more; the text says who waits for what.",
        PyExc_Exception, NULL);
    return type ? PyModule_AddObjectRef(module, "LoopExit", type) : -1;
}
