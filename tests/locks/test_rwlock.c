/* pthread_rwlock for greenlets. */
#include "locks.h"
#include "locks/posix.h"

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static char order[64];
static int order_length;

static void note(int letter)
{
    order[order_length++] = (char)letter;
}

static void *write_once(void *letter)
{
    CHECK_EQ(bine_pthread_rwlock_wrlock(&lock), 0);
    note((char)(intptr_t)letter);
    bine_sleep(0);
    CHECK_EQ(bine_pthread_rwlock_unlock(&lock), 0);
    return NULL;
}

static void *read_once(void *letter)
{
    CHECK_EQ(bine_pthread_rwlock_rdlock(&lock), 0);
    note((char)(intptr_t)letter);
    bine_sleep(0);
    CHECK_EQ(bine_pthread_rwlock_unlock(&lock), 0);
    return NULL;
}

TEST(hazard_01_a_write_lock_held_across_a_switch_is_no_deadlock_for_another_greenlet)
{
    CHECK_EQ(bine_pthread_rwlock_wrlock(&lock), 0);
    bine_greenlet *all[] = {bine_spawn(read_once, (void *)(intptr_t)'a'),
                            bine_spawn(read_once, (void *)(intptr_t)'b'),
                            bine_spawn(write_once, (void *)(intptr_t)'W'),
                            bine_spawn(read_once, (void *)(intptr_t)'c')};
    bine_sleep(0);
    CHECK_EQ(order_length, 0);
    CHECK_EQ(bine_pthread_rwlock_wrlock(&lock), EDEADLK);
    CHECK_EQ(bine_pthread_rwlock_rdlock(&lock), EDEADLK);
    CHECK_EQ(bine_pthread_rwlock_tryrdlock(&lock), EBUSY);
    CHECK_EQ(bine_pthread_rwlock_trywrlock(&lock), EBUSY);
    CHECK_EQ(bine_pthread_rwlock_unlock(&lock), 0);
    CHECK_OK(bine_joinall(all, 4, BINE_FOREVER));
    CHECK_STRING(order, "abWc");
    CHECK_EQ(pthread_rwlock_trywrlock(&lock), 0);
}

TEST(readers_share_and_a_reader_may_read_again_while_a_writer_waits)
{
    CHECK_EQ(bine_pthread_rwlock_rdlock(&lock), 0);
    CHECK_EQ(bine_pthread_rwlock_rdlock(&lock), 0);
    bine_greenlet *writer = bine_spawn(write_once, (void *)(intptr_t)'W');
    bine_sleep(0);
    CHECK_EQ(bine_pthread_rwlock_rdlock(&lock), 0);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(order_length, 0);
        CHECK_EQ(bine_pthread_rwlock_unlock(&lock), 0);
        bine_sleep(0);
    }
    CHECK_OK(bine_join(writer, NULL, BINE_FOREVER));
    CHECK_STRING(order, "W");
}

TEST(a_lock_that_prefers_writers_lets_no_reader_past_one_that_waits)
{
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
    CHECK_EQ(
        pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP),
        0);
    CHECK_EQ(pthread_rwlock_init(&lock, &attributes), 0);
    CHECK_EQ(bine_pthread_rwlock_rdlock(&lock), 0);
    bine_greenlet *writer = bine_spawn(write_once, (void *)(intptr_t)'W');
    bine_sleep(0);
    CHECK_EQ(bine_pthread_rwlock_tryrdlock(&lock), EBUSY);
    bine_greenlet *reader = bine_spawn(read_once, (void *)(intptr_t)'r');
    bine_sleep(0);
    CHECK_EQ(order_length, 0);
    CHECK_EQ(bine_pthread_rwlock_unlock(&lock), 0);
    CHECK_OK(bine_join(writer, NULL, BINE_FOREVER));
    CHECK_OK(bine_join(reader, NULL, BINE_FOREVER));
    CHECK_STRING(order, "Wr");
}

static void *time_out(void *arg)
{
    struct timespec soon = from_now(CLOCK_MONOTONIC, 5 * BINE_MS);
    int error = bine_pthread_rwlock_clockwrlock(&lock, CLOCK_MONOTONIC, &soon);
    soon = from_now(CLOCK_REALTIME, 5 * BINE_MS);
    return (void *)(intptr_t)(error == ETIMEDOUT ? bine_pthread_rwlock_timedrdlock(&lock, &soon)
                                                 : error);
}

