/*
 * The GIL around switches, and carriers of greenlets that Python did not make.
 *
 * A greenlet that parks gives the GIL away first, whether CPython released it around a blocking
 * call already or an extension forgot to: the next greenlet takes it with its own thread state. So
 * the interpreter sees nothing but threads that take turns. Where the next one would take it at
 * once it is handed over instead (PyThreadState_Swap): that is a fifth of a switch.
 */
#include "carrier.h"

#include <errno.h>

#include "delivery.h"
#include "gil.h"
#include "interpreter.h"
#include "libc/carrier.h"
#include "signals.h"
#include "supplied.h"

/*
 * Handing over. The hub whose greenlet has left without releasing the GIL, and the state it did so
 * with, until the next greenlet takes it, which is the very next thing that happens. Only who holds
 * the GIL writes them, and a hub finds itself there only if it wrote that itself.
 *
 * The main thread's root takes the GIL anew always: CPython looks for signals that came meanwhile,
 * which only that greenlet handles, where it takes the GIL. Nor is it kept while the interpreter
 * ends: taking it is where CPython stops all other threads. And from 3.12 on PyThreadState_Swap()
 * releases and takes it, too.
 */
static struct bine_hub *_Atomic keeper;
static PyThreadState *kept;

/* Does the next greenlet take the GIL again, with a state of its own? Asked when nothing can come
 * in between any more. */
static bool may_hand_over(const struct bine_hub *hub)
{
    if (PY_VERSION_HEX >= 0x030C0000 || hub->simulated || !Py_IsInitialized())
        return false;
    struct bine_greenlet *next = bine_schedule_expected(hub);
    const struct bine_carrier *carrier = next ? bine_carrier_of(next) : NULL;
    return carrier && carrier->left && !(next == hub->root && hub->main_thread);
}

/* ---- the state that PyGILState finds -------------------------------------------------------- */

/*
 * Up to 3.14 PyGILState keeps a thread's state under a key, which is the greenlet's own. From 3.15
 * on a thread-local variable has the state that was attached last, by whichever greenlet. So a
 * greenlet that parks without the GIL hands its own state to `back`, which attaches it for a moment
 * when the greenlet goes on: a callback from C must find it. A greenlet of C that has not run
 * Python before has none, and finds another's.
 */
enum {
    WITHOUT_GIL = 1 /* a bit of what carrier_leave returns, which points to the state */
};

#if PY_VERSION_HEX >= 0x030F0000

static void note_own(struct bine_carrier *carrier, PyThreadState *state)
{
    if (carrier)
        carrier->own = state;
}

/* Called without the GIL, so the state is only compared: a thread's may be gone. */
static void *left_without_gil(const struct bine_greenlet *g, const struct bine_carrier *carrier)
{
    PyThreadState *state = PyGILState_GetThisThreadState();
    const PyThreadState *own = !carrier ? NULL : carrier->state ? carrier->state : carrier->own;
    if (!state || (carrier ? state != own : state->thread_id != (unsigned long)g))
        return NULL;
    return (char *)state + WITHOUT_GIL;
}

static void find_again(PyThreadState *state)
{
    if (PyGILState_GetThisThreadState() == state || Py_IsFinalizing())
        return;
    int saved = errno;
    PyEval_RestoreThread(state);
    PyEval_SaveThread();
    errno = saved;
}

#else

static void note_own(struct bine_carrier *carrier, PyThreadState *state)
{
    (void)carrier, (void)state;
}

static void *left_without_gil(const struct bine_greenlet *g, const struct bine_carrier *carrier)
{
    (void)g, (void)carrier;
    return NULL;
}

static void find_again(PyThreadState *state)
{
    (void)state;
}

#endif

static bool left_with_gil(const void *left)
{
    return left && !((uintptr_t)left & WITHOUT_GIL);
}

