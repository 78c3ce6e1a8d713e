/*
 * Which greenlets CPython takes for the main thread when it looks at signals.
 *
 * CPython runs signal handlers in the thread whose pthread_self is the main thread's. For gevent's
 * programs all greenlets of the main thread are that, while each has an identity of its own for
 * locks. So the answer depends on who asks: the places in the interpreter that ask before they look
 * at signals are answered with the main thread's identity, and everybody else with the greenlet's
 * own. Which places these are is learned: they ask while the interpreter is made to look at
 * signals. A place is the function that asks and its caller, as an interpreter that does not inline
 * the first one always asks by it. Functions and not return addresses: a compiler makes copies of a
 * call. Where we called the first one ourselves it asks for that purpose only, and its caller makes
 * no difference (PyErr_CheckSignals(), if everything is inlined there).
 *
 * Finding the functions takes a microsecond, so the answer is as ever while no signal has come.
 */
#include "identity.h"

#include <unwind.h>

#include "carrier.h"
#include "interpreter.h"
#include "patch/table/interpreter.h"

enum {
    MOST = 32
};

struct place {
    uintptr_t inner, outer; /* where the functions begin; outer 0: outside of the interpreter, or
                             * any */
};

static struct place places[MOST];
static unsigned known;
static bool learning;

struct search {
    struct place place;
    unsigned found;
};

static _Unwind_Reason_Code visit(struct _Unwind_Context *context, void *arg)
{
    struct search *search = arg;
    bool inside = bine_inside_interpreter((const void *)_Unwind_GetIP(context));
    if (search->found == 0 && !inside)
        return _URC_NO_REASON; /* ourselves */
    uintptr_t function = inside ? _Unwind_GetRegionStart(context) : 0;
    if (search->found++ == 0) {
        search->place.inner = function;
        return _URC_NO_REASON;
    }
    search->place.outer = function;
    return _URC_END_OF_STACK;
}

static bool is_known(const struct place *place)
{
    for (unsigned i = 0; i < known; i++)
        if (places[i].inner == place->inner &&
            (places[i].outer == 0 || places[i].outer == place->outer))
            return true;
    return false;
}

/* Is the identity asked for by a place that looks at signals, and may this greenlet? In another
 * thread only for an exception of its own. */
static bool is_main(struct bine_hub *hub)
{
    struct search search = {.found = 0};
    if (!hub->main_thread) {
        const struct bine_carrier *carrier = bine_carrier_of(hub->current);
        if (!carrier || !carrier->delivery.told)
            return false;
    }
    _Unwind_Backtrace(visit, &search);
    if (search.found < 2)
        return false;
    bool good = is_known(&search.place);
    if (good || !learning || known == MOST)
        return good;
    places[known++] = search.place;
    return true;
}

void bine_identity_seek(void)
{
    atomic_store(&bine_identity_sought, true);
}

void bine_identity_found(void)
{
    if (!learning)
        atomic_store(&bine_identity_sought, false);
}

bool bine_identity_known(void)
{
    return known != 0;
}

void bine_identity_begin_learning(void)
{
    bine_identity_is_main = is_main;
    learning = true;
    bine_identity_seek();
}

void bine_identity_end_learning(void)
{
    learning = false;
    bine_identity_found();
}
