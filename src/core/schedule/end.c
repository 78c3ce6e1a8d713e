/* A greenlet's first step and its end. See core/hub/greenlet.h. */
#include "core/hub/greenlet.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/hub/own.h"
#include "core/hub/renew.h"
#include "core/hub/trace.h"
#include "core/stack/watermark.h"
#include "exceptions.h"
#include "fiber.h"
#include "park.h"
#include "switch.h"

static void (*end_hooks[BINE_SLOTS])(struct bine_greenlet *g);

void bine_greenlet_on_end(enum bine_slot slot, void (*ended)(struct bine_greenlet *g))
{
    end_hooks[slot] = ended;
}

static void leave_all(struct bine_hub *hub, struct bine_greenlet *g)
{
    if (g->all_next)
        g->all_next->all_previous = g->all_previous;
    if (g->all_previous)
        g->all_previous->all_next = g->all_next;
    else
        hub->all = g->all_next;
}

/* Those that wait for the hub to become empty count themselves out, so they look again at each end
 * near it. */
static void tell_the_empty(struct bine_hub *hub)
{
    for (struct bine_waiter *waiter; (waiter = bine_waiters_pop(&hub->empty));)
        bine_waiter_wake(waiter);
}

void bine_hub_engage(struct bine_hub *hub)
{
    hub->engaged++;
    hub->external++;
}

void bine_hub_release(struct bine_hub *hub)
{
    hub->engaged--;
    hub->external--;
    if (!hub->engaged)
        tell_the_empty(hub);
}

void bine_greenlet_hide(struct bine_greenlet *g)
{
    g->flags |= BINE_G_HIDDEN;
    g->hub->greenlets--;
    tell_the_empty(g->hub);
}

void bine_greenlet_show(struct bine_greenlet *g)
{
    g->flags &= (uint8_t)~BINE_G_HIDDEN;
    g->hub->greenlets++;
}

/* Wakes the greenlets that wait for g's end. */
static __attribute__((noinline)) void announce_end(struct bine_hub *hub, struct bine_greenlet *g)
{
    bool outer = hub->no_park;
    hub->no_park = true;
    if (g->links)
        bine_links_run(g);
    if (__builtin_expect(g->flags & BINE_G_ROOT && g->state != BINE_DEAD, 0))
        exit(0); /* a link forked, and g is all that is left of the child */
    bine_waitable_notify(&g->waitable);
    tell_the_empty(hub);
    hub->no_park = outer;
}

/* From here on all code sees g as dead. */
static inline void conclude(struct bine_hub *hub, struct bine_greenlet *g, void *value, int error)
{
    leave_all(hub, g);
    g->state = BINE_DEAD;
    g->arg = error ? NULL : value;
    g->error = error;
    if (!(g->flags & (BINE_G_ROOT | BINE_G_HIDDEN)))
        hub->greenlets--;
    if (g->flags & BINE_G_BELONGINGS || !bine_waiters_empty(&g->waitable.watchers) ||
        !bine_waiters_empty(&hub->empty))
        announce_end(hub, g);
}

/* What others keep for it in locals and in slots, but for the slot `kept`, ends. */
static void end_kept_by_others(struct bine_hub *hub, struct bine_greenlet *g, int kept)
{
    if (g->locals)
        g->locals->destroy(g);
    for (int slot = 0; slot < BINE_SLOTS; slot++)
        if (slot != kept && g->slots[slot] && end_hooks[slot]) {
            hub->no_park = true;
            end_hooks[slot](g);
            hub->no_park = false;
        }
}

void bine_greenlet_renew(enum bine_slot kept)
{
    struct bine_hub *hub = bine_hub_of_thread;
    end_kept_by_others(hub, hub->current, kept);
}

/* What it opened is closed first, then what others keep for it ends. */
__attribute__((noinline)) void bine_greenlet_begin_end(struct bine_hub *hub,
                                                       struct bine_greenlet *g, bool returned)
{
    if (g->attention & (BINE_A_SCOPE | BINE_A_SHIELD)) {
        if (returned)
            bine_greenlet_report_open(g);
        bine_greenlet_close_open(g);
    }
    if (g->flags & BINE_G_BELONGINGS)
        end_kept_by_others(hub, g, BINE_SLOTS);
    if (bine_watermark_enabled)
        bine_watermark_end(g->stack, g->site);
}

void bine_greenlet_conclude(struct bine_greenlet *g, void *value, int error)
{
    g->slots[BINE_SLOT_APART] = NULL;
    g->stack_class = 0; /* the record may become a root's */
    conclude(g->hub, g, value, error);
    bine_greenlet_release(g);
}

