/* Semaphores, recursive locks, read-write locks, barriers, conditions. */
#include <bine.h>

#include "harness.h"

static bine_semaphore *semaphore;
static int order[64], served;

static void *acquire(void *number)
{
    if (bine_semaphore_acquire(semaphore, BINE_FOREVER) == 0)
        order[served++] = (int)(intptr_t)number;
    return NULL;
}

TEST(semaphore_hands_permits_to_waiters_and_nobody_overtakes)
{
    semaphore = bine_semaphore_new(1, 0);
    CHECK_EQ(bine_semaphore_permits(semaphore), 1u);
    CHECK_OK(bine_semaphore_acquire(semaphore, 0));
    CHECK(bine_semaphore_locked(semaphore));
    CHECK_ERROR(bine_semaphore_acquire(semaphore, 0), ETIMEDOUT);
    CHECK_ERROR(bine_semaphore_try_acquire(semaphore), EAGAIN);
    bine_greenlet *g = bine_spawn(acquire, (void *)1);
    bine_sleep(0);
    CHECK_ERROR(bine_semaphore_free(semaphore), EBUSY);
    CHECK_OK(bine_semaphore_release(semaphore));
    /* It was given away although the waiter has not run yet. */
    CHECK_ERROR(bine_semaphore_try_acquire(semaphore), EAGAIN);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(served, 1);
    CHECK_OK(bine_semaphore_free(semaphore));
}

TEST(semaphore_permit_passes_over_the_killed)
{
    semaphore = bine_semaphore_new(0, 0);
    bine_greenlet *all[] = {bine_spawn(acquire, (void *)1), bine_spawn(acquire, (void *)2)};
    bine_sleep(0);
    CHECK_OK(bine_kill(all[0])); /* has not run yet when the permit comes */
    CHECK_OK(bine_semaphore_release(semaphore));
    CHECK_OK(bine_joinall(all, 2, BINE_FOREVER));
    CHECK_EQ(served, 1);
    CHECK_EQ(order[0], 2);
    CHECK_OK(bine_semaphore_free(semaphore));
}

TEST(semaphore_permit_that_came_before_the_kill_is_kept)
{
    semaphore = bine_semaphore_new(0, 0);
    bine_greenlet *g = bine_spawn(acquire, (void *)1);
    bine_sleep(0);
    CHECK_OK(bine_semaphore_release(semaphore));
    CHECK_OK(bine_kill(g));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(served, 1);
    CHECK_EQ(bine_semaphore_permits(semaphore), 0u);
    CHECK_OK(bine_semaphore_free(semaphore));
}

TEST(bounded_semaphore_refuses_a_release_too_many)
{
    semaphore = bine_semaphore_new_bounded(1, 0);
    CHECK_ERROR(bine_semaphore_release(semaphore), EOVERFLOW);
    CHECK_OK(bine_semaphore_acquire(semaphore, 0));
    CHECK_OK(bine_semaphore_release(semaphore));
    CHECK_ERROR(bine_semaphore_release(semaphore), EOVERFLOW);
    CHECK_OK(bine_semaphore_free(semaphore));
    CHECK_ERROR(bine_semaphore_new_bounded(0, 0), EINVAL);
    CHECK_ERROR(bine_semaphore_new(~0u, 0), EINVAL);
    CHECK_ERROR(bine_semaphore_acquire(NULL, 0), EINVAL);
    CHECK_ERROR(bine_semaphore_release(NULL), EINVAL);
    CHECK(bine_semaphore_locked(NULL));
}

/* ---- rlock ----------------------------------------------------------------------------------- */

static bine_rlock *rlock;

static void *lock_twice(void *number)
{
    CHECK_OK(bine_rlock_acquire(rlock, BINE_FOREVER));
    CHECK_OK(bine_rlock_acquire(rlock, BINE_FOREVER));
    CHECK(bine_rlock_owned(rlock));
    order[served++] = (int)(intptr_t)number;
    bine_sleep(0);
    CHECK(bine_rlock_owned(rlock));
    CHECK_OK(bine_rlock_release(rlock));
    bine_sleep(0);
    CHECK(bine_rlock_owned(rlock));
    CHECK_OK(bine_rlock_release(rlock));
    CHECK(!bine_rlock_owned(rlock));
    return NULL;
}

