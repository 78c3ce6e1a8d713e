/* Shared objects used from several hubs: whatever the other thread asks for is done as if its
 * greenlets were ours. Fit for TSan. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "hubs.h"

/* ---- channel and queue ----------------------------------------------------------------------- */

static bine_channel *channel;
static bine_queue *queue;
static atomic_uchar seen[(THREADS + 1) * GREENLETS * ITEMS];

static void check_seen(void)
{
    for (int i = 0; i < (THREADS + 1) * GREENLETS * ITEMS; i++)
        CHECK_EQ(seen[i], 1);
}

static void *send_share(void *number)
{
    for (intptr_t i = 0; i < ITEMS; i++)
        CHECK_OK(bine_channel_send(channel, (void *)((intptr_t)number * ITEMS + i), BINE_FOREVER));
    return NULL;
}

static void *receive_share(void *number)
{
    intptr_t last[(THREADS + 1) * GREENLETS];
    memset(last, -1, sizeof last);
    for (int i = 0; i < ITEMS; i++) {
        void *item;
        CHECK_OK(bine_channel_receive(channel, &item, BINE_FOREVER));
        seen[(intptr_t)item]++;
        /* What one greenlet sent comes in order, to each receiver a part of it. */
        CHECK_GT((intptr_t)item, last[(intptr_t)item / ITEMS]);
        last[(intptr_t)item / ITEMS] = (intptr_t)item;
    }
    return NULL;
}

static void *send_and_receive(void *number)
{
    bine_greenlet *both[] = {bine_spawn(send_share, number), bine_spawn(receive_share, number)};
    CHECK_OK(bine_joinall(both, 2, BINE_FOREVER));
    return NULL;
}

static void *exchange(void *arg)
{
    return in_greenlets(send_and_receive);
}

static void channel_between_hubs(size_t buffer)
{
    void *item;
    channel = bine_channel_new(buffer, BINE_SHARED);
    start(exchange);
    exchange(NULL);
    finish();
    check_seen();
    CHECK_ERROR(bine_channel_receive(channel, &item, 0), ETIMEDOUT);
    CHECK_OK(bine_channel_free(channel));
}

TEST(channel_between_hubs_without_a_buffer, .seconds = 60)
{
    channel_between_hubs(0);
}

TEST(channel_between_hubs_with_a_buffer, .seconds = 60)
{
    channel_between_hubs(5);
}

static atomic_int received, closed;

static void *receive_to_the_end(void *arg)
{
    void *item;
    while (bine_channel_receive(channel, &item, BINE_FOREVER) == 0)
        received++;
    CHECK_EQ(errno, EPIPE);
    closed++;
    return NULL;
}

static void *receivers(void *arg)
{
    in_greenlets(receive_to_the_end);
    CHECK_OK(bine_channel_close(channel)); /* twice is no error */
    CHECK_ERROR(bine_channel_send(channel, NULL, 0), EPIPE);
    return NULL;
}

TEST(closing_a_channel_ends_the_waits_of_all_hubs)
{
    channel = bine_channel_new(1, BINE_SHARED);
    start(receivers);
    for (int i = 0; i < ITEMS; i++)
        CHECK_OK(bine_channel_send(channel, NULL, BINE_FOREVER));
    while (bine_channel_size(channel) > 0)
        bine_sleep(BINE_MS);
    CHECK_OK(bine_channel_close(channel));
    finish();
    CHECK_EQ(received, ITEMS);
    CHECK_EQ(closed, THREADS * GREENLETS);
    CHECK_OK(bine_channel_free(channel));
}

static void *put_and_get(void *number)
{
    for (intptr_t i = 0; i < ITEMS; i++) {
        void *item = (void *)((intptr_t)number * ITEMS + i), *peeked;
        CHECK_OK(bine_queue_put(queue, item, BINE_FOREVER));
        CHECK_OK(bine_queue_peek(queue, &peeked, BINE_FOREVER));
        CHECK_OK(bine_queue_get(queue, &item, BINE_FOREVER));
        seen[(intptr_t)item]++;
        CHECK_OK(bine_queue_task_done(queue));
    }
    return NULL;
}