/* What a greenlet does last, still on its stack. */
static inline void greenlet_end(struct bine_hub *hub, struct bine_greenlet *g, void *value,
                                int error, bool returned)
{
    if (__builtin_expect(g->condition & BINE_END_WITH_CARE || bine_watermark_enabled, 0))
        bine_greenlet_begin_end(hub, g, returned);
    conclude(hub, g, value, error);
}

static __attribute__((noinline)) struct bine_greenlet *next_with_care(struct bine_hub *hub)
{
    struct bine_greenlet *next =
        hub->simulated ? bine_schedule_next(hub) : bine_schedule_next_quick(hub);
    if (__builtin_expect(hub->trace != NULL, 0)) {
        bine_trace_note_end(hub, hub->current);
        bine_trace_note_switch(hub, hub->current, next);
    }
    if (hub->exchange)
        hub->exchange->pass(hub, NULL, next, NULL);
    bine_exceptions_drop(hub);
    if (hub->fibers &&
        (next->state != BINE_NEW || next->stack_class != hub->current->stack_class)) {
        if (next->state == BINE_NEW)
            next->stack = bine_stacks_take(hub->stacks, next->stack_class);
        /* otherwise it takes over this stack, which is no switch */
        bine_fiber_leave(hub, NULL, next);
    }
#if BINE_ARCH_THREADS
    /* What is left to do here is the same with either thread pointer. */
    if (hub->owns && bine_own_of(next))
        bine_arch_set_thread_pointer(bine_own_of(next)->thread_pointer);
#endif
    return next;
}

/* Returns the greenlet that runs after the current one, which has ended. */
static inline struct bine_greenlet *next_to_run(struct bine_hub *hub)
{
    return __builtin_expect(hub->succession, 0) ? next_with_care(hub)
                                                : bine_schedule_next_quick(hub);
}

BINE_NO_SANITIZE struct bine_arch_context *bine_greenlet_enter(void)
{
    struct bine_hub *hub = bine_hub_of_thread;
    for (;;) {
        struct bine_greenlet *g = hub->current;
        bine_switch_arrived(hub, g);
        if (__builtin_expect(bine_watermark_enabled, 0))
            bine_watermark_begin(g->stack);
        void *value = g->run(g->arg);
        if (__builtin_expect(g->flags & BINE_G_ROOT, 0))
            exit(0); /* it forked, and is all that is left of the child */
        greenlet_end(hub, g, value, 0, true);
        struct bine_arch_context *context = bine_schedule_succeed(hub, g, next_to_run(hub));
        if (context)
            return context;
        bine_arch_reset();
    }
}

/* Does what bine_schedule_succeed does from anywhere on the stack of the greenlet that has ended,
 * and switches to `to`. */
static BINE_NO_SANITIZE _Noreturn void leave_stack(struct bine_hub *hub, struct bine_greenlet *from,
                                                   struct bine_greenlet *to)
{
    struct bine_arch_context over, *context = bine_schedule_succeed(hub, from, to);
    if (!context)
        bine_arch_restart(to->stack->top, bine_greenlet_enter);
    bine_arch_switch(&over, context);
    __builtin_unreachable();
}

void bine_greenlet_finish(struct bine_hub *hub, void *value, int error)
{
    struct bine_greenlet *g = hub->current;
    if (g->flags & BINE_G_ROOT) {
        /* The thread itself ends. After fork this is the greenlet that called it. What it has open
         * is not forgotten: not to be reported. */
        g->attention &= (uint8_t) ~(BINE_A_SCOPE | BINE_A_SHIELD);
        g->timeouts = NULL;
        g->shields = 0;
        if (hub->main_thread)
            exit(0);
        g->arg = error ? NULL : value;
        pthread_exit(value);
    }
    if (g->stack_class == BINE_CLASS_OWN)
        bine_own_of(g)->leave(g, value, error);
    greenlet_end(hub, g, value, error, false);
    leave_stack(hub, g, next_to_run(hub));
}

void bine_greenlet_abandon(struct bine_greenlet *g, int error)
{
    struct bine_hub *hub = g->hub;
    void (*discard)(void *) = g->state == BINE_NEW && g->flags & BINE_G_DISCARD ? g->discard : NULL;
    void *arg = g->arg;
    bine_timer_stop(&hub->timers, g->timer);
    if (g->state == BINE_NEW && !g->stack)
        bine_stacks_unreserve(hub->stacks, g->stack_class);
    conclude(hub, g, NULL, error);
    if (discard) {
        bool outer = hub->no_park;
        hub->no_park = true;
        discard(arg);
        hub->no_park = outer;
    }
}
