/* Channels, and choosing among operations. */
#include <bine.h>

#include "harness.h"

static bine_channel *channel;
static intptr_t log_[64];
static int logged;

static void *send_three(void *arg)
{
    for (intptr_t i = 1; i <= 3; i++) {
        CHECK_OK(bine_channel_send(channel, (void *)i, BINE_FOREVER));
        log_[logged++] = i;
    }
    return NULL;
}

TEST(channel_send_returns_when_it_was_received)
{
    channel = bine_channel_new(0, 0);
    void *item;
    CHECK_ERROR(bine_channel_send(channel, NULL, 0), ETIMEDOUT);
    CHECK_ERROR(bine_channel_receive(channel, &item, 0), ETIMEDOUT);
    bine_greenlet *g = bine_spawn(send_three, NULL);
    bine_sleep(0);
    CHECK(bine_channel_has_sender(channel));
    CHECK_EQ(logged, 0);
    CHECK_ERROR(bine_channel_free(channel), EBUSY);
    for (intptr_t i = 1; i <= 3; i++) {
        CHECK_OK(bine_channel_receive(channel, &item, BINE_FOREVER));
        CHECK_EQ((intptr_t)item, i);
        bine_sleep(0);
        CHECK_EQ(logged, i);
    }
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_OK(bine_channel_free(channel));
}

TEST(channel_buffer_takes_so_many_without_waiting)
{
    channel = bine_channel_new(2, 0);
    void *item;
    bine_greenlet *g = bine_spawn(send_three, NULL);
    bine_sleep(0);
    CHECK_EQ(logged, 2);
    CHECK_EQ(bine_channel_size(channel), 2u);
    CHECK(bine_channel_has_sender(channel));
    for (intptr_t i = 1; i <= 3; i++) {
        CHECK_OK(bine_channel_receive(channel, &item, 0));
        CHECK_EQ((intptr_t)item, i);
    }
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_OK(bine_channel_free(channel));
}

static void *receive_until_closed(void *arg)
{
    void *item;
    while (bine_channel_receive(channel, &item, BINE_FOREVER) == 0)
        log_[logged++] = (intptr_t)item;
    return (void *)(intptr_t)errno;
}

static void *send_one(void *arg)
{
    return (void *)(intptr_t)(bine_channel_send(channel, arg, BINE_FOREVER) == 0 ? 0 : errno);
}

TEST(channel_close_ends_both_sides)
{
    void *value;
    channel = bine_channel_new(0, 0);
    bine_greenlet *g = bine_spawn(receive_until_closed, NULL);
    bine_sleep(0);
    CHECK(bine_channel_has_receiver(channel));
    CHECK_OK(bine_channel_send(channel, (void *)1, 0));
    bine_sleep(0);
    CHECK_OK(bine_channel_close(channel));
    CHECK_OK(bine_channel_close(channel));
    CHECK(bine_channel_closed(channel));
    CHECK_OK(bine_join(g, &value, BINE_FOREVER));
    CHECK_EQ((intptr_t)value, EPIPE);
    CHECK_EQ(logged, 1);
    CHECK_ERROR(bine_channel_send(channel, NULL, BINE_FOREVER), EPIPE);
    CHECK_OK(bine_channel_free(channel));

    channel = bine_channel_new(1, 0);
    CHECK_OK(bine_channel_send(channel, (void *)9, 0));
    g = bine_spawn(send_one, (void *)1);
    bine_sleep(0);
    CHECK_OK(bine_channel_close(channel));
    CHECK_OK(bine_join(g, &value, BINE_FOREVER));
    CHECK_EQ((intptr_t)value, EPIPE);
    CHECK_OK(bine_channel_receive(channel, &value, 0));
    CHECK_EQ((intptr_t)value, 9);
    CHECK_ERROR(bine_channel_receive(channel, &value, 0), EPIPE);
    CHECK_OK(bine_channel_free(channel));
}

TEST(channel_item_of_a_killed_sender_is_not_received)
{
    void *value;
    channel = bine_channel_new(0, 0);
    bine_greenlet *killed = bine_spawn(send_one, (void *)1),
                  *other = bine_spawn(send_one, (void *)2);
    bine_sleep(0);
    CHECK_OK(bine_kill(killed));
    CHECK_OK(bine_channel_receive(channel, &value, 0));
    CHECK_EQ((intptr_t)value, 2);
    CHECK_OK(bine_join(killed, &value, BINE_FOREVER));
    CHECK_EQ((intptr_t)value, ECANCELED);
    CHECK_OK(bine_join(other, &value, BINE_FOREVER));
    CHECK_EQ((intptr_t)value, 0);
    CHECK_OK(bine_channel_free(channel));
}

