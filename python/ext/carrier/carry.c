/* How Python greenlets run in C greenlets, and how carriers are reused. */
#include "carry.h"

#include <assert.h>
#include <errno.h>

#include "base/error.h"
#include "core/hub/interpreter.h"
#include "greenlet_package.h"
#include "interpreter.h"
#include "libc/carrier.h"
#include "signals.h"
#include "state.h"
#include "supplied.h"
#include "switch_tracer.h"
#include "tracing.h"

/* Address space, committed as it is touched: as much as a thread gets, asked once. CPython allows
 * so many C calls that extensions written in C (json, pickle, re) need this to end in
 * RecursionError and not in the guard (hazard 36), and numerical libraries have frames of more than
 * a megabyte. */
static size_t stack_size;

/* Idle carriers of this thread, and how many: beyond KEEP they end. */
enum {
    KEEP = 1000
};
static BINE_CARRIED struct bine_carrier *idle_;
static BINE_CARRIED unsigned idle_count_;
#define idle BINE_OF_CARRIER(idle_)
#define idle_count BINE_OF_CARRIER(idle_count_)

/* Of all carriers. The names of those who look come from bine_interpreter. */
const char bine_carrier_site[] = "Python greenlet\0";

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
        bine_supplied.run(greenlet);
        if (__builtin_expect(carrier->shares_tracer, 0))
            bine_tracing_ended(carrier);
        if (__builtin_expect(g->flags & BINE_G_ROOT, 0))
            bine_supplied.exit_child(greenlet);
        carrier->running = NULL;
        Py_DECREF(greenlet);
        if (carrier->own_thread) {
            bine_state_leave(carrier);
            break;
        }
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
            bine_park(hub, bine_idle_verb, 0, INT64_MAX, BINE_PARK_FIRM);
        carrier->waiting--;
    }
    g->slots[BINE_SLOT_PYTHON] = NULL;
    bine_state_delete(carrier);
    free(carrier);
    return NULL;
}

static void spawn_failed(int error)
{
    if (error != ENOTSUP) {
        bine_py_error(error);
        return;
    }
    PyObject *text = PyUnicode_FromFormat("a greenlet cannot have a thread of its own here: %s",
                                          bine_own_thread_refusal()),
             *arguments = text ? Py_BuildValue("iO", error, text) : NULL;
    if (arguments)
        PyErr_SetObject(PyExc_OSError, arguments);
    Py_XDECREF(arguments);
    Py_XDECREF(text);
}

/* With a new carrier. */
static struct bine_greenlet *carry_anew(struct bine_py_greenlet *greenlet,
                                        const bine_spawn_options *options)
{
    struct bine_carrier *carrier = calloc(1, sizeof *carrier);
    if (!carrier) {
        PyErr_NoMemory();
        return NULL;
    }
    carrier->own_thread = options->own_thread;
    carrier->has_room = !carrier->own_thread && bine_frames_wanted(bine_hub_here());
    struct bine_greenlet *g = carrier->has_room
                                  ? bine_spawn_with_room(options, carry, carrier, bine_carrier_site)
                                  : bine_spawn_with_at(options, carry, carrier, bine_carrier_site);
    if (!g) {
        int error = errno;
        free(carrier);
        spawn_failed(error);
        return NULL;
    }
    Py_INCREF(greenlet);
    carrier->g = g;
    carrier->running = greenlet;
    bine_greenlet_keep(g, BINE_SLOT_PYTHON, carrier);
    bine_detach(g); /* it ends by itself */
    return g;
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
    bine_spawn_options options = {.delay = delay, .stack_size = stack_size};
    return carry_anew(greenlet, &options);
}

struct bine_greenlet *bine_carrier_start_own(struct bine_py_greenlet *greenlet)
{
    if (!bine_carrier_current())
        return NULL;
    bine_spawn_options options = {.stack_size = stack_size, .own_thread = 1};
    return carry_anew(greenlet, &options);
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

/* ---- the end of a thread, and fork ----------------------------------------------------------- */

static void (*ends[2])(struct bine_hub *hub);
static unsigned end_count;

void bine_carriers_on_end(void (*ended)(struct bine_hub *hub))
{
    for (unsigned i = 0; i < end_count; i++)
        if (ends[i] == ended)
            return; /* the module is initialised once more */
    assert(end_count < sizeof ends / sizeof *ends);
    ends[end_count++] = ended;
}

static bool has_carriers(const struct bine_hub *hub)
{
    for (const struct bine_greenlet *g = hub->all; g; g = g->all_next)
        if (g->slots[BINE_SLOT_PYTHON] && g->flags & BINE_G_BELONGINGS)
            return true;
    return false;
}

/* The idle carriers' states go. Those of greenlets that are parked stay, as what their frames refer
 * to does. */
static void carrier_hub_ended(struct bine_hub *hub)
{
    bine_carrier_hub_ended();
    bine_tracing_ended(NULL);
    if (!Py_IsInitialized() || !has_carriers(hub))
        return;
    PyGILState_STATE gil = PyGILState_Ensure();
    for (unsigned i = 0; i < end_count; i++)
        ends[i](hub);
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

/* ---- setting up ------------------------------------------------------------------------------ */

int bine_carriers_init(PyObject *module)
{
    bine_hub_on_end(carrier_hub_ended);
    bine_hub_on_fork(carrier_hub_forked);
    bine_switch_tracer_init();
    if (bine_interpreter_init() < 0 || bine_package_begin() < 0 || bine_real_threads_init() < 0)
        return -1;
    if (bine_state_init() < 0 || bine_tracing_init() < 0)
        return -1;
    bine_carrier_init();
    bine_frames_init();
    stack_size = bine_stacks_thread_size();
    return bine_signals_init(module);
}
