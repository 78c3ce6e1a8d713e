/*
 * The event loop that gevent's programs see: watchers, on libbine's poller and timers. See
 * docs/design.md.
 *
 *   loop_type.c       the type: making and ending, methods
 *   loop.c            the greenlet that calls the callbacks
 *   loop_callback.c   run_callback()
 *   loop_watcher.c    what all watchers have in common
 *   loop_queue.c      how watchers are called
 *   loop_io.c, loop_timer.c, loop_async.c, loop_moment.c   the watchers
 *
 * What a loop keeps belongs to its hub's thread. Turns of the hub, which have no GIL, queue
 * watchers there (bine_watcher_fire); everything else is done with the GIL. Other threads send
 * orders.
 */
#ifndef BINE_EXT_LOOP_H
#define BINE_EXT_LOOP_H

#include "base/arguments.h"
#include "carrier/carrier.h"
#include "core/hub/message.h"
#include "libc/carrier.h"

enum {
    BINE_LOOP_READ = 1,
    BINE_LOOP_WRITE = 2,
    BINE_LOOP_TIMER = 0x100,
    BINE_LOOP_CUSTOM = 0x1000000, /* of events that have no number of their own */

    BINE_LOOP_MINPRI = -2,
    BINE_LOOP_MAXPRI = 2,
    BINE_LOOP_PRIORITIES = BINE_LOOP_MAXPRI - BINE_LOOP_MINPRI + 1,
};

struct bine_loop;
struct bine_watcher;

/* How a type of watchers waits. All with the GIL, on the hub's thread. */
struct bine_watcher_class {
    /* Begin to wait. -1 with an exception. */
    int (*begin)(struct bine_watcher *watcher);
    /* Stop waiting. */
    void (*end)(struct bine_watcher *watcher);
    /* Its callback is about to be called: true if the watcher is over by that. NULL: never. */
    bool (*over)(struct bine_watcher *watcher);
    /* Its callback was called and it is still active. -1 with an exception. NULL: nothing to do. */
    int (*go_on)(struct bine_watcher *watcher);
    /* The process has forked; in the child, without the GIL: what was begun is gone. NULL: nothing
     * was. */
    void (*forked)(struct bine_watcher *watcher);
    /* ... and begin again, in a turn, without the GIL. */
    void (*renew)(struct bine_watcher *watcher);
};

/* While it is active, or queued, it has a reference to itself. */
struct bine_watcher {
    PyObject_HEAD const struct bine_watcher_class *class;
    struct bine_loop *loop;               /* owned */
    PyObject *callback, *args;            /* args NULL: it was not started */
    struct bine_watcher *next, *previous; /* of the loop's active ones */
    struct bine_watcher *next_queued;
    PyObject *weak_references;
    int revents; /* since the last call */
    int8_t priority;
    bool active;
    bool queued;   /* in one of the loop's queues ... */
    bool due;      /* ... to be called */
    unsigned lent; /* ... and so many references more with it */
    bool keeps;    /* the argument ref: while active it keeps the loop running */
    bool engaged;  /* it does so now */
    bool pass_events;
    bool closed;
};

/* What run_callback() returns. While it is queued it has a reference to itself. */
struct bine_loop_callback {
    PyObject_HEAD PyObject *callback, *args; /* NULL: stopped, or called */
    struct bine_loop_callback *next;
};

struct bine_loop {
    PyObject_HEAD struct bine_hub *hub; /* of the thread that it belongs to ... */
    uint64_t life;                      /* ... in that life of the hub's record */
    struct bine_loop *next_here;        /* of that thread's */
    struct bine_py_greenlet *host;      /* owned: calls the callbacks; NULL: not needed so far */
    struct bine_greenlet *runner;       /* the C greenlet that it runs in; NULL: it does not run */
    struct bine_watcher *active;
    struct bine_watcher *queues[BINE_LOOP_PRIORITIES], *tails[BINE_LOOP_PRIORITIES];
    struct bine_loop_callback *first, *last; /* callbacks to run */
    size_t queued;                           /* in all queues */
    struct bine_message renewal;             /* to the own hub, after fork */
    PyObject *error_handler, *dict, *weak_references;
    unsigned long iterations;         /* rounds of callbacks */
    unsigned prepares, checks, idles; /* active ones */
    bool started;                     /* the host was */
    bool parked;                      /* the host waits for something to do */
    bool destroyed;
    bool prepared; /* the present turn's prepare watchers were queued */
};

extern PyTypeObject bine_Loop_Type, bine_Watcher_Type, bine_LoopCallback_Type;
extern PyTypeObject bine_LoopIo_Type, bine_LoopTimer_Type, bine_LoopAsync_Type;

