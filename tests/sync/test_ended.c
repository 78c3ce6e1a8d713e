/* What becomes of objects whose thread has ended, and of waiters whose thread ends. Fit for
 * TSan. */
#include <bine.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "harness.h"

static bine_mailbox *mailbox;
static bine_event *ready, *go;
static bine_semaphore *done;

static void *run_in_thread(void *(*run)(void *), void *arg)
{
    pthread_t thread;
    void *value = NULL;
    CHECK_EQ(pthread_create(&thread, NULL, run, arg), 0);
    CHECK_EQ(pthread_join(thread, &value), 0);
    return value;
}

/* ---- mailboxes ------------------------------------------------------------------------------- */

static void *make_mailbox_and_end(void *arg)
{
    mailbox = bine_mailbox_new(4);
    CHECK_OK(bine_event_set(ready));
    CHECK_OK(bine_event_wait(go, BINE_FOREVER));
    return arg;
}

static void *send_until_refused(void *arg)
{
    int sent = 0;
    while (bine_mailbox_send(mailbox, arg, BINE_FOREVER) == 0)
        sent++;
    CHECK_EQ(errno, ESRCH);
    CHECK_OK(bine_semaphore_release(done));
    return (void *)(intptr_t)sent;
}

/* The receiver ends while senders of two threads wait. */
TEST(hazard_77_senders_are_told_that_the_mailboxes_thread_has_ended)
{
    ready = bine_event_new(BINE_SHARED);
    go = bine_event_new(BINE_SHARED);
    done = bine_semaphore_new(0, BINE_SHARED);
    pthread_t receiver, sender;
    CHECK_EQ(pthread_create(&receiver, NULL, make_mailbox_and_end, NULL), 0);
    CHECK_OK(bine_event_wait(ready, BINE_FOREVER));
    CHECK_EQ(pthread_create(&sender, NULL, send_until_refused, NULL), 0);
    bine_greenlet *here[3];
    for (int i = 0; i < 3; i++)
        here[i] = bine_spawn(send_until_refused, NULL);
    CHECK_OK(bine_sleep(10 * BINE_MS));
    CHECK_ERROR(bine_mailbox_send_nowait(mailbox, NULL), EAGAIN);
    CHECK_OK(bine_event_set(go));
    for (int i = 0; i < 4; i++)
        CHECK_OK(bine_semaphore_acquire(done, BINE_FOREVER));
    CHECK_OK(bine_joinall(here, 3, BINE_FOREVER));
    CHECK_EQ(pthread_join(sender, NULL), 0);
    CHECK_EQ(pthread_join(receiver, NULL), 0);
    CHECK_ERROR(bine_mailbox_send(mailbox, NULL, BINE_FOREVER), ESRCH);
    CHECK_ERROR(bine_mailbox_send(mailbox, NULL, 0), ESRCH);
    CHECK_ERROR(bine_mailbox_send_nowait(mailbox, NULL), ESRCH);
    void *item;
    CHECK_ERROR(bine_mailbox_receive(mailbox, &item, 0), EPERM);
    CHECK_OK(bine_mailbox_free(mailbox));
    CHECK_OK(bine_event_free(ready));
    CHECK_OK(bine_event_free(go));
    CHECK_OK(bine_semaphore_free(done));
}

static void *send_one(void *item)
{
    bine_mailbox_send(mailbox, item, BINE_FOREVER);
    return NULL;
}

/* Its greenlets wait for room when the thread ends, and their stacks go. */
static void *leave_senders_behind(void *arg)
{
    for (intptr_t i = 0; i < 5; i++)
        CHECK_OK(bine_go(send_one, (void *)(100 + i)));
    CHECK_OK(bine_sleep(5 * BINE_MS));
    return arg;
}

static void *send_and_note(void *item)
{
    CHECK_OK(bine_mailbox_send(mailbox, item, BINE_FOREVER));
    CHECK_OK(bine_semaphore_release(done));
    return NULL;
}

TEST(hazard_107_senders_whose_thread_ends_leave_the_queue)
{
    done = bine_semaphore_new(0, BINE_SHARED);
    mailbox = bine_mailbox_new(2);
    CHECK_OK(bine_mailbox_send_nowait(mailbox, (void *)1));
    CHECK_OK(bine_mailbox_send_nowait(mailbox, (void *)2));
    run_in_thread(leave_senders_behind, NULL);
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, send_and_note, (void *)3), 0);
    CHECK_OK(bine_sleep(5 * BINE_MS));
    void *item;
    for (intptr_t i = 1; i <= 3; i++) {
        CHECK_OK(bine_mailbox_receive(mailbox, &item, BINE_FOREVER));
        CHECK_EQ((intptr_t)item, i);
    }
    CHECK_OK(bine_semaphore_acquire(done, BINE_FOREVER));
    CHECK_ERROR(bine_mailbox_receive(mailbox, &item, 0), ETIMEDOUT);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_OK(bine_mailbox_free(mailbox));
    CHECK_OK(bine_semaphore_free(done));
}

