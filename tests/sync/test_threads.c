/* Objects signalled from other threads, mailboxes between hubs, workers. Fit for TSan. */
#include <bine.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness.h"

enum {
    THREADS = 4,
    ITEMS = 2000
};

static bine_event *event;
static bine_async_result *result;
static bine_semaphore *semaphore;
static bine_queue *queue;
static bine_mailbox *mailbox;
static pthread_t threads[THREADS];

static void start(void *(*run)(void *))
{
    for (intptr_t i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, run, (void *)i), 0);
}

static void finish(void)
{
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

static void *set_event(void *arg)
{
    CHECK_OK(bine_event_set(event));
    CHECK_OK(bine_event_set(event)); /* again is no error */
    CHECK_ERROR(bine_event_free(event), EPERM);
    CHECK_OK(bine_async_result_set(result, (void *)5));
    return NULL;
}

TEST(shared_event_and_result_are_set_by_other_threads)
{
    event = bine_event_new(BINE_SHARED);
    result = bine_async_result_new(BINE_SHARED);
    start(set_event);
    void *value, *objects[] = {event, result};
    CHECK_EQ(bine_wait(objects, 2, NULL, 2, BINE_FOREVER), 2); /* nor is this a deadlock */
    CHECK_OK(bine_event_wait(event, BINE_FOREVER));
    CHECK_OK(bine_async_result_get(result, &value, BINE_FOREVER));
    CHECK_EQ((intptr_t)value, 5);
    finish();
    CHECK_OK(bine_event_free(event));
    CHECK_OK(bine_async_result_free(result));
}

static void *try_everything(void *arg)
{
    CHECK_ERROR(bine_event_set(event), EPERM);
    CHECK_ERROR(bine_async_result_set(result, NULL), EPERM);
    CHECK_ERROR(bine_semaphore_release(semaphore), EPERM);
    CHECK_ERROR(bine_queue_put_nowait(queue, NULL), EPERM);
    CHECK_ERROR(bine_queue_put(queue, NULL, 0), EPERM);
    CHECK_ERROR(bine_mailbox_receive(mailbox, &arg, 0), EPERM);
    CHECK_ERROR(bine_mailbox_free(mailbox), EPERM);
    return NULL;
}

TEST(objects_of_one_thread_refuse_others)
{
    event = bine_event_new(0);
    result = bine_async_result_new(0);
    semaphore = bine_semaphore_new(0, 0);
    queue = bine_queue_new(0, 0);
    mailbox = bine_mailbox_new(1);
    start(try_everything);
    finish();
    CHECK_OK(bine_event_free(event));
    CHECK_OK(bine_async_result_free(result));
    CHECK_OK(bine_semaphore_free(semaphore));
    CHECK_OK(bine_queue_free(queue));
    CHECK_OK(bine_mailbox_free(mailbox));
}

static void *release_many(void *arg)
{
    for (int i = 0; i < ITEMS; i++)
        CHECK_OK(bine_semaphore_release(semaphore));
    return NULL;
}

static void *acquire_share(void *arg)
{
    for (int i = 0; i < ITEMS; i++)
        CHECK_OK(bine_semaphore_acquire(semaphore, BINE_FOREVER));
    return NULL;
}

TEST(shared_semaphore_loses_no_permit)
{
    semaphore = bine_semaphore_new(0, BINE_SHARED);
    bine_greenlet *all[THREADS];
    for (int i = 0; i < THREADS; i++)
        all[i] = bine_spawn(acquire_share, NULL);
    start(release_many);
    CHECK_OK(bine_joinall(all, THREADS, BINE_FOREVER));
    CHECK_EQ(bine_semaphore_permits(semaphore), 0u);
    finish();
    CHECK_OK(bine_semaphore_free(semaphore));
}

static void *put_many(void *number)
{
    for (intptr_t i = 0; i < ITEMS; i++)
        while (bine_queue_put_nowait(queue, (void *)((intptr_t)number * ITEMS + i)) != 0) {
            CHECK_EQ(errno, EAGAIN);
            sched_yield();
        }
    return NULL;
}

static intptr_t next_of[THREADS + 1];
static int got;

static void check_order(void *item)
{
    intptr_t number = (intptr_t)item / ITEMS, i = (intptr_t)item % ITEMS;
    CHECK_EQ(next_of[number], i);
    next_of[number]++;
    got++;
}

static void *put_here(void *arg)
{
    for (intptr_t i = 0; i < ITEMS; i++)
        CHECK_OK(bine_queue_put(queue, (void *)(THREADS * ITEMS + i), BINE_FOREVER));
    return NULL;
}

static void queue_from_threads(size_t capacity)
{
    void *item;
    queue = bine_queue_new(capacity, BINE_SHARED);
    bine_greenlet *g = bine_spawn(put_here, NULL);
    start(put_many);
    while (got < (THREADS + 1) * ITEMS) {
        CHECK_OK(bine_queue_get(queue, &item, BINE_FOREVER));
        CHECK(capacity == 0 || bine_queue_size(queue) <= capacity);
        check_order(item);
    }
    CHECK_ERROR(bine_queue_get(queue, &item, 0), ETIMEDOUT);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    finish();
    CHECK_OK(bine_queue_free(queue));
}

TEST(shared_queue_keeps_each_threads_order)
{
    queue_from_threads(0);
}

TEST(shared_queue_with_a_bound_keeps_it)
{
    queue_from_threads(3);
}

static int discarded;

static void discard(void *item)
{
    discarded++;
}

TEST(shared_objects_can_be_freed_while_signals_are_on_their_way)
{
    for (int round = 0; round < 20; round++) {
        discarded = 0;
        event = bine_event_new(BINE_SHARED);
        result = bine_async_result_new(BINE_SHARED);
        queue =
            bine_queue_new_with(&(bine_queue_options){.flags = BINE_SHARED, .discard = discard});
        semaphore = bine_semaphore_new(0, BINE_SHARED);
        start(release_many);
        finish();
        start(put_many);
        finish();
        start(set_event);
        finish();
        CHECK_OK(bine_event_free(event));
        CHECK_OK(bine_async_result_free(result));
        CHECK_OK(bine_semaphore_free(semaphore));
        CHECK_OK(bine_queue_free(queue));
        CHECK_EQ(discarded, THREADS * ITEMS);
        CHECK_OK(bine_sleep(0));
        CHECK_OK(bine_sleep(BINE_US));
    }
}

/* ---- mailbox --------------------------------------------------------------------------------- */

static void *send_share(void *number)
{
    for (intptr_t i = 0; i < ITEMS; i++)
        CHECK_OK(bine_mailbox_send(mailbox, (void *)((intptr_t)number * ITEMS + i), BINE_FOREVER));
    return NULL;
}

static void *send_from_greenlet(void *number)
{
    CHECK_OK(bine_join(bine_spawn(send_share, number), NULL, BINE_FOREVER));
    return NULL;
}

static void mailbox_from_threads(size_t capacity, void *(*run)(void *))
{
    mailbox = bine_mailbox_new(capacity);
    bine_greenlet *g = bine_spawn(send_share, (void *)THREADS);
    start(run);
    while (got < (THREADS + 1) * ITEMS) {
        void *item;
        CHECK_OK(bine_mailbox_receive(mailbox, &item, BINE_FOREVER));
        check_order(item);
    }
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    finish();
    CHECK_OK(bine_mailbox_free(mailbox));
}

TEST(mailbox_keeps_each_senders_order)
{
    mailbox_from_threads(1024, send_share);
}

TEST(mailbox_that_is_full_makes_senders_wait)
{
    mailbox_from_threads(1, send_from_greenlet);
}

static atomic_int timed_out;

static void *send_impatiently(void *number)
{
    unsigned state = (unsigned)(intptr_t)number + 1;
    for (intptr_t i = 0; i < ITEMS;) {
        state = state * 1103515245 + 12345;
        int64_t timeout =
            (state >> 16) % 3 ? (int64_t)((state >> 16) % 50) * BINE_US : BINE_FOREVER;
        if (bine_mailbox_send(mailbox, (void *)((intptr_t)number * ITEMS + i), timeout) == 0) {
            i++;
        } else {
            CHECK_EQ(errno, ETIMEDOUT);
            atomic_fetch_add(&timed_out, 1);
        }
    }
    return NULL;
}

TEST(mailbox_loses_nothing_when_senders_give_up)
{
    mailbox_from_threads(2, send_impatiently);
}

static void *receive_some(void *arg)
{
    void *item;
    int received = 0;
    while (bine_mailbox_receive(mailbox, &item, BINE_FOREVER) == 0)
        received++;
    CHECK_EQ(errno, ECANCELED);
    return (void *)(intptr_t)received;
}

TEST(mailbox_receivers_can_be_killed_and_nothing_is_lost)
{
    mailbox = bine_mailbox_new(4);
    start(send_share);
    long received = 0;
    void *item;
    for (int round = 0; round < 50; round++) {
        bine_greenlet *all[3];
        for (int i = 0; i < 3; i++)
            all[i] = bine_spawn(receive_some, NULL);
        bine_sleep(100 * BINE_US);
        CHECK_OK(bine_killall(all, 3, BINE_FOREVER));
        for (int i = 0; i < 3; i++) {
            CHECK_OK(bine_join(all[i], &item, BINE_FOREVER));
            received += (intptr_t)item;
        }
    }
    while (received < THREADS * ITEMS) {
        CHECK_OK(bine_mailbox_receive(mailbox, &item, BINE_FOREVER));
        received++;
    }
    finish();
    CHECK_ERROR(bine_mailbox_receive(mailbox, &item, 0), ETIMEDOUT);
    CHECK_OK(bine_mailbox_free(mailbox));
}

static void *send_after_a_while(void *number)
{
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_OK(bine_mailbox_send(mailbox, number, BINE_FOREVER));
    return NULL;
}

TEST(mailbox_can_be_waited_for_and_chosen)
{
    void *item, *objects[1];
    mailbox = bine_mailbox_new(2);
    objects[0] = mailbox;
    CHECK_EQ(bine_wait(objects, 1, NULL, 1, BINE_MS), 0);
    start(send_after_a_while);
    for (int i = 0; i < THREADS; i++) {
        bine_choice choice = {BINE_CHOOSE_READY, mailbox, NULL, 0};
        if (i % 2)
            CHECK_EQ(bine_choose(&choice, 1, BINE_FOREVER), 0);
        else
            CHECK_EQ(bine_wait(objects, 1, NULL, 1, BINE_FOREVER), 1);
        CHECK_OK(bine_mailbox_receive(mailbox, &item, 0));
    }
    finish();
    CHECK_OK(bine_mailbox_free(mailbox));
}

TEST(mailbox_bad_arguments)
{
    void *item;
    CHECK_ERROR(bine_mailbox_new(0), EINVAL);
    CHECK_ERROR(bine_mailbox_new(SIZE_MAX), EINVAL);
    CHECK_ERROR(bine_mailbox_send(NULL, NULL, 0), EINVAL);
    CHECK_ERROR(bine_mailbox_send_nowait(NULL, NULL), EINVAL);
    CHECK_ERROR(bine_mailbox_receive(NULL, &item, 0), EINVAL);
    mailbox = bine_mailbox_new(2);
    CHECK_OK(bine_mailbox_send(mailbox, (void *)1, 0));
    CHECK_OK(bine_mailbox_send(mailbox, (void *)2, 0));
    CHECK_ERROR(bine_mailbox_send(mailbox, NULL, 0), ETIMEDOUT);
    CHECK_ERROR(bine_mailbox_send(mailbox, NULL, BINE_MS), ETIMEDOUT);
    CHECK_ERROR(bine_mailbox_send_nowait(mailbox, NULL), EAGAIN);
    CHECK_ERROR(bine_mailbox_send(mailbox, NULL, -1), EINVAL);
    CHECK_OK(bine_mailbox_receive(mailbox, &item, 0));
    CHECK_EQ((intptr_t)item, 1);
    CHECK_OK(bine_mailbox_free(mailbox));
    CHECK_OK(bine_mailbox_free(NULL));
}

/* ---- workers --------------------------------------------------------------------------------- */

static void *count_in_worker(void *arg)
{
    CHECK_GE(bine_worker(), 0);
    for (int i = 0; i < 100; i++)
        bine_sleep(0);
    CHECK_OK(bine_mailbox_send(mailbox, (void *)(intptr_t)bine_worker(), BINE_FOREVER));
    return (void *)(intptr_t)(bine_worker() + 1);
}

TEST(workers_run_each_on_a_hub_of_its_own)
{
    mailbox = bine_mailbox_new(1);
    bine_workers *workers = bine_workers_start(3, count_in_worker, NULL);
    CHECK(workers != NULL);
    CHECK_EQ(bine_workers_count(workers), 3u);
    CHECK_EQ(bine_worker(), -1);
    CHECK_ERROR(bine_workers_join(workers, 0), ETIMEDOUT);
    CHECK(bine_workers_hub(workers, 0) != bine_workers_hub(workers, 1));
    CHECK_ERROR(bine_workers_hub(workers, 3), EINVAL);
    int seen = 0;
    for (int i = 0; i < 3; i++) {
        void *item;
        CHECK_OK(bine_mailbox_receive(mailbox, &item, BINE_FOREVER));
        seen |= 1 << (intptr_t)item;
    }
    CHECK_EQ(seen, 7);
    CHECK_OK(bine_workers_join(workers, BINE_FOREVER));
    CHECK_OK(bine_mailbox_free(mailbox));
    CHECK_ERROR(bine_workers_start(1, NULL, NULL), EINVAL);
    CHECK_ERROR(bine_workers_start(100000, count_in_worker, NULL), EINVAL);
    CHECK_ERROR(bine_workers_join(NULL, 0), EINVAL);
}

static atomic_int posted;

static void count_post(void *arg)
{
    atomic_fetch_add(&posted, 1);
    bine_event_set(arg);
}

static _Atomic(bine_event *) stop[2];

static void *wait_for_stop(void *arg)
{
    bine_event *own = bine_event_new(BINE_SHARED);
    atomic_store(&stop[bine_worker()], own);
    CHECK_OK(bine_event_wait(own, BINE_FOREVER));
    CHECK_OK(bine_event_free(own));
    return NULL;
}

TEST(workers_are_reached_through_their_hubs)
{
    bine_workers *workers = bine_workers_start(2, wait_for_stop, NULL);
    for (unsigned i = 0; i < 2; i++) {
        while (!atomic_load(&stop[i]))
            bine_sleep(BINE_MS);
        CHECK_OK(bine_post(bine_workers_hub(workers, i), count_post, atomic_load(&stop[i])));
    }
    CHECK_OK(bine_workers_join(workers, BINE_FOREVER));
    CHECK_EQ(atomic_load(&posted), 2);
}
