/* Which greenlet runs next, and how it gets the processor. See schedule.h and core/hub/hub.h. */
#include "switch.h"

#include <assert.h>
#include <errno.h>

#include "core/hub/own.h"
#include "core/hub/trace.h"
#include "exceptions.h"
#include "fiber.h"
#include "park.h"

/* On the stack that `to` has taken. */
static inline __attribute__((always_inline)) void start(struct bine_hub *hub,
                                                        struct bine_greenlet *from,
                                                        struct bine_greenlet *to)
{
    to->state = BINE_READY;
    bine_switch_announce(hub, from, to, false);
    hub->current = to;
    bine_arch_start(&from->context, to->stack->top, bine_greenlet_entry);
}

void bine_switch_to_new(struct bine_hub *hub, struct bine_greenlet *from, struct bine_greenlet *to)
{
    to->stack = bine_stacks_take(hub->stacks, to->stack_class);
    start(hub, from, to);
}

/* bine_switch_unchanged where the program's sanitizer is told. */
static void switch_announced(struct bine_hub *hub, struct bine_greenlet *from,
                             struct bine_greenlet *to)
{
    struct bine_exception_globals exceptions = {0};
    void *fake_stack = NULL;
    if (bine_switch_exceptions(hub)) {
        exceptions = *hub->exception_globals;
        *hub->exception_globals = (struct bine_exception_globals){0};
    }
    bool fresh = to->state == BINE_NEW;
    if (fresh)
        to->stack = bine_stacks_take(hub->stacks, to->stack_class);
    bine_fiber_leave(hub, &fake_stack, to);
    if (fresh)
        start(hub, from, to);
    else
        bine_switch_over(hub, from, to);
    bine_fiber_arrive(fake_stack);
    if (exceptions.caught || exceptions.uncaught)
        *hub->exception_globals = exceptions;
}

#if BINE_ARCH_THREADS
/* bine_switch_other between greenlets of different thread pointers; `pointer` is that of `to`. */
static void switch_pointers(struct bine_hub *hub, struct bine_greenlet *from,
                            struct bine_greenlet *to, void *pointer)
{
    if (__builtin_expect(to->state == BINE_NEW, 0)) {
        to->stack = bine_stacks_take(hub->stacks, to->stack_class);
        to->state = BINE_READY;
        hub->current = to;
        bine_arch_start_thread(&from->context, to->stack->top, bine_greenlet_entry, pointer);
    } else {
        bine_switch_fetch(hub, bine_ready_count(&hub->ready));
        hub->current = to;
        bine_arch_switch_thread(&from->context, &to->context, pointer);
    }
}

/* What is exchanged is the carrier's. */
static void pass_on_carrier(struct bine_hub *hub, struct bine_greenlet *from,
                            struct bine_greenlet *to, void *room)
{
    void *pointer = bine_own_pointer(hub, from);
    if (pointer != hub->thread_pointer)
        bine_arch_set_thread_pointer(hub->thread_pointer);
    hub->exchange->pass(hub, from, to, room);
    if (pointer != hub->thread_pointer)
        bine_arch_set_thread_pointer(pointer);
}

/* Exceptions of a greenlet with a thread of its own are in its own variables: it finds the
 * carrier's empty, and leaves them so. */
static void switch_owning(struct bine_hub *hub, struct bine_greenlet *from,
                          struct bine_greenlet *to)
{
    void *pointer = bine_own_pointer(hub, to);
    /* It may park while libc begins or ends its thread (a destructor waits). Others must not find
     * their system calls caught. */
    uint8_t dispatch = bine_arch_dispatch;
    bine_arch_dispatch = 0;
    struct bine_exception_globals exceptions = {0};
    if (bine_switch_exceptions(hub)) {
        exceptions = *hub->exception_globals;
        *hub->exception_globals = (struct bine_exception_globals){0};
    }
    if (pointer != bine_own_pointer(hub, from))
        switch_pointers(hub, from, to, pointer);
    else
        bine_switch_other(hub, from, to);
    bine_arch_dispatch = dispatch;
    if (exceptions.caught || exceptions.uncaught)
        *hub->exception_globals = exceptions;
}

