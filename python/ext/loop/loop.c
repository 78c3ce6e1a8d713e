/*
 * The greenlet that calls a loop's callbacks. See loop.h.
 *
 * The greenlet runs when a callback is queued, and is parked otherwise. Where the loop is a hub's
 * it is the Hub object. A callback may not wait: the greenlet's attention has BINE_A_CALLBACK while
 * it calls one, and pending.c then raises BlockingSwitchOutError. A callback may wait for a mutex
 * of C code, as nothing may end that wait.
 */
#include "loop.h"

#include <errno.h>

#include "carrier/pending.h"
#include "core/schedule/streak.h"
#include "greenlet/greenlet.h"

typedef struct bine_loop Loop;

BINE_CARRIED struct bine_loop *bine_loops_here_;

void bine_loop_wake(Loop *loop)
{
    if (loop->parked) {
        loop->parked = false;
        bine_unpark_on(loop->hub, loop->runner, 0);
    }
}

int bine_loop_ready(Loop *loop)
{
    if (loop->started)
        return 0;
    if (!loop->host) {
        PyObject *serve = PyObject_GetAttrString((PyObject *)loop, "_serve");
        loop->host = serve ? (struct bine_py_greenlet *)PyObject_CallFunctionObjArgs(
                                 (PyObject *)&bine_Greenlet_Type, serve, NULL)
                           : NULL;
        Py_XDECREF(serve);
        if (!loop->host)
            return -1;
    }
    if (bine_greenlet_start_after(loop->host, 0) < 0)
        return -1;
    loop->started = true;
    return 0;
}

static void nobody_waits(struct bine_carrier *carrier)
{
    /* A callback was refused a wait, and what waited did not say so. */
    if (carrier->thrown) {
        Py_CLEAR(carrier->thrown);
        bine_pending_done(carrier);
    }
}

static void callbacks_begin(struct bine_carrier *carrier)
{
    carrier->callback = true;
    carrier->g->attention |= BINE_A_CALLBACK;
}

static void callbacks_end(struct bine_carrier *carrier)
{
    carrier->callback = false;
    carrier->g->attention &= (uint8_t)~BINE_A_CALLBACK;
    nobody_waits(carrier);
}

void bine_loop_failed(Loop *loop, PyObject *context)
{
    struct bine_carrier *carrier = bine_carrier_current();
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (!carrier || !type) {
        PyErr_Restore(type, value, traceback);
        return;
    }
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback)
        PyException_SetTraceback(value, traceback);
    /* Who reports may wait: for the lock of a log, for room in a pipe. */
    bool inside = carrier->callback;
    if (inside)
        callbacks_end(carrier);
    PyObject *result =
        PyObject_CallMethod((PyObject *)loop, "handle_error", "OOOO", context, type,
                            value ? value : Py_None, traceback ? traceback : Py_None);
    if (!result)
        PyErr_WriteUnraisable(context);
    Py_XDECREF(result);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    if (inside)
        callbacks_begin(carrier);
}

/* What is queued now; what that queues is for the next round. */
static void run_round(Loop *loop, struct bine_carrier *carrier)
{
    loop->iterations++;
    callbacks_begin(carrier);
    if (loop->first)
        bine_loop_callbacks_run(loop);
    for (unsigned queue = 0; queue < BINE_LOOP_PRIORITIES; queue++) {
        struct bine_watcher *last = loop->queues[queue] ? loop->tails[queue] : NULL, *self = NULL;
        while (last && loop->queues[queue] && self != last) {
            self = loop->queues[queue];
            bine_watcher_call_first(loop, queue);
        }
    }
    callbacks_end(carrier);
}

/* Park until something is queued; with idle watchers until nobody else has anything to do. Fails
 * where the greenlet is all that a child process has, and nothing can wake it. */
static int wait_for_work(Loop *loop, struct bine_carrier *carrier)
{
    struct bine_waiter idle = {.greenlet = carrier->g};
    if (loop->idles)
        bine_waiters_push(&loop->hub->idle, &idle);
    loop->parked = true;
    carrier->waiting++;
    int error = bine_park(loop->hub, "loop", 0, INT64_MAX, BINE_PARK_FIRM);
    carrier->waiting--;
    loop->parked = false;
    if (idle.queue)
        bine_waiters_remove(&idle);
    else if (loop->idles)
        bine_loop_fire_idle(loop);
    return error;
}

/* Before the next round. Where nobody else is ready rounds count as calls that do not wait: the
 * clock and the kernel are looked at now and then, and the GIL stays. */
static void let_others_run(Loop *loop, struct bine_carrier *carrier)
{
    struct bine_hub *hub = loop->hub;
    carrier->waiting++;
    if (bine_ready_empty(&hub->ready) && !hub->simulated)
        bine_streak_firmly(hub);
    else
        bine_yield(hub);
    carrier->waiting--;
}

PyObject *bine_loop_serve(PyObject *object, PyObject *unused)
{
    Loop *loop = (Loop *)object;
    struct bine_carrier *carrier = bine_carrier_current();
    (void)unused;
    if (!carrier)
        return NULL;
    if (loop->host != carrier->running) /* another one has taken its place before it began */
        Py_RETURN_NONE;
    loop->runner = carrier->g;
    bine_greenlet_hide(carrier->g);
    while (!loop->destroyed && loop->runner == carrier->g) {
        if (!loop->queued) {
            if (wait_for_work(loop, carrier) == EDEADLK && carrier->g->flags & BINE_G_ROOT)
                break;
            continue;
        }
        run_round(loop, carrier);
        if (loop->queued && loop->runner == carrier->g)
            let_others_run(loop, carrier);
    }
    if (loop->runner == carrier->g) {
        loop->runner = NULL;
        loop->started = false;
    }
    bine_greenlet_show(carrier->g);
    Py_RETURN_NONE;
}