static void *work_on_queue(void *arg)
{
    in_greenlets(put_and_get);
    CHECK_OK(bine_queue_join(queue, BINE_FOREVER));
    return NULL;
}

TEST(queue_between_hubs, .seconds = 60)
{
    void *item;
    queue = bine_queue_new((THREADS + 1) * GREENLETS, BINE_SHARED);
    start(work_on_queue);
    work_on_queue(NULL);
    finish();
    check_seen();
    CHECK_EQ(bine_queue_unfinished(queue), 0u);
    CHECK_ERROR(bine_queue_get_nowait(queue, &item), EAGAIN);
    CHECK_OK(bine_queue_free(queue));
}

static void *without_waiting(void *arg)
{
    void *item;
    CHECK_ERROR(bine_queue_get(queue, &item, 0), ETIMEDOUT);
    CHECK_ERROR(bine_queue_get_nowait(queue, &item), EAGAIN);
    CHECK_ERROR(bine_queue_task_done(queue), EINVAL);
    CHECK_OK(bine_queue_put(queue, (void *)1, 0));
    CHECK_ERROR(bine_queue_put(queue, (void *)2, 0), ETIMEDOUT);
    CHECK_ERROR(bine_queue_put(queue, (void *)2, BINE_MS), ETIMEDOUT);
    CHECK_ERROR(bine_queue_put(queue, (void *)2, -1), EINVAL);
    CHECK_ERROR(bine_queue_get(queue, NULL, 0), EINVAL);
    CHECK_OK(bine_queue_get_nowait(queue, &item));
    CHECK_EQ((intptr_t)item, 1);
    CHECK_OK(bine_queue_shutdown(queue, true));
    CHECK_ERROR(bine_queue_put(queue, NULL, BINE_FOREVER), EPIPE);
    CHECK_ERROR(bine_queue_get(queue, &item, BINE_FOREVER), EPIPE);
    CHECK_ERROR(bine_queue_free(queue), EPERM);
    return NULL;
}

TEST(errors_of_another_threads_queue_come_back)
{
    queue = bine_queue_new(1, BINE_SHARED);
    CHECK_OK(bine_workers_run(1, without_waiting, NULL));
    CHECK_OK(bine_queue_free(queue));
}

/* ---- event, result, semaphore ---------------------------------------------------------------- */

static bine_event *event, *back;
static bine_async_result *result;
static bine_semaphore *semaphore;

static void *wait_for_event(void *arg)
{
    void *value;
    CHECK(!bine_event_is_set(event));
    CHECK_ERROR(bine_event_wait(event, 0), ETIMEDOUT);
    CHECK_ERROR(bine_event_wait(event, BINE_MS), ETIMEDOUT);
    CHECK_ERROR(bine_async_result_get(result, &value, 0), ETIMEDOUT);
    CHECK(!bine_async_result_ready(result));
    CHECK_OK(bine_event_set(back));
    CHECK_OK(bine_event_wait(event, BINE_FOREVER));
    CHECK(bine_event_is_set(event));
    CHECK_OK(bine_event_clear(event));
    CHECK(!bine_event_is_set(event));
    CHECK_OK(bine_async_result_get(result, &value, BINE_FOREVER));
    CHECK_EQ((intptr_t)value, 9);
    CHECK(bine_async_result_ready(result));
    CHECK_OK(bine_async_result_set_error(result, EIO));
    CHECK_ERROR(bine_async_result_get(result, &value, BINE_FOREVER), EIO);
    CHECK_OK(bine_async_result_wait(result, BINE_FOREVER));
    return NULL;
}

TEST(event_and_result_are_waited_for_in_another_thread)
{
    event = bine_event_new(BINE_SHARED);
    back = bine_event_new(BINE_SHARED);
    result = bine_async_result_new(BINE_SHARED);
    workers = bine_workers_start(1, wait_for_event, NULL);
    CHECK_OK(bine_event_wait(back, BINE_FOREVER));
    CHECK_OK(bine_async_result_set(result, (void *)9));
    CHECK_OK(bine_event_set(event));
    finish();
    CHECK(!bine_event_is_set(event));
    CHECK_EQ(bine_async_result_error(result), EIO);
    CHECK_OK(bine_event_free(event));
    CHECK_OK(bine_event_free(back));
    CHECK_OK(bine_async_result_free(result));
}

