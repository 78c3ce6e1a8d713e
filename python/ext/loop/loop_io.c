/* loop.io: a descriptor. See loop.h. */
#include <errno.h>
#include <poll.h>

#include "base/error.h"
#include "io/poller/watch.h"
#include "libc/libc.h"
#include "loop.h"

typedef struct {
    struct bine_watcher base; /* first */
    struct bine_watch *watch; /* NULL: nothing is being waited for */
    int fd, events;
    bool lost;               /* the descriptor was closed: it is called once more and is over */
    uint8_t patience, waits; /* when asking was in vain it waits so many times without; how many
                              * of these are left */
} Io;

static void ready(void *arg, int64_t result);

/* Bits of poll(2) for events of a loop. A hang-up or an error is news for all. */
static uint32_t bits_of(int events)
{
    return (events & BINE_LOOP_READ ? POLLIN : 0) | (events & BINE_LOOP_WRITE ? POLLOUT : 0);
}

static int loop_io_events_of(int64_t bits, int wanted)
{
    if (bits & (POLLERR | POLLHUP))
        return wanted;
    return ((bits & POLLIN ? BINE_LOOP_READ : 0) | (bits & POLLOUT ? BINE_LOOP_WRITE : 0)) & wanted;
}

/* Is it ready now? Asking costs less than an operation of the poller, but is in vain where the
 * watcher mostly waits: then it asks ever more rarely. */
static bool ready_now(Io *self)
{
    if (self->waits > 0) {
        self->waits--;
        return false;
    }
    struct pollfd look = {.fd = self->fd, .events = (short)bits_of(self->events)};
    if (bine_libc.poll(&look, 1, 0) == 1 && !(look.revents & POLLNVAL)) {
        self->patience = 0;
        bine_watcher_fire(&self->base, loop_io_events_of(look.revents, self->events));
        return true;
    }
    self->patience = self->patience < 127 ? (uint8_t)(2 * self->patience + 1) : 127;
    self->waits = self->patience;
    return false;
}

/* Wait for the descriptor; with or without the GIL. 0 or an error number. */
static int loop_io_wait_for(Io *self)
{
    if (ready_now(self))
        return 0;
    int error = bine_watch(self->base.loop->hub, self->fd, bits_of(self->events), ready, self,
                           &self->watch);
    if (error == EPERM || error == EBADF) {
        /* A regular file is always ready. Of a closed one its user is told by the call that the
         * callback makes. */
        self->lost = error == EBADF;
        bine_watcher_fire(&self->base, self->events);
        error = 0;
    }
    return error;
}

static void ready(void *arg, int64_t result)
{
    Io *self = arg;
    self->watch = NULL;
    if (result == 0 && loop_io_wait_for(self) == 0)
        return;
    self->lost = result == -EBADF;
    bine_watcher_fire(&self->base,
                      result < 0 ? self->events : loop_io_events_of(result, self->events));
}

static int loop_io_begin(struct bine_watcher *watcher)
{
    Io *self = (Io *)watcher;
    self->lost = false;
    if (self->watch || watcher->due)
        return 0;
    int error = loop_io_wait_for(self);
    if (error)
        bine_py_error(error);
    return error ? -1 : 0;
}

static void loop_io_end(struct bine_watcher *watcher)
{
    Io *self = (Io *)watcher;
    if (self->watch)
        bine_unwatch(self->watch);
    self->watch = NULL;
}

static bool over(struct bine_watcher *watcher)
{
    return ((Io *)watcher)->lost;
}

static void loop_io_forked(struct bine_watcher *watcher)
{
    ((Io *)watcher)->watch = NULL;
}

static void renew(struct bine_watcher *watcher)
{
    if (!((Io *)watcher)->watch && !watcher->due && loop_io_wait_for((Io *)watcher) != 0)
        bine_watcher_fire(watcher, ((Io *)watcher)->events);
}

static const struct bine_watcher_class class = {loop_io_begin, loop_io_end,    over,
                                                loop_io_begin, loop_io_forked, renew};

bool bine_loop_closing(struct bine_loop *loop, int fd)
{
    bool some = false;
    for (struct bine_watcher *watcher = loop->active; watcher; watcher = watcher->next) {
        Io *self = (Io *)watcher;
        if (watcher->class != &class || self->fd != fd)
            continue;
        loop_io_end(watcher);
        self->lost = some = true;
        bine_watcher_fire(watcher, self->events);
    }
    return some;
}