enum {
    ROUNDS = 60,
    EACH = 20
};
static atomic_int sent;

static void *send_some(void *arg)
{
    for (int i = 0; i < EACH; i++)
        if (bine_mailbox_send(mailbox, arg, BINE_FOREVER) == 0)
            atomic_fetch_add(&sent, 1);
    return NULL;
}

static void *short_thread(void *arg)
{
    for (intptr_t i = 0; i < 3; i++)
        CHECK_OK(bine_go(send_some, NULL));
    CHECK_OK(bine_sleep((int64_t)(intptr_t)arg % 7 * 50 * BINE_US));
    return NULL;
}

/* Threads end at any moment of a send; what was said to be sent arrives, and no room is lost. */
TEST(hazard_107_no_room_is_lost_with_threads_that_end, .seconds = 60)
{
    mailbox = bine_mailbox_new(2);
    int received = 0;
    void *item;
    for (intptr_t round = 0; round < ROUNDS; round++) {
        pthread_t threads[2];
        for (int i = 0; i < 2; i++)
            CHECK_EQ(pthread_create(&threads[i], NULL, short_thread, (void *)(round + i)), 0);
        for (int i = 0; i < 10; i++)
            received += bine_mailbox_receive(mailbox, &item, 100 * BINE_US) == 0;
        for (int i = 0; i < 2; i++)
            CHECK_EQ(pthread_join(threads[i], NULL), 0);
    }
    while (bine_mailbox_receive(mailbox, &item, 0) == 0)
        received++;
    /* A sender that had sent may have ended before it could say so. */
    CHECK_GE(received, atomic_load(&sent));
    for (int i = 0; i < 2; i++)
        CHECK_OK(bine_mailbox_send_nowait(mailbox, NULL));
    CHECK_OK(bine_mailbox_free(mailbox));
}

/* ---- all objects ----------------------------------------------------------------------------- */

struct objects {
    bine_event *event;
    bine_async_result *result;
    bine_semaphore *semaphore;
    bine_rlock *rlock;
    bine_rwlock *rwlock;
    bine_barrier *barrier;
    bine_condition *condition;
    bine_queue *queue;
    bine_channel *channel;
    bine_pool *pool;
};

/* What a greenlet has allocated in a call that it never leaves is lost with its stack. */
/* NOLINTNEXTLINE(bugprone-reserved-identifier): the leak checker's */
void __lsan_disable(void) __attribute__((weak));

static void *wait_for_event(void *objects)
{
    struct objects *all = objects;
    if (__lsan_disable)
        __lsan_disable();
    void *waitables[] = {all->event, all->queue, all->semaphore, all->result, all->channel};
    CHECK_OK(bine_pool_add(all->pool, bine_getcurrent(), BINE_FOREVER));
    CHECK_OK(bine_rlock_acquire(all->rlock, BINE_FOREVER));
    CHECK_OK(bine_rwlock_write_acquire(all->rwlock, BINE_FOREVER));
    bine_wait(waitables, 5, NULL, 1, BINE_FOREVER);
    return NULL;
}

#define WAITER(name, call)             \
    static void *name(void *objects)   \
    {                                  \
        struct objects *all = objects; \
        void *item;                    \
        (void)item;                    \
        call;                          \
        return NULL;                   \
    }
WAITER(wait_event, bine_event_wait(all->event, BINE_FOREVER))
WAITER(wait_result, bine_async_result_wait(all->result, BINE_FOREVER))
WAITER(wait_semaphore, bine_semaphore_acquire(all->semaphore, BINE_FOREVER))
WAITER(wait_rlock, bine_rlock_acquire(all->rlock, BINE_FOREVER))
WAITER(wait_rwlock, bine_rwlock_read_acquire(all->rwlock, BINE_FOREVER))
WAITER(wait_barrier, bine_barrier_wait(all->barrier, BINE_FOREVER))
WAITER(wait_condition, (bine_rlock_acquire(bine_condition_lock(all->condition), BINE_FOREVER),
                        bine_condition_wait(all->condition, BINE_FOREVER)))
WAITER(wait_queue, bine_queue_get(all->queue, &item, BINE_FOREVER))
WAITER(wait_channel, bine_channel_receive(all->channel, &item, BINE_FOREVER))
WAITER(wait_pool, bine_pool_join(all->pool, BINE_FOREVER))

static unsigned flags;

