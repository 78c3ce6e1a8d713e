/*
 * How an exception reaches a greenlet that waits in a call of libc, be it the interpreter's or an
 * extension's.
 *
 * What was thrown is pending until one place raises it, and so long each wait of the greenlet fails
 * with EINTR, before it begins if need be: so it makes no difference whether the greenlet waited,
 * was ready or computed when the exception came. The interpreter answers EINTR by looking at
 * signals. Therefore a signal is reserved, whose Python handler raises what is pending, and it is
 * marked as arrived when a call fails with EINTR; not when a wait does, because the call may have
 * got its lock or its bytes in the same moment and succeed. Then the exception is for the next
 * wait.
 *
 * A caller that waits again without having looked at signals is one of these:
 * - A library in C. It tries again, finds ECANCELED, and gives up (replace_error.c).
 * - The interpreter, for a lock that it must have (an import's, a file buffer's). It waits on, and
 *   the exception is for the next wait.
 * - Anybody, if another greenlet has looked at signals meanwhile. It is told again.
 */
#include "delivery.h"

#include <errno.h>
#include <stdatomic.h>

#include "gil.h"
#include "identity.h"
#include "interpreter.h"
#include "pending.h"
#include "replace_error.h"
#include "signals.h"

static atomic_uint rounds; /* how often the signal's handler has run */

static void delivery_tell(struct bine_carrier *carrier)
{
    carrier->delivery.struck = false;
    carrier->delivery.told = true;
    carrier->delivery.round = atomic_load(&rounds);
    if (!bine_signal_reserved())
        return;
    bine_identity_seek();
    /* Without knowing the places that look at signals: everybody is told so, until one has
     * looked. */
    if (!bine_identity_known())
        carrier->g->flags |= BINE_G_MAIN_IDENTITY;
    bine_signal_trip();
}

void bine_delivery_struck(struct bine_carrier *carrier, uintptr_t object)
{
    carrier->delivery.struck = true;
    carrier->delivery.object = object;
    bine_pending_poke(carrier);
}

void bine_delivery_interrupted(struct bine_hub *hub, struct bine_greenlet *g)
{
    struct bine_carrier *carrier = bine_carrier_of(g);
    (void)hub;
    if (carrier && carrier->delivery.struck && !carrier->waiting && bine_carrier_pending(carrier))
        delivery_tell(carrier);
}

void bine_delivery_waits_again(struct bine_carrier *carrier, uintptr_t lock)
{
    struct bine_delivery *delivery = &carrier->delivery;
    if (!delivery->told || delivery->object != lock || delivery->round != atomic_load(&rounds))
        return;
    bine_pending_untell(carrier);
    delivery->ignored = true;
}

/* The extension that waits may have released the GIL. False: see bine_replace_error. */
static bool cut_short(struct bine_carrier *carrier)
{
    bool cut;
    if (bine_check_is_blind)
        return false;
    if (bine_gil_state(carrier)) {
        cut = bine_replace_error();
    } else if (carrier->state) {
        PyEval_RestoreThread(carrier->state);
        cut = bine_replace_error();
        PyEval_SaveThread();
    } else {
        PyGILState_STATE gil = PyGILState_Ensure();
        cut = bine_replace_error();
        PyGILState_Release(gil);
    }
    return cut;
}

/* A caller that was told waits again. What it fails with; 0: it waits. */
static int refuse_again(struct bine_carrier *carrier, uintptr_t object, unsigned flags)
{
    bine_pending_untell(carrier);
    /* The interpreter's locks are semaphores, and it takes any other error for the end of a wait
     * with a limit. */
    if (flags & BINE_PARK_HANDLERS) {
        carrier->delivery.ignored = object == carrier->delivery.object;
        bine_pending_poke(carrier);
        return carrier->delivery.ignored ? 0 : EINTR;
    }
    if (!cut_short(carrier))
        bine_pending_poke(carrier);
    return ECANCELED;
}

int bine_delivery_refuse(struct bine_hub *hub, struct bine_greenlet *g, int error, uintptr_t object,
                         unsigned flags)
{
    struct bine_carrier *carrier = bine_carrier_of(g);
    (void)hub;
    if (error == EDEADLK && carrier && carrier->callback) {
        bine_pending_refuse_callback(carrier);
        error = EINTR;
    }
    if (error != EINTR || !carrier || carrier->waiting || !bine_carrier_pending(carrier))
        return error;
    struct bine_delivery *delivery = &carrier->delivery;
    if (delivery->told && delivery->round == atomic_load(&rounds)) {
        error = refuse_again(carrier, object, flags);
        if (error != EINTR)
            return error;
    } else if (delivery->ignored && delivery->object == object && flags & BINE_PARK_HANDLERS) {
        bine_pending_poke(carrier);
        return 0;
    }
    /* Twice at the same place: the call does fail, without saying so. */
    bool fails = delivery->struck && delivery->object == object;
    bine_pending_untell(carrier);
    delivery->ignored = false;
    bine_delivery_struck(carrier, object);
    if (fails)
        delivery_tell(carrier);
    return EINTR;
}

PyObject *bine_py_deliver(PyObject *module, PyObject *args)
{
    struct bine_hub *hub = bine_hub_here();
    struct bine_carrier *carrier = hub ? bine_carrier_of(hub->current) : NULL;
    (void)module, (void)args;
    atomic_fetch_add(&rounds, 1);
    bine_identity_found();
    if (carrier && carrier->delivery.told) {
        bine_pending_untell(carrier);
        if (bine_carrier_pending(carrier) && bine_pending_raise() < 0)
            return NULL;
    }
    Py_RETURN_NONE;
}