static atomic_int inside;

static void *hold(void *number)
{
    unsigned state = (unsigned)(intptr_t)number;
    for (int i = 0; i < ITEMS / 3;) {
        bool got = random_below(&state, 4)
                       ? bine_semaphore_acquire(semaphore, random_timeout(&state)) == 0
                       : bine_semaphore_try_acquire(semaphore) == 0;
        if (!got) {
            CHECK(errno == ETIMEDOUT || errno == EAGAIN);
            continue;
        }
        CHECK_LE(++inside, 2);
        bine_sleep(0);
        inside--;
        CHECK_OK(bine_semaphore_release(semaphore));
        i++;
    }
    return NULL;
}

static void *hold_all(void *arg)
{
    return in_greenlets(hold);
}

TEST(semaphore_limits_all_hubs_together, .seconds = 60)
{
    semaphore = bine_semaphore_new_bounded(2, BINE_SHARED);
    start(hold_all);
    hold_all(NULL);
    finish();
    while (bine_semaphore_permits(semaphore) < 2) /* releases return at once */
        bine_sleep(0);
    CHECK_OK(bine_semaphore_free(semaphore));
}

/* ---- pool ------------------------------------------------------------------------------------ */

static bine_pool *pool;
static bine_hub *home;
static int in_pool; /* only touched on the pool's thread */

static void *in_the_pool(void *arg)
{
    CHECK_EQ(bine_hub_get(), home);
    CHECK_LE(++in_pool, 3);
    bine_sleep(0);
    in_pool--;
    if (arg == (void *)13)
        bine_fail(EIO);
    return arg;
}

static void *use_pool(void *number)
{
    void *value, *items[5] = {(void *)1, (void *)2, (void *)3, (void *)4, (void *)5}, *results[5];
    for (int i = 0; i < ITEMS / 10; i++) {
        CHECK(bine_pool_spawn(pool, in_the_pool, number) != NULL);
        CHECK_OK(bine_pool_apply(pool, in_the_pool, (void *)7, &value, BINE_FOREVER));
        CHECK_EQ((intptr_t)value, 7);
        CHECK_ERROR(bine_pool_apply(pool, in_the_pool, (void *)13, &value, BINE_FOREVER), EIO);
        CHECK_OK(bine_pool_map(pool, in_the_pool, items, 5, results, BINE_FOREVER));
        for (int k = 0; k < 5; k++)
            CHECK_EQ(results[k], items[k]);
        CHECK_OK(bine_pool_wait_available(pool, BINE_FOREVER));
    }
    return NULL;
}

static void *use_pool_all(void *arg)
{
    void *item = NULL;
    in_greenlets(use_pool);
    CHECK_OK(bine_pool_join(pool, BINE_FOREVER));
    CHECK_ERROR(bine_pool_imap(pool, in_the_pool, &item, 1), EPERM);
    CHECK_ERROR(bine_pool_spawn_at(pool, NULL, NULL, 0, BINE_SITE(nothing)), EINVAL);
    return NULL;
}

TEST(pool_takes_work_from_all_hubs, .seconds = 60)
{
    pool = bine_pool_new(3, BINE_SHARED);
    home = bine_hub_get();
    start(use_pool_all);
    use_pool(NULL);
    finish();
    CHECK_EQ(bine_pool_count(pool), 0u);
    CHECK_OK(bine_pool_free(pool));
}

static void *sleeps(void *arg)
{
    bine_sleep(BINE_FOREVER);
    return NULL;
}

static bine_greenlet *guest;

