/* prepare, check and idle: watchers of the loop itself. See loop.h. */
#include "loop.h"

typedef struct bine_loop Loop;

/* Watchers of these types wait for the loop itself; what they are is an attribute of the type,
 * _moment. */
struct moment {
    struct bine_watcher base;
    int which;
};

enum {
    PREPARE,
    CHECK,
    IDLE
};

static unsigned *count_of(Loop *loop, int which)
{
    return which == PREPARE ? &loop->prepares : which == CHECK ? &loop->checks : &loop->idles;
}

static int moment_begin(struct bine_watcher *watcher);
static void moment_end(struct bine_watcher *watcher);
static const struct bine_watcher_class moment_class = {moment_begin, moment_end, NULL,
                                                       NULL,         NULL,       NULL};

static void fire_moments(Loop *loop, int which)
{
    for (struct bine_watcher *watcher = loop->active; watcher; watcher = watcher->next)
        if (watcher->class == &moment_class && ((struct moment *)watcher)->which == which)
            bine_watcher_fire(watcher, BINE_LOOP_CUSTOM);
}

void bine_loop_fire_idle(Loop *loop)
{
    fire_moments(loop, IDLE);
}

static void recess_begins(struct bine_hub *hub)
{
    (void)hub;
    for (Loop *loop = bine_loops_here; loop; loop = loop->next_here)
        if (!loop->prepared && loop->prepares) {
            loop->prepared = true;
            fire_moments(loop, PREPARE);
        }
}

static void recess_over(struct bine_hub *hub)
{
    (void)hub;
    for (Loop *loop = bine_loops_here; loop; loop = loop->next_here) {
        loop->prepared = false;
        if (loop->checks)
            fire_moments(loop, CHECK);
    }
}

static const struct bine_recess recess = {recess_begins, recess_over};

void bine_loop_attend_recess(struct bine_hub *hub)
{
    bool wanted = false;
    for (const Loop *loop = bine_loops_here; loop; loop = loop->next_here)
        wanted |= loop->prepares || loop->checks;
    hub->recess = wanted ? &recess : NULL;
}

static int moment_begin(struct bine_watcher *watcher)
{
    int which = ((struct moment *)watcher)->which;
    ++*count_of(watcher->loop, which);
    if (which == IDLE)
        bine_loop_wake(watcher->loop); /* so that it parks as an idle one */
    bine_loop_attend_recess(watcher->loop->hub);
    return 0;
}

static void moment_end(struct bine_watcher *watcher)
{
    --*count_of(watcher->loop, ((struct moment *)watcher)->which);
    bine_loop_attend_recess(watcher->loop->hub);
}

static int moment_init(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"loop", "ref", "priority", NULL};
    PyObject *loop, *priority = Py_None;
    int ref = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|pO", names, &loop, &ref, &priority))
        return -1;
    PyObject *which = PyObject_GetAttrString(object, "_moment");
    if (!which)
        return -1;
    ((struct moment *)object)->which = (int)PyLong_AsLong(which);
    Py_DECREF(which);
    return PyErr_Occurred() ? -1
                            : bine_watcher_setup((struct bine_watcher *)object, &moment_class, loop,
                                                 ref, priority);
}

static PyTypeObject Moment_Type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "bine._bine._moment",
    .tp_basicsize = sizeof(struct moment),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_doc = "A watcher of the loop itself: prepare (_moment 0), check (1), idle (2).",
    .tp_init = moment_init,
    .tp_traverse = bine_watcher_traverse,
    .tp_clear = bine_watcher_clear,
    .tp_dealloc = bine_watcher_dealloc,
};

int bine_loop_moment_init(PyObject *module)
{
    Moment_Type.tp_base = &bine_Watcher_Type;
    return PyModule_AddType(module, &Moment_Type);
}
