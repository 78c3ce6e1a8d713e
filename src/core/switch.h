/*
 * The switch itself, inlined into the few places that park: what of a thread's state follows the greenlet beside the registers
 * (errno, C++'s exception globals), and what sanitizers must be told.
 */
#ifndef BINE_CORE_SWITCH_H
#define BINE_CORE_SWITCH_H

#include "../arch/context.h"
#include "schedule.h"

struct bine_switch_state {
    int saved_errno;
    struct bine_exception_globals exceptions;
};

/* Is an exception being thrown or handled? */
static inline bool bine_switch_exceptions(const struct bine_hub *hub)
{
    const struct bine_exception_globals *globals = hub->exception_globals;
    return globals && (globals->caught || globals->uncaught);
}

/* Whoever leaves, leaves the exception globals empty: so only who had put something aside has something to put back, and a C++
 * runtime may turn up (dlopen) while greenlets are parked. */
static inline void bine_switch_save(struct bine_hub *hub, struct bine_switch_state *state)
{
    state->saved_errno = *hub->errno_address;
    state->exceptions = (struct bine_exception_globals){0};
    if (__builtin_expect(bine_switch_exceptions(hub), 0)) {
        state->exceptions = *hub->exception_globals;
        *hub->exception_globals = (struct bine_exception_globals){0};
    }
}

static inline void bine_switch_restore(struct bine_hub *hub, const struct bine_switch_state *state)
{
    *hub->errno_address = state->saved_errno;
    if (__builtin_expect(state->exceptions.caught || state->exceptions.uncaught, 0))
        *hub->exception_globals = state->exceptions;
}

/* Not instrumented: it returns on the other fiber, and a caller that is not instrumented does not inline what is. The thread
 * sanitizer would count one return too many for each greenlet that ends, until its record of the root's calls breaks. */
static inline BINE_NO_SANITIZE void bine_switch_announce(struct bine_hub *hub, struct bine_greenlet *from,
                                                         struct bine_greenlet *to, bool ended)
{
#ifdef BINE_ASAN
    if (to->stack.top) {
        to->sanitizer.bottom = bine_stack_bottom(to->stack);
        to->sanitizer.size = bine_stack_size(to->stack);
    }
    __sanitizer_start_switch_fiber(ended ? NULL : &from->sanitizer.fake_stack, to->sanitizer.bottom,
                                   to->sanitizer.size);
#endif
#ifdef BINE_TSAN
    if (!to->sanitizer.fiber)
        to->sanitizer.fiber = __tsan_create_fiber(0);
    if (ended)
        hub->dead_fiber = from->sanitizer.fiber;
    __tsan_switch_to_fiber(to->sanitizer.fiber, 0);
#endif
    (void)hub, (void)from, (void)to, (void)ended;
}

static inline void bine_switch_arrived(struct bine_hub *hub, struct bine_greenlet *g)
{
#ifdef BINE_ASAN
    __sanitizer_finish_switch_fiber(g->sanitizer.fake_stack, NULL, NULL);
#endif
#ifdef BINE_TSAN
    if (hub->dead_fiber) {
        __tsan_destroy_fiber(hub->dead_fiber);
        hub->dead_fiber = NULL;
    }
#endif
    (void)hub, (void)g;
}

static inline void bine_switch_make_current(struct bine_hub *hub, struct bine_greenlet *to)
{
    hub->current = to;
}

/* The part for a greenlet that has not run yet: out of line. */
void bine_switch_to_new(struct bine_hub *hub, struct bine_greenlet *from, struct bine_greenlet *to);

/* Continue `to`; returns when somebody continues `from`, the current greenlet. */
static inline __attribute__((always_inline)) void bine_switch(struct bine_hub *hub, struct bine_greenlet *from,
                                                              struct bine_greenlet *to)
{
    struct bine_switch_state state;
    if (__builtin_expect(to == from, 0))
        return;
    bine_switch_save(hub, &state);
    if (__builtin_expect(to->state == BINE_NEW, 0)) {
        bine_switch_to_new(hub, from, to);
    } else {
        /* With many greenlets each switch misses the caches: fetch the stack after next while this one runs. */
        if (!bine_ready_empty(&hub->ready))
            __builtin_prefetch(bine_ready_first(&hub->ready)->sp, 0);
        bine_switch_announce(hub, from, to, false);
        bine_switch_make_current(hub, to);
        bine_arch_switch(&from->sp, to->sp);
    }
    bine_switch_arrived(hub, from);
    bine_switch_restore(hub, &state);
}

/*
 * Yield if nothing is out of the ordinary: somebody who has run before is ready, the slice is not used up, and neither the
 * greenlet nor the hub has anything else to attend to. False: nothing was done. Each condition left out of the common
 * path is an instruction of a switch that has eighty.
 */
static inline __attribute__((always_inline)) bool bine_switch_quick(struct bine_hub *hub)
{
    struct bine_greenlet *g = hub->current;
    if (__builtin_expect(bine_ready_empty(&hub->ready) || !hub->slice || hub->simulated || hub->no_park ||
                             hub->around || g->attention || bine_switch_exceptions(hub),
                         0))
        return false;
    struct bine_greenlet *next = bine_ready_first(&hub->ready);
    if (__builtin_expect(next->state != BINE_READY, 0))
        return false;
    hub->slice--;
    hub->streak = 0;
    bine_ready_push(&hub->ready, g);
    hub->ready.head++;
    __builtin_prefetch(bine_ready_first(&hub->ready)->sp, 0);
    int saved_errno = *hub->errno_address;
    bine_switch_announce(hub, g, next, false);
    bine_switch_make_current(hub, next);
    bine_arch_switch(&g->sp, next->sp);
    bine_switch_arrived(hub, g);
    *hub->errno_address = saved_errno;
    return true;
}

#endif