static void *carrier_leave(struct bine_hub *hub, struct bine_greenlet *g)
{
    struct bine_carrier *carrier = bine_carrier_of(g);
    /* Python's waits are all interrupted by signals (KeyboardInterrupt), libbine's own objects'
     * among them. */
    if (carrier && carrier->waiting && !(g->park_flags & BINE_PARK_FIRM))
        g->park_flags |= BINE_PARK_SIGNALS;
    PyThreadState *state = bine_gil_state(carrier);
    if (!state)
        return left_without_gil(g, carrier);
    note_own(carrier, state);
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
    if (__builtin_expect(
            carrier && error == EINTR && bine_carrier_pending(carrier) && !carrier->waiting, 0))
        bine_delivery_struck(carrier, g->object);
    if (carrier)
        carrier->left = false;
    if (left_with_gil(left))
        take_again(hub, carrier, left);
    else if (left)
        find_again((PyThreadState *)((char *)left - WITHOUT_GIL));
    bine_signal_take_over(hub, carrier);
}

static void (*hearers[BINE_HEARERS])(struct bine_hub *hub);

static void tell_hearers(struct bine_hub *hub)
{
    for (unsigned i = 0; i < BINE_HEARERS; i++)
        hearers[i](hub);
}

static void back_and_tell(struct bine_hub *hub, struct bine_greenlet *g, void *left, int error)
{
    back(hub, g, left, error);
    if (left_with_gil(left)) {
        tell_hearers(hub);
    } else if (bine_carrier_of(g)) { /* it parked without the GIL, in a call of libc's */
        int saved = errno;
        PyGILState_STATE gil = PyGILState_Ensure();
        tell_hearers(hub);
        PyGILState_Release(gil);
        errno = saved;
    }
}

/* Others that put themselves around us keep a pointer to this thread's, so what is told changes in
 * here. */
static BINE_CARRIED struct bine_around around_ = {carrier_leave, back, bine_delivery_refuse,
                                                  bine_delivery_interrupted};
static BINE_CARRIED bool surrounded_; /* this thread's hub */
static BINE_CARRIED bool wanted_by_[BINE_HEARERS];
#define around BINE_OF_CARRIER(around_)
#define surrounded BINE_OF_CARRIER(surrounded_)
#define wanted_by BINE_OF_CARRIER(wanted_by_)

struct bine_supplied bine_supplied;

/* ---- the current one ------------------------------------------------------------------------- */

static void carrier_ended(struct bine_greenlet *g)
{
    /* Of a thread that became a greenlet: its thread state is CPython's business, and gone by now.
     * The objects need the GIL, which we may not have here; a carrier of our own has freed them
     * before. */
    struct bine_carrier *carrier = g->slots[BINE_SLOT_PYTHON];
    g->slots[BINE_SLOT_PYTHON] = NULL;
    bine_supplied.abandon_timeouts(carrier);
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

void bine_carrier_on_switch(enum bine_hearer hearer, void (*woken)(struct bine_hub *hub))
{
    hearers[hearer] = woken;
}

void bine_carrier_tell(enum bine_hearer hearer, bool wanted)
{
    wanted_by[hearer] = wanted;
    around.back =
        wanted_by[BINE_HEARS_SWITCHES] || wanted_by[BINE_HEARS_WAKES] ? back_and_tell : back;
}

void bine_carrier_hub_ended(void)
{
    surrounded = false;
    for (unsigned i = 0; i < BINE_HEARERS; i++)
        wanted_by[i] = false;
    around.back = back;
}

/* A thread whose code never calls Bine parks as well: in a lock or a socket, with the GIL where the
 * call was to return at once. Where nothing is patched, a greenlet's own state cannot be found, and
 * only Bine's own calls park. */
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
    note_own(carrier, PyThreadState_Get());
    bine_greenlet_keep(hub->current, BINE_SLOT_PYTHON, carrier);
    surround(hub);
    return carrier;
}

void bine_carrier_init(void)
{
    bine_greenlet_on_end(BINE_SLOT_PYTHON, carrier_ended);
    bine_hub_on_start(hub_started);
    /* The program may have been started with a hub. */
    if (bine_hub_here())
        hub_started(bine_hub_here());
}
