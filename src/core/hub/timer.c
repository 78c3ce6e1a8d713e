/* The timer heap. See timer.h. A node has four children: that is half the levels of a binary heap,
 * and the four lie side by side. */
#include "timer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "libc/free.h"

/* Cache lines, and where the root lies in its own, so that its first child begins the next. */
enum {
    LINE = 64,
    AFTER = LINE - sizeof(struct bine_timer_entry)
};

static struct bine_timer_entry *aligned(void *memory)
{
    return (struct bine_timer_entry *)((((uintptr_t)memory + LINE - 1) & ~(uintptr_t)(LINE - 1)) +
                                       AFTER);
}

int bine_timers_reserve(struct bine_timers *timers, size_t n)
{
    if (n <= timers->room)
        return 0;
    size_t room = timers->room ? timers->room : 64;
    while (room < n)
        room *= 2;
    void *memory = malloc(room * sizeof *timers->heap + 2 * (size_t)LINE);
    uint32_t *places = memory ? calloc(room, sizeof *places) : NULL;
    struct bine_timer_user *users = places ? realloc(timers->users, room * sizeof *users) : NULL;
    if (!users) {
        bine_free(places);
        bine_free(memory);
        return -1;
    }
    struct bine_timer_entry *heap = aligned(memory);
    /* where none runs all places are 0, and untouched memory stays untouched */
    if (timers->count) {
        memcpy(heap, timers->heap, timers->count * sizeof *heap);
        memcpy(places, timers->places, timers->room * sizeof *places);
    }
    free(timers->memory);
    free(timers->places);
    timers->memory = memory;
    timers->heap = heap;
    timers->places = places;
    timers->users = users;
    timers->room = room;
    return 0;
}

int64_t bine_timer_take(struct bine_timers *timers)
{
    uint32_t timer = timers->free;
    if (timer) {
        timers->free = (uint32_t)(uintptr_t)timers->users[timer].owner;
        return timer;
    }
    timer = 2 * timers->taken + 1;
    if (bine_timers_reserve(timers, (size_t)timer + 1) < 0)
        return -1;
    timers->taken++;
    return timer;
}

void bine_timer_give_back(struct bine_timers *timers, uint32_t timer)
{
    assert(timer % 2 == 1 && !bine_timer_started(timers, timer));
    timers->users[timer].owner = (void *)(uintptr_t)timers->free;
    timers->free = timer;
}

void bine_timers_clear(struct bine_timers *timers)
{
    for (size_t i = 0; i < timers->count; i++)
        timers->places[timers->heap[i].timer] = 0;
    timers->count = 0;
}

void bine_timers_free(struct bine_timers *timers)
{
    bine_free(timers->memory);
    bine_free(timers->places);
    bine_free(timers->users);
    *timers = (struct bine_timers){0};
}

/* Without a jump: which of two comes first is as good as random, so it would be mispredicted every
 * other time. */
static inline bool timer_before(const struct bine_timer_entry *a, const struct bine_timer_entry *b)
{
    return (a->deadline < b->deadline) |
           ((a->deadline == b->deadline) & ((int32_t)(a->order - b->order) < 0));
}

/* The one of two that comes first; the same. */
static inline size_t earlier(const struct bine_timer_entry *heap, size_t a, size_t b)
{
    return a + (-(size_t)timer_before(&heap[b], &heap[a]) & (b - a));
}

static inline void place(struct bine_timers *timers, size_t i, struct bine_timer_entry entry)
{
    timers->heap[i] = entry;
    timers->places[entry.timer] = (uint32_t)i + 1;
}

static void sift_up(struct bine_timers *timers, size_t i, struct bine_timer_entry entry)
{
    while (i > 0) {
        size_t parent = (i - 1) / 4;
        if (!timer_before(&entry, &timers->heap[parent]))
            break;
        place(timers, i, timers->heap[parent]);
        i = parent;
    }
    place(timers, i, entry);
}

/* Of the children of a node, which begin at `first`: the earliest. While they are compared theirs,
 * 16 and four cache lines, arrive. */
static inline size_t earliest_child(const struct bine_timers *timers, size_t first)
{
    const struct bine_timer_entry *heap = timers->heap;
    if (__builtin_expect(first + 4 > timers->count, 0)) {
        size_t least = first;
        for (size_t child = first + 1; child < timers->count; child++)
            least = earlier(heap, least, child);
        return least;
    }
    for (size_t line = 0; line < 4; line++)
        __builtin_prefetch(&heap[4 * (first + line) + 1]);
    return earlier(heap, earlier(heap, first, first + 1), earlier(heap, first + 2, first + 3));
}

static void sift_down(struct bine_timers *timers, size_t i, struct bine_timer_entry entry)
{
    for (size_t first; (first = 4 * i + 1) < timers->count;) {
        size_t least = earliest_child(timers, first);
        if (!timer_before(&timers->heap[least], &entry))
            break;
        place(timers, i, timers->heap[least]);
        i = least;
    }
    place(timers, i, entry);
}

void bine_timer_start(struct bine_timers *timers, uint32_t timer,
                      void (*fire)(void *owner, int64_t deadline), void *owner, int64_t deadline)
{
    assert(timer < timers->room && timers->places[timer] == 0);
    timers->users[timer] = (struct bine_timer_user){fire, owner};
    sift_up(timers, timers->count++, (struct bine_timer_entry){deadline, timers->order++, timer});
}

/* Take out the entry at i. */
static inline void take_out(struct bine_timers *timers, size_t i)
{
    timers->places[timers->heap[i].timer] = 0;
    struct bine_timer_entry last = timers->heap[--timers->count];
    if (i == timers->count)
        return;
    if (i > 0 && timer_before(&last, &timers->heap[(i - 1) / 4]))
        sift_up(timers, i, last);
    else
        sift_down(timers, i, last);
}

void bine_timer_stop(struct bine_timers *timers, uint32_t timer)
{
    size_t place = timers->places[timer];
    if (!place)
        return;
    assert(place <= timers->count && timers->heap[place - 1].timer == timer);
    take_out(timers, place - 1);
}

/* With many timers whom they are for is cold by the time they fire. The next to fire is a child of
 * the root now, and the root while this one fires: fetch what a timer is for two steps ahead, and
 * its owner one step. (Always inlined: gcc takes a function that only fetches for one without
 * effect, and drops the call.) */
static inline __attribute__((always_inline)) void fetch_next(const struct bine_timers *timers)
{
    if (timers->count < 5)
        return;
    __builtin_prefetch(timers->users[timers->heap[0].timer].owner, 1);
    for (size_t child = 1; child < 5; child++)
        __builtin_prefetch(&timers->users[timers->heap[child].timer]);
}

size_t bine_timers_fire(struct bine_timers *timers, int64_t now, size_t most)
{
    size_t fired = 0;
    while (fired < most && timers->count && timers->heap[0].deadline <= now) {
        int64_t deadline = timers->heap[0].deadline;
        struct bine_timer_user user = timers->users[timers->heap[0].timer];
        take_out(timers, 0);
        fetch_next(timers);
        user.fire(user.owner, deadline);
        fired++;
    }
    return fired;
}