TEST(rlock_belongs_to_one_greenlet_at_a_time)
{
    rlock = bine_rlock_new(0);
    CHECK(!bine_rlock_locked(rlock));
    CHECK_ERROR(bine_rlock_release(rlock), EPERM);
    bine_greenlet *all[3];
    for (intptr_t i = 0; i < 3; i++)
        all[i] = bine_spawn(lock_twice, (void *)i);
    bine_sleep(0);
    CHECK(bine_rlock_locked(rlock));
    CHECK_ERROR(bine_rlock_release(rlock), EPERM);
    CHECK_ERROR(bine_rlock_free(rlock), EBUSY);
    CHECK_ERROR(bine_rlock_acquire(rlock, 0), ETIMEDOUT);
    CHECK_OK(bine_joinall(all, 3, BINE_FOREVER));
    CHECK_EQ(served, 3);
    CHECK_OK(bine_rlock_free(rlock));
    CHECK_ERROR(bine_rlock_new(~BINE_SHARED), EINVAL);
    CHECK_ERROR(bine_rlock_acquire(NULL, 0), EINVAL);
}

static void *end_with_lock(void *arg)
{
    CHECK_OK(bine_rlock_acquire(rlock, 0));
    return NULL;
}

static void *try_lock(void *arg)
{
    CHECK_ERROR(bine_rlock_acquire(rlock, 0), ETIMEDOUT);
    CHECK(!bine_rlock_owned(rlock));
    return NULL;
}

TEST(rlock_held_by_a_dead_greenlet_is_nobody_elses, .leaves = "the lock keeps its dead owner")
{
    rlock = bine_rlock_new(0);
    CHECK_OK(bine_join(bine_spawn(end_with_lock, NULL), NULL, BINE_FOREVER));
    for (int i = 0; i < 10; i++) /* records are used again: none of them may pass for the owner */
        CHECK_OK(bine_join(bine_spawn(try_lock, NULL), NULL, BINE_FOREVER));
    CHECK_ERROR(bine_rlock_free(rlock), EBUSY);
}

/* ---- rwlock ---------------------------------------------------------------------------------- */

static bine_rwlock *rwlock;
static unsigned readers, writers, most_readers;

static void *reader(void *number)
{
    if (bine_rwlock_read_acquire(rwlock, BINE_FOREVER) != 0)
        return NULL;
    order[served++] = (int)(intptr_t)number;
    if (++readers > most_readers)
        most_readers = readers;
    CHECK_EQ(writers, 0u);
    bine_sleep(BINE_MS);
    readers--;
    CHECK_OK(bine_rwlock_read_release(rwlock));
    return NULL;
}

static void *writer(void *number)
{
    if (bine_rwlock_write_acquire(rwlock, BINE_FOREVER) != 0)
        return NULL;
    order[served++] = (int)(intptr_t)number;
    writers++;
    CHECK_EQ(writers, 1u);
    CHECK_EQ(readers, 0u);
    CHECK_ERROR(bine_rwlock_write_acquire(rwlock, 0), EDEADLK);
    CHECK_ERROR(bine_rwlock_read_acquire(rwlock, 0), EDEADLK);
    bine_sleep(BINE_MS);
    writers--;
    CHECK_OK(bine_rwlock_write_release(rwlock));
    return NULL;
}

TEST(rwlock_lets_readers_in_together_and_writers_alone)
{
    rwlock = bine_rwlock_new(0);
    CHECK_OK(bine_rwlock_write_acquire(rwlock, 0));
    CHECK(bine_rwlock_written(rwlock));
    bine_greenlet *all[8];
    for (intptr_t i = 0; i < 8; i++)
        all[i] = i == 3 || i == 4 ? bine_spawn(writer, (void *)i) : bine_spawn(reader, (void *)i);
    bine_sleep(0);
    CHECK_EQ(served, 0);
    CHECK_ERROR(bine_rwlock_free(rwlock), EBUSY);
    CHECK_OK(bine_rwlock_write_release(rwlock));
    CHECK_EQ(bine_rwlock_readers(rwlock), 3u);
    CHECK_OK(bine_joinall(all, 8, BINE_FOREVER));
    CHECK_EQ(served, 8);
    CHECK_EQ(most_readers, 3u);
    CHECK_ERROR(bine_rwlock_read_release(rwlock), EPERM);
    CHECK_ERROR(bine_rwlock_write_release(rwlock), EPERM);
    CHECK_OK(bine_rwlock_free(rwlock));
}