TEST(channel_bad_arguments)
{
    void *item;
    channel = bine_channel_new(0, 0);
    CHECK_ERROR(bine_channel_new(0, ~BINE_SHARED), EINVAL);
    CHECK_ERROR(bine_channel_send(NULL, NULL, 0), EINVAL);
    CHECK_ERROR(bine_channel_send(channel, NULL, -1), EINVAL);
    CHECK_ERROR(bine_channel_receive(channel, NULL, 0), EINVAL);
    CHECK_ERROR(bine_channel_receive(NULL, &item, 0), EINVAL);
    CHECK_ERROR(bine_channel_close(NULL), EINVAL);
    CHECK_OK(bine_channel_free(NULL));
    CHECK_OK(bine_channel_free(channel));
}

/* ---- choose ---------------------------------------------------------------------------------- */

static bine_channel *a, *b;
static bine_queue *queue;
static bine_semaphore *semaphore;
static bine_event *event;

static void setup(void)
{
    a = bine_channel_new(0, 0);
    b = bine_channel_new(0, 0);
    queue = bine_queue_new(1, 0);
    semaphore = bine_semaphore_new(0, 0);
    event = bine_event_new(0);
}

static void teardown(void)
{
    CHECK_OK(bine_channel_free(a));
    CHECK_OK(bine_channel_free(b));
    CHECK_OK(bine_queue_free(queue));
    CHECK_OK(bine_semaphore_free(semaphore));
    CHECK_OK(bine_event_free(event));
}

static void *choose_all(void *arg)
{
    bine_choice choices[] = {
        {BINE_CHOOSE_RECEIVE, a, NULL, 0},   {BINE_CHOOSE_SEND, b, (void *)77, 0},
        {BINE_CHOOSE_GET, queue, NULL, 0},   {BINE_CHOOSE_ACQUIRE, semaphore, NULL, 0},
        {BINE_CHOOSE_READY, event, NULL, 0}, {BINE_CHOOSE_RECEIVE, NULL, NULL, 0},
    };
    ssize_t taken = bine_choose_first(choices, 6, (int64_t)(intptr_t)arg);
    log_[logged++] = taken >= 0 ? (intptr_t)choices[taken].item : -errno;
    return (void *)taken;
}

TEST(choose_does_exactly_one_of_its_operations)
{
    setup();
    void *taken, *item;
    for (intptr_t which = 0; which < 5; which++) {
        logged = 0;
        bine_greenlet *g = bine_spawn(choose_all, (void *)BINE_FOREVER);
        bine_sleep(0);
        CHECK_ERROR(bine_channel_free(a), EBUSY);
        if (which == 0)
            CHECK_OK(bine_channel_send(a, (void *)10, 0));
        if (which == 1) {
            CHECK_OK(bine_channel_receive(b, &item, 0));
            CHECK_EQ((intptr_t)item, 77);
        }
        if (which == 2)
            CHECK_OK(bine_queue_put(queue, (void *)12, 0));
        if (which == 3)
            CHECK_OK(bine_semaphore_release(semaphore));
        if (which == 4)
            CHECK_OK(bine_event_set(event));
        /* It has chosen: the others do not find it any more. */
        CHECK_ERROR(bine_channel_send(a, NULL, 0), ETIMEDOUT);
        CHECK_ERROR(bine_channel_receive(b, &item, 0), ETIMEDOUT);
        CHECK_OK(bine_join(g, &taken, BINE_FOREVER));
        CHECK_EQ((intptr_t)taken, which);
        if (which != 3 && which != 4)
            CHECK_EQ(log_[0], (which == 0 ? 10 : which == 1 ? 77 : 12));
    }
    teardown();
}

