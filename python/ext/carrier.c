/*
 * Carriers, and the GIL around switches. See bine_python.h.
 *
 * Whoever parks gives the GIL away first, whether CPython released it around a blocking call already or an extension forgot to: the next
 * greenlet takes it with its own thread state. So the interpreter sees nothing but threads that take turns. Where the next one
 * would take it at once it is handed over instead (PyThreadState_Swap): that is a fifth of a switch.
 */
#include <errno.h>

#include "bine_python.h"
#include "core/hub/greenlet.h"
#include "core/hub/schedule.h"
#include "gil.h"

/* Address space, committed as it is touched: as much as a thread gets, asked once. CPython allows so many C calls that extensions written in C
 * (json, pickle, re) need this to end in RecursionError and not in the guard (hazard 36), and numerical libraries have frames of more than a
 * megabyte. */
static size_t stack_size;

/* Idle carriers of this thread, and how many: beyond KEEP they end. */
enum {
    KEEP = 1000
};
static _Thread_local struct bine_carrier *idle;
static _Thread_local unsigned idle_count;

/*
 * Handing over. The hub whose greenlet has left without releasing the GIL, and the state it did so with, until the next greenlet takes it,
 * which is the very next thing that happens. Only who holds the GIL writes them, and a hub finds itself there only if it wrote that itself.
 *
 * The main thread's root takes the GIL anew always: CPython looks for signals that came meanwhile, which only that greenlet handles, where
 * it takes the GIL. Nor is it kept while the interpreter ends: taking it is where CPython stops all other threads. And from 3.12 on
 * PyThreadState_Swap() releases and takes it, too.
 */
static struct bine_hub *_Atomic keeper;
static PyThreadState *kept;

/* Does the next greenlet take the GIL again, with a state of its own? Asked when nothing can come in between any more. */
static bool may_hand_over(const struct bine_hub *hub)
{
    if (PY_VERSION_HEX >= 0x030C0000 || hub->simulated || !Py_IsInitialized())
        return false;
    struct bine_greenlet *next = bine_schedule_expected(hub);
    const struct bine_carrier *carrier = next ? bine_carrier_of(next) : NULL;
    return carrier && carrier->left && !(next == hub->root && hub->main_thread);
}

static void *carrier_leave(struct bine_hub *hub, struct bine_greenlet *g)
{
    struct bine_carrier *carrier = bine_carrier_of(g);
    /* Python's waits are all interrupted by signals (KeyboardInterrupt), libbine's own objects' among them. */
    if (carrier && carrier->waiting && !(g->park_flags & BINE_PARK_FIRM))
        g->park_flags |= BINE_PARK_SIGNALS;
    PyThreadState *state = bine_gil_state(carrier);
    if (!state)
        return NULL;
    if (may_hand_over(hub)) {
        kept = state;
        atomic_store_explicit(&keeper, hub, memory_order_relaxed);
    } else {
        PyEval_SaveThread();
    }
    if (carrier)
        carrier->left = true;
    return state;
}

/* The GIL for the current greenlet, which left with that state. */
static void take_again(struct bine_hub *hub, struct bine_carrier *carrier, PyThreadState *state)
{
    if (atomic_load_explicit(&keeper, memory_order_relaxed) != hub) {
        if (carrier)
            carrier->without_gil++;
        PyEval_RestoreThread(state);
        if (carrier)
            carrier->without_gil--;
        return;
    }
    atomic_store_explicit(&keeper, NULL, memory_order_relaxed);
    PyThreadState_Swap(state);
}

static void back(struct bine_hub *hub, struct bine_greenlet *g, void *left, int error)
{
    struct bine_carrier *carrier = bine_carrier_of(g);
    if (__builtin_expect(carrier && error == EINTR && bine_carrier_pending(carrier) && !carrier->waiting, 0))
        bine_delivery_struck(carrier, g->object);
    if (carrier)
        carrier->left = false;
    if (left)
        take_again(hub, carrier, left);
    bine_signal_take_over(hub, carrier);
}

static void back_and_tell(struct bine_hub *hub, struct bine_greenlet *g, void *left, int error)
{
    back(hub, g, left, error);
    if (left) {
        bine_switch_tell(hub);
        bine_tracing_woken();
    } else if (bine_carrier_of(g)) { /* it parked without the GIL, in a call of libc's */
        int saved = errno;
        PyGILState_STATE gil = PyGILState_Ensure();
        bine_switch_tell(hub);
        bine_tracing_woken();
        PyGILState_Release(gil);
        errno = saved;
    }
}

