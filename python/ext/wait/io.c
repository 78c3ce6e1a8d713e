/*
 * Descriptors for greenlets, whatever is patched: gevent.os, gevent.fileobject and gevent.socket's
 * wait functions stand on these. O_NONBLOCK is left as it is: a descriptor that has it is waited
 * for here, one that has not is waited for by the runtime.
 */
#include "io.h"

#include <errno.h>
#include <poll.h>

#include "base/error.h"
#include "deadline.h"
#include "park.h"
#include "timeout.h"

/* What a call that returned `result` means: 1: make it again; 0: it is done; -1: an exception is
 * set. */
static int outcome(ssize_t result)
{
    int error = errno, again = bine_py_wait_end(result < 0);
    if (again < 0 || again == 1)
        return again;
    if (result >= 0)
        return 0;
    bine_py_error(error);
    return -1;
}

/* Milliseconds for poll(2), rounded up so that nobody is woken too early; -1: for ever. */
static int milliseconds_left(int64_t deadline)
{
    int64_t left = bine_py_left(deadline);
    if (left == BINE_FOREVER)
        return -1;
    int64_t milliseconds = left / 1000000 + (left % 1000000 != 0);
    return milliseconds > INT32_MAX ? INT32_MAX : (int)milliseconds;
}

/* Wait until the descriptor has one of the events. What came, 0 at the deadline, -1 with an
 * exception. */
static int wait_events(int fd, short events, int64_t deadline)
{
    struct pollfd entry = {.fd = fd, .events = events};
    struct bine_py_outside outside;
    int result, again;
    do {
        int limit = milliseconds_left(deadline);
        if (bine_py_leave_gil(&outside) < 0)
            return -1;
        result = bine_poll(&entry, 1, limit);
        bine_py_take_gil(&outside);
        again = outcome(result);
    } while (again == 1 || (again == 0 && result == 0 && bine_py_left(deadline) != 0));
    if (again < 0)
        return -1;
    if (result > 0 && entry.revents & POLLNVAL) {
        bine_py_error(EBADF);
        return -1;
    }
    return result > 0 ? entry.revents : 0;
}

static PyObject *py_wait_fd(PyObject *module, PyObject *args)
{
    int fd;
    short events;
    PyObject *seconds = Py_None;
    int64_t deadline;
    (void)module;
    if (!PyArg_ParseTuple(args, "ih|O:wait_fd", &fd, &events, &seconds) ||
        bine_py_deadline(seconds, &deadline) < 0)
        return NULL;
    int came = wait_events(fd, events, deadline);
    return came < 0 ? NULL : PyLong_FromLong(came);
}

/* Read or write what the buffer has room for, waiting as often as the descriptor says EAGAIN. -1
 * with an exception. */
static ssize_t io_transfer(int fd, void *bytes, Py_ssize_t size, bool out)
{
    for (;;) {
        struct bine_py_outside outside;
        if (bine_py_leave_gil(&outside) < 0)
            return -1;
        ssize_t result =
            out ? bine_write(fd, bytes, (size_t)size) : bine_read(fd, bytes, (size_t)size);
        bine_py_take_gil(&outside);
        if (result < 0 && errno == EAGAIN) {
            if (bine_py_wait_end(false) < 0 ||
                wait_events(fd, out ? POLLOUT : POLLIN, INT64_MAX) < 0)
                return -1;
            continue;
        }
        int again = outcome(result);
        if (again != 1)
            return again < 0 ? -1 : result;
    }
}

static PyObject *py_read_fd(PyObject *module, PyObject *args)
{
    int fd;
    Py_ssize_t size;
    (void)module;
    if (!PyArg_ParseTuple(args, "in:read_fd", &fd, &size))
        return NULL;
    if (size < 0)
        return bine_py_error(EINVAL);
    PyObject *room = PyBytes_FromStringAndSize(NULL, size);
    ssize_t got = room ? io_transfer(fd, PyBytes_AS_STRING(room), size, false) : -1;
    if (got == size)
        return room;
    PyObject *bytes = got < 0 ? NULL : PyBytes_FromStringAndSize(PyBytes_AS_STRING(room), got);
    Py_XDECREF(room);
    return bytes;
}

static PyObject *by_buffer(PyObject *args, const char *format, bool out)
{
    int fd;
    Py_buffer buffer;
    if (!PyArg_ParseTuple(args, format, &fd, &buffer))
        return NULL;
    ssize_t moved = io_transfer(fd, buffer.buf, buffer.len, out);
    PyBuffer_Release(&buffer);
    return moved < 0 ? NULL : PyLong_FromSsize_t(moved);
}

static PyObject *py_read_fd_into(PyObject *module, PyObject *args)
{
    (void)module;
    return by_buffer(args, "iw*:read_fd_into", false);
}

static PyObject *py_write_fd(PyObject *module, PyObject *args)
{
    (void)module;
    return by_buffer(args, "iy*:write_fd", true);
}

static PyMethodDef functions[] = {
    {"wait_fd", py_wait_fd, METH_VARARGS,
     "wait_fd(fd, events, seconds=None)\n--\n\nWait until the descriptor has one of the events of "
     "poll(2). The events that came; 0 when the time has\n"
     "passed. OSError EBADF if it is closed, or another greenlet closes it. Switches."},
    {"read_fd", py_read_fd, METH_VARARGS,
     "read_fd(fd, size)\n--\n\nAt most `size` bytes, as soon as there is one; b'' at the end. Only "
     "this greenlet waits, whether or not the descriptor\n"
     "is non-blocking; a regular file blocks the thread. OSError as of read(2). May switch."},
    {"read_fd_into", py_read_fd_into, METH_VARARGS,
     "read_fd_into(fd, buffer)\n--\n\nAs read_fd(), into a writable buffer. The number of bytes."},
    {"write_fd", py_write_fd, METH_VARARGS,
     "write_fd(fd, buffer)\n--\n\nWrite bytes. Their number, which on a non-blocking descriptor "
     "may be less than the buffer has. Only this greenlet waits.\n"
     "OSError as of write(2). May switch."},
    {NULL, NULL, 0, NULL},
};

int bine_io_init(PyObject *module)
{
    return PyModule_AddFunctions(module, functions);
}
