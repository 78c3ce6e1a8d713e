/* Exceptions and the locks and threads of the C++ standard library in greenlets. */
#include <dlfcn.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

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
        /* Where std::thread makes and joins them. */
        CHECK_OK(bine_patch_threads_as_greenlets("libstdc++.so*"));
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

/* ---- function-local statics ------------------------------------------------------------------ */

static int wait_a_while(void *times)
{
    for (int i = *(int *)times; i > 0; i--)
        CHECK_OK(bine_sleep(BINE_MS));
    return 1;
}

static void *use_static(void *value)
{
    int times = 5;
    return (void *)(intptr_t)cxx_static(wait_a_while, &times, (int)(intptr_t)value);
}

/* `early`: the initialiser has not ended when we begin. */
static void *run_users(void *early)
{
    struct ticker ticker = {.ticks = 0};
    bine_greenlet *beat = bine_spawn(tick, &ticker), *all[4];
    for (intptr_t i = 0; i < 4; i++)
        all[i] = bine_spawn(use_static, (void *)(42 + i));
    intptr_t first = 0;
    for (int i = 0; i < 4; i++) {
        void *value;
        CHECK_OK(bine_join(all[i], &value, BINE_FOREVER));
        if (i == 0)
            first = (intptr_t)value;
        CHECK_EQ((intptr_t)value, first);
    }
    atomic_store(&ticker.stop, true);
    CHECK_OK(bine_join(beat, NULL, BINE_FOREVER));
    if (early)
        CHECK_GE(atomic_load(&ticker.ticks), SOME_TICKS);
    return (void *)first;
}

TEST(hazard_39_a_static_whose_initialiser_waits)
{
    CHECK_OK(bine_patch_all());
    CHECK_EQ((intptr_t)run_users("early"), 42);
    CHECK_EQ(cxx_static_begun(), 1);
}

static void block_for(int64_t nanoseconds)
{
    int (*nanosleep_of_libc)(const struct timespec *, struct timespec *);
    *(void **)&nanosleep_of_libc = bine_original("nanosleep");
    nanosleep_of_libc(&(struct timespec){.tv_nsec = nanoseconds}, NULL);
}

static void *idle(void *stop)
{
    while (!atomic_load((atomic_bool *)stop))
        block_for(BINE_MS);
    return NULL;
}

/* The C++ runtime has another way where there is more than one thread. */
TEST(hazard_39_a_static_whose_initialiser_waits_beside_a_thread)
{
    atomic_bool stop = false;
    pthread_t thread = real_thread(idle, &stop);
    CHECK_OK(bine_patch_all());
    CHECK_EQ((intptr_t)run_users("early"), 42);
    CHECK_EQ(cxx_static_begun(), 1);
    atomic_store(&stop, true);
    CHECK_EQ(pthread_join(thread, NULL), 0);
}

TEST(hazard_39_a_static_between_hubs)
{
    CHECK_OK(bine_patch_all());
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        threads[i] = real_thread(run_users, NULL);
    void *values[4] = {run_users(NULL)};
    for (int i = 0; i < 3; i++)
        CHECK_EQ(pthread_join(threads[i], &values[i + 1]), 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(values[i], values[0]);
    CHECK_EQ(cxx_static_begun(), 1);
}

static int sleep_as_thread(void *arg)
{
    atomic_store((atomic_bool *)arg, true);
    block_for(100 * BINE_MS);
    return 1;
}

static void *initialise_as_thread(void *inside)
{
    return (void *)(intptr_t)cxx_static(sleep_as_thread, inside, 42);
}

TEST(hazard_39_a_static_that_a_thread_initialises)
{
    CHECK_OK(bine_patch_all());
    atomic_bool inside = false;
    pthread_t thread = real_thread(initialise_as_thread, &inside);
    while (!atomic_load(&inside))
        CHECK_OK(bine_sleep(BINE_MS));
    CHECK_EQ((intptr_t)run_users("early"), 42);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(cxx_static_begun(), 1);
}

static int wait_and_fail(void *failures)
{
    CHECK_OK(bine_sleep(BINE_MS));
    return --*(int *)failures < 0;
}

static void *use_static_that_fails(void *failures)
{
    return (void *)(intptr_t)cxx_static(wait_and_fail, failures, 42);
}

TEST(hazard_39_a_static_whose_initialiser_waits_and_throws)
{
    CHECK_OK(bine_patch_all());
    int failures = 2, thrown = 0;
    bine_greenlet *all[5];
    for (int i = 0; i < 5; i++)
        all[i] = bine_spawn(use_static_that_fails, &failures);
    for (int i = 0; i < 5; i++) {
        void *value;
        CHECK_OK(bine_join(all[i], &value, BINE_FOREVER));
        if ((intptr_t)value == -1)
            thrown++;
        else
            CHECK_EQ((intptr_t)value, 42);
    }
    CHECK_EQ(thrown, 2);
    CHECK_EQ(cxx_static_begun(), 3);
}

static int come_back(void *inner)
{
    CHECK_OK(bine_sleep(BINE_MS));
    *(int *)inner = cxx_static(come_back, inner, 7);
    return 1;
}

static void *use_static_recursively(void *inner)
{
    return (void *)(intptr_t)cxx_static(come_back, inner, 42);
}

/* The C++ runtime ends a process that has one thread then, and does so for a greenlet. glibc tells
 * it so from 2.32 on. Before, it waits for itself. */
TEST(hazard_39_a_static_that_comes_to_itself, .signal = SIGABRT)
{
    if (!dlsym(RTLD_DEFAULT, "__libc_single_threaded"))
        SKIP("here the C++ runtime waits for itself, in any thread");
    CHECK_OK(bine_patch_all());
    int inner = 0;
    CHECK_OK(bine_join(bine_spawn(use_static_recursively, &inner), NULL, BINE_FOREVER));
}

static int never(void *event)
{
    return bine_event_wait(event, BINE_FOREVER) == 0;
}

static void *use_static_for_long(void *event)
{
    return (void *)(intptr_t)cxx_static(never, event, 42);
}

/* The greenlet that initialises does not exist in the child: another one begins anew, as for
 * pthread_once. */
TEST(hazard_39_fork_while_an_initialiser_waits)
{
    CHECK_OK(bine_patch_all());
    bine_event *event = bine_event_new(0);
    bine_greenlet *g = bine_spawn(use_static_for_long, event);
    CHECK_OK(bine_sleep(BINE_MS));
    pid_t child = fork();
    if (child == 0) {
        alarm(10);
        _exit((intptr_t)use_static((void *)43) == 43 ? 0 : 1);
    }
    int status = -1;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    bine_event_set(event);
    void *value;
    CHECK_OK(bine_join(g, &value, BINE_FOREVER));
    CHECK_EQ((intptr_t)value, 42);
    bine_event_free(event);
}
