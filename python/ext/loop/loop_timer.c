/* loop.timer: a timer of the hub. See loop.h. */
#include <math.h>

#include "loop.h"

typedef struct {
    struct bine_watcher base; /* first */
    double after, repeat;     /* seconds */
    int64_t delay;            /* of the next start: `after` in nanoseconds */
    int64_t deadline;         /* of the hub's clock, while it runs */
    uint32_t timer;           /* the hub's, if `taken` */
    bool taken, runs;
} Timer;

static int64_t nanoseconds(double seconds)
{
    return seconds <= 0 ? 0 : seconds >= 9e9 ? BINE_FOREVER - 1 : (int64_t)ceil(seconds * 1e9);
}

static void fire(void *arg, int64_t deadline);

static void loop_timer_run(Timer *self, int64_t deadline)
{
    struct bine_hub *hub = self->base.loop->hub;
    self->deadline = deadline;
    self->runs = true;
    hub->background_timers++;
    bine_timer_start(&hub->timers, self->timer, fire, self, deadline);
}

static void halt(Timer *self)
{
    struct bine_hub *hub = self->base.loop->hub;
    if (!self->runs)
        return;
    self->runs = false;
    hub->background_timers--;
    bine_timer_stop(&hub->timers, self->timer);
}

/* In a turn. A repeated one that comes late keeps its beat, but does not make up for what it
 * missed. */
static void fire(void *arg, int64_t deadline)
{
    Timer *self = arg;
    struct bine_hub *hub = self->base.loop->hub;
    self->runs = false;
    hub->background_timers--;
    if (self->repeat > 0) {
        int64_t next = deadline + nanoseconds(self->repeat), now = bine_hub_now(hub);
        loop_timer_run(self, next > now ? next : now + 1);
    }
    bine_watcher_fire(&self->base, BINE_LOOP_TIMER);
}

static int start_after(Timer *self, int64_t delay)
{
    struct bine_hub *hub = self->base.loop->hub;
    if (!self->taken) {
        int64_t timer = bine_timer_take(&hub->timers);
        if (timer < 0) {
            PyErr_NoMemory();
            return -1;
        }
        self->timer = (uint32_t)timer;
        self->taken = true;
    }
    halt(self);
    loop_timer_run(self, bine_hub_deadline(hub, delay));
    return 0;
}

static int loop_timer_begin(struct bine_watcher *watcher)
{
    return start_after((Timer *)watcher, ((Timer *)watcher)->delay);
}

static void loop_timer_end(struct bine_watcher *watcher)
{
    Timer *self = (Timer *)watcher;
    halt(self);
    if (self->taken)
        bine_timer_give_back(&watcher->loop->hub->timers, self->timer);
    self->taken = false;
}

static bool over(struct bine_watcher *watcher)
{
    return !((Timer *)watcher)->runs;
}

static void loop_timer_forked(struct bine_watcher *watcher)
{
    Timer *self = (Timer *)watcher;
    if (!self->runs)
        return;
    self->runs = false;
    loop_timer_run(self, self->deadline); /* its number and its room are there still */
}

static const struct bine_watcher_class class = {
    loop_timer_begin, loop_timer_end, over, NULL, loop_timer_forked, NULL};

/* ---- the type -------------------------------------------------------------------------------- */

static int check_repeat(double repeat)
{
    if (repeat >= 0)
        return 0;
    PyErr_Format(PyExc_ValueError, "repeat must be positive or zero");
    return -1;
}

static int timer_init(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"loop", "after", "repeat", "ref", "priority", NULL};
    Timer *self = (Timer *)object;
    PyObject *loop, *priority = Py_None;
    double after = 0, repeat = 0;
    int ref = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|ddpO:timer", names, &loop, &after, &repeat,
                                     &ref, &priority) ||
        check_repeat(repeat) < 0)
        return -1;
    if (isnan(after)) {
        PyErr_SetString(PyExc_ValueError, "after must not be NaN");
        return -1;
    }
    self->after = after;
    self->delay = nanoseconds(after);
    self->repeat = repeat;
    return bine_watcher_setup(&self->base, &class, loop, ref, priority);
}

/* again(callback, *args, update=True) */
static PyObject *timer_again(PyObject *object, PyObject *const *args, Py_ssize_t count,
                             PyObject *names)
{
    Timer *self = (Timer *)object;
    PyObject *callback, *rest;
    bool pass_events;
    if (bine_watcher_arguments(args, count, names, &callback, &rest, &pass_events) < 0)
        return NULL;
    bool was_active = self->base.active;
    self->delay = nanoseconds(self->repeat);
    int result = self->repeat > 0 || was_active
                     ? bine_watcher_start(&self->base, callback, rest, pass_events)
                     : 0;
    self->delay = nanoseconds(self->after);
    Py_DECREF(rest);
    if (result == 0 && was_active && bine_loop_here(self->base.loop)) {
        if (self->repeat > 0)
            result = start_after(self, nanoseconds(self->repeat));
        else
            bine_watcher_stop(&self->base);
    }
    if (result < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *get_at(PyObject *object, void *unused)
{
    Timer *self = (Timer *)object;
    (void)unused;
    return PyFloat_FromDouble(self->runs ? (double)self->deadline / 1e9 : self->after);
}

static PyObject *get_repeat(PyObject *object, void *unused)
{
    (void)unused;
    return PyFloat_FromDouble(((Timer *)object)->repeat);
}

static int set_repeat(PyObject *object, PyObject *value, void *unused)
{
    double repeat = value ? PyFloat_AsDouble(value) : -1;
    (void)unused;
    if ((repeat == -1.0 && PyErr_Occurred()) || check_repeat(repeat) < 0)
        return -1;
    ((Timer *)object)->repeat = repeat;
    return 0;
}

static PyObject *timer_format(PyObject *object, PyObject *unused)
{
    Timer *self = (Timer *)object;
    (void)unused;
    PyObject *after = PyFloat_FromDouble(self->after), *repeat = PyFloat_FromDouble(self->repeat);
    PyObject *text =
        after && repeat ? PyUnicode_FromFormat(" after=%R repeat=%R", after, repeat) : NULL;
    Py_XDECREF(after);
    Py_XDECREF(repeat);
    return text;
}

static PyMethodDef methods[] = {
    BINE_WATCHER_METHODS,
    {"again", BINE_FAST_NAMED(timer_again),
     "again(callback, *args, update=True)\n--\n\nStart anew, with `repeat` seconds from now on; "
     "without repeat: stop."},
    {"_format", timer_format, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getset[] = {
    {"at", get_at, NULL, "When it is due, in the loop's time.", NULL},
    {"repeat", get_repeat, set_repeat, "Seconds from one call to the next; 0: it is called once.",
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyTypeObject bine_LoopTimer_Type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "bine._bine.timer",
    .tp_basicsize = sizeof(Timer),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_doc = "timer(loop, after=0.0, repeat=0.0, ref=True, priority=None)\n--\n\n"
              "A watcher that is called after so many seconds, and then each `repeat` seconds if "
              "that is not 0.",
    .tp_init = timer_init,
    .tp_traverse = bine_watcher_traverse,
    .tp_clear = bine_watcher_clear,
    .tp_dealloc = bine_watcher_dealloc,
    .tp_methods = methods,
    .tp_getset = getset,
};

int bine_loop_timer_init(PyObject *module)
{
    bine_LoopTimer_Type.tp_base = &bine_Watcher_Type;
    return PyModule_AddType(module, &bine_LoopTimer_Type);
}