static void *fill_and_kill(void *arg)
{
    for (int i = 0; i < 2; i++)
        CHECK(bine_pool_spawn(pool, sleeps, NULL) != NULL);
    CHECK_OK(bine_pool_add(pool, guest, 0));
    CHECK_ERROR(bine_pool_spawn_at(pool, sleeps, NULL, 0, BINE_SITE(sleeps)), ETIMEDOUT);
    CHECK_ERROR(bine_pool_wait_available(pool, BINE_MS), ETIMEDOUT);
    CHECK_ERROR(bine_pool_join(pool, BINE_MS), ETIMEDOUT);
    CHECK_ERROR(bine_pool_apply(pool, sleeps, NULL, NULL, BINE_MS), ETIMEDOUT);
    CHECK_OK(bine_pool_discard(pool, guest));
    CHECK_ERROR(bine_pool_discard(pool, guest), ENOENT);
    /* Begun, killed and ended. */
    CHECK_ERROR(bine_pool_apply(pool, sleeps, NULL, NULL, BINE_MS), ETIMEDOUT);
    CHECK_OK(bine_pool_kill(pool, BINE_FOREVER));
    return NULL;
}

TEST(pool_is_filled_and_killed_from_another_thread)
{
    pool = bine_pool_new(3, BINE_SHARED);
    guest = bine_spawn(sleeps, NULL);
    CHECK_OK(bine_workers_run(1, fill_and_kill, NULL));
    CHECK_EQ(bine_pool_count(pool), 0u);
    CHECK(!bine_dead(guest));
    CHECK_OK(bine_kill(guest));
    CHECK_OK(bine_join(guest, NULL, BINE_FOREVER));
    CHECK_OK(bine_pool_free(pool));
}

/* ---- waiting for any of them ----------------------------------------------------------------- */

static void *wait_for_some(void *arg)
{
    bine_event *own = bine_event_new(0);
    void *objects[] = {event, own, channel, guest}, *ready[4];
    CHECK_EQ(bine_wait(objects, 4, ready, 1, BINE_MS), 0);
    CHECK_EQ(bine_wait(objects, 4, ready, 1, 0), 0);
    CHECK_OK(bine_event_set(own));
    CHECK_EQ(bine_wait(objects, 4, ready, 1, BINE_FOREVER), 1);
    CHECK_EQ(ready[0], (void *)own);
    bine_timeout scope;
    CHECK_OK(bine_timeout_begin(&scope, BINE_MS));
    CHECK_ERROR(bine_wait(objects, 4, ready, 4, BINE_FOREVER), ETIMEDOUT);
    CHECK_EQ(bine_timeout_end(&scope), 1);
    CHECK_OK(bine_event_set(back)); /* now they become ready */
    CHECK_EQ(bine_wait(objects, 4, ready, 4, BINE_FOREVER), 4);
    bine_iwait *iteration = bine_iwait_begin(objects, 4);
    for (int i = 0; i < 4; i++)
        CHECK(bine_iwait_next(iteration, BINE_FOREVER) != NULL);
    CHECK_EQ(bine_iwait_next(iteration, BINE_FOREVER), NULL);
    bine_iwait_end(iteration);
    CHECK_OK(bine_event_free(own));
    return NULL;
}

TEST(objects_of_several_threads_are_waited_for_together)
{
    event = bine_event_new(BINE_SHARED);
    back = bine_event_new(BINE_SHARED);
    channel = bine_channel_new(1, BINE_SHARED);
    guest = bine_spawn(sleeps, NULL);
    workers = bine_workers_start(1, wait_for_some, NULL);
    CHECK_OK(bine_event_wait(back, BINE_FOREVER));
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_OK(bine_event_set(event));
    CHECK_OK(bine_kill(guest));
    CHECK_OK(bine_channel_send(channel, NULL, 0));
    finish();
    CHECK_OK(bine_join(guest, NULL, BINE_FOREVER));
    CHECK_OK(bine_event_free(event));
    CHECK_OK(bine_event_free(back));
    CHECK_OK(bine_channel_free(channel));
}

static void *waits_and_is_killed(void *arg)
{
    void *object = event;
    CHECK_ERROR(bine_wait(&object, 1, NULL, 1, BINE_FOREVER), ECANCELED);
    return NULL;
}