TEST(rwlock_readers_do_not_wait_for_a_writer_that_gave_up)
{
    rwlock = bine_rwlock_new(0);
    CHECK_OK(bine_rwlock_read_acquire(rwlock, 0));
    bine_greenlet *w = bine_spawn(writer, (void *)1), *r = bine_spawn(reader, (void *)2);
    bine_sleep(0);
    CHECK_EQ(served, 0);
    CHECK_ERROR(bine_rwlock_read_acquire(rwlock, 0), ETIMEDOUT); /* behind the writer */
    CHECK_OK(bine_kill(w));
    CHECK_OK(bine_join(w, NULL, BINE_FOREVER));
    CHECK_OK(bine_join(r, NULL, BINE_FOREVER));
    CHECK_EQ(served, 1);
    CHECK_EQ(order[0], 2);
    CHECK_OK(bine_rwlock_read_release(rwlock));
    CHECK_OK(bine_rwlock_free(rwlock));
}

/* ---- barrier --------------------------------------------------------------------------------- */

static bine_barrier *barrier;
static int places[8], broken;

static void *come(void *arg)
{
    int place = bine_barrier_wait(barrier, (int64_t)(intptr_t)arg);
    if (place >= 0)
        places[place]++;
    else if (errno == EPIPE)
        broken++;
    return (void *)(intptr_t)(place < 0 ? errno : 0);
}

TEST(barrier_lets_all_go_when_the_last_has_come)
{
    barrier = bine_barrier_new(3, 0);
    for (int round = 1; round <= 3; round++) {
        bine_greenlet *all[3];
        for (int i = 0; i < 3; i++)
            all[i] = bine_spawn(come, (void *)BINE_FOREVER);
        CHECK_OK(bine_joinall(all, 3, BINE_FOREVER));
        for (int i = 0; i < 3; i++)
            CHECK_EQ(places[i], round);
    }
    CHECK_ERROR(bine_barrier_new(0, 0), EINVAL);
    CHECK_OK(bine_barrier_free(barrier));
}

TEST(barrier_breaks_when_one_gives_up)
{
    barrier = bine_barrier_new(3, 0);
    bine_greenlet *patient = bine_spawn(come, (void *)BINE_FOREVER),
                  *hasty = bine_spawn(come, (void *)BINE_MS);
    bine_sleep(0);
    CHECK_EQ(bine_barrier_waiting(barrier), 2u);
    CHECK_ERROR(bine_barrier_free(barrier), EBUSY);
    void *error;
    CHECK_OK(bine_join(hasty, &error, BINE_FOREVER));
    CHECK_EQ((intptr_t)error, ETIMEDOUT);
    CHECK_OK(bine_join(patient, &error, BINE_FOREVER));
    CHECK_EQ((intptr_t)error, EPIPE);
    CHECK(bine_barrier_broken(barrier));
    CHECK_ERROR(bine_barrier_wait(barrier, BINE_FOREVER), EPIPE);
    CHECK_OK(bine_barrier_reset(barrier));
    CHECK_ERROR(bine_barrier_wait(barrier, 0), ETIMEDOUT);
    CHECK(!bine_barrier_broken(barrier));
    CHECK_OK(bine_barrier_abort(barrier));
    CHECK_ERROR(bine_barrier_wait(barrier, BINE_FOREVER), EPIPE);
    CHECK_OK(bine_barrier_free(barrier));
}

/* ---- condition ------------------------------------------------------------------------------- */

static bine_condition *condition;
static int items, taken;

static bool there_are_items(void *arg)
{
    return items > 0;
}

static void *take_item(void *arg)
{
    CHECK_OK(bine_rlock_acquire(bine_condition_lock(condition), BINE_FOREVER));
    /* Waits give back both. */
    CHECK_OK(bine_rlock_acquire(bine_condition_lock(condition), BINE_FOREVER));
    int waited = bine_condition_wait_for(condition, there_are_items, NULL, BINE_FOREVER);
    CHECK(bine_rlock_owned(bine_condition_lock(condition)));
    if (waited == 0) {
        items--;
        taken++;
    }
    CHECK_OK(bine_rlock_release(bine_condition_lock(condition)));
    CHECK_OK(bine_rlock_release(bine_condition_lock(condition)));
    return NULL;
}

