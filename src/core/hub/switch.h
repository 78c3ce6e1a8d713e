/*
 * The switch itself, inlined into the few places that park: what of a thread's state follows the greenlet beside the registers and
 * errno (C++'s exception globals), and what sanitizers must be told.
 */
#ifndef BINE_CORE_HUB_SWITCH_H
#define BINE_CORE_HUB_SWITCH_H

#include "arch/context.h"
#include "park.h"
#include "schedule.h"

/* Is an exception being thrown or handled? */
static inline bool bine_switch_exceptions(const struct bine_hub *hub)
{
    const struct bine_exception_globals *globals = hub->exception_globals;
    return globals && (globals->caught || globals->uncaught);
}

/* Not instrumented: it returns on the other fiber, and a caller that is not instrumented does not inline what is. The thread
 * sanitizer would count one return too many for each greenlet that ends, until its record of the root's calls breaks. */
static inline BINE_NO_SANITIZE void bine_switch_announce(struct bine_hub *hub, struct bine_greenlet *from,
                                                         struct bine_greenlet *to, bool ended)
{
#ifdef BINE_ASAN
    if (to->stack) {
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
        bine_sanitizer_destroy_fiber(hub->dead_fiber);
        hub->dead_fiber = NULL;
    }
#endif
    (void)hub, (void)g;
}

/* With many greenlets in turn each is cold by the time it runs again. Fetch what it needs first while others run: the record, which
 * must be there before the stack can be fetched, then the end of the stack. The ring says who comes when. The distances
 * were measured: with 100,000 in turn 12 and 3 took 30 ns, 20 and 10 23, 40 and 20 21, 48 and 32 22 (Zen 5, medians of seven). Looking
 * less far where fewer are ready costs a switch among 1,000 half a nanosecond, and servers do not gain by it.
 *
 * Sleepers wake in any order, and the page tables of their stacks are cold as well: eight stacks touched at a time are looked up
 * side by side (100,000 x 10 timers 0.73 s to 0.66, Zen 4). Not so in turn, where neighbours share the upper tables: there it is slower. */
enum {
    BINE_AHEAD = 48, /* more than the largest distance */
    BINE_RECORD_AHEAD = 40,
    BINE_STACK_AHEAD = 20,
    BINE_SLEEPERS = 8,
};

static inline __attribute__((always_inline)) const char *bine_switch_ahead(const struct bine_ready *ring,
                                                                           uint32_t distance)
{
    return ring->slots[(ring->head + distance) & ring->mask]->context.sp;
}

static inline __attribute__((always_inline)) void bine_switch_fetch(const struct bine_hub *hub, uint32_t ready)
{
    if (__builtin_expect(ready < BINE_AHEAD, 1))
        return;
    const struct bine_ready *ring = &hub->ready;
    __builtin_prefetch(ring->slots[(ring->head + BINE_RECORD_AHEAD) & ring->mask], 1);
    if (ring->head % BINE_SLEEPERS == 0 && (int32_t)(ring->slept - ring->head) > BINE_STACK_AHEAD + BINE_SLEEPERS)
#pragma GCC unroll 8
        for (uint32_t i = 1; i <= BINE_SLEEPERS; i++)
            __builtin_prefetch(bine_switch_ahead(ring, BINE_STACK_AHEAD + i), 1);
    const char *sp = bine_switch_ahead(ring, BINE_STACK_AHEAD);
    __builtin_prefetch(sp, 1);
    __builtin_prefetch(sp + 64, 1);
}

/* The part for a greenlet that has not run yet: out of line. */
void bine_switch_to_new(struct bine_hub *hub, struct bine_greenlet *from, struct bine_greenlet *to);

/* From one greenlet to another that has run before. 0, when somebody continues `from`. */
static inline __attribute__((always_inline)) int bine_switch_over(struct bine_hub *hub, struct bine_greenlet *from,
                                                                  struct bine_greenlet *to)
{
    bine_switch_announce(hub, from, to, false);
    hub->current = to;
    int zero = bine_arch_switch(&from->context, &to->context);
    bine_switch_arrived(hub, from);
    return zero;
}

