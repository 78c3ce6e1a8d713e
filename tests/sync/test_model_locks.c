/*
 * Locks, conditions and barriers against a reference model, with random programs: thousands of
 * seeds.
 *
 * As in test_model.c the model is the rules said plainly, and predicts exactly who gets what: each
 * worker tells it what it is about to do, does it, and compares. A kill of a waiter has
 * consequences (a writer that gives up lets readers in, a barrier breaks, a condition's waiter
 * queues for its lock) when that waiter runs, so the model kills waiters only when nobody else can
 * run; those that have been served are killed at any moment, which must change nothing.
 * BINE_TEST_SEEDS=n runs n seeds.
 */
#include <bine.h>
#include <stdlib.h>

#include "harness.h"
#include "io/poller/poller.h"

enum {
    WORKERS = 6,
    STEPS = 30,
    PARTIES = 3
};

enum state {
    AT_EASE,
    WAITING,
    SERVED,
    CANCELLED
};

enum where {
    NOWHERE,
    LOCK,
    CONDITION,
    READ,
    WRITE,
    BARRIER
};

struct worker {
    enum state state;
    enum where where;
    int result;     /* 0 or an errno, once served */
    unsigned depth; /* how often it wants the lock */
    int place;      /* at the barrier */
    bool reads, writes;
};

struct list {
    int of[2 * WORKERS];
    int n;
};

static struct worker workers[WORKERS];
static struct list lockers, sleepers, rivals, arrived;
static int owner, writer, readers;
static unsigned depth;
static bool broken;
static uint64_t random_state;
static unsigned seed;
static uint64_t steps; /* grows with whatever any worker does */

static bine_rlock *lock;
static bine_condition *condition;
static bine_rwlock *rwlock;
static bine_barrier *barrier;

static unsigned random_below(unsigned n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state >> 11) % n;
}