void bine_own_begin(struct bine_hub *hub)
{
    hub->thread_pointer = bine_arch_thread_pointer();
    hub->owns = hub->exchanging = true;
}
#else
static void pass_on_carrier(struct bine_hub *hub, struct bine_greenlet *from,
                            struct bine_greenlet *to, void *room)
{
    hub->exchange->pass(hub, from, to, room);
}
#define switch_owning bine_switch_unchanged
#endif

static __attribute__((noinline)) void switch_with_exchange(struct bine_hub *hub,
                                                           struct bine_greenlet *from,
                                                           struct bine_greenlet *to)
{
    _Alignas(16) char room[hub->exchange ? hub->exchange->room + 1 : 1];
    if (hub->exchange)
        pass_on_carrier(hub, from, to, room);
    struct bine_exceptions_away away;
    bine_exceptions_leave(hub, &away);
    if (hub->fibers)
        switch_announced(hub, from, to);
    else if (hub->owns)
        switch_owning(hub, from, to);
    else
        bine_switch_unchanged(hub, from, to);
    bine_exceptions_return(hub, &away);
    /* The room is in use until here. */
    __asm__ volatile("" : : "r"(room) : "memory");
}

void bine_switch_exchanging(struct bine_hub *hub, struct bine_greenlet *from,
                            struct bine_greenlet *to)
{
    bine_trace_switch(hub, from, to);
    if (from == to)
        return;
    if (hub->owns && !hub->exchange && !hub->further) {
        switch_owning(hub, from, to);
        return;
    }
    if (!hub->exchange && !hub->fibers && !hub->further) {
        bine_switch_unchanged(hub, from, to);
        return;
    }
    switch_with_exchange(hub, from, to);
}

BINE_NO_SANITIZE struct bine_arch_context *bine_schedule_succeed(struct bine_hub *hub,
                                                                 struct bine_greenlet *from,
                                                                 struct bine_greenlet *to)
{
    struct bine_stack *stack = from->stack;

    from->stack = NULL;
    if (to->state == BINE_NEW && to->stack_class == from->stack_class) {
        to->stack = stack; /* hot as it is */
    } else {
        /* The stack is free from here on, although this code still runs on it. The next greenlet
         * takes it only after the switch. */
        bine_stacks_give(hub->stacks, from->stack_class, stack);
        if (to->state == BINE_NEW && !to->stack)
            to->stack = bine_stacks_take(hub->stacks, to->stack_class);
    }
    bine_stacks_unreserve(hub->stacks, from->stack_class);
    bool took_over = to->stack == stack && to->state == BINE_NEW, fresh = to->state == BINE_NEW;
    to->state = BINE_READY;
    if (__builtin_expect(bine_switch_exceptions(hub), 0)) /* it ended inside a handler */
        *hub->exception_globals = (struct bine_exception_globals){0};
    bine_switch_announce(hub, from, to, true);
    hub->current = to;
    bine_greenlet_release(from);
    if (took_over)
        return NULL;
    if (fresh)
        bine_arch_restart(to->stack->top, bine_greenlet_entry);
    return &to->context;
}

/* ---- turning --------------------------------------------------------------------------------- */

static bool deliver_messages(struct bine_hub *hub)
{
    struct bine_message *message = atomic_load_explicit(&hub->inbox.first, memory_order_relaxed),
                        *first = NULL;
    if (!message || message == BINE_INBOX_CLOSED)
        return false;
    message = atomic_exchange(&hub->inbox.first, NULL);
    /* They lie newest first. */
    while (message) {
        struct bine_message *next = message->next;
        message->next = first;
        first = message;
        message = next;
    }
    bool outer = hub->no_park;
    hub->no_park = true;
    while (first) {
        struct bine_message *next = first->next;
        first->deliver(first);
        first = next;
    }
    hub->no_park = outer;
    bine_trace_ready(hub, BINE_TRACE_BY_MESSAGE);
    return true;
}