/* To any other: returns when somebody continues `from`, the current greenlet. Only where no C++ runtime is loaded. */
static inline __attribute__((always_inline)) void bine_switch_other(struct bine_hub *hub, struct bine_greenlet *from,
                                                                    struct bine_greenlet *to)
{
    if (__builtin_expect(to->state == BINE_NEW, 0)) {
        bine_switch_to_new(hub, from, to);
        bine_switch_arrived(hub, from);
    } else {
        bine_switch_fetch(hub, bine_ready_count(&hub->ready));
        bine_switch_over(hub, from, to);
    }
}

/* The same, where it may turn out to be the current one. */
static inline __attribute__((always_inline)) void bine_switch_plain(struct bine_hub *hub, struct bine_greenlet *from,
                                                                    struct bine_greenlet *to)
{
    if (__builtin_expect(to != from, 1))
        bine_switch_other(hub, from, to);
}

/* From one greenlet to another where something is exchanged. The room lies on the stack of the one that leaves: a switch cannot fail for
 * lack of memory. */
void bine_switch_exchanging(struct bine_hub *hub, struct bine_greenlet *from, struct bine_greenlet *to);

/* bine_switch_plain anywhere. Whoever leaves, leaves the exception globals empty: so only who had put something aside has something to put
 * back, and a C++ runtime may turn up (dlopen) while greenlets are parked. */
static inline __attribute__((always_inline)) void
bine_switch_unchanged(struct bine_hub *hub, struct bine_greenlet *from, struct bine_greenlet *to)
{
    struct bine_exception_globals exceptions = {0};
    if (bine_switch_exceptions(hub)) {
        exceptions = *hub->exception_globals;
        *hub->exception_globals = (struct bine_exception_globals){0};
    }
    bine_switch_plain(hub, from, to);
    if (exceptions.caught || exceptions.uncaught)
        *hub->exception_globals = exceptions;
}

static inline __attribute__((always_inline)) void bine_switch(struct bine_hub *hub, struct bine_greenlet *from,
                                                              struct bine_greenlet *to)
{
    if (__builtin_expect(hub->exchanging, 0))
        bine_switch_exchanging(hub, from, to);
    else
        bine_switch_unchanged(hub, from, to);
}

/*
 * May the current greenlet yield at once: somebody who has run before is ready, the slice is not used up, and neither the
 * greenlet nor the hub has anything else to attend to? Then who goes on, taken off the ready queue, and the current one is on it; NULL:
 * nothing was done. Each condition left out of this path is an instruction of a switch that has sixty.
 *
 * bine_switch_over to that one must be the last thing the calling function does: then it is a jump, the switch keeps the caller's
 * registers only once, and goes back to the caller itself.
 */
static inline __attribute__((always_inline)) struct bine_greenlet *bine_yield_peek(struct bine_hub *hub)
{
    struct bine_greenlet *g = hub->current;
    uint32_t head = hub->ready.head, tail = hub->ready.tail;
    if (__builtin_expect(head == tail || head == hub->turn_at || hub->unusual || g->attention, 0))
        return NULL;
    struct bine_greenlet **slots = hub->ready.slots, *next = slots[head & hub->ready.mask];
    if (__builtin_expect(next->state != BINE_READY, 0))
        return NULL;
    hub->streak = 0;
    slots[tail & hub->ready.mask] = g;
    hub->ready.head = head + 1;
    hub->ready.tail = tail + 1;
    bine_switch_fetch(hub, tail - head);
    return next;
}

/* bine_park with its common case inlined, for the few calls where a switch is most of the work. First: may the current greenlet, g, park at
 * once, with no deadline and no flags, nothing out of the ordinary, and somebody is ready? Then who, taken off the ready queue; NULL: nothing
 * was done. Then the park, for one who was. */
static inline __attribute__((always_inline)) struct bine_greenlet *bine_park_peek(struct bine_hub *hub,
                                                                                  const struct bine_greenlet *g)
{
    return __builtin_expect((hub->unusual | g->attention) != 0, 0) ? NULL : bine_schedule_take_expected(hub);
}

static inline __attribute__((always_inline)) int bine_park_over(struct bine_hub *hub, struct bine_greenlet *g,
                                                                const char *verb, uintptr_t object,
                                                                struct bine_greenlet *next)
{
    g->verb = verb;
    g->object = object;
    g->park_flags = 0;
    hub->streak = 0;
    g->state = BINE_PARKED;
    bine_switch_other(hub, g, next);
    return g->wake_error;
}

#endif