/* Others that put themselves around us keep a pointer to this thread's, so what is told changes in here. */
static _Thread_local struct bine_around around = {carrier_leave, back, bine_delivery_refuse, bine_delivery_interrupted};
static _Thread_local bool surrounded; /* this thread's hub */

/* ---- the current one ----------------------------------------------------------------------------------- */

static void carrier_ended(struct bine_greenlet *g)
{
    /* Of a thread that became a greenlet: its thread state is CPython's business, and gone by now. The objects need the GIL, which we
     * may not have here; a carrier of our own has freed them before. */
    struct bine_carrier *carrier = g->slots[BINE_SLOT_PYTHON];
    g->slots[BINE_SLOT_PYTHON] = NULL;
    bine_timeouts_abandon(carrier);
    if (!Py_IsInitialized()) {
        free(carrier);
        return;
    }
    if (carrier->face || carrier->thrown || carrier->switched) {
        PyGILState_STATE gil = PyGILState_Ensure();
        Py_CLEAR(carrier->face);
        Py_CLEAR(carrier->switched);
        Py_CLEAR(carrier->thrown);
        PyGILState_Release(gil);
    }
    free(carrier);
}

/* Once: others may have put themselves around us meanwhile. */
static void surround(struct bine_hub *hub)
{
    if (!surrounded)
        bine_hub_set_around(hub, &around);
    surrounded = true;
}

void bine_carriers_tell(void)
{
    around.back = bine_switch_told() || bine_tracing_shared() ? back_and_tell : back;
}

/* A thread whose code never calls Bine parks as well: in a lock or a socket, with the GIL where the call was to return at once. Where
 * nothing is patched, a greenlet's own state cannot be found, and only Bine's own calls park. */
static int hub_started(struct bine_hub *hub)
{
    if (bine_states_by_key)
        surround(hub);
    return 0;
}

struct bine_carrier *bine_carrier_make(void)
{
    struct bine_hub *hub = bine_hub_get();
    if (!hub) {
        PyErr_SetFromErrno(PyExc_OSError);
        return NULL;
    }
    struct bine_carrier *carrier = calloc(1, sizeof *carrier);
    if (!carrier) {
        PyErr_NoMemory();
        return NULL;
    }
    carrier->g = hub->current;
    bine_greenlet_keep(hub->current, BINE_SLOT_PYTHON, carrier);
    surround(hub);
    return carrier;
}

/* ---- carrying ------------------------------------------------------------------------------------------- */

/* In a child, where only the greenlet that forked lives on: the process ends with it. Not by Py_Exit, which wants the thread state that the
 * main program had in the parent. */
static _Noreturn void exit_child(struct bine_py_greenlet *greenlet)
{
    PyObject *exception = greenlet->exception ? greenlet->exception : Py_None;
    PyObject *report = PyImport_ImportModule("bine._report");
    PyObject *status = report ? PyObject_CallMethod(report, "child_ended", "O", exception) : NULL;
    if (!status)
        PyErr_Print();
    exit(status ? (int)PyLong_AsLong(status) : 1);
}

static void *carry(void *arg)
{
    struct bine_carrier *carrier = arg;
    struct bine_greenlet *g = carrier->g;
    struct bine_hub *hub = bine_hub_here();
    bine_state_new(carrier);
    if (__builtin_expect(bine_switch_told(), 0))
        bine_switch_tell(hub);
    for (;;) {
        struct bine_py_greenlet *greenlet = carrier->running;
        bine_state_check(carrier);
        bine_signal_take_over(hub, carrier);
        bine_py_run(greenlet);
        if (__builtin_expect(carrier->shares_tracer, 0))
            bine_tracing_ended(carrier);
        if (__builtin_expect(g->flags & BINE_G_ROOT, 0))
            exit_child(greenlet);
        carrier->running = NULL;
        Py_DECREF(greenlet);
        bine_state_wipe(carrier);
        bine_arch_reset();
        if (idle_count >= KEEP)
            break;
        carrier->next = idle;
        idle = carrier;
        idle_count++;
        bine_greenlet_hide(g);
        carrier->waiting++;
        /* Not cancelled by anybody: nobody has a reference. */
        while (!carrier->running)
            bine_park(hub, "carrier", 0, INT64_MAX, BINE_PARK_FIRM);
        carrier->waiting--;
    }
    g->slots[BINE_SLOT_PYTHON] = NULL;
    bine_state_delete(carrier);
    free(carrier);
    return NULL;
}