static void turn_driver(struct bine_hub *hub, int64_t deadline)
{
    bool outer = hub->no_park;
    hub->no_park = true;
    hub->turns++;
    if (hub->driver->turn(hub->driver, deadline) < 0 &&
        !atomic_exchange_explicit(&hub->looked_into, false, memory_order_relaxed))
        bine_hub_signalled_unknown(hub);
    bine_trace_ready(hub, BINE_TRACE_BY_POLLER);
    hub->no_park = outer;
}

static bool fire_timers(struct bine_hub *hub)
{
    if (!hub->timers.count)
        return false;
    int64_t now = hub->looked_at = bine_hub_now(hub);
    if (hub->timers.heap[0].deadline > now)
        return false;
    bool outer = hub->no_park;
    hub->no_park = true;
    bine_timers_fire(&hub->timers, now, BINE_SLICE_MAX);
    hub->ready.slept = hub->ready.tail;
    bine_trace_ready(hub, BINE_TRACE_BY_TIMER);
    hub->no_park = outer;
    return true;
}

static void renew_slice(struct bine_hub *hub)
{
    uint32_t ready = bine_ready_count(&hub->ready);
    unsigned slice = ready < hub->slice_most  ? hub->slice_most
                     : ready < BINE_SLICE_MAX ? ready
                                              : BINE_SLICE_MAX;
    hub->slice_length = slice;
    hub->switches = bine_hub_switches(hub) + slice;
    hub->turn_at = hub->ready.head + slice;
    if ((int32_t)(hub->ready.slept - hub->ready.head) < 0)
        hub->ready.slept = hub->ready.head; /* so that it is not ahead again 2^31 switches later */
}

static void attend_to_signals(struct bine_hub *hub)
{
    if (__builtin_expect(atomic_load_explicit(&hub->signals, memory_order_relaxed), 0))
        bine_hub_take_signals(hub);
}

void bine_schedule_turn(struct bine_hub *hub, bool wait)
{
    int saved_errno = errno;
    bine_trace_look(hub);
    bine_trace_ready(hub, (uintptr_t)hub->current);
    bine_trace_event(hub, BINE_TRACE_TURN, NULL, NULL);
    bool some = deliver_messages(hub);
    some |= fire_timers(hub);
    if (wait && hub->recess && !some && bine_ready_empty(&hub->ready))
        hub->recess->begins(hub);
    if (some || !bine_ready_empty(&hub->ready) || !wait) {
        turn_driver(hub, 0);
    } else {
        int64_t deadline = bine_timers_next(&hub->timers);
        if (bine_stacks_trimmable(hub->stacks) && !hub->simulated) {
            int64_t again = bine_stacks_trim(hub->stacks, bine_hub_now(hub));
            if (again < deadline)
                deadline = again;
        }
        /* See bine_hub_send: announce the wait, then look once more. */
        BINE_STORE_THEN_LOOK(&hub->inbox.waiting, true);
        atomic_store_explicit(&hub->asleep, true, memory_order_relaxed);
        turn_driver(hub, atomic_load(&hub->inbox.first) ? 0 : deadline);
        atomic_store_explicit(&hub->asleep, false, memory_order_relaxed);
        atomic_store_explicit(&hub->inbox.waiting, false, memory_order_relaxed);
        if (hub->recess)
            hub->recess->over(hub);
        deliver_messages(hub);
        /* before the timers: a wait whose time is up in this turn was interrupted before */
        attend_to_signals(hub);
        fire_timers(hub);
    }
    attend_to_signals(hub);
    bine_exceptions_follow(hub);
    bine_trace_event(hub, BINE_TRACE_TURNED, NULL, NULL);
    renew_slice(hub);
    errno = saved_errno;
}

