/* Locks, a condition, a barrier: exclusion holds whatever happens, and all is free in the end. */
#include <errno.h>

#include "soak.h"

enum {
    USERS = 12,
    TURNS = 40
};

static bine_rlock *lock;
static bine_rwlock *rwlock;
static bine_condition *condition;
static bine_barrier *barrier;
static int inside, readers, writers, made, used;

static bool still_wanted(void)
{
    return !bine_killed(bine_getcurrent());
}

static void dawdle(void)
{
    if (random_below(2))
        bine_sleep((int64_t)random_below(30) * BINE_US);
}

static void lock_once(void)
{
    if (!went_well(bine_rlock_acquire(lock, some_time())))
        return;
    bool twice = random_below(2);
    check(inside++ == 0, "two have the lock");
    check(!twice || bine_rlock_acquire(lock, 0) == 0, "one's own lock again");
    dawdle();
    check(--inside == 0, "two have the lock");
    check(bine_rlock_release(lock) == 0 && (!twice || bine_rlock_release(lock) == 0),
          "release lock");
}

static void read_or_write(void)
{
    if (random_below(3)) {
        if (!went_well(bine_rwlock_read_acquire(rwlock, some_time())))
            return;
        readers++;
        dawdle();
        check(writers == 0, "a writer among readers");
        readers--;
        check(bine_rwlock_read_release(rwlock) == 0, "release of reader");
    } else if (went_well(bine_rwlock_write_acquire(rwlock, some_time()))) {
        check(writers++ == 0 && readers == 0, "a writer is not alone");
        dawdle();
        check(--writers == 0 && readers == 0, "a writer is not alone");
        check(bine_rwlock_write_release(rwlock) == 0, "release of writer");
    }
}

static bool something(void *arg)
{
    return made > used;
}

static void make_or_use(void)
{
    bine_rlock *own = bine_condition_lock(condition);
    if (!went_well(bine_rlock_acquire(own, some_time())))
        return;
    if (random_below(2)) {
        made++;
        check(bine_condition_notify(condition, 1) == 0, "notify");
    } else if (went_well(bine_condition_wait_for(condition, something, NULL,
                                                 (int64_t)random_below(500) * BINE_US))) {
        check(made > used, "woken for nothing");
        used++;
    }
    check(bine_rlock_release(own) == 0, "the condition's lock is not held after a wait");
}

static void meet(void)
{
    went_well(bine_barrier_wait(barrier, (int64_t)random_below(500) * BINE_US) < 0 ? -1 : 0);
    if (bine_barrier_broken(barrier) && random_below(2))
        check(bine_barrier_reset(barrier) == 0, "reset");
}

static void *use(void *arg)
{
    static void (*const ways[])(void) = {lock_once, read_or_write, make_or_use, meet};
    for (int i = 0; i < TURNS && still_wanted(); i++)
        ways[random_below(4)]();
    return NULL;
}

static void begin(void)
{
    lock = bine_rlock_new(0);
    rwlock = bine_rwlock_new(0);
    condition = bine_condition_new(NULL, 0);
    barrier = bine_barrier_new(3, 0);
    made = used = 0;
}

static size_t spawn(bine_greenlet **all, size_t room)
{
    size_t n = 0;
    while (n < USERS && n < room)
        all[n++] = bine_spawn(use, NULL);
    return n;
}

static void end(void)
{
    check(bine_rlock_free(lock) == 0 && bine_rwlock_free(rwlock) == 0 &&
              bine_condition_free(condition) == 0 && bine_barrier_free(barrier) == 0,
          "a lock is held, or somebody is left waiting at one");
}

const struct part locks_part = {"locks", begin, spawn, NULL, end};
