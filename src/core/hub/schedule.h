/*
 * Who runs next: the hot path of everything, inside core only.
 */
#ifndef BINE_CORE_HUB_SCHEDULE_H
#define BINE_CORE_HUB_SCHEDULE_H

#include "hub.h"

/* So many switches, or fewer where these take long (bine_hub.slice_most), are a slice. After it the driver is looked at although greenlets are ready, so that they cannot starve I/O: when everybody who was
 * ready at the last look has run, within these bounds. Sooner helps nobody, who becomes ready goes to the end of the queue. */
enum {
    BINE_SLICE = 128,
    BINE_SLICE_MAX = 1024
};

/* This thread's hub. Initial-exec: one load, and always the same address for a greenlet, because it never changes thread. */
extern
    __attribute__((visibility("hidden"), tls_model("initial-exec"))) _Thread_local struct bine_hub *bine_hub_of_thread;

/* The next greenlet to run: pops the ready queue, turning the driver when it is empty or the slice is used up. Never NULL:
 * when nothing can ever become ready, the root does, with EDEADLK. May return the caller. */
struct bine_greenlet *bine_schedule_next(struct bine_hub *hub);

/* Who goes on if the current greenlet parks or yields now, before anything else happens; NULL: to be seen. Not for a simulated hub,
 * which draws lots. */
static inline struct bine_greenlet *bine_schedule_expected(const struct bine_hub *hub)
{
    if (__builtin_expect(bine_ready_empty(&hub->ready) || hub->ready.head == hub->turn_at, 0))
        return NULL;
    struct bine_greenlet *next = bine_ready_first(&hub->ready);
    return __builtin_expect(next->state == BINE_DEAD, 0) ? NULL : next;
}

/* The same, taken off the ready queue. */
static inline struct bine_greenlet *bine_schedule_take_expected(struct bine_hub *hub)
{
    struct bine_greenlet *next = bine_schedule_expected(hub);
    if (__builtin_expect(next != NULL, 1))
        hub->ready.head++;
    return next;
}

/* bine_schedule_next with the common case inlined: somebody is ready and the slice is not used up. Not for a simulated hub, which draws lots. */
static inline struct bine_greenlet *bine_schedule_next_quick(struct bine_hub *hub)
{
    struct bine_greenlet *next = bine_schedule_take_expected(hub);
    return __builtin_expect(next != NULL, 1) ? next : bine_schedule_next(hub);
}

/* Look at messages, timers and the driver; wait for them if `wait` and nothing is ready. */
void bine_schedule_turn(struct bine_hub *hub, bool wait);

/* The same without waiting, at `now`, in the middle of a slice. In a simulation it takes so long: the clock stands still while somebody is
 * ready, and loops that never wait would never see a timer fire. */
#define BINE_SIMULATED_LOOK (20 * BINE_US)
void bine_schedule_look(struct bine_hub *hub, int64_t now);

/* The current greenlet `from` has ended; `to` is current from now on. Returns the context to continue at once, or NULL if `to` has not run
 * yet and takes over the stack `from` had. Nothing but leaving the stack may follow in the first case. */
struct bine_arch_context *bine_schedule_succeed(struct bine_hub *hub, struct bine_greenlet *from,
                                                struct bine_greenlet *to);

/* The same from anywhere on the stack of the greenlet that ended (bine_exit): goes on with `to`. */
_Noreturn void bine_schedule_leave(struct bine_hub *hub, struct bine_greenlet *from, struct bine_greenlet *to);

/* Nothing can wake any greenlet of this hub: report and wake the root (deadlock.c). False if another thread still could. */
bool bine_deadlock(struct bine_hub *hub);

#endif
