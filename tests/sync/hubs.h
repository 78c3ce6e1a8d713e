/* For tests of objects that several hubs share: greenlets in this thread and in others. */
#ifndef BINE_TESTS_SYNC_HUBS_H
#define BINE_TESTS_SYNC_HUBS_H

#include <bine.h>

#include "harness.h"

enum {
    THREADS = 3,
    GREENLETS = 4,
    ITEMS = 300
};

static bine_workers *workers;

/* `run` as the root of each of the other threads. */
static inline void start(bine_run *run)
{
    workers = bine_workers_start(THREADS, run, NULL);
    CHECK(workers != NULL);
}

static inline void finish(void)
{
    CHECK_OK(bine_workers_join(workers, BINE_FOREVER));
}

/* Run it in several greenlets of this thread; their argument tells them apart from those of all
 * threads. */
static inline void *in_greenlets(bine_run *run)
{
    bine_greenlet *all[GREENLETS];
    for (intptr_t i = 0; i < GREENLETS; i++)
        all[i] = bine_spawn(run, (void *)((bine_worker() + 1) * GREENLETS + i));
    CHECK_OK(bine_joinall(all, GREENLETS, BINE_FOREVER));
    return NULL;
}

/* One for each greenlet, seeded by its number. */
static inline unsigned random_below(unsigned *state, unsigned n)
{
    *state = *state * 1103515245 + 12345;
    return (*state >> 16) % n;
}

static inline int64_t random_timeout(unsigned *state)
{
    unsigned kind = random_below(state, 4);
    return kind == 0 ? 0 : kind == 1 ? BINE_FOREVER : (int64_t)random_below(state, 200) * BINE_US;
}

#endif