/* ---- the type -------------------------------------------------------------------------------- */

static int set_fd_number(Io *self, PyObject *value)
{
    int fd = PyObject_AsFileDescriptor(value);
    if (fd < 0)
        return -1;
    self->fd = fd;
    return 0;
}

static int set_events_number(Io *self, long events)
{
    if (events == -1 && PyErr_Occurred())
        return -1;
    if (events & ~(BINE_LOOP_READ | BINE_LOOP_WRITE | 0x80)) {
        PyErr_Format(PyExc_ValueError, "illegal event mask: %ld", events);
        return -1;
    }
    self->events = (int)events & (BINE_LOOP_READ | BINE_LOOP_WRITE);
    return 0;
}

static int io_init(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"loop", "fd", "events", "ref", "priority", NULL};
    Io *self = (Io *)object;
    PyObject *loop, *fd, *priority = Py_None;
    long events;
    int ref = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOl|pO:io", names, &loop, &fd, &events, &ref,
                                     &priority))
        return -1;
    if (set_fd_number(self, fd) < 0 || set_events_number(self, events) < 0)
        return -1;
    return bine_watcher_setup(&self->base, &class, loop, ref, priority);
}

static int refuse_if_active(const Io *self)
{
    if (self->base.active)
        PyErr_SetString(PyExc_AttributeError,
                        "'io' watcher attribute is read-only while watcher is active");
    return self->base.active ? -1 : 0;
}

static PyObject *get_fd(PyObject *object, void *unused)
{
    (void)unused;
    return PyLong_FromLong(((Io *)object)->fd);
}

static int set_fd(PyObject *object, PyObject *value, void *unused)
{
    (void)unused;
    return !value || refuse_if_active((Io *)object) < 0 ? -1 : set_fd_number((Io *)object, value);
}

static PyObject *get_events(PyObject *object, void *unused)
{
    (void)unused;
    return PyLong_FromLong(((Io *)object)->events);
}

static int set_events(PyObject *object, PyObject *value, void *unused)
{
    (void)unused;
    return !value || refuse_if_active((Io *)object) < 0
               ? -1
               : set_events_number((Io *)object, PyLong_AsLong(value));
}

static PyObject *get_events_text(PyObject *object, void *unused)
{
    int events = ((Io *)object)->events;
    (void)unused;
    return PyUnicode_FromFormat("%s%s%s", events & BINE_LOOP_READ ? "READ" : "",
                                events == (BINE_LOOP_READ | BINE_LOOP_WRITE) ? "|" : "",
                                events & BINE_LOOP_WRITE ? "WRITE" : "");
}

static PyObject *io_format(PyObject *object, PyObject *unused)
{
    PyObject *events = get_events_text(object, unused),
             *text = events ? PyUnicode_FromFormat(" fd=%d events=%U", ((Io *)object)->fd, events)
                            : NULL;
    Py_XDECREF(events);
    return text;
}

static PyMethodDef methods[] = {
    BINE_WATCHER_METHODS,
    {"_format", io_format, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getset[] = {
    {"fd", get_fd, set_fd, "The descriptor. To be set while it is not active.", NULL},
    {"events", get_events, set_events, "READ, WRITE or both. To be set while it is not active.",
     NULL},
    {"events_str", get_events_text, NULL, "READ, WRITE or READ|WRITE, as text.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyTypeObject bine_LoopIo_Type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "bine._bine.io",
    .tp_basicsize = sizeof(Io),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_doc = "io(loop, fd, events, ref=True, priority=None)\n--\n\n"
              "A watcher that is called whenever the descriptor is ready for `events`, READ, WRITE "
              "or both: again and again while it is.",
    .tp_init = io_init,
    .tp_traverse = bine_watcher_traverse,
    .tp_clear = bine_watcher_clear,
    .tp_dealloc = bine_watcher_dealloc,
    .tp_methods = methods,
    .tp_getset = getset,
};

int bine_loop_io_init(PyObject *module)
{
    bine_LoopIo_Type.tp_base = &bine_Watcher_Type;
    return PyModule_AddType(module, &bine_LoopIo_Type);
}
