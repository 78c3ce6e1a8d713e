/* After fork the child's objects have forgotten the waiters that did not come along. */
#include <bine.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

static bine_event *event;
static bine_queue *queue, *full;
static bine_channel *channel;
static bine_semaphore *semaphore;
static bine_barrier *barrier;
static bine_pool *pool;
static bine_mailbox *mailbox;
static int woken;

static void *wait_event(void *arg)
{
    woken += bine_event_wait(event, BINE_FOREVER) == 0;
    return NULL;
}

static void *get(void *arg)
{
    void *item;
    woken += bine_queue_get(queue, &item, BINE_FOREVER) == 0;
    return NULL;
}

static void *put(void *arg)
{
    woken += bine_queue_put(full, (void *)2, BINE_FOREVER) == 0;
    return NULL;
}

static void *receive(void *arg)
{
    void *item;
    woken += bine_channel_receive(channel, &item, BINE_FOREVER) == 0;
    return NULL;
}

static void *acquire(void *arg)
{
    woken += bine_semaphore_acquire(semaphore, BINE_FOREVER) == 0;
    return NULL;
}

static void *come(void *arg)
{
    woken += bine_barrier_wait(barrier, BINE_FOREVER) >= 0;
    return NULL;
}

static void *receive_mail(void *arg)
{
    void *item;
    woken += bine_mailbox_receive(mailbox, &item, BINE_FOREVER) == 0;
    return NULL;
}

/* Everything in the child finds the objects without waiters, and works. */
static void use_objects(void)
{
    void *item;
    CHECK_OK(bine_event_set(event));
    CHECK_OK(bine_queue_put(queue, (void *)1, 0));
    CHECK_EQ(bine_queue_size(queue), 1u);
    CHECK_OK(bine_queue_get(full, &item, 0));
    CHECK_EQ((intptr_t)item, 1);
    CHECK_EQ(bine_queue_size(full), 0u);
    CHECK_ERROR(bine_channel_send(channel, NULL, 0), ETIMEDOUT);
    CHECK_OK(bine_semaphore_release(semaphore));
    CHECK_EQ(bine_semaphore_permits(semaphore), 1u);
    CHECK_EQ(bine_barrier_waiting(barrier), 0u);
    CHECK_EQ(bine_pool_count(pool), 0u);
    CHECK(bine_pool_spawn_at(pool, wait_event, NULL, 0, BINE_SITE(wait_event)) != NULL);
    CHECK_OK(bine_pool_join(pool, BINE_FOREVER));
    CHECK_EQ(woken, 1);
    CHECK_OK(bine_mailbox_send(mailbox, (void *)3, 0));
    CHECK_OK(bine_mailbox_receive(mailbox, &item, 0));
    CHECK_OK(bine_event_free(event));
    CHECK_OK(bine_queue_free(queue));
    CHECK_OK(bine_queue_free(full));
    CHECK_OK(bine_channel_free(channel));
    CHECK_OK(bine_semaphore_free(semaphore));
    CHECK_OK(bine_barrier_free(barrier));
    CHECK_OK(bine_pool_free(pool));
    CHECK_OK(bine_mailbox_free(mailbox));
}

TEST(hazard_25_a_forked_childs_objects_forget_the_waiters_left_behind)
{
    event = bine_event_new(BINE_SHARED);
    queue = bine_queue_new(0, BINE_SHARED);
    full = bine_queue_new(1, 0);
    channel = bine_channel_new(0, 0);
    semaphore = bine_semaphore_new(0, 0);
    barrier = bine_barrier_new(2, 0);
    pool = bine_pool_new(1, 0);
    mailbox = bine_mailbox_new(4);
    CHECK_OK(bine_queue_put(full, (void *)1, 0));
    bine_greenlet *all[] = {bine_spawn(get, NULL),     bine_spawn(put, NULL),
                            bine_spawn(receive, NULL), bine_spawn(acquire, NULL),
                            bine_spawn(come, NULL),    bine_spawn(receive_mail, NULL)};
    CHECK(bine_pool_spawn(pool, wait_event, NULL) != NULL);
    CHECK_OK(bine_sleep(0));
    pid_t child = fork();
    if (child == 0) {
        use_objects();
        _exit(0);
    }
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    /* The parent's have not noticed. */
    void *item;
    CHECK_OK(bine_event_set(event));
    CHECK_OK(bine_queue_put(queue, NULL, 0));
    CHECK_OK(bine_queue_get(full, &item, 0));
    CHECK_OK(bine_channel_send(channel, NULL, 0));
    CHECK_OK(bine_semaphore_release(semaphore));
    CHECK_OK(bine_barrier_wait(barrier, BINE_FOREVER) - 1);
    CHECK_OK(bine_mailbox_send(mailbox, NULL, 0));
    CHECK_OK(bine_joinall(all, 6, BINE_FOREVER));
    CHECK_OK(bine_pool_join(pool, BINE_FOREVER));
    CHECK_EQ(woken, 7);
}