TEST(condition_moves_the_notified_to_the_lock)
{
    condition = bine_condition_new(NULL, 0);
    bine_rlock *lock = bine_condition_lock(condition);
    CHECK_ERROR(bine_condition_wait(condition, 0), EPERM);
    CHECK_ERROR(bine_condition_notify(condition, 1), EPERM);
    bine_greenlet *all[4];
    for (int i = 0; i < 4; i++)
        all[i] = bine_spawn(take_item, NULL);
    bine_sleep(0);
    CHECK_ERROR(bine_condition_free(condition), EBUSY);
    CHECK_OK(bine_rlock_acquire(lock, BINE_FOREVER));
    items = 4;
    CHECK_OK(bine_condition_notify(condition, 2));
    CHECK_OK(bine_rlock_release(lock));
    bine_sleep(BINE_MS);
    CHECK_EQ(taken, 2);
    CHECK_OK(bine_rlock_acquire(lock, BINE_FOREVER));
    CHECK_OK(bine_condition_notify_all(condition));
    CHECK_OK(bine_rlock_release(lock));
    CHECK_OK(bine_joinall(all, 4, BINE_FOREVER));
    CHECK_EQ(taken, 4);
    CHECK_OK(bine_condition_free(condition));
}

static void *wait_once(void *arg)
{
    CHECK_OK(bine_rlock_acquire(rlock, BINE_FOREVER));
    int error = bine_condition_wait(condition, (int64_t)(intptr_t)arg) == 0 ? 0 : errno;
    CHECK(bine_rlock_owned(rlock));
    CHECK_OK(bine_rlock_release(rlock));
    return (void *)(intptr_t)error;
}

TEST(condition_notification_is_not_spent_on_one_that_was_killed_and_has_not_run_yet)
{
    rlock = bine_rlock_new(0);
    condition = bine_condition_new(rlock, 0);
    void *error;
    bine_greenlet *killed = bine_spawn(wait_once, (void *)BINE_FOREVER),
                  *next = bine_spawn(wait_once, (void *)BINE_FOREVER);
    bine_sleep(0);
    CHECK_OK(bine_rlock_acquire(rlock, BINE_FOREVER));
    CHECK_OK(bine_kill(killed));
    CHECK_OK(bine_condition_notify(condition, 1));
    CHECK_OK(bine_rlock_release(rlock));
    CHECK_OK(bine_join(killed, &error, BINE_FOREVER));
    CHECK_EQ((intptr_t)error, ECANCELED);
    CHECK_OK(bine_join(next, &error, BINE_FOREVER));
    CHECK_EQ((intptr_t)error, 0);
    CHECK_OK(bine_condition_free(condition));
    CHECK_OK(bine_rlock_free(rlock));
}

TEST(condition_wait_that_is_cut_short_holds_the_lock_again)
{
    rlock = bine_rlock_new(0);
    condition = bine_condition_new(rlock, 0);
    void *error;
    bine_greenlet *killed = bine_spawn(wait_once, (void *)BINE_FOREVER),
                  *late = bine_spawn(wait_once, (void *)BINE_MS);
    bine_greenlet *notified = bine_spawn(wait_once, (void *)BINE_FOREVER);
    bine_sleep(0);
    CHECK_OK(bine_rlock_acquire(rlock, BINE_FOREVER));
    CHECK_OK(bine_kill(killed));
    bine_sleep(3 * BINE_MS); /* both are past their wait and queue for the lock */
    CHECK(!bine_dead(killed));
    CHECK(!bine_dead(late));
    CHECK_OK(bine_condition_notify(condition, 1)); /* not spent on those two */
    CHECK_OK(bine_kill(notified));                 /* too late: it was notified */
    CHECK_OK(bine_rlock_release(rlock));
    CHECK_OK(bine_join(killed, &error, BINE_FOREVER));
    CHECK_EQ((intptr_t)error, ECANCELED);
    CHECK_OK(bine_join(late, &error, BINE_FOREVER));
    CHECK_EQ((intptr_t)error, ETIMEDOUT);
    CHECK_OK(bine_join(notified, &error, BINE_FOREVER));
    CHECK_EQ((intptr_t)error, 0);
    CHECK_OK(bine_condition_free(condition));
    CHECK_OK(bine_rlock_free(rlock));
}