void bine_schedule_look(struct bine_hub *hub, int64_t now)
{
    hub->looked_at = now;
    if (hub->simulated)
        turn_driver(hub, now + BINE_SIMULATED_LOOK);
    bine_schedule_turn(hub, false);
}

/* A slice that took longer than SLOW is followed by one that shall take TARGET, one that was
 * quicker by one of twice as many switches. */
#define SLICE_TARGET (BINE_MS / 2)
#define SLICE_SLOW BINE_MS

static void judge_slice(struct bine_hub *hub, int64_t duration)
{
    if (duration > SLICE_SLOW) {
        uint64_t fewer = (uint64_t)hub->slice_length * SLICE_TARGET / (uint64_t)duration;
        hub->slice_most = fewer < 1 ? 1 : fewer < BINE_SLICE ? (uint32_t)fewer : BINE_SLICE;
    } else if (duration < SLICE_TARGET && hub->slice_most < BINE_SLICE) {
        hub->slice_most = hub->slice_most < BINE_SLICE / 2 ? hub->slice_most * 2 : BINE_SLICE;
    }
}

/* The slice is used up although greenlets are ready. If a wait for the time or the kernel is
 * pending, the clock tells how long the slice took. */
static void slice_over(struct bine_hub *hub)
{
    if (!hub->timers.count && hub->driver == &hub->futex_driver) {
        bine_schedule_turn(hub, false);
        return;
    }
    int64_t now = bine_hub_now(hub);
    if (hub->simulated) {
        bine_schedule_look(hub, now);
        return;
    }
    if (hub->slice_turns == hub->turns)
        judge_slice(hub, now - hub->slice_began);
    hub->slice_began = hub->looked_at = now;
    bine_schedule_turn(hub, false);
    hub->slice_turns = hub->turns;
}

/* Timers of greenlets that wait for just this (alone.h). */
static size_t timers_of_the_last(const struct bine_hub *hub)
{
    size_t count = 0;
    for (const struct bine_waiter *waiter = hub->empty.first; waiter; waiter = waiter->next)
        count += waiter->item && waiter->greenlet->state == BINE_PARKED &&
                 (waiter->greenlet->park_flags & BINE_PARK_TIMED);
    return count;
}

static bool (*deadlock)(struct bine_hub *hub);

void bine_schedule_on_deadlock(bool (*function)(struct bine_hub *hub))
{
    deadlock = function;
}

/* Nothing is ready. Is there anything to wait for? */
static bool hopeless(const struct bine_hub *hub)
{
    return hub->timers.count == timers_of_the_last(hub) + hub->background_timers &&
           !hub->external && !atomic_load_explicit(&hub->inbox.first, memory_order_relaxed) &&
           hub->driver->pending(hub->driver) == hub->background_operations;
}

static struct bine_greenlet *pop_any(struct bine_hub *hub)
{
    uint32_t count = bine_ready_count(&hub->ready);
    if (!hub->simulated || count == 1)
        return bine_ready_pop(&hub->ready);
    /* Under simulation any ready greenlet may come next: whatever relies on more than the contract
     * breaks. */
    return bine_ready_take(&hub->ready,
                           hub->driver->random(hub->driver) % (count < 16 ? count : 16));
}

struct bine_greenlet *bine_schedule_next(struct bine_hub *hub)
{
    for (;;) {
        if (hub->ready.head == hub->turn_at)
            slice_over(hub);
        if (!bine_ready_empty(&hub->ready)) {
            struct bine_greenlet *g = pop_any(hub);
            if (g->state != BINE_DEAD)
                return g;
            bine_greenlet_release(g); /* killed before it started; this was the queue's reference */
            continue;
        }
        bool idle = !bine_waiters_empty(&hub->idle);
        if (!idle && hopeless(hub) && deadlock(hub))
            continue;
        bine_schedule_turn(hub, !idle);
        if (idle && bine_ready_empty(&hub->ready))
            for (struct bine_waiter *waiter; (waiter = bine_waiters_pop(&hub->idle));)
                bine_waiter_wake(waiter);
    }
}
