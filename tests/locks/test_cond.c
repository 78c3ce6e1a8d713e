/* pthread_cond for greenlets: clocks, signals across hubs and threads, kill, process-shared. */
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "locks.h"
#include "locks/posix.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static char order[64];
static int order_length, tokens;

static void *wait_for_token(void *letter)
{
    CHECK_EQ(bine_pthread_mutex_lock(&mutex), 0);
    while (tokens == 0)
        CHECK_EQ(bine_pthread_cond_wait(&condition, &mutex), 0);
    tokens--;
    order[order_length++] = (char)(intptr_t)letter;
    CHECK_EQ(bine_pthread_mutex_unlock(&mutex), 0);
    return NULL;
}

TEST(signals_wake_greenlets_one_by_one_in_order_and_a_broadcast_wakes_the_rest)
{
    bine_greenlet *all[5];
    for (int i = 0; i < 5; i++)
        all[i] = bine_spawn(wait_for_token, (void *)(intptr_t)('a' + i));
    bine_sleep(0);
    for (int i = 0; i < 2; i++) {
        bine_pthread_mutex_lock(&mutex);
        tokens++;
        CHECK_EQ(bine_pthread_cond_signal(&condition), 0);
        bine_pthread_mutex_unlock(&mutex);
        bine_sleep(0);
        bine_sleep(0);
        CHECK_EQ(order_length, i + 1);
    }
    bine_pthread_mutex_lock(&mutex);
    tokens = 3;
    CHECK_EQ(bine_pthread_cond_broadcast(&condition), 0);
    bine_pthread_mutex_unlock(&mutex);
    CHECK_OK(bine_joinall(all, 5, BINE_FOREVER));
    CHECK_STRING(order, "abcde");
    CHECK_EQ(pthread_cond_destroy(&condition), 0);
}

static void check_timeout(clockid_t clock, bool by_attribute)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    if (by_attribute)
        CHECK_EQ(pthread_condattr_setclock(&attributes, clock), 0);
    CHECK_EQ(pthread_cond_init(&condition, &attributes), 0);
    struct ticker ticker = {0};
    bine_greenlet *g = bine_spawn(tick, &ticker);
    struct timespec until = from_now(clock, 20 * BINE_MS * harness_slower()), now;
    bine_pthread_mutex_lock(&mutex);
    if (by_attribute)
        CHECK_EQ(bine_pthread_cond_timedwait(&condition, &mutex, &until), ETIMEDOUT);
    else
        CHECK_EQ(bine_pthread_cond_clockwait(&condition, &mutex, clock, &until), ETIMEDOUT);
    CHECK_EQ(bine_pthread_mutex_trylock(&mutex), EBUSY);
    bine_pthread_mutex_unlock(&mutex);
    clock_gettime(clock, &now);
    CHECK(now.tv_sec > until.tv_sec ||
          (now.tv_sec == until.tv_sec && now.tv_nsec >= until.tv_nsec));
    CHECK_GT(ticker.ticks, 1); /* blocked, it would have begun and no more */
    ticker.stop = true;
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
}

TEST(timed_waits_end_by_the_clock_of_the_condition_or_of_the_call)
{
    check_timeout(CLOCK_REALTIME, true);
    check_timeout(CLOCK_MONOTONIC, true);
    check_timeout(CLOCK_REALTIME, false);
    check_timeout(CLOCK_MONOTONIC, false);
    struct timespec wrong = {0, BINE_SECOND};
    bine_pthread_mutex_lock(&mutex);
    CHECK_EQ(bine_pthread_cond_timedwait(&condition, &mutex, &wrong), EINVAL);
    CHECK_EQ(bine_pthread_cond_clockwait(&condition, &mutex, CLOCK_PROCESS_CPUTIME_ID,
                                         &(struct timespec){0, 0}),
             EINVAL);
    CHECK_EQ(bine_pthread_mutex_trylock(&mutex), EBUSY);
}

TEST(a_time_that_has_passed_gives_up_the_mutex_all_the_same)
{
    tokens = 1;
    bine_pthread_mutex_lock(&mutex);
    bine_greenlet *g = bine_spawn(wait_for_token, (void *)(intptr_t)'x');
    bine_sleep(0);
    CHECK_EQ(bine_pthread_cond_timedwait(&condition, &mutex, &(struct timespec){1, 0}), ETIMEDOUT);
    CHECK_EQ(tokens, 0);
    bine_pthread_mutex_unlock(&mutex);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
}

/* ---- kill ------------------------------------------------------------------------------------ */

static bool ready;
static int cancels;

static void *wait_and_ignore_errors(void *arg)
{
    bine_pthread_mutex_lock(&mutex);
    while (!ready)
        if (bine_pthread_cond_wait(&condition, &mutex) == ECANCELED)
            cancels++;
    bine_pthread_mutex_unlock(&mutex);
    return NULL;
}

TEST(a_killed_waiter_gets_ecanceled_with_the_mutex_and_a_loop_that_ignores_it_does_not_spin)
{
    bine_greenlet *g = bine_spawn(wait_and_ignore_errors, NULL);
    bine_sleep(0);
    CHECK_OK(bine_kill(g));
    bine_sleep(100 * BINE_MS);
    CHECK_GE(cancels, 1);
    CHECK_LE(cancels, 20);
    int before = cancels;
    /* It can still be signalled. */
    bine_pthread_mutex_lock(&mutex);
    ready = true;
    bine_pthread_cond_signal(&condition);
    bine_pthread_mutex_unlock(&mutex);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_LE(cancels, before + 1);
}

