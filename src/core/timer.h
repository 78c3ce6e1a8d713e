/*
 * Timers of one hub: a 4-ary heap ordered by absolute CLOCK_MONOTONIC nanoseconds. Timers due at the same
 * time fire in the order in which they were started.
 *
 * A timer record belongs to its user and must stay put while it is started; the heap never allocates for
 * one timer at a time but keeps room ahead (bine_timers_reserve), so that a park cannot fail for memory.
 */
#ifndef BINE_CORE_TIMER_H
#define BINE_CORE_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bine_timer {
    int64_t deadline;
    uint32_t index; /* place in the heap + 1; 0: not started */
    /* Called from the hub's turn when due, with the timer stopped already; may not park. */
    void (*fire)(struct bine_timer *timer);
};

struct bine_timer_entry {
    int64_t deadline;
    uint64_t order;
    struct bine_timer *timer;
};

struct bine_timers {
    struct bine_timer_entry *heap;
    size_t count, room;
    uint64_t order;
};

/* Make room for n timers in all. 0, or -1 with ENOMEM and nothing changed. */
int bine_timers_reserve(struct bine_timers *timers, size_t n);
/* Stop all; the room stays. */
void bine_timers_clear(struct bine_timers *timers);
void bine_timers_free(struct bine_timers *timers);

/* Start (the timer must be stopped; room must have been reserved), stop (no effect if stopped). */
void bine_timer_start(struct bine_timers *timers, struct bine_timer *timer, int64_t deadline);
void bine_timer_stop(struct bine_timers *timers, struct bine_timer *timer);

static inline bool bine_timer_started(const struct bine_timer *timer)
{
    return timer->index != 0;
}

/* The earliest deadline, INT64_MAX if there is none. */
static inline int64_t bine_timers_next(const struct bine_timers *timers)
{
    return timers->count ? timers->heap[0].deadline : INT64_MAX;
}

/* Fire all that are due at `now`, but none that was started meanwhile. Returns how many. */
size_t bine_timers_fire(struct bine_timers *timers, int64_t now);

#endif