static void *kill_waiters(void *arg)
{
    for (int i = 0; i < 50; i++) {
        bine_greenlet *g = bine_spawn(waits_and_is_killed, NULL);
        CHECK_OK(bine_sleep((i % 3) * 50 * BINE_US));
        CHECK_OK(bine_kill(g));
        CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    }
    return NULL;
}

TEST(nobody_watches_an_object_any_more_when_the_wait_has_been_killed)
{
    event = bine_event_new(BINE_SHARED);
    start(kill_waiters);
    finish();
    CHECK_OK(bine_event_free(event)); /* EBUSY if one were left */
}

/* ---- kills and timeouts race with hand-off --------------------------------------------------- */

static atomic_long given, taken;

static void *give(void *number)
{
    unsigned state = (unsigned)(intptr_t)number;
    for (int i = 0; i < ITEMS; i++) {
        int64_t timeout = random_timeout(&state);
        if ((random_below(&state, 2) ? bine_channel_send(channel, number, timeout)
                                     : bine_queue_put(queue, number, timeout)) == 0)
            given++;
        else if (errno != ETIMEDOUT)
            break;
    }
    return NULL;
}

static void *take(void *number)
{
    unsigned state = (unsigned)(intptr_t)number;
    for (;;) {
        void *item;
        int64_t timeout = random_timeout(&state);
        if ((random_below(&state, 2) ? bine_channel_receive(channel, &item, timeout)
                                     : bine_queue_get(queue, &item, timeout)) == 0) {
            taken++;
        } else if (errno != ETIMEDOUT) {
            CHECK_EQ(errno, ECANCELED);
            return NULL;
        }
    }
}

static void *give_and_take(void *arg)
{
    unsigned state = (unsigned)bine_worker() + 77;
    bine_greenlet *all[2 * GREENLETS];
    for (intptr_t i = 0; i < GREENLETS; i++) {
        all[2 * i] = bine_spawn(give, (void *)i);
        all[2 * i + 1] = bine_spawn(take, (void *)i);
    }
    for (int i = 0; i < 10; i++) {
        bine_sleep((int64_t)random_below(&state, 1000) * BINE_US);
        CHECK_OK(bine_kill(all[random_below(&state, 2 * GREENLETS)]));
    }
    CHECK_OK(bine_killall(all, 2 * GREENLETS, BINE_FOREVER));
    CHECK_OK(bine_joinall(all, 2 * GREENLETS, BINE_FOREVER));
    return NULL;
}

TEST(nothing_is_lost_when_greenlets_of_other_hubs_are_killed, .seconds = 60)
{
    void *item;
    for (int round = 0; round < 20 / (int)harness_slower() + 2; round++) {
        channel = bine_channel_new((size_t)round % 3, BINE_SHARED);
        queue = bine_queue_new(1 + (size_t)round % 3, BINE_SHARED);
        given = taken = 0;
        start(give_and_take);
        give_and_take(NULL);
        finish();
        while (bine_channel_receive(channel, &item, 0) == 0 || bine_queue_get(queue, &item, 0) == 0)
            taken++;
        CHECK_EQ(given, taken);
        CHECK_OK(bine_channel_free(channel));
        CHECK_OK(bine_queue_free(queue));
    }
}

/* ---- where it does not work ------------------------------------------------------------------ */

static bine_rlock *lock;
static bine_rwlock *rwlock;
static bine_condition *condition;
static bine_barrier *barrier;

static bool always(void *arg)
{
    return true;
}

