/* Shared locks, conditions and barriers: their owners and waiters are greenlets of several hubs.
 * Fit for TSan. */
#include <stdatomic.h>

#include "hubs.h"

/* ---- locks ----------------------------------------------------------------------------------- */

static bine_rlock *lock;
static long guarded, times[(THREADS + 1) * GREENLETS]; /* not atomic: the lock has to order it */

static void *use_lock(void *number)
{
    unsigned state = (unsigned)(intptr_t)number;
    for (int i = 0; i < ITEMS / 3;) {
        CHECK(!bine_rlock_owned(lock));
        if (bine_rlock_acquire(lock, random_timeout(&state)) != 0) {
            CHECK_EQ(errno, ETIMEDOUT);
            continue;
        }
        CHECK(bine_rlock_owned(lock));
        bool twice = random_below(&state, 2);
        if (twice)
            CHECK_OK(bine_rlock_acquire(lock, 0));
        long before = guarded++;
        if (random_below(&state, 3) == 0)
            bine_sleep(0);
        CHECK_EQ(guarded, before + 1);
        if (twice)
            CHECK_OK(bine_rlock_release(lock));
        CHECK(bine_rlock_owned(lock));
        CHECK_OK(bine_rlock_release(lock));
        CHECK_ERROR(bine_rlock_release(lock), EPERM);
        i++;
    }
    return NULL;
}

static void *use_lock_all(void *arg)
{
    return in_greenlets(use_lock);
}

TEST(rlock_has_one_owner_among_all_hubs, .seconds = 60)
{
    lock = bine_rlock_new(BINE_SHARED);
    start(use_lock_all);
    use_lock_all(NULL);
    finish();
    CHECK_EQ(guarded, (THREADS + 1) * GREENLETS * (ITEMS / 3));
    CHECK(!bine_rlock_locked(lock));
    CHECK_OK(bine_rlock_free(lock));
}

static bine_rwlock *rwlock;
static atomic_int readers;

static void *use_rwlock(void *number)
{
    unsigned state = (unsigned)(intptr_t)number;
    for (int i = 0; i < ITEMS / 3;) {
        bool write = random_below(&state, 3) == 0;
        int64_t timeout = random_timeout(&state);
        if ((write ? bine_rwlock_write_acquire(rwlock, timeout)
                   : bine_rwlock_read_acquire(rwlock, timeout)) != 0) {
            CHECK_EQ(errno, ETIMEDOUT);
            continue;
        }
        long before = guarded;
        readers += !write;
        if (write) {
            CHECK_ERROR(bine_rwlock_write_acquire(rwlock, BINE_FOREVER), EDEADLK);
            CHECK_ERROR(bine_rwlock_read_acquire(rwlock, BINE_FOREVER), EDEADLK);
            CHECK_EQ(readers, 0);
            times[(intptr_t)number]++;
            before = ++guarded;
        }
        bine_sleep(0);
        CHECK_EQ(guarded, before);
        readers -= !write;
        CHECK_OK(write ? bine_rwlock_write_release(rwlock) : bine_rwlock_read_release(rwlock));
        if (write)
            CHECK_ERROR(bine_rwlock_write_release(rwlock), EPERM);
        i++;
    }
    return NULL;
}

static void *use_rwlock_all(void *arg)
{
    return in_greenlets(use_rwlock);
}

TEST(rwlock_keeps_writers_alone_among_all_hubs, .seconds = 60)
{
    rwlock = bine_rwlock_new(BINE_SHARED);
    start(use_rwlock_all);
    use_rwlock_all(NULL);
    finish();
    long sum = 0;
    for (int i = 0; i < (THREADS + 1) * GREENLETS; i++)
        sum += times[i];
    CHECK_EQ(guarded, sum);
    CHECK_EQ(bine_rwlock_readers(rwlock), 0u);
    CHECK(!bine_rwlock_written(rwlock));
    CHECK_OK(bine_rwlock_free(rwlock));
}

