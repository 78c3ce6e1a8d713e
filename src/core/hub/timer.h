/*
 * Timers of one hub: a 4-ary heap ordered by absolute CLOCK_MONOTONIC nanoseconds. Timers due at
 * the same time fire in the order in which they were started.
 *
 * A timer is a number below the room that was reserved. The code that starts a timer says what it
 * is for. Starting one allocates nothing, so that a park cannot fail for lack of memory. Each
 * greenlet has an even number for good. The odd numbers can be taken for anything else.
 *
 * The heap touches only its own arrays. A record for each timer that is told of each of its moves
 * in the heap would cost as many cache misses as the heap has levels.
 */
#ifndef BINE_CORE_HUB_TIMER_H
#define BINE_CORE_HUB_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Four entries, the children of a node, fill a cache line. `order` grows and may wrap around. It
 * tells which of two timers with the same deadline was started first, unless 2^31 others were
 * started in between. */
struct bine_timer_entry {
    int64_t deadline;
    uint32_t order;
    uint32_t timer;
};

/* What is kept of a started timer. In a free odd one `owner` is the number of the next free one. */
struct bine_timer_user {
    /* Called from the hub's turn when the timer is due and has been stopped. May not park. */
    void (*fire)(void *owner, int64_t deadline);
    void *owner;
};

struct bine_timers {
    struct bine_timer_entry *heap;
    uint32_t *places; /* for each timer its place in the heap + 1; 0: not started */
    struct bine_timer_user *users;
    size_t count, room;
    /* the memory of the heap; the heap begins inside it, where children fall on cache lines */
    void *memory;
    uint32_t order;
    uint32_t taken; /* how many odd numbers there are */
    uint32_t free;  /* the first odd number that was given back; 0: none */
};

/* Makes room for the timers 0 to n - 1. Returns 0, or -1 with ENOMEM and nothing changed. */
int bine_timers_reserve(struct bine_timers *timers, size_t n);
/* Stops all timers. The room stays. */
void bine_timers_clear(struct bine_timers *timers);
void bine_timers_free(struct bine_timers *timers);

/* bine_timer_take returns the number of a timer for something that is no greenlet, or -1 with
 * ENOMEM. bine_timer_give_back takes the number back. The timer must be stopped. */
int64_t bine_timer_take(struct bine_timers *timers);
void bine_timer_give_back(struct bine_timers *timers, uint32_t timer);

/* bine_timer_start starts a timer, which must be stopped and within the room. bine_timer_stop stops
 * it, and has no effect on a stopped one. */
void bine_timer_start(struct bine_timers *timers, uint32_t timer,
                      void (*fire)(void *owner, int64_t deadline), void *owner, int64_t deadline);
void bine_timer_stop(struct bine_timers *timers, uint32_t timer);

static inline bool bine_timer_started(const struct bine_timers *timers, uint32_t timer)
{
    return timers->places[timer] != 0;
}

/* Returns when a started timer is due. */
static inline int64_t bine_timer_deadline(const struct bine_timers *timers, uint32_t timer)
{
    return timers->heap[timers->places[timer] - 1].deadline;
}

/* Returns the earliest deadline, or INT64_MAX if there is none. */
static inline int64_t bine_timers_next(const struct bine_timers *timers)
{
    return timers->count ? timers->heap[0].deadline : INT64_MAX;
}

/* Stops and fires the timers that are due at `now`, the earliest first, and at most `most`. Returns
 * how many. */
size_t bine_timers_fire(struct bine_timers *timers, int64_t now, size_t most);

#endif