/* They are waited for and held when the thread ends. */
static void *make_all_and_end(void *objects)
{
    struct objects *all = objects;
    static bine_run *const waiters[] = {wait_for_event, wait_event,   wait_result,  wait_semaphore,
                                        wait_rlock,     wait_rwlock,  wait_barrier, wait_condition,
                                        wait_queue,     wait_channel, wait_pool};
    *all = (struct objects){bine_event_new(flags),           bine_async_result_new(flags),
                            bine_semaphore_new(0, flags),    bine_rlock_new(flags),
                            bine_rwlock_new(flags),          bine_barrier_new(2, flags),
                            bine_condition_new(NULL, flags), bine_queue_new(0, flags),
                            bine_channel_new(0, flags),      bine_pool_new(2, flags)};
    for (size_t i = 0; i < sizeof waiters / sizeof *waiters; i++)
        CHECK_OK(bine_go(waiters[i], objects));
    CHECK_OK(bine_sleep(2 * BINE_MS));
    return NULL;
}

static void *is_refused(void *objects)
{
    struct objects *all = objects;
    void *item = NULL;
    int expected = flags & BINE_SHARED ? ESRCH : EPERM;
    CHECK(bine_hub_get() != NULL); /* it may be given a record that another thread had */
    CHECK_ERROR(bine_event_set(all->event), expected);
    CHECK_ERROR(bine_event_wait(all->event, BINE_FOREVER), expected);
    CHECK_ERROR(bine_async_result_set(all->result, item), expected);
    CHECK_ERROR(bine_async_result_get(all->result, &item, BINE_FOREVER), expected);
    CHECK_ERROR(bine_semaphore_release(all->semaphore), expected);
    CHECK_ERROR(bine_semaphore_acquire(all->semaphore, BINE_FOREVER), expected);
    CHECK_ERROR(bine_rlock_acquire(all->rlock, BINE_FOREVER), expected);
    CHECK_ERROR(bine_rwlock_read_acquire(all->rwlock, BINE_FOREVER), expected);
    CHECK_ERROR(bine_barrier_wait(all->barrier, BINE_FOREVER), expected);
    CHECK_ERROR(bine_condition_notify(all->condition, 1), expected);
    CHECK_ERROR(bine_queue_put(all->queue, item, BINE_FOREVER), expected);
    CHECK_ERROR(bine_queue_get(all->queue, &item, BINE_FOREVER), expected);
    CHECK_ERROR(bine_channel_send(all->channel, item, BINE_FOREVER), expected);
    CHECK_ERROR(bine_pool_join(all->pool, BINE_FOREVER), expected);
    return NULL;
}

static void free_all(struct objects *all)
{
    CHECK_OK(bine_event_free(all->event));
    CHECK_OK(bine_async_result_free(all->result));
    CHECK_OK(bine_semaphore_free(all->semaphore));
    CHECK_OK(bine_rlock_free(all->rlock));
    CHECK_OK(bine_rwlock_free(all->rwlock));
    CHECK_OK(bine_barrier_free(all->barrier));
    CHECK_OK(bine_condition_free(all->condition));
    CHECK_OK(bine_queue_free(all->queue));
    CHECK_OK(bine_channel_free(all->channel));
    CHECK_OK(bine_pool_free(all->pool));
}

TEST(hazard_77_objects_of_an_ended_thread_refuse_and_can_be_freed)
{
    CHECK(bine_hub_get() != NULL);
    for (int i = 0; i < 6; i++) {
        struct objects all;
        flags = i & 1 ? BINE_SHARED : 0;
        run_in_thread(make_all_and_end, &all);
        is_refused(&all);
        run_in_thread(is_refused, &all);
        free_all(&all);
    }
}

static bine_queue *queue;
static int discarded;

static void count_discarded(void *item)
{
    discarded += item == &discarded;
}

static void *make_queue_and_end(void *arg)
{
    queue = bine_queue_new_with(
        &(bine_queue_options){.flags = BINE_SHARED, .discard = count_discarded});
    CHECK_OK(bine_queue_put(queue, &discarded, 0));
    return arg;
}

TEST(hazard_77_items_of_an_ended_threads_queue_are_discarded)
{
    run_in_thread(make_queue_and_end, NULL);
    CHECK_ERROR(bine_queue_put_nowait(queue, &discarded), ESRCH);
    CHECK_OK(bine_queue_free(queue));
    CHECK_EQ(discarded, 1);
}

static void make_and_free(bine_greenlet *g, void *arg)
{
    (void)g;
    CHECK(bine_event_new(0) == NULL && errno == ESRCH);
    CHECK_OK(bine_event_free(*(bine_event **)arg));
}

static void *forever(void *arg)
{
    bine_sleep(BINE_FOREVER);
    return arg;
}

static void *links_at_the_end(void *event)
{
    *(bine_event **)event = bine_event_new(0);
    bine_greenlet *g = bine_spawn(forever, NULL);
    CHECK_OK(bine_link(g, make_and_free, event));
    bine_detach(g);
    CHECK_OK(bine_sleep(0));
    return NULL;
}

TEST(hazard_77_a_link_at_the_end_of_the_thread_frees_its_object)
{
    bine_event *event;
    for (int i = 0; i < 3; i++)
        run_in_thread(links_at_the_end, &event);
}