struct bine_greenlet *bine_carrier_start(struct bine_py_greenlet *greenlet, int64_t delay)
{
    if (!bine_carrier_current()) /* installs `around` on this hub */
        return NULL;
    struct bine_carrier *carrier = idle;
    if (carrier && delay == 0) {
        idle = carrier->next;
        idle_count--;
        Py_INCREF(greenlet);
        carrier->running = greenlet;
        /* It counts from now on, not from its first step: wait() may come before. */
        bine_greenlet_show(carrier->g);
        bine_unpark(carrier->g);
        return carrier->g;
    }
    carrier = calloc(1, sizeof *carrier);
    if (!carrier) {
        PyErr_NoMemory();
        return NULL;
    }
    bine_spawn_options options = {.delay = delay, .stack_size = stack_size};
    carrier->has_room = bine_frames_wanted(bine_hub_here());
    struct bine_greenlet *g = carrier->has_room ? bine_spawn_with_room(&options, carry, carrier, BINE_SITE(carry))
                                                : bine_spawn_with(&options, carry, carrier);
    if (!g) {
        free(carrier);
        PyErr_SetFromErrno(PyExc_OSError);
        return NULL;
    }
    Py_INCREF(greenlet);
    carrier->g = g;
    carrier->running = greenlet;
    bine_greenlet_keep(g, BINE_SLOT_PYTHON, carrier);
    bine_detach(g); /* it ends by itself */
    return g;
}

void bine_carrier_cancel(struct bine_greenlet *g)
{
    struct bine_carrier *carrier = bine_carrier_of(g);
    if (g->state != BINE_NEW || g->hub != bine_hub_here())
        return; /* one that waited for work: it looks before it begins */
    g->slots[BINE_SLOT_PYTHON] = NULL;
    bine_kill(g);
    struct bine_py_greenlet *greenlet = carrier->running;
    free(carrier);
    Py_DECREF(greenlet);
}

/* ---- the end of a thread, and fork ----------------------------------------------------------------------- */

static bool has_carriers(const struct bine_hub *hub)
{
    for (const struct bine_greenlet *g = hub->all; g; g = g->all_next)
        if (g->slots[BINE_SLOT_PYTHON] && g->flags & BINE_G_BELONGINGS)
            return true;
    return false;
}

/* The idle carriers' states go. Those of greenlets that are parked stay, as what their frames refer to does. */
static void carrier_hub_ended(struct bine_hub *hub)
{
    surrounded = false;
    around.back = back;
    bine_tracing_ended(NULL);
    if (!Py_IsInitialized() || !has_carriers(hub))
        return;
    PyGILState_STATE gil = PyGILState_Ensure();
    bine_py_sleepers_end(hub);
    bine_py_greenlets_end(hub);
    bine_switch_end();
    for (struct bine_carrier *carrier; (carrier = idle);) {
        idle = carrier->next;
        /* As its greenlet: deleting a state clears the key of the caller. */
        hub->current = carrier->g;
        PyThreadState_Clear(carrier->state);
        PyThreadState_Delete(carrier->state);
        hub->current = hub->root;
        carrier->g->slots[BINE_SLOT_PYTHON] = NULL;
        free(carrier);
    }
    idle_count = 0;
    struct bine_carrier *own = bine_carrier_of(hub->root);
    if (own) {
        hub->root->slots[BINE_SLOT_PYTHON] = NULL;
        Py_CLEAR(own->face);
        Py_CLEAR(own->thrown);
        Py_CLEAR(own->switched);
        free(own);
    }
    PyGILState_Release(gil);
}

/* CPython deletes the states of all threads but the one that forked. */
static void carrier_hub_forked(struct bine_hub *hub)
{
    (void)hub;
    idle = NULL;
    idle_count = 0;
}

/* ---- setting up ----------------------------------------------------------------------------------------- */

int bine_carriers_init(PyObject *module)
{
    bine_greenlet_on_end(BINE_SLOT_PYTHON, carrier_ended);
    bine_hub_on_end(carrier_hub_ended);
    bine_hub_on_fork(carrier_hub_forked);
    if (bine_interpreter_init() < 0)
        return -1;
    if (bine_state_init() < 0 || bine_tracing_init() < 0)
        return -1;
    bine_hub_on_start(hub_started);
    /* The program may have been started with a hub. */
    if (bine_hub_here())
        hub_started(bine_hub_here());
    bine_frames_init();
    stack_size = bine_stacks_thread_size();
    return bine_signals_init(module);
}
