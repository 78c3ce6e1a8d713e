/* Exceptions and the locks and threads of the C++ standard library in greenlets. */
#include "cxx.h"
#include "locks.h"

static void *throw_and_catch(void *id)
{
    return (void *)cxx_throw_and_catch((int)(intptr_t)id, 20);
}

TEST(hazard_03_exceptions_thrown_and_caught_in_interleaved_greenlets_do_not_mix)
{
    CHECK_OK(bine_patch_time()); /* sched_yield */
    bine_greenlet *all[10];
    for (int i = 0; i < 10; i++)
        all[i] = bine_spawn(throw_and_catch, (void *)(intptr_t)i);
    for (int i = 0; i < 10; i++) {
        void *problem;
        CHECK_OK(bine_join(all[i], &problem, BINE_FOREVER));
        if (problem)
            FAIL("%s", (const char *)problem);
    }
}

static void *in_hub(void *arg)
{
    bine_greenlet *all[4];
    for (int i = 0; i < 4; i++)
        all[i] = bine_spawn(throw_and_catch, (void *)(intptr_t)i);
    for (int i = 0; i < 4; i++) {
        void *problem;
        CHECK_OK(bine_join(all[i], &problem, BINE_FOREVER));
        CHECK(problem == NULL);
    }
    return NULL;
}

TEST(hazard_03_exceptions_in_greenlets_of_several_threads_do_not_mix)
{
    CHECK_OK(bine_patch_time());
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        threads[i] = real_thread(in_hub, NULL);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
}

static void use_standard_library(bool greenlets)
{
    if (greenlets) {
        CHECK_OK(bine_patch_threads_as_greenlets("libcxx*"));
        CHECK_OK(bine_patch_threads_as_greenlets("libstdc++.so*")); /* where std::thread makes and joins them */
    }
    CHECK_OK(bine_patch(BINE_PATCH_THREAD | BINE_PATCH_TIME));
    struct ticker ticker = {0};
    bine_greenlet *g = bine_spawn(tick, &ticker);
    size_t threads = harness_threads();
    CHECK_EQ(cxx_threads(3, 20), 60);
    const char *problem = cxx_locks();
    if (problem)
        FAIL("%s", problem);
    CHECK_EQ(cxx_future(), 42);
    if (greenlets)
        CHECK_EQ(harness_threads(), threads);
    CHECK_GT(ticker.ticks, 1); /* blocked, it would have begun and no more */
    ticker.stop = true;
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
}

TEST(the_standard_librarys_threads_beside_greenlets, .leaves = "threads of the offload pool")
{
    use_standard_library(false);
}

TEST(the_standard_librarys_threads_as_greenlets)
{
    use_standard_library(true);
}

static void *call_once(void *arg)
{
    return (void *)(intptr_t)cxx_call_once();
}

TEST(a_once_routine_that_throws_is_run_again_by_the_next_greenlet)
{
    SKIP_UNDER_TSAN("its pthread_once does not bear exceptions");
    CHECK_OK(bine_patch(BINE_PATCH_THREAD | BINE_PATCH_TIME));
    bine_greenlet *all[4];
    for (int i = 0; i < 4; i++)
        all[i] = bine_spawn(call_once, NULL);
    int threw = 0;
    for (int i = 0; i < 4; i++) {
        void *result;
        CHECK_OK(bine_join(all[i], &result, BINE_FOREVER));
        if ((intptr_t)result == -1)
            threw++;
        else
            CHECK_EQ((intptr_t)result, 2);
    }
    CHECK_EQ(threw, 1);
}