TEST(timed_locks_time_out_and_check_their_arguments_first)
{
    CHECK_EQ(bine_pthread_rwlock_wrlock(&lock), 0);
    bine_greenlet *g = bine_spawn(time_out, NULL);
    void *value;
    CHECK_OK(bine_join(g, &value, BINE_FOREVER));
    CHECK_EQ((intptr_t)value, ETIMEDOUT);
    struct timespec wrong = {0, -1};
    CHECK_EQ(bine_pthread_rwlock_timedrdlock(&lock, &wrong), EINVAL);
    CHECK_EQ(bine_pthread_rwlock_unlock(&lock), 0);
    CHECK_EQ(bine_pthread_rwlock_timedwrlock(&lock, &wrong), EINVAL);
    CHECK_EQ(bine_pthread_rwlock_trywrlock(&lock), 0);
}

/* ---- other threads --------------------------------------------------------------------------- */

static atomic_bool held, release;
static bool holder_writes;

static void *hold(void *arg)
{
    CHECK_EQ(holder_writes ? pthread_rwlock_wrlock(&lock) : pthread_rwlock_rdlock(&lock), 0);
    atomic_store(&held, true);
    while (!atomic_load(&release))
        nap(BINE_MS);
    CHECK_EQ(pthread_rwlock_unlock(&lock), 0);
    return NULL;
}

static void *let_go_later(void *arg)
{
    bine_sleep(20 * BINE_MS);
    atomic_store(&release, true);
    return NULL;
}

static void wait_for_a_thread(bool writes)
{
    holder_writes = writes;
    pthread_t thread = real_thread(hold, NULL);
    while (!atomic_load(&held))
        nap(BINE_MS);
    struct ticker ticker = {0};
    bine_greenlet *ticking = bine_spawn(tick, &ticker), *later = bine_spawn(let_go_later, NULL);
    CHECK_EQ(bine_pthread_rwlock_wrlock(&lock), 0);
    CHECK_GT(ticker.ticks, 1); /* blocked, it would have begun and no more */
    CHECK_EQ(bine_pthread_rwlock_unlock(&lock), 0);
    ticker.stop = true;
    CHECK_OK(bine_join(ticking, NULL, BINE_FOREVER));
    CHECK_OK(bine_join(later, NULL, BINE_FOREVER));
    pthread_join(thread, NULL);
}

TEST(a_lock_that_a_thread_reads_under_waits_without_blocking_the_hub)
{
    wait_for_a_thread(false);
}

TEST(a_lock_that_a_thread_writes_under_waits_without_blocking_the_hub)
{
    wait_for_a_thread(true);
}

enum {
    HUBS = 3,
    GREENLETS = 6,
    THREADS = 2,
    ROUNDS = 150
};

static long value;
static atomic_int readers, writers;

static void check_alone(bool writing)
{
    if (writing) {
        CHECK_EQ(atomic_fetch_add(&writers, 1), 0);
        CHECK_EQ(atomic_load(&readers), 0);
        value++;
        atomic_fetch_sub(&writers, 1);
    } else {
        atomic_fetch_add(&readers, 1);
        CHECK_EQ(atomic_load(&writers), 0);
        atomic_fetch_sub(&readers, 1);
    }
}

static void *read_and_write(void *in_greenlet)
{
    for (int i = 0; i < ROUNDS; i++) {
        bool writing = i % 3 == 0;
        CHECK_EQ(writing ? bine_pthread_rwlock_wrlock(&lock) : bine_pthread_rwlock_rdlock(&lock),
                 0);
        if (in_greenlet && i % 4 == 0)
            bine_sleep(0);
        check_alone(writing);
        CHECK_EQ(bine_pthread_rwlock_unlock(&lock), 0);
        if (in_greenlet && i % 5 == 0)
            bine_sleep(0);
    }
    return NULL;
}

static void *run_hub(void *arg)
{
    bine_greenlet *all[GREENLETS];
    for (int i = 0; i < GREENLETS; i++)
        all[i] = bine_spawn(read_and_write, &value);
    CHECK_OK(bine_joinall(all, GREENLETS, BINE_FOREVER));
    return NULL;
}

TEST(readers_and_writers_of_several_hubs_and_threads_exclude_each_other, .seconds = 60)
{
    pthread_t threads[HUBS + THREADS];
    for (int i = 0; i < HUBS + THREADS; i++)
        threads[i] = real_thread(i < HUBS ? run_hub : read_and_write, NULL);
    for (int i = 0; i < HUBS + THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK_EQ(value, (HUBS * GREENLETS + THREADS) * (ROUNDS / 3));
    CHECK_EQ(pthread_rwlock_trywrlock(&lock), 0);
}
