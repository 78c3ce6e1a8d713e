/*
 * Locks, conditions, barriers, pools and scopes under random kills and timeouts, many seeds. Rules
 * that must hold at every moment are checked inside; in the end everything must be free again and
 * nobody left waiting. BINE_TEST_SEEDS=n runs n seeds.
 */
#include <bine.h>
#include <stdlib.h>

#include "harness.h"
#include "io/poller/poller.h"

enum {
    WORKERS = 12,
    STEPS = 15
};

static uint64_t random_state;
static unsigned seed;

static unsigned random_below(unsigned n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state >> 11) % n;
}

static int64_t random_timeout(void)
{
    unsigned kind = random_below(4);
    return kind == 0 ? 0 : kind == 1 ? BINE_FOREVER : (int64_t)random_below(40) * BINE_US;
}

/* Wait a little, or not, or let others run. */
static void dawdle(void)
{
    unsigned kind = random_below(3);
    if (kind)
        bine_sleep(kind == 1 ? 0 : (int64_t)random_below(20) * BINE_US);
}

static bool expected(int failed, int third)
{
    if (failed && errno != ETIMEDOUT && errno != ECANCELED && errno != third)
        FAIL("seed %u: a wait failed with errno %d", seed, errno);
    return !failed;
}

/* With BINE_POLLER=sim:SEED: ready greenlets come in random order. */
static void use_poller(void)
{
    CHECK(bine_poller_of(bine_hub_get()) != NULL);
}

/* Run all workers to their end, killing some on the way; those that wait for ever are killed when
 * nothing else happens. */
static void run_workers(bine_run *run)
{
    bine_greenlet *all[WORKERS];
    random_state = seed * 0x9E3779B97F4A7C15u + 1;
    for (intptr_t i = 0; i < WORKERS; i++)
        all[i] = bine_spawn(run, (void *)i);
    for (int kills = 0; kills < 4; kills++) {
        bine_sleep((int64_t)random_below(100) * BINE_US);
        CHECK_OK(bine_kill(all[random_below(WORKERS)]));
    }
    for (int patience = 0; bine_joinall_with(all, WORKERS, BINE_MS, 0, 0) < 0; patience++) {
        CHECK_EQ(errno, ETIMEDOUT);
        if (patience > 20 * (int)harness_slower())
            FAIL("seed %u: somebody is left waiting", seed);
    }
    CHECK_OK(bine_joinall(all, WORKERS, BINE_FOREVER));
}

/* ---- locks ----------------------------------------------------------------------------------- */

static bine_rlock *lock;
static bine_greenlet *holder;

static void *use_lock(void *arg)
{
    for (int i = 0; i < STEPS && !bine_killed(bine_getcurrent()); i++) {
        if (!expected(bine_rlock_acquire(lock, random_timeout()), 0))
            continue;
        CHECK_EQ(holder, NULL);
        holder = bine_getcurrent();
        bool twice = random_below(2);
        if (twice)
            CHECK_OK(bine_rlock_acquire(lock, 0));
        dawdle();
        CHECK_EQ(holder, bine_getcurrent());
        if (twice)
            CHECK_OK(bine_rlock_release(lock));
        holder = NULL;
        CHECK_OK(bine_rlock_release(lock));
    }
    return NULL;
}

TEST(rlock_has_one_owner_and_is_free_in_the_end, .seconds = 60)
{
    unsigned n = harness_seeds(1000);
    use_poller();
    for (seed = 1; seed <= n; seed++) {
        lock = bine_rlock_new(0);
        run_workers(use_lock);
        CHECK_OK(bine_rlock_free(lock));
    }
}

static bine_rwlock *rwlock;
static int readers, writers;

static void *use_rwlock(void *arg)
{
    for (int i = 0; i < STEPS && !bine_killed(bine_getcurrent()); i++) {
        if (random_below(3)) {
            if (!expected(bine_rwlock_read_acquire(rwlock, random_timeout()), 0))
                continue;
            readers++;
            CHECK_EQ(writers, 0);
            CHECK_EQ(bine_rwlock_readers(rwlock) >= (unsigned)readers, true);
            dawdle();
            CHECK_EQ(writers, 0);
            readers--;
            CHECK_OK(bine_rwlock_read_release(rwlock));
        } else {
            if (!expected(bine_rwlock_write_acquire(rwlock, random_timeout()), 0))
                continue;
            writers++;
            CHECK_EQ(writers, 1);
            CHECK_EQ(readers, 0);
            dawdle();
            CHECK_EQ(readers, 0);
            writers--;
            CHECK_OK(bine_rwlock_write_release(rwlock));
        }
    }
    return NULL;
}

TEST(rwlock_keeps_writers_alone_and_is_free_in_the_end, .seconds = 60)
{
    unsigned n = harness_seeds(1000);
    use_poller();
    for (seed = 1; seed <= n; seed++) {
        rwlock = bine_rwlock_new(0);
        run_workers(use_rwlock);
        CHECK_OK(bine_rwlock_free(rwlock));
    }
}

/* ---- condition ------------------------------------------------------------------------------- */

static bine_condition *condition;
static int items, made, used;

static bool some_item(void *arg)
{
    return items > 0;
}

