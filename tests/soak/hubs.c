/* Several hubs share objects: nothing gets lost though greenlets are killed on either side. */
#include <errno.h>

#include "soak.h"

enum {
    THREADS = 2,
    GREENLETS = 4,
    TURNS = 60
};

static bine_channel *channel;
static bine_queue *queue;
static bine_rlock *lock;
static bine_semaphore *semaphore;
static bine_pool *pool;
static long guarded; /* not atomic: the lock orders it */
static atomic_long locked, given, taken, holding;

static void *at_home(void *arg)
{
    bine_sleep((int64_t)random_below(50) * BINE_US);
    return arg;
}

static void give_or_take(void)
{
    void *item;
    switch (random_below(4)) {
    case 0:
        given += went_well(bine_channel_send(channel, NULL, some_time()));
        break;
    case 1:
        given += went_well(bine_queue_put(queue, NULL, some_time()));
        break;
    case 2:
        taken +=
            went_well(bine_channel_receive(channel, &item, (int64_t)random_below(2000) * BINE_US));
        break;
    case 3:
        taken += went_well(bine_queue_get(queue, &item, (int64_t)random_below(2000) * BINE_US));
        break;
    }
}

static void hold(void)
{
    if (went_well(bine_rlock_acquire(lock, some_time()))) {
        guarded++;
        locked++;
        check(bine_rlock_release(lock) == 0, "release of a shared lock");
    }
    if (went_well(bine_semaphore_acquire(semaphore, some_time()))) {
        check(++holding <= 2, "more hold the shared semaphore than it has permits");
        holding--;
        check(bine_semaphore_release(semaphore) == 0, "release of a shared semaphore");
    }
}

static void work_at_home(void)
{
    void *value = NULL;
    if (went_well(bine_pool_apply(pool, at_home, (void *)3, &value, some_time())))
        check((intptr_t)value == 3, "a wrong value from a shared pool");
}

static void *use(void *arg)
{
    for (int i = 0; i < TURNS && !bine_killed(bine_getcurrent()); i++) {
        unsigned way = random_below(4);
        if (way < 2)
            give_or_take();
        else if (way == 2)
            hold();
        else
            work_at_home();
    }
    return NULL;
}

static size_t spawn(bine_greenlet **all, size_t room)
{
    size_t n = 0;
    while (n < GREENLETS && n < room)
        all[n++] = bine_spawn(use, NULL);
    return n;
}

static atomic_ullong seeds;

static void *in_thread(void *arg)
{
    random_seed(atomic_fetch_add(&seeds, 1));
    bine_greenlet *all[GREENLETS];
    size_t n = spawn(all, GREENLETS);
    for (int i = 0; i < 3; i++) {
        bine_sleep((int64_t)random_below(3000) * BINE_US);
        bine_kill(all[random_below((unsigned)n)]);
    }
    /* What nobody gives or takes any more is waited for in vain. */
    if (bine_joinall_with(all, n, 50 * BINE_MS, 0, 0) < 0)
        check(errno == ETIMEDOUT, "joinall in a thread");
    check(bine_killall(all, n, BINE_FOREVER) == 0 && bine_joinall(all, n, 0) == 0,
          "greenlets of a thread do not end");
    return NULL;
}

static void begin(void)
{
    channel = bine_channel_new(random_below(3), BINE_SHARED);
    queue = bine_queue_new(1 + random_below(3), BINE_SHARED);
    lock = bine_rlock_new(BINE_SHARED);
    semaphore = bine_semaphore_new(2, BINE_SHARED);
    pool = bine_pool_new(3, BINE_SHARED);
    given = taken = locked = guarded = 0;
    atomic_fetch_add(&seeds, 1 + random_below(1000000));
}

static void *beside(void *arg)
{
    check(bine_workers_run(THREADS, in_thread, NULL) == 0, "workers");
    return NULL;
}

static void end(void)
{
    void *item;
    check(bine_pool_kill(pool, BINE_FOREVER) == 0, "kill of a shared pool");
    while (bine_channel_receive(channel, &item, 0) == 0 || bine_queue_get(queue, &item, 0) == 0)
        taken++;
    check(given == taken, "items between hubs got lost, or doubled");
    check(guarded == locked, "a shared lock had two owners");
    while (bine_semaphore_permits(semaphore) < 2) /* releases only leave word */
        bine_sleep(0);
    check(bine_channel_free(channel) == 0 && bine_queue_free(queue) == 0 &&
              bine_rlock_free(lock) == 0 && bine_semaphore_free(semaphore) == 0 &&
              bine_pool_free(pool) == 0,
          "a shared object is in use");
}

const struct part hubs_part = {"hubs", begin, spawn, beside, end};
