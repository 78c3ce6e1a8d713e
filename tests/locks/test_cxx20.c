/* C++20's futures, latches, barriers, semaphores and atomics in greenlets and between them and
 * threads. */
#include "cxx20.h"
#include "locks.h"

static void *wait_in(void *kind)
{
    return (void *)(intptr_t)cxx20_wait((int)(intptr_t)kind);
}

static void *release_in(void *kind)
{
    bine_sleep(5 * BINE_MS);
    cxx20_release((int)(intptr_t)kind);
    return NULL;
}

static void run(int kind, bool threads)
{
    CHECK_OK(bine_patch_all());
    struct ticker ticker = {.ticks = 0};
    bine_greenlet *beat = bine_spawn(tick, &ticker);
    void *waits = (void *)(intptr_t)kind, *values[2];
    bine_greenlet *g = bine_spawn(wait_in, waits),
                  *other = threads ? NULL : bine_spawn(wait_in, waits);
    pthread_t waiter, releaser;
    if (threads) {
        waiter = real_thread(wait_in, waits);
        releaser = real_thread(release_in, waits);
    } else {
        release_in(waits);
    }
    CHECK_OK(bine_join(g, &values[0], BINE_FOREVER));
    if (threads) {
        CHECK_EQ(pthread_join(waiter, &values[1]), 0);
        CHECK_EQ(pthread_join(releaser, NULL), 0);
    } else {
        CHECK_OK(bine_join(other, &values[1], BINE_FOREVER));
    }
    CHECK_EQ((intptr_t)values[0], 1);
    CHECK_EQ((intptr_t)values[1], 1);
    atomic_store(&ticker.stop, true);
    CHECK_OK(bine_join(beat, NULL, BINE_FOREVER));
}

#define CASE(name, kind)                              \
    TEST(hazard_54_##name##_between_greenlets)        \
    {                                                 \
        run(kind, false);                             \
    }                                                 \
    TEST(hazard_54_##name##_of_greenlets_and_threads) \
    {                                                 \
        run(kind, true);                              \
    }

CASE(a_future, CXX20_FUTURE)
CASE(a_future_waited_for_with_a_limit, CXX20_TIMED_FUTURE)
CASE(a_latch, CXX20_LATCH)
CASE(a_barrier, CXX20_BARRIER)
CASE(a_semaphore, CXX20_SEMAPHORE)
CASE(an_atomic, CXX20_ATOMIC)

TEST(hazard_54_async)
{
    CHECK_OK(bine_patch_all());
    struct ticker ticker = {.ticks = 0};
    bine_greenlet *beat = bine_spawn(tick, &ticker);
    CHECK_EQ(cxx20_async(), 5);
    CHECK_GE(atomic_load(&ticker.ticks), SOME_TICKS);
    atomic_store(&ticker.stop, true);
    CHECK_OK(bine_join(beat, NULL, BINE_FOREVER));
}
