/* pthread_barrier, pthread_once and C11's names for greenlets. */
#include <threads.h>

#include "locks.h"
#include "locks/posix.h"

/* ---- barrier --------------------------------------------------------------------------------- */

enum {
    PARTIES = 9, /* in two hubs of four, and one thread */
    ROUNDS = 100
};

static pthread_barrier_t barrier;
static atomic_int arrived[ROUNDS], serial[ROUNDS];

static void *meet(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        atomic_fetch_add(&arrived[i], 1);
        int result = bine_pthread_barrier_wait(&barrier);
        CHECK(result == 0 || result == PTHREAD_BARRIER_SERIAL_THREAD);
        if (result)
            atomic_fetch_add(&serial[i], 1);
        CHECK_EQ(atomic_load(&arrived[i]), PARTIES);
    }
    return NULL;
}

static void *run_hub(void *arg)
{
    bine_greenlet *all[4];
    for (int i = 0; i < 4; i++)
        all[i] = bine_spawn(meet, NULL);
    CHECK_OK(bine_joinall(all, 4, BINE_FOREVER));
    return NULL;
}

TEST(greenlets_and_threads_meet_at_a_barrier_round_after_round, .seconds = 60)
{
    CHECK_EQ(pthread_barrier_init(&barrier, NULL, PARTIES), 0);
    pthread_t threads[] = {real_thread(run_hub, NULL), real_thread(run_hub, NULL),
                           real_thread(meet, NULL)};
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < ROUNDS; i++)
        CHECK_EQ(atomic_load(&serial[i]), 1);
    CHECK_EQ(pthread_barrier_destroy(&barrier), 0);
}

TEST(a_barrier_of_one_never_waits)
{
    bine_getcurrent();
    CHECK_EQ(pthread_barrier_init(&barrier, NULL, 1), 0);
    CHECK_EQ(bine_pthread_barrier_wait(&barrier), PTHREAD_BARRIER_SERIAL_THREAD);
}

/* ---- once ------------------------------------------------------------------------------------ */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_int runs;
static atomic_bool finished;

static void initialise_slowly(void)
{
    atomic_fetch_add(&runs, 1);
    bine_sleep(10 * BINE_MS);
    atomic_store(&finished, true);
}

static struct ticker ticker;

static void initialise_in_thread(void)
{
    atomic_fetch_add(&runs, 1);
    await_ticks(&ticker);
    atomic_store(&finished, true);
}

static void *call_once_slowly(void *arg)
{
    CHECK_EQ(bine_pthread_once(&once, initialise_slowly), 0);
    CHECK(atomic_load(&finished));
    return NULL;
}

static void *call_libcs_once(void *arg)
{
    CHECK_EQ(pthread_once(&once, initialise_in_thread), 0);
    CHECK(atomic_load(&finished));
    return NULL;
}

TEST(a_routine_that_parks_runs_once_and_the_others_wait_for_its_end)
{
    bine_greenlet *all[4];
    for (int i = 0; i < 4; i++)
        all[i] = bine_spawn(call_once_slowly, NULL);
    bine_sleep(0);
    pthread_t thread = real_thread(call_libcs_once, NULL);
    CHECK_OK(bine_joinall(all, 4, BINE_FOREVER));
    pthread_join(thread, NULL);
    CHECK_EQ(atomic_load(&runs), 1);
}

TEST(a_routine_that_unpatched_code_of_a_thread_runs_is_waited_for_without_blocking)
{
    bine_greenlet *g = bine_spawn(tick, &ticker);
    pthread_t thread = real_thread(call_libcs_once, NULL);
    while (!atomic_load(&runs))
        nap(BINE_MS);
    CHECK_OK(bine_join(bine_spawn(call_once_slowly, NULL), NULL, BINE_FOREVER));
    CHECK_EQ(atomic_load(&runs), 1);
    pthread_join(thread, NULL);
    ticker.stop = true;
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
}

/* ---- C11 ------------------------------------------------------------------------------------- */

static mtx_t mutex;
static cnd_t condition;
static bool ready;
static once_flag flag = ONCE_FLAG_INIT;

static void *wait_by_c11(void *arg)
{
    CHECK_EQ(bine_mtx_lock(&mutex), thrd_success);
    while (!ready)
        CHECK_EQ(bine_cnd_wait(&condition, &mutex), thrd_success);
    CHECK_EQ(bine_mtx_unlock(&mutex), thrd_success);
    bine_call_once(&flag, initialise_slowly);
    return NULL;
}

TEST(c11_calls_give_c11_results)
{
    CHECK_EQ(mtx_init(&mutex, mtx_timed), thrd_success);
    CHECK_EQ(cnd_init(&condition), thrd_success);
    bine_greenlet *all[2] = {bine_spawn(wait_by_c11, NULL), bine_spawn(wait_by_c11, NULL)};
    bine_sleep(0);
    CHECK_EQ(bine_mtx_lock(&mutex), thrd_success);
    CHECK_EQ(bine_mtx_trylock(&mutex), thrd_busy);
    struct timespec soon = from_now(CLOCK_REALTIME, 5 * BINE_MS);
    CHECK_EQ(bine_mtx_timedlock(&mutex, &soon), thrd_timedout);
    soon = from_now(CLOCK_REALTIME, 5 * BINE_MS);
    CHECK_EQ(bine_cnd_timedwait(&condition, &mutex, &soon), thrd_timedout);
    ready = true;
    CHECK_EQ(bine_cnd_signal(&condition), thrd_success);
    CHECK_EQ(bine_cnd_broadcast(&condition), thrd_success);
    CHECK_EQ(bine_mtx_unlock(&mutex), thrd_success);
    CHECK_OK(bine_joinall(all, 2, BINE_FOREVER));
    CHECK_EQ(atomic_load(&runs), 1);
}