static bine_condition *condition;
static int things, used;

static bool some_thing(void *arg)
{
    return things > 0;
}

static void *make_and_use(void *number)
{
    unsigned state = (unsigned)(intptr_t)number;
    bine_rlock *own = bine_condition_lock(condition);
    for (int i = 0; i < ITEMS / 6;) {
        CHECK_OK(bine_rlock_acquire(own, BINE_FOREVER));
        if ((intptr_t)number % 2) {
            things++;
            i++;
            CHECK_OK(random_below(&state, 4) ? bine_condition_notify(condition, 1)
                                             : bine_condition_notify_all(condition));
        } else if (bine_condition_wait_for(condition, some_thing, NULL, random_timeout(&state)) ==
                   0) {
            CHECK_GT(things, 0);
            things--;
            used++;
            i++;
        } else {
            CHECK_EQ(errno, ETIMEDOUT);
        }
        CHECK(bine_rlock_owned(own));
        CHECK_OK(bine_rlock_release(own));
        CHECK_ERROR(bine_condition_wait(condition, 0), EPERM);
        CHECK_ERROR(bine_condition_notify(condition, 1), EPERM);
    }
    return NULL;
}

static void *make_and_use_all(void *arg)
{
    return in_greenlets(make_and_use);
}

TEST(condition_between_hubs_counts_right, .seconds = 60)
{
    lock = bine_rlock_new(0);
    CHECK_ERROR(bine_condition_new(lock, BINE_SHARED), EINVAL);
    CHECK_OK(bine_rlock_free(lock));
    condition = bine_condition_new(NULL, BINE_SHARED);
    start(make_and_use_all);
    make_and_use_all(NULL);
    finish();
    CHECK_EQ(things, 0);
    CHECK_EQ(used, (THREADS + 1) * GREENLETS / 2 * (ITEMS / 6));
    CHECK_OK(bine_condition_free(condition));
}

static bine_barrier *barrier;
static atomic_int arrivals[ITEMS / 3], first_places[(THREADS + 1) * GREENLETS];

static void *meet(void *number)
{
    for (int i = 0; i < ITEMS / 3; i++) {
        arrivals[i]++;
        int place = bine_barrier_wait(barrier, BINE_FOREVER);
        CHECK_GE(place, 0);
        CHECK_EQ(arrivals[i], (THREADS + 1) * GREENLETS);
        if (i == 0)
            first_places[place]++;
    }
    return NULL;
}

static void *meet_all(void *arg)
{
    return in_greenlets(meet);
}

TEST(barrier_of_several_hubs_lets_all_go_together, .seconds = 60)
{
    barrier = bine_barrier_new((THREADS + 1) * GREENLETS, BINE_SHARED);
    start(meet_all);
    meet_all(NULL);
    finish();
    for (int i = 0; i < (THREADS + 1) * GREENLETS; i++)
        CHECK_EQ(first_places[i], 1);
    CHECK_OK(bine_barrier_free(barrier));
}

static void *break_barrier(void *arg)
{
    /* Alone, it breaks it; with time enough to get there. */
    CHECK_ERROR(bine_barrier_wait(barrier, 20 * BINE_MS * harness_slower()), ETIMEDOUT);
    CHECK_ERROR(bine_barrier_wait(barrier, BINE_FOREVER), EPIPE);
    CHECK_OK(bine_barrier_reset(barrier));
    CHECK_ERROR(bine_barrier_wait(barrier, 0), ETIMEDOUT);
    CHECK_OK(bine_barrier_abort(barrier));
    return NULL;
}

TEST(barrier_is_broken_and_reset_from_another_thread)
{
    barrier = bine_barrier_new(2, BINE_SHARED);
    CHECK_OK(bine_workers_run(1, break_barrier, NULL));
    CHECK(bine_barrier_broken(barrier));
    CHECK_EQ(bine_barrier_waiting(barrier), 0u);
    CHECK_OK(bine_barrier_free(barrier));
}
