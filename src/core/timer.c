/* The timer heap. See timer.h. Four children a node: half the levels of a binary heap, and the four lie side by side. */
#include "timer.h"

#include <assert.h>
#include <stdlib.h>

int bine_timers_reserve(struct bine_timers *timers, size_t n)
{
    if (n <= timers->room)
        return 0;
    size_t room = timers->room ? timers->room : 64;
    while (room < n)
        room *= 2;
    struct bine_timer_entry *heap = realloc(timers->heap, room * sizeof *heap);
    if (!heap)
        return -1;
    timers->heap = heap;
    timers->room = room;
    return 0;
}

void bine_timers_clear(struct bine_timers *timers)
{
    for (size_t i = 0; i < timers->count; i++)
        timers->heap[i].timer->index = 0;
    timers->count = 0;
}

void bine_timers_free(struct bine_timers *timers)
{
    bine_timers_clear(timers);
    free(timers->heap);
    *timers = (struct bine_timers){0};
}

static inline bool before(const struct bine_timer_entry *a, const struct bine_timer_entry *b)
{
    return a->deadline < b->deadline || (a->deadline == b->deadline && a->order < b->order);
}

static inline void place(struct bine_timers *timers, size_t i, struct bine_timer_entry entry)
{
    timers->heap[i] = entry;
    entry.timer->index = (uint32_t)i + 1;
}

static void sift_up(struct bine_timers *timers, size_t i, struct bine_timer_entry entry)
{
    while (i > 0) {
        size_t parent = (i - 1) / 4;
        if (!before(&entry, &timers->heap[parent]))
            break;
        place(timers, i, timers->heap[parent]);
        i = parent;
    }
    place(timers, i, entry);
}

static void sift_down(struct bine_timers *timers, size_t i, struct bine_timer_entry entry)
{
    for (;;) {
        size_t first = 4 * i + 1, least = first;
        if (first >= timers->count)
            break;
        size_t end = first + 4 < timers->count ? first + 4 : timers->count;
        for (size_t child = first + 1; child < end; child++)
            if (before(&timers->heap[child], &timers->heap[least]))
                least = child;
        if (!before(&timers->heap[least], &entry))
            break;
        place(timers, i, timers->heap[least]);
        i = least;
    }
    place(timers, i, entry);
}

void bine_timer_start(struct bine_timers *timers, struct bine_timer *timer, int64_t deadline)
{
    assert(timer->index == 0 && timers->count < timers->room);
    timer->deadline = deadline;
    struct bine_timer_entry entry = {deadline, timers->order++, timer};
    sift_up(timers, timers->count++, entry);
}

void bine_timer_stop(struct bine_timers *timers, struct bine_timer *timer)
{
    if (!timer->index)
        return;
    size_t i = timer->index - 1;
    assert(i < timers->count && timers->heap[i].timer == timer);
    timer->index = 0;
    struct bine_timer_entry last = timers->heap[--timers->count];
    if (i == timers->count)
        return;
    if (i > 0 && before(&last, &timers->heap[(i - 1) / 4]))
        sift_up(timers, i, last);
    else
        sift_down(timers, i, last);
}

size_t bine_timers_fire(struct bine_timers *timers, int64_t now)
{
    size_t fired = 0;
    uint64_t started_meanwhile = timers->order;
    while (timers->count && timers->heap[0].deadline <= now && timers->heap[0].order < started_meanwhile) {
        struct bine_timer *timer = timers->heap[0].timer;
        bine_timer_stop(timers, timer);
        timer->fire(timer);
        fired++;
    }
    return fired;
}