TEST(a_timeout_scope_ends_a_wait_with_the_mutex_held)
{
    bine_timeout scope;
    bine_pthread_mutex_lock(&mutex);
    CHECK_OK(bine_timeout_begin(&scope, 10 * BINE_MS));
    CHECK_EQ(bine_pthread_cond_wait(&condition, &mutex), ETIMEDOUT);
    CHECK_EQ(bine_timeout_end(&scope), 1);
    CHECK_EQ(bine_pthread_mutex_trylock(&mutex), EBUSY);
    bine_pthread_mutex_unlock(&mutex);
}

TEST(a_mutex_that_is_not_the_callers_is_refused)
{
    SKIP_UNDER_TSAN("it reports the wrong unlock that this test is made of");
    bine_getcurrent();
    static pthread_mutex_t checking = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
    CHECK_EQ(bine_pthread_cond_wait(&condition, &checking), EPERM);
    CHECK_EQ(bine_pthread_cond_signal(&condition), 0);
}

/* ---- hubs and threads ------------------------------------------------------------------------ */

enum {
    HUBS = 2,
    GREENLETS = 5,
    THREADS = 3,
    ITEMS = 400
};

static int queued, taken;
static bool closed;

static void *consume(void *arg)
{
    bine_pthread_mutex_lock(&mutex);
    for (;;) {
        while (!queued && !closed)
            CHECK_EQ(bine_pthread_cond_wait(&condition, &mutex), 0);
        if (!queued)
            break;
        queued--;
        taken++;
    }
    bine_pthread_mutex_unlock(&mutex);
    return NULL;
}

static void *run_hub(void *arg)
{
    bine_greenlet *all[GREENLETS];
    for (int i = 0; i < GREENLETS; i++)
        all[i] = bine_spawn(consume, NULL);
    CHECK_OK(bine_joinall(all, GREENLETS, BINE_FOREVER));
    return NULL;
}

TEST(producers_and_consumers_in_hubs_and_threads_lose_no_item_and_no_wake, .seconds = 60)
{
    pthread_t threads[HUBS + THREADS];
    for (int i = 0; i < HUBS + THREADS; i++)
        threads[i] = real_thread(i < HUBS ? run_hub : consume, NULL);
    for (int i = 0; i < ITEMS; i++) {
        bine_pthread_mutex_lock(&mutex);
        queued++;
        CHECK_EQ(bine_pthread_cond_signal(&condition), 0);
        bine_pthread_mutex_unlock(&mutex);
        if (i % 7 == 0)
            nap(100 * BINE_US);
    }
    bine_pthread_mutex_lock(&mutex);
    closed = true;
    CHECK_EQ(bine_pthread_cond_broadcast(&condition), 0);
    bine_pthread_mutex_unlock(&mutex);
    for (int i = 0; i < HUBS + THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK_EQ(taken, ITEMS);
}

/* A thread whose code is not patched releases the mutex inside libc's own pthread_cond_wait. */
static atomic_bool thread_waits;

static void *wait_in_libc(void *arg)
{
    pthread_mutex_lock(&mutex);
    atomic_store(&thread_waits, true);
    nap(20 * BINE_MS);
    while (!ready)
        pthread_cond_wait(&condition, &mutex);
    pthread_mutex_unlock(&mutex);
    return NULL;
}

TEST(a_mutex_released_inside_libcs_wait_is_noticed_and_a_thread_is_signalled_by_a_greenlet)
{
    bine_getcurrent();
    pthread_t thread = real_thread(wait_in_libc, NULL);
    while (!atomic_load(&thread_waits))
        nap(BINE_MS);
    bine_pthread_mutex_lock(&mutex);
    ready = true;
    CHECK_EQ(bine_pthread_cond_signal(&condition), 0);
    bine_pthread_mutex_unlock(&mutex);
    pthread_join(thread, NULL);
}

TEST(a_process_shared_condition_is_signalled_by_another_process)
{
    struct {
        pthread_mutex_t mutex;
        pthread_cond_t condition;
        bool ready;
    } *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    pthread_mutexattr_t mutex_attributes;
    pthread_condattr_t attributes;
    pthread_mutexattr_init(&mutex_attributes);
    pthread_mutexattr_setpshared(&mutex_attributes, PTHREAD_PROCESS_SHARED);
    pthread_condattr_init(&attributes);
    pthread_condattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&shared->mutex, &mutex_attributes);
    pthread_cond_init(&shared->condition, &attributes);
    struct ticker *ticker = shared_ticker();
    pid_t child = fork();
    if (child == 0) {
        await_ticks(ticker);
        pthread_mutex_lock(&shared->mutex);
        shared->ready = true;
        pthread_cond_signal(&shared->condition);
        pthread_mutex_unlock(&shared->mutex);
        _exit(0);
    }
    bine_greenlet *g = bine_spawn(tick, ticker);
    bine_pthread_mutex_lock(&shared->mutex);
    while (!shared->ready)
        CHECK_EQ(bine_pthread_cond_wait(&shared->condition, &shared->mutex), 0);
    bine_pthread_mutex_unlock(&shared->mutex);
    ticker->stop = true;
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(waitpid(child, NULL, 0), child);
}