static void *use_unshared(void *arg)
{
    void *objects[] = {channel, event};
    bine_choice choices[] = {{BINE_CHOOSE_READY, event, NULL, 0}},
                receive[] = {{BINE_CHOOSE_RECEIVE, channel, NULL, 0}};
    CHECK_ERROR(bine_channel_send(channel, NULL, 0), EPERM);
    CHECK_ERROR(bine_channel_receive(channel, objects, 0), EPERM);
    CHECK_ERROR(bine_channel_close(channel), EPERM);
    CHECK_ERROR(bine_rlock_acquire(lock, 0), EPERM);
    CHECK_ERROR(bine_rlock_release(lock), EPERM);
    CHECK_ERROR(bine_rwlock_read_acquire(rwlock, 0), EPERM);
    CHECK_ERROR(bine_rwlock_write_acquire(rwlock, 0), EPERM);
    CHECK_ERROR(bine_rwlock_read_release(rwlock), EPERM);
    CHECK_ERROR(bine_rwlock_write_release(rwlock), EPERM);
    CHECK_ERROR(bine_condition_wait(condition, 0), EPERM);
    CHECK_ERROR(bine_condition_wait_for(condition, always, NULL, 0), EPERM);
    CHECK_ERROR(bine_condition_notify_all(condition), EPERM);
    CHECK_ERROR(bine_barrier_wait(barrier, 0), EPERM);
    CHECK_ERROR(bine_barrier_abort(barrier), EPERM);
    CHECK_ERROR(bine_pool_spawn(pool, sleeps, NULL), EPERM);
    CHECK_ERROR(bine_pool_kill(pool, 0), EPERM);
    CHECK_ERROR(bine_pool_map(pool, sleeps, NULL, 0, NULL, 0), EPERM);
    CHECK_ERROR(bine_wait(objects, 2, NULL, 1, 0), EPERM);
    CHECK_ERROR(bine_choose(choices, 1, 0), EPERM);
    CHECK_ERROR(bine_choose(receive, 1, 0), EPERM);
    return NULL;
}

TEST(what_is_not_shared_refuses_other_threads)
{
    channel = bine_channel_new(1, 0);
    lock = bine_rlock_new(0);
    rwlock = bine_rwlock_new(0);
    condition = bine_condition_new(lock, 0);
    barrier = bine_barrier_new(2, 0);
    pool = bine_pool_new(2, 0);
    event = bine_event_new(0);
    CHECK_OK(bine_workers_run(1, use_unshared, NULL));
    CHECK_OK(bine_channel_free(channel));
    CHECK_OK(bine_condition_free(condition));
    CHECK_OK(bine_rlock_free(lock));
    CHECK_OK(bine_rwlock_free(rwlock));
    CHECK_OK(bine_barrier_free(barrier));
    CHECK_OK(bine_pool_free(pool));
    CHECK_OK(bine_event_free(event));
}

static void post_receives(void *arg)
{
    void *item;
    CHECK_ERROR(bine_channel_receive(channel, &item, BINE_FOREVER), EDEADLK);
    CHECK_ERROR(bine_channel_close(channel), EDEADLK);
    CHECK_ERROR(bine_choose(&(bine_choice){BINE_CHOOSE_RECEIVE, channel, NULL, 0}, 1, 0), EDEADLK);
    CHECK_OK(bine_semaphore_release(semaphore)); /* leaves word */
}

static void *post_to_itself(void *arg)
{
    CHECK_OK(bine_post(bine_hub_get(), post_receives, NULL));
    CHECK_OK(bine_sleep(BINE_MS));
    return NULL;
}

TEST(where_parking_is_not_allowed_only_signals_work)
{
    channel = bine_channel_new(0, BINE_SHARED);
    semaphore = bine_semaphore_new(0, BINE_SHARED);
    CHECK_OK(bine_workers_run(1, post_to_itself, NULL));
    CHECK_OK(bine_semaphore_acquire(semaphore, BINE_FOREVER));
    CHECK_OK(bine_channel_free(channel));
    CHECK_OK(bine_semaphore_free(semaphore));
}

static atomic_int entered;

static void *own_channel(void *arg)
{
    channel = bine_channel_new(0, BINE_SHARED);
    entered = 1;
    while (!bine_channel_has_receiver(channel))
        bine_sleep(BINE_MS);
    return NULL; /* and the channel is never freed */
}

TEST(a_wait_ends_when_the_objects_thread_does, .leaves = "a thread ends with an object in use")
{
    void *item;
    workers = bine_workers_start(1, own_channel, NULL);
    while (!entered)
        bine_sleep(BINE_MS);
    CHECK_ERROR(bine_channel_receive(channel, &item, BINE_FOREVER), ESRCH);
    CHECK_ERROR(bine_channel_receive(channel, &item, BINE_FOREVER), ESRCH);
    finish();
}
