/*
 * The switch itself, inlined into the few places that park. It handles what follows the greenlet
 * beside the registers and errno (C++'s exception globals), and what sanitizers must be told.
 */
#ifndef BINE_CORE_SCHEDULE_SWITCH_H
#define BINE_CORE_SCHEDULE_SWITCH_H

#include "arch/context.h"
#include "core/hub/trace.h"
#include "park.h"
#include "schedule.h"

/* Is an exception being thrown or handled? */
static inline bool bine_switch_exceptions(const struct bine_hub *hub)
{
    const struct bine_exception_globals *globals = hub->exception_globals;
    return globals && (globals->caught || globals->uncaught);
}

/* Not instrumented: the function returns on the other fiber. A caller that is not instrumented does
 * not inline a function that is. ThreadSanitizer would count one return too many for each greenlet
 * that ends, until its record of the root's calls breaks. */
static inline BINE_NO_SANITIZE void bine_switch_announce(struct bine_hub *hub,
                                                         struct bine_greenlet *from,
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

/*
 * With many greenlets in the ready queue each is out of the cache by the time it runs again. So
 * what a later greenlet needs is fetched while others run. First comes the record, which must be
 * there before the stack can be fetched, then the end of the stack. The ring tells which greenlet
 * runs at which distance. The distances are the fastest ones that were measured (bench/NOTES.md).
 * They are the same where fewer greenlets are ready: shorter ones there gain little for a switch
 * and nothing for a server.
 *
 * Sleepers wake in any order, so the page tables of their stacks are out of the cache as well.
 * Stacks that are touched in groups are looked up side by side, which is faster. It is slower for
 * greenlets that run in the order of their stacks, where neighbours share the upper tables.
 */
enum {
    BINE_AHEAD = 48, /* more than the largest distance */
    BINE_RECORD_AHEAD = 40,
    BINE_STACK_AHEAD = 20,
    BINE_SLEEPERS = 8,
};

static inline __attribute__((always_inline)) const char *bine_switch_ahead(
    const struct bine_ready *ring, uint32_t distance)
{
    return ring->slots[(ring->head + distance) & ring->mask]->context.sp;
}

static inline __attribute__((always_inline)) void bine_switch_fetch(const struct bine_hub *hub,
                                                                    uint32_t ready)
{
    if (__builtin_expect(ready < BINE_AHEAD, 1))
        return;
    const struct bine_ready *ring = &hub->ready;
    __builtin_prefetch(ring->slots[(ring->head + BINE_RECORD_AHEAD) & ring->mask], 1);
    if (ring->head % BINE_SLEEPERS == 0 &&
        (int32_t)(ring->slept - ring->head) > BINE_STACK_AHEAD + BINE_SLEEPERS)
#pragma GCC unroll 8
        for (uint32_t i = 1; i <= BINE_SLEEPERS; i++)
            __builtin_prefetch(bine_switch_ahead(ring, BINE_STACK_AHEAD + i), 1);
    const char *sp = bine_switch_ahead(ring, BINE_STACK_AHEAD);
    __builtin_prefetch(sp, 1);
    __builtin_prefetch(sp + 64, 1);
}

/* The part for a greenlet that has not run yet. It is out of line. */
void bine_switch_to_new(struct bine_hub *hub, struct bine_greenlet *from, struct bine_greenlet *to);

/* Switches from one greenlet to another that has run before. Returns 0 when another greenlet
 * switches back to `from`. */
static inline __attribute__((always_inline)) int bine_switch_over(struct bine_hub *hub,
                                                                  struct bine_greenlet *from,
                                                                  struct bine_greenlet *to)
{
    bine_switch_announce(hub, from, to, false);
    hub->current = to;
    int zero = bine_arch_switch(&from->context, &to->context);
    bine_switch_arrived(hub, from);
    return zero;
}

/* Switches to any other greenlet. Returns when another greenlet switches back to `from`, the
 * current greenlet. Only for a thread without a C++ runtime. */
static inline __attribute__((always_inline)) void bine_switch_other(struct bine_hub *hub,
                                                                    struct bine_greenlet *from,
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

/* Does the same, where `to` may turn out to be the current greenlet. */
static inline __attribute__((always_inline)) void bine_switch_plain(struct bine_hub *hub,
                                                                    struct bine_greenlet *from,
                                                                    struct bine_greenlet *to)
{
    if (__builtin_expect(to != from, 1))
        bine_switch_other(hub, from, to);
}

/* Switches from one greenlet to another where something is exchanged. The room lies on the stack of
 * the greenlet that is left, so a switch cannot fail for lack of memory. */
void bine_switch_exchanging(struct bine_hub *hub, struct bine_greenlet *from,
                            struct bine_greenlet *to);

/* Does what bine_switch_plain does, with or without a C++ runtime. A greenlet that is switched away
 * from leaves the exception globals empty. So only a greenlet that has put exceptions aside has
 * something to put back, and a C++ runtime may be loaded (dlopen) while greenlets are parked. */
static inline __attribute__((always_inline)) void bine_switch_unchanged(struct bine_hub *hub,
                                                                        struct bine_greenlet *from,
                                                                        struct bine_greenlet *to)
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

static inline __attribute__((always_inline)) void bine_switch(struct bine_hub *hub,
                                                              struct bine_greenlet *from,
                                                              struct bine_greenlet *to)
{
    if (__builtin_expect(hub->exchanging, 0))
        bine_switch_exchanging(hub, from, to);
    else
        bine_switch_unchanged(hub, from, to);
}

/*
 * Lets the current greenlet yield at once if it can. The conditions: a greenlet that has run before
 * is ready, the slice is not used up, and neither the current greenlet nor the hub has anything
 * else to attend to. Then the current greenlet goes to the end of the ready queue, and the next one
 * is taken off it and returned. Returns NULL if nothing was done. Each condition that this path
 * leaves out is an instruction less in the switch.
 *
 * The calling function must call bine_switch_over to the returned greenlet, and must do nothing
 * after that. Then that call is a jump: the switch keeps the caller's registers only once, and
 * returns to the caller itself.
 */
static inline __attribute__((always_inline)) struct bine_greenlet *bine_yield_peek_unless(
    struct bine_hub *hub, uint32_t unusual)
{
    struct bine_greenlet *g = hub->current;
    uint32_t head = hub->ready.head, tail = hub->ready.tail;
    if (__builtin_expect(head == tail || head == hub->turn_at || unusual || g->attention, 0))
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

static inline __attribute__((always_inline)) struct bine_greenlet *bine_yield_peek(
    struct bine_hub *hub)
{
    return bine_yield_peek_unless(hub, hub->unusual);
}

/* Does the same on a hub that is unusual only because it records, and records the switch. */
static inline struct bine_greenlet *bine_yield_peek_recording(struct bine_hub *hub)
{
    if (!hub->trace || hub->exchange || hub->fibers || hub->further || hub->owns)
        return NULL;
    struct bine_greenlet *next =
        bine_yield_peek_unless(hub, hub->no_park | hub->attended | hub->simulated);
    if (next)
        bine_trace_note_switch(hub, hub->current, next);
    return next;
}

/* bine_park_peek and bine_park_over are bine_park with its common case inlined, for the few calls
 * where a switch is most of the work. bine_park_peek asks whether the current greenlet, g, can park
 * at once: with no deadline, no flags and nothing out of the ordinary, while another greenlet is
 * ready. It takes that one off the ready queue and returns it, or returns NULL if nothing was done.
 * bine_park_over then parks g and switches to it. */
static inline __attribute__((always_inline)) struct bine_greenlet *bine_park_peek(
    struct bine_hub *hub, const struct bine_greenlet *g)
{
    return __builtin_expect((hub->unusual | g->attention) != 0, 0)
               ? NULL
               : bine_schedule_take_expected(hub);
}

static inline __attribute__((always_inline)) int bine_park_over(struct bine_hub *hub,
                                                                struct bine_greenlet *g,
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
