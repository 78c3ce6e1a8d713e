/*
 * Which greenlet runs next: the hot path of everything, for core only.
 */
#ifndef BINE_CORE_SCHEDULE_SCHEDULE_H
#define BINE_CORE_SCHEDULE_SCHEDULE_H

#include "core/hub/hub.h"

/* The length of a slice, in switches. It is less than BINE_SLICE where switches take long
 * (bine_hub.slice_most). After a slice the driver is looked at although greenlets are ready, so
 * that they cannot starve I/O. Within these bounds the slice ends when all greenlets that were
 * ready at the last look have run. An earlier look would help no greenlet: one that becomes ready
 * goes to the end of the queue. */
enum {
    BINE_SLICE = 128,
    BINE_SLICE_MAX = 1024
};

/* Returns the next greenlet to run. Pops the ready queue, and turns the driver when the queue is
 * empty or the slice is used up. Never returns NULL: when nothing can ever become ready, it returns
 * the root, whose park fails with EDEADLK. May return the caller. */
struct bine_greenlet *bine_schedule_next(struct bine_hub *hub);

/* Returns the greenlet that would run next if the current one parked or yielded now. Returns NULL
 * if the driver must be asked first. Not for a simulated hub, which picks at random. */
static inline struct bine_greenlet *bine_schedule_expected(const struct bine_hub *hub)
{
    if (__builtin_expect(bine_ready_empty(&hub->ready) || hub->ready.head == hub->turn_at, 0))
        return NULL;
    struct bine_greenlet *next = bine_ready_first(&hub->ready);
    return __builtin_expect(next->state == BINE_DEAD, 0) ? NULL : next;
}

/* Returns the same, and takes it off the ready queue. */
static inline struct bine_greenlet *bine_schedule_take_expected(struct bine_hub *hub)
{
    struct bine_greenlet *next = bine_schedule_expected(hub);
    if (__builtin_expect(next != NULL, 1))
        hub->ready.head++;
    return next;
}

/* Does what bine_schedule_next does, with the common case inlined: a greenlet is ready and the
 * slice is not used up. Not for a simulated hub, which picks at random. */
static inline struct bine_greenlet *bine_schedule_next_quick(struct bine_hub *hub)
{
    struct bine_greenlet *next = bine_schedule_take_expected(hub);
    return __builtin_expect(next != NULL, 1) ? next : bine_schedule_next(hub);
}

/* Looks at messages, timers and the driver. Waits for them if `wait` is set and no greenlet is
 * ready. */
void bine_schedule_turn(struct bine_hub *hub, bool wait);

/* Does the same without waiting, at `now`, in the middle of a slice. In a simulation the look takes
 * BINE_SIMULATED_LOOK. The simulated clock stands still while a greenlet is ready, so loops that
 * never wait would otherwise never see a timer fire. */
#define BINE_SIMULATED_LOOK (20 * BINE_US)
void bine_schedule_look(struct bine_hub *hub, int64_t now);

/* The current greenlet `from` has ended, and `to` is current from now on. Returns the context to
 * continue at once. Then the caller must do nothing but leave the stack. Returns NULL if `to` has
 * not run yet and takes over the stack that `from` had. */
struct bine_arch_context *bine_schedule_succeed(struct bine_hub *hub, struct bine_greenlet *from,
                                                struct bine_greenlet *to);

/* Sets the function that is called when nothing can wake any greenlet of a hub. It reports that and
 * wakes the root, or returns false if another thread can still wake one. There is only one. */
void bine_schedule_on_deadlock(bool (*function)(struct bine_hub *hub));

#endif