static void *use_condition(void *number)
{
    bine_rlock *own = bine_condition_lock(condition);
    for (int i = 0; i < STEPS && !bine_killed(bine_getcurrent()); i++) {
        if (!expected(bine_rlock_acquire(own, BINE_FOREVER), 0))
            return NULL;
        CHECK_EQ(holder, NULL);
        if ((intptr_t)number % 2) {
            items++;
            made++;
            CHECK_OK(bine_condition_notify(condition, 1));
        } else if (expected(bine_condition_wait_for(condition, some_item, NULL,
                                                    (int64_t)random_below(60) * BINE_US),
                            0)) {
            CHECK_GT(items, 0);
            items--;
            used++;
        }
        CHECK(bine_rlock_owned(own));
        CHECK_EQ(holder, NULL);
        holder = bine_getcurrent();
        dawdle();
        CHECK_EQ(holder, bine_getcurrent());
        holder = NULL;
        CHECK_OK(bine_rlock_release(own));
    }
    return NULL;
}

TEST(condition_waits_end_with_the_lock_held_and_items_are_counted, .seconds = 60)
{
    unsigned n = harness_seeds(1000);
    use_poller();
    for (seed = 1; seed <= n; seed++) {
        items = made = used = 0;
        condition = bine_condition_new(NULL, 0);
        run_workers(use_condition);
        CHECK_EQ(items, made - used);
        CHECK_OK(bine_condition_free(condition));
    }
}

/* ---- barrier --------------------------------------------------------------------------------- */

static bine_barrier *barrier;

static void *use_barrier(void *arg)
{
    for (int i = 0; i < STEPS && !bine_killed(bine_getcurrent()); i++) {
        /* Whoever comes late and alone must not wait for ever. */
        int place = bine_barrier_wait(barrier, (int64_t)random_below(60) * BINE_US);
        if (place < 0)
            expected(-1, EPIPE);
        else
            CHECK_LT(place, 3);
        if (bine_barrier_broken(barrier) && random_below(2))
            CHECK_OK(bine_barrier_reset(barrier));
        dawdle();
    }
    return NULL;
}

TEST(barrier_lets_nobody_behind, .seconds = 60)
{
    unsigned n = harness_seeds(1000);
    use_poller();
    for (seed = 1; seed <= n; seed++) {
        barrier = bine_barrier_new(3, 0);
        run_workers(use_barrier);
        CHECK_EQ(bine_barrier_waiting(barrier), 0u);
        CHECK_OK(bine_barrier_free(barrier));
    }
}

/* ---- pools and scopes ------------------------------------------------------------------------ */

static bine_pool *pool;
static int inside;

static void *in_pool(void *arg)
{
    inside++;
    CHECK_LE(inside, 4);
    dawdle();
    inside--;
    if (random_below(4) == 0)
        bine_fail(EIO);
    return arg;
}

static void *use_pool(void *arg)
{
    for (int i = 0; i < STEPS && !bine_killed(bine_getcurrent()); i++) {
        void *things[5] = {arg, arg, arg, arg, arg}, *results[5];
        switch (random_below(5)) {
        case 0:
            expected(bine_pool_map(pool, in_pool, things, 5, results, random_timeout()), EIO);
            break;
        case 1:
            expected(bine_pool_spawn_at(pool, in_pool, arg, random_timeout(), BINE_SITE(in_pool))
                         ? 0
                         : -1,
                     0);
            break;
        case 2:
            expected(bine_pool_wait_available(pool, random_timeout()), 0);
            break;
        case 3: {
            bine_imap_result result;
            bine_imap *imap = random_below(2) ? bine_pool_imap(pool, in_pool, things, 5)
                                              : bine_pool_imap_unordered(pool, in_pool, things, 5);
            for (unsigned k = random_below(7); k > 0; k--)
                if (bine_imap_next(imap, &result, random_timeout()) < 0)
                    expected(-1, 0);
            bine_imap_end(imap);
            break;
        }
        case 4:
            if (random_below(8) == 0)
                expected(bine_pool_kill(pool, random_timeout()), 0);
            break;
        }
    }
    return NULL;
}

TEST(pool_keeps_its_limit_and_is_empty_in_the_end, .seconds = 60)
{
    unsigned n = harness_seeds(1000);
    use_poller();
    for (seed = 1; seed <= n; seed++) {
        pool = bine_pool_new(4, 0);
        run_workers(use_pool);
        CHECK_OK(bine_pool_join(pool, BINE_FOREVER));
        CHECK_EQ(inside, 0);
        CHECK_EQ(bine_pool_free_count(pool), 4u);
        CHECK_OK(bine_pool_free(pool));
    }
}

static void *in_scope(void *scope)
{
    inside++;
    dawdle();
    if (random_below(6) == 0)
        bine_scope_spawn(scope, in_scope, scope);
    dawdle();
    inside--;
    if (random_below(8) == 0)
        bine_fail(EIO);
    return NULL;
}

static void *use_scope(void *arg)
{
    for (int i = 0; i < STEPS && !bine_killed(bine_getcurrent()); i++) {
        bine_scope *scope = bine_scope_begin(1 + random_below(100) * BINE_US);
        CHECK(scope != NULL);
        for (unsigned k = random_below(4); k > 0; k--)
            bine_scope_spawn(scope, in_scope, scope);
        dawdle();
        if (random_below(8) == 0)
            CHECK_OK(bine_scope_cancel(scope, 0));
        expected(bine_scope_end(scope), EIO);
    }
    return NULL;
}

TEST(nothing_of_a_scope_is_left_when_it_has_ended, .seconds = 60)
{
    unsigned n = harness_seeds(1000);
    use_poller();
    for (seed = 1; seed <= n; seed++) {
        run_workers(use_scope);
        CHECK_EQ(inside, 0);
        CHECK_EQ(bine_hub_greenlets(), 0u);
    }
}