/* All of them. */
int bine_loops_init(PyObject *module);
int bine_loop_init(PyObject *module);
int bine_watcher_init(PyObject *module);
int bine_loop_callback_init(PyObject *module);
int bine_loop_io_init(PyObject *module);
int bine_loop_timer_init(PyObject *module);
int bine_loop_async_init(PyObject *module);
int bine_loop_moment_init(PyObject *module);

/* Calls callbacks until the loop is destroyed: the function of its greenlet. */
PyObject *bine_loop_serve(PyObject *loop, PyObject *unused);
/* The calling thread's loops, until they are destroyed: owned. */
extern BINE_CARRIED struct bine_loop *bine_loops_here_;
#define bine_loops_here BINE_OF_CARRIER(bine_loops_here_)
/* Nobody else has anything to do: idle watchers are called. */
void bine_loop_fire_idle(struct bine_loop *loop);
/* Be told of turns that wait if any loop of the thread has watchers of that. */
void bine_loop_attend_recess(struct bine_hub *hub);

/* Does it belong to the calling thread? */
static inline bool bine_loop_here(const struct bine_loop *loop)
{
    return loop->hub == bine_hub_of_thread && loop->hub->life == loop->life;
}

/* Have a greenlet that calls callbacks. -1 with an exception. */
int bine_loop_ready(struct bine_loop *loop);
/* It has something to do. With or without the GIL. */
void bine_loop_wake(struct bine_loop *loop);
/* Tell the loop's handle_error() of the current exception, which `context` failed with. */
void bine_loop_failed(struct bine_loop *loop, PyObject *context);

/* Have the watcher called, which is active or queued. On the hub's thread, with or without the
 * GIL. */
void bine_watcher_fire(struct bine_watcher *watcher, int revents);
/* It waits no more, but what is due stays. The caller has a reference. GIL. */
void bine_watcher_deactivate(struct bine_watcher *watcher);
/* The same for one that need not be active: GIL. */
void bine_watcher_feed(struct bine_watcher *watcher, int revents);
/* Give back a reference that is held without the GIL. On the hub's thread; the watcher is active or
 * queued, or has that reference only. */
void bine_watcher_return(struct bine_watcher *watcher);
/* Take it off its queue and call it. GIL. */
void bine_watcher_call_first(struct bine_loop *loop, unsigned queue);
void bine_watcher_stop(struct bine_watcher *watcher);
/* Start it: -1 with an exception. The arguments are those of start(). */
int bine_watcher_start(struct bine_watcher *watcher, PyObject *callback, PyObject *args,
                       bool pass_events);
int bine_watcher_arguments(PyObject *const *args, Py_ssize_t count, PyObject *names,
                           PyObject **callback, PyObject **rest, bool *pass_events);
/* In the child after fork. */
void bine_watchers_forked(struct bine_loop *loop);

/* Parts of the types. Each has start and stop among its own methods: CPython calls those quickly
 * that the object's own type defines. */
#define BINE_WATCHER_METHODS                                                                      \
    {"start", BINE_FAST_NAMED(bine_watcher_start_method),                                         \
     "start(callback, *args, pass_events=False)\n--\n\nFrom now on call callback(*args) at each " \
     "event, with the "                                                                           \
     "events "                                                                                    \
     "in front if pass_events. It may not wait. Any thread: from\n"                               \
     "another one than the loop's the watcher starts soon. TypeError, ValueError (closed), "      \
     "OSError."},                                                                                 \
    {                                                                                             \
        "stop", bine_watcher_stop_method, METH_NOARGS,                                            \
            "stop()\n--\n\nCall it no more, also for an event that has happened. It can be "      \
            "started again. Any thread."                                                          \
    }
PyObject *bine_watcher_start_method(PyObject *object, PyObject *const *args, Py_ssize_t count,
                                    PyObject *names);
PyObject *bine_watcher_stop_method(PyObject *object, PyObject *unused);
int bine_watcher_setup(struct bine_watcher *watcher, const struct bine_watcher_class *class,
                       PyObject *loop, int keeps, PyObject *priority);
int bine_watcher_traverse(PyObject *object, visitproc visit, void *arg);
int bine_watcher_clear(PyObject *object);
void bine_watcher_dealloc(PyObject *object);

/* The descriptor is about to be closed: call its watchers once more, and stop them. Were there
 * any? */
bool bine_loop_closing(struct bine_loop *loop, int fd);

void bine_loop_callbacks_run(struct bine_loop *loop);
void bine_loop_callbacks_drop(struct bine_loop *loop);
PyObject *bine_loop_run_callback(PyObject *self, PyObject *const *args, Py_ssize_t count);
PyObject *bine_loop_run_callback_threadsafe(PyObject *self, PyObject *const *args,
                                            Py_ssize_t count);

#endif
