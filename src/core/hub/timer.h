/*
 * Timers of one hub: a 4-ary heap ordered by absolute CLOCK_MONOTONIC nanoseconds. Timers due at the same
 * time fire in the order in which they were started.
 *
 * A timer is a number, below the room that was reserved; whoever starts it says what it is for. Nothing is allocated to start one, so that a
 * park cannot fail for memory. Even numbers are the greenlets', each of which has one for good; the odd ones are for anybody to take.
 *
 * The heap touches nothing but its own arrays: with 100,000 sleepers a record for each timer, told of its every move in the heap, would be
 * as many cache misses as the heap has levels.
 */
#ifndef BINE_CORE_HUB_TIMER_H
#define BINE_CORE_HUB_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Four of them, the children of a node, are a cache line. `order` runs on: it tells which of two with the same deadline was started
 * first, unless 2^31 others were in between. */
struct bine_timer_entry {
    int64_t deadline;
    uint32_t order;
    uint32_t timer;
};

/* Of a started timer. Of an odd one that is free `owner` is the number of the next such. */
struct bine_timer_user {
    /* Called from the hub's turn when due, with the timer stopped already; may not park. */
    void (*fire)(void *owner, int64_t deadline);
    void *owner;
};

struct bine_timers {
    struct bine_timer_entry *heap;
    uint32_t *places; /* of each timer: where it is in the heap + 1; 0: not started */
    struct bine_timer_user *users;
    size_t count, room;
    void *memory; /* of the heap, which begins inside where children fall on cache lines */
    uint32_t order;
    uint32_t taken; /* how many odd numbers there are */
    uint32_t free;  /* the first that was given back; 0: none */
};

/* Make room for the timers 0 to n - 1. 0, or -1 with ENOMEM and nothing changed. */
int bine_timers_reserve(struct bine_timers *timers, size_t n);
/* Stop all; the room stays. */
void bine_timers_clear(struct bine_timers *timers);
void bine_timers_free(struct bine_timers *timers);

/* The number of a timer for something that is no greenlet; -1 with ENOMEM. And back again, stopped. */
int64_t bine_timer_take(struct bine_timers *timers);
void bine_timer_give_back(struct bine_timers *timers, uint32_t timer);

/* Start one (it must be stopped, and within the room); stop it (no effect if stopped). */
void bine_timer_start(struct bine_timers *timers, uint32_t timer, void (*fire)(void *owner, int64_t deadline),
                      void *owner, int64_t deadline);
void bine_timer_stop(struct bine_timers *timers, uint32_t timer);

static inline bool bine_timer_started(const struct bine_timers *timers, uint32_t timer)
{
    return timers->places[timer] != 0;
}

/* When a started timer is due. */
static inline int64_t bine_timer_deadline(const struct bine_timers *timers, uint32_t timer)
{
    return timers->heap[timers->places[timer] - 1].deadline;
}

/* The earliest deadline, INT64_MAX if there is none. */
static inline int64_t bine_timers_next(const struct bine_timers *timers)
{
    return timers->count ? timers->heap[0].deadline : INT64_MAX;
}

/* Stop and fire those that are due at `now`, the earliest first, and at most `most`. Returns how many. */
size_t bine_timers_fire(struct bine_timers *timers, int64_t now, size_t most);

#endif