TEST(choose_first_takes_the_first_that_can_go_and_has_a_default)
{
    setup();
    CHECK_EQ((intptr_t)choose_all((void *)0), -1);
    CHECK_EQ(log_[0], -ETIMEDOUT);
    CHECK_EQ((intptr_t)choose_all((void *)BINE_MS), -1);
    CHECK_EQ(log_[1], -ETIMEDOUT);
    CHECK_OK(bine_event_set(event));
    CHECK_OK(bine_semaphore_release(semaphore));
    CHECK_EQ((intptr_t)choose_all((void *)0), 3);
    CHECK_EQ((intptr_t)choose_all((void *)0), 4);
    teardown();
}

enum {
    DRAWS = 4000
};

static void *choose_often(void *counts)
{
    bine_choice choices[] = {{BINE_CHOOSE_READY, event, NULL, 0},
                             {BINE_CHOOSE_READY, NULL, NULL, 0},
                             {BINE_CHOOSE_READY, event, NULL, 0},
                             {BINE_CHOOSE_ACQUIRE, semaphore, NULL, 0}};
    for (int i = 0; i < DRAWS; i++) {
        ssize_t taken = bine_choose(choices, 4, BINE_FOREVER);
        ((int *)counts)[taken]++;
        if (taken == 3)
            CHECK_OK(bine_semaphore_release(semaphore));
        bine_sleep(0);
    }
    return NULL;
}

TEST(choose_lets_none_starve_however_many_choose_in_turns)
{
    setup();
    CHECK_OK(bine_event_set(event));
    CHECK_OK(bine_semaphore_release(semaphore));
    int counts[3][4] = {0};
    bine_greenlet *all[3];
    for (int i = 0; i < 3; i++)
        all[i] = bine_spawn(choose_often, counts[i]);
    CHECK_OK(bine_joinall(all, 3, BINE_FOREVER));
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(counts[i][1], 0);
        for (int k = 0; k < 4; k++)
            CHECK(k == 1 || (counts[i][k] > DRAWS / 6 && counts[i][k] < DRAWS / 2));
    }
    /* In order it is always the first. */
    bine_choice choices[] = {{BINE_CHOOSE_READY, event, NULL, 0},
                             {BINE_CHOOSE_READY, event, NULL, 0}};
    for (int i = 0; i < 100; i++)
        CHECK_EQ(bine_choose_first(choices, 2, 0), 0);
    teardown();
}

TEST(choose_tells_of_closed_channels)
{
    setup();
    bine_choice choices[] = {{BINE_CHOOSE_RECEIVE, a, NULL, 0}, {BINE_CHOOSE_SEND, b, NULL, 0}};
    CHECK_OK(bine_channel_close(b));
    CHECK_EQ(bine_choose(choices, 2, BINE_FOREVER), 1);
    CHECK_EQ(choices[1].error, EPIPE);
    teardown();
}

TEST(choose_between_choosers)
{
    /* One chooses to send, the other to receive, on the same two channels. */
    setup();
    bine_greenlet *g = bine_spawn(choose_all, (void *)BINE_FOREVER);
    bine_sleep(0);
    bine_choice choices[] = {{BINE_CHOOSE_RECEIVE, b, NULL, 0},
                             {BINE_CHOOSE_SEND, a, (void *)5, 0}};
    CHECK_EQ(bine_choose(choices, 2, BINE_FOREVER), 0);
    CHECK_EQ(choices[0].item, (void *)77);
    void *taken;
    CHECK_OK(bine_join(g, &taken, BINE_FOREVER));
    CHECK_EQ((intptr_t)taken, 1);
    teardown();
}

TEST(choose_many_and_bad_arguments)
{
    setup();
    bine_choice many[40];
    for (int i = 0; i < 40; i++)
        many[i] = (bine_choice){BINE_CHOOSE_RECEIVE, i % 2 ? a : b, NULL, 0};
    CHECK_ERROR(bine_choose(many, 40, BINE_MS), ETIMEDOUT);
    CHECK_ERROR(bine_choose(NULL, 1, 0), EINVAL);
    CHECK_ERROR(bine_choose(many, 1, -1), EINVAL);
    CHECK_ERROR(bine_choose(NULL, 0, BINE_MS), ETIMEDOUT);
    many[0].operation = BINE_CHOOSE_GET; /* a channel is no queue */
    CHECK_ERROR(bine_choose(many, 1, 0), EINVAL);
    many[0].operation = 99;
    CHECK_ERROR(bine_choose(many, 1, 0), EINVAL);
    teardown();
}