#define AGREE(a, b)                                                                    \
    do {                                                                               \
        if ((a) != (b))                                                                \
            FAIL("seed %u: %s is %ld, %s is %ld", seed, #a, (long)(a), #b, (long)(b)); \
    } while (0)

/* ---- the model ------------------------------------------------------------------------------- */

static void append(struct list *list, int who, enum where where)
{
    workers[who].state = WAITING;
    workers[who].where = where;
    list->of[list->n++] = who;
}

static int shift(struct list *list)
{
    int first = list->of[0];
    memmove(list->of, list->of + 1, (size_t)--list->n * sizeof *list->of);
    return first;
}

static void drop(struct list *list, int who)
{
    int kept = 0;
    for (int i = 0; i < list->n; i++)
        if (list->of[i] != who)
            list->of[kept++] = list->of[i];
    list->n = kept;
}

static void served(int who, int result)
{
    workers[who].state = SERVED;
    workers[who].result = result;
}

static void pass_lock(void)
{
    owner = -1;
    depth = 0;
    if (lockers.n == 0)
        return;
    owner = shift(&lockers);
    depth = workers[owner].depth;
    /* A condition's waiter whose wait was cancelled has it all the same, and then says so. */
    served(owner, workers[owner].result);
}

static void serve_rivals(void)
{
    while (rivals.n > 0 && writer < 0) {
        bool writes = workers[rivals.of[0]].where == WRITE;
        if (writes && readers > 0)
            return;
        int who = shift(&rivals);
        if (writes)
            writer = who;
        else
            readers++;
        served(who, 0);
    }
}

static void release_barrier(int result)
{
    while (arrived.n > 0)
        served(shift(&arrived), result);
}

/* A waiter is killed, and runs at once. */
static void model_kill(int who)
{
    struct worker *worker = &workers[who];
    switch (worker->where) {
    case LOCK:
        drop(&lockers, who);
        break;
    case CONDITION:
        /* It needs the lock again, notified or not: at the end of the queue. What it returns
         * depends on that. */
        if (worker->result == ECANCELED)
            drop(&sleepers, who);
        drop(&lockers, who);
        lockers.of[lockers.n++] = who;
        if (owner < 0)
            pass_lock();
        return;
    case READ:
    case WRITE:
        drop(&rivals, who);
        worker->state = CANCELLED;
        if (worker->where == WRITE)
            serve_rivals();
        return;
    case BARRIER:
        drop(&arrived, who);
        broken = true;
        release_barrier(EPIPE);
        break;
    case NOWHERE:
        break;
    }
    worker->state = CANCELLED;
}

/* ---- workers --------------------------------------------------------------------------------- */

/* What the call returned, against what the model says: at once, or after a wait. */
static void compare(int who, bool at_once, int expected, uint64_t before, int got)
{
    struct worker *self = &workers[who];
    if (at_once) {
        AGREE(steps, before); /* it did not switch */
    } else {
        steps++;
        AGREE(self->state == SERVED || self->state == CANCELLED, true);
        expected = self->state == SERVED ? self->result : ECANCELED;
    }
    AGREE(got, expected);
    self->state = AT_EASE;
    self->where = NOWHERE;
    AGREE(bine_rlock_locked(lock), owner >= 0);
    AGREE(bine_rwlock_readers(rwlock), (unsigned)readers);
    AGREE(bine_rwlock_written(rwlock), writer >= 0);
    AGREE(bine_barrier_waiting(barrier), (unsigned)arrived.n);
    AGREE(bine_barrier_broken(barrier), broken);
}

static int result_of(int failed)
{
    return failed ? errno : 0;
}

static void acquire(int who)
{
    int64_t timeout = random_below(4) ? BINE_FOREVER : 0;
    bool mine = owner == who, at_once = owner < 0 || mine || timeout == 0;
    int expected = owner < 0 || mine ? 0 : ETIMEDOUT;
    workers[who].depth = 1;
    workers[who].result = 0;
    if (owner < 0 || mine) {
        owner = who;
        depth++;
    } else if (!at_once) {
        append(&lockers, who, LOCK);
    }
    uint64_t before = ++steps;
    int got = result_of(bine_rlock_acquire(lock, timeout));
    compare(who, at_once, expected, before, got);
    AGREE(bine_rlock_owned(lock), owner == who);
}

static void release(int who)
{
    int expected = owner == who ? 0 : EPERM;
    if (owner == who && --depth == 0)
        pass_lock();
    uint64_t before = ++steps;
    compare(who, true, expected, before, result_of(bine_rlock_release(lock)));
}

static void wait_for_condition(int who)
{
    bool mine = owner == who;
    uint64_t before = ++steps;
    if (mine) {
        workers[who].depth = depth;
        workers[who].result = ECANCELED; /* unless it is notified */
        append(&sleepers, who, CONDITION);
        pass_lock();
    }
    int got = result_of(bine_condition_wait(condition, BINE_FOREVER));
    compare(who, !mine, EPERM, before, got);
    if (mine) {
        AGREE(owner, who);
        AGREE(bine_rlock_owned(lock), true);
    }
}

static void notify(int who)
{
    size_t n = random_below(3);
    int expected = owner == who ? 0 : EPERM;
    for (size_t i = 0; expected == 0 && i < n && sleepers.n > 0; i++) {
        int woken = shift(&sleepers);
        workers[woken].result = 0;
        lockers.of[lockers.n++] = woken;
    }
    uint64_t before = ++steps;
    compare(who, true, expected, before, result_of(bine_condition_notify(condition, n)));
}

static void read_lock(int who)
{
    if (workers[who].reads || workers[who].writes) {
        bool writes = workers[who].writes;
        if (writes)
            writer = -1;
        else
            readers--;
        workers[who].reads = workers[who].writes = false;
        serve_rivals();
        uint64_t before = ++steps;
        compare(who, true, 0, before,
                result_of(writes ? bine_rwlock_write_release(rwlock)
                                 : bine_rwlock_read_release(rwlock)));
        return;
    }
    bool write = random_below(2);
    int64_t timeout = random_below(4) ? BINE_FOREVER : 0;
    bool can = rivals.n == 0 && writer < 0 && !(write && readers > 0),
         at_once = can || timeout == 0;
    if (can && write)
        writer = who;
    else if (can)
        readers++;
    else if (!at_once)
        append(&rivals, who, write ? WRITE : READ);
    uint64_t before = ++steps;
    int got = result_of(write ? bine_rwlock_write_acquire(rwlock, timeout)
                              : bine_rwlock_read_acquire(rwlock, timeout));
    compare(who, at_once, can ? 0 : ETIMEDOUT, before, got);
    workers[who].reads = got == 0 && !write;
    workers[who].writes = got == 0 && write;
}

static void meet(int who)
{
    if (broken && random_below(2)) {
        broken = false;
        uint64_t before = ++steps;
        compare(who, true, 0, before, result_of(bine_barrier_reset(barrier)));
        return;
    }
    int64_t timeout = random_below(4) ? BINE_FOREVER : 0;
    bool last = !broken && arrived.n + 1 == PARTIES, at_once = broken || last || timeout == 0;
    int expected = broken ? EPIPE : last ? 0 : ETIMEDOUT, place = arrived.n;
    if (last)
        release_barrier(0);
    else if (!at_once)
        append(&arrived, who, BARRIER);
    uint64_t before = ++steps;
    int got = bine_barrier_wait(barrier, timeout);
    compare(who, at_once, expected, before, got < 0 ? errno : 0);
    if (got >= 0)
        AGREE(got, place);
}

static void *work(void *arg)
{
    static void (*const ways[])(int who) = {acquire, acquire,   release,   wait_for_condition,
                                            notify,  read_lock, read_lock, meet};
    int who = (int)(intptr_t)arg;
    for (int i = 0; i < STEPS && !bine_killed(bine_getcurrent()); i++) {
        ways[random_below(sizeof ways / sizeof *ways)](who);
        for (unsigned yields = random_below(3); yields > 0; yields--)
            bine_sleep(0);
    }
    while (owner == who)
        release(who);
    if (workers[who].reads || workers[who].writes)
        read_lock(who);
    return NULL;
}

static void run_seed(void)
{
    random_state = seed * 0x9E3779B97F4A7C15u + 1;
    memset(workers, 0, sizeof workers);
    lockers.n = sleepers.n = rivals.n = arrived.n = readers = 0;
    owner = writer = -1;
    depth = 0;
    broken = false;
    lock = bine_rlock_new(0);
    condition = bine_condition_new(lock, 0);
    rwlock = bine_rwlock_new(0);
    barrier = bine_barrier_new(PARTIES, 0);
    bine_greenlet *all[WORKERS];
    for (intptr_t i = 0; i < WORKERS; i++)
        all[i] = bine_spawn(work, (void *)i);
    for (;;) {
        uint64_t before = steps;
        bine_sleep(0);
        int alive = 0;
        for (int i = 0; i < WORKERS; i++)
            alive += !bine_dead(all[i]);
        if (!alive)
            break;
        int victim = (int)random_below(WORKERS);
        bool stuck = steps == before, ready = workers[victim].state != WAITING;
        for (int i = 0; i < WORKERS; i++)
            stuck = stuck && (bine_dead(all[i]) || workers[i].state == WAITING);
        if (bine_dead(all[victim]) || bine_killed(all[victim]))
            victim = -1;
        if (victim < 0)
            continue;
        if (stuck) {
            model_kill(victim);
            CHECK_OK(bine_kill(all[victim]));
            CHECK_OK(bine_idle()); /* it has run, whatever the order */
        } else if (ready && random_below(8) == 0) {
            CHECK_OK(bine_kill(all[victim]));
        }
    }
    CHECK_OK(bine_joinall(all, WORKERS, BINE_FOREVER));
    CHECK_OK(bine_condition_free(condition));
    CHECK_OK(bine_rlock_free(lock));
    CHECK_OK(bine_rwlock_free(rwlock));
    CHECK_OK(bine_barrier_free(barrier));
}

TEST(locks_conditions_and_barriers_agree_with_the_model, .seconds = 120)
{
    unsigned n = harness_seeds(4000);
    /* With BINE_POLLER=sim:SEED: ready greenlets in random order. */
    CHECK(bine_poller_of(bine_hub_get()) != NULL);
    for (seed = 1; seed <= n; seed++)
        run_seed();
}
