/*
 * Closing: channels by their last producer, mailboxes by anybody; what was sent before is received;
 * what is left is discarded. Fit for TSan.
 */
#include <bine.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "harness.h"

enum {
    PRODUCERS = 3,
    ITEMS = 500
};

static bine_channel *channel;
static bine_mailbox *mailbox;
static intptr_t discarded;
static int discards;

static void discard(void *item)
{
    discarded += (intptr_t)item;
    discards++;
}

/* ---- channels -------------------------------------------------------------------------------- */

static void *produce(void *arg)
{
    for (intptr_t i = 0; i < ITEMS; i++)
        CHECK_OK(bine_channel_send(channel, (void *)i, BINE_FOREVER));
    CHECK_OK(bine_channel_producer_done(channel));
    return arg;
}

static int receive_all(void)
{
    int count = 0;
    for (void *item; bine_channel_receive(channel, &item, BINE_FOREVER) == 0;)
        count++;
    CHECK_EQ(errno, EPIPE);
    return count;
}

TEST(the_last_producer_closes_the_channel)
{
    channel = bine_channel_new_with(&(bine_channel_options){.buffer = 2, .producers = 1});
    CHECK_OK(bine_channel_add_producers(channel, PRODUCERS - 1));
    bine_greenlet *all[PRODUCERS];
    for (int i = 0; i < PRODUCERS; i++)
        all[i] = bine_spawn(produce, NULL);
    CHECK_EQ(receive_all(), PRODUCERS * ITEMS);
    CHECK_OK(bine_joinall(all, PRODUCERS, BINE_FOREVER));
    CHECK(bine_channel_closed(channel));
    CHECK_ERROR(bine_channel_producer_done(channel), EINVAL);
    CHECK_ERROR(bine_channel_add_producers(channel, 1), EPIPE);
    CHECK_OK(bine_channel_free(channel));
}

TEST(producers_of_other_threads_are_counted_as_well)
{
    channel = bine_channel_new_with(
        &(bine_channel_options){.buffer = 2, .flags = BINE_SHARED, .producers = PRODUCERS});
    bine_workers *workers = bine_workers_start(PRODUCERS, produce, NULL);
    CHECK_EQ(receive_all(), PRODUCERS * ITEMS);
    CHECK_OK(bine_workers_join(workers, BINE_FOREVER));
    CHECK_OK(bine_channel_free(channel));
}

TEST(producers_that_cannot_be_counted)
{
    channel = bine_channel_new_with(NULL);
    /* Nobody is counted, and nothing closed. */
    CHECK_ERROR(bine_channel_producer_done(channel), EINVAL);
    CHECK(!bine_channel_closed(channel));
    CHECK_OK(bine_channel_add_producers(channel, SIZE_MAX));
    CHECK_ERROR(bine_channel_add_producers(channel, 1), EOVERFLOW);
    CHECK_ERROR(bine_channel_add_producers(NULL, 1), EINVAL);
    CHECK_ERROR(bine_channel_producer_done(NULL), EINVAL);
    CHECK_EQ(bine_channel_new_with(&(bine_channel_options){.flags = 2}), NULL);
    CHECK_EQ(errno, EINVAL);
    CHECK_OK(bine_channel_free(channel));
}

static void *wait_for_room(void *arg)
{
    CHECK_ERROR(bine_channel_send(channel, (void *)100, BINE_FOREVER), ECANCELED);
    return arg;
}

TEST(what_is_left_in_a_channel_is_discarded_when_it_is_freed)
{
    channel = bine_channel_new_with(&(bine_channel_options){.buffer = 3, .discard = discard});
    for (intptr_t i = 1; i <= 3; i++)
        CHECK_OK(bine_channel_send(channel, (void *)i, 0));
    bine_greenlet *g = bine_spawn(wait_for_room, NULL);
    CHECK_OK(bine_sleep(0));
    CHECK_ERROR(bine_channel_free(channel), EBUSY);
    CHECK_EQ(discards, 0);
    CHECK_OK(bine_kill(g));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_OK(bine_channel_close(channel));
    CHECK_OK(bine_channel_free(channel));
    CHECK_EQ(discards, 3);
    CHECK_EQ(discarded, 6); /* what its sender still had is not among it */
}

static void *leave_channel(void *arg)
{
    channel = bine_channel_new_with(
        &(bine_channel_options){.buffer = 3, .flags = BINE_SHARED, .discard = discard});
    CHECK_OK(bine_channel_send(channel, (void *)7, 0));
    return arg;
}

TEST(what_is_left_of_a_thread_that_has_ended_is_discarded_too)
{
    CHECK_OK(bine_workers_run(1, leave_channel, NULL));
    CHECK_EQ(discards, 0);
    CHECK_OK(bine_channel_free(channel));
    CHECK_EQ(discards, 1);
}

/* ---- mailboxes ------------------------------------------------------------------------------- */

static bine_greenlet *receive_in_greenlet(bine_run *run)
{
    bine_greenlet *g = bine_spawn(run, NULL);
    CHECK(g != NULL);
    CHECK_OK(bine_sleep(0));
    return g;
}

static void *expect_the_end(void *arg)
{
    void *item;
    CHECK_ERROR(bine_mailbox_receive(mailbox, &item, BINE_FOREVER), EPIPE);
    return arg;
}

TEST(a_closed_mailbox_is_emptied_first_and_then_says_so)
{
    void *item;
    mailbox = bine_mailbox_new(4);
    CHECK(!bine_mailbox_closed(mailbox));
    CHECK_OK(bine_mailbox_send(mailbox, (void *)1, 0));
    CHECK_OK(bine_mailbox_send(mailbox, (void *)2, 0));
    CHECK_OK(bine_mailbox_close(mailbox));
    CHECK_OK(bine_mailbox_close(mailbox));
    CHECK(bine_mailbox_closed(mailbox));
    CHECK_ERROR(bine_mailbox_send(mailbox, NULL, BINE_FOREVER), EPIPE);
    CHECK_ERROR(bine_mailbox_send(mailbox, NULL, 0), EPIPE);
    CHECK_ERROR(bine_mailbox_send_nowait(mailbox, NULL), EPIPE);
    CHECK_OK(bine_mailbox_receive(mailbox, &item, BINE_FOREVER));
    CHECK_EQ(item, (void *)1);
    CHECK_OK(bine_mailbox_receive(mailbox, &item, 0));
    CHECK_EQ(item, (void *)2);
    CHECK_ERROR(bine_mailbox_receive(mailbox, &item, BINE_FOREVER), EPIPE);
    CHECK_ERROR(bine_mailbox_receive(mailbox, &item, 0), EPIPE);
    void *objects[] = {mailbox};
    CHECK_EQ(bine_wait(objects, 1, NULL, 1, 0), 1);
    bine_choice choice = {BINE_CHOOSE_RECEIVE, mailbox, NULL, 0};
    CHECK_EQ(bine_choose(&choice, 1, BINE_FOREVER), 0);
    CHECK_EQ(choice.error, EPIPE);
    CHECK_ERROR(bine_mailbox_close(NULL), EINVAL);
    CHECK_OK(bine_mailbox_free(mailbox));
}

static void *watch_the_end(void *arg)
{
    void *objects[] = {mailbox};
    CHECK_EQ(bine_wait(objects, 1, NULL, 1, BINE_FOREVER), 1);
    return arg;
}

static void *choose_the_end(void *arg)
{
    bine_choice choice = {BINE_CHOOSE_RECEIVE, mailbox, NULL, 0};
    CHECK_EQ(bine_choose(&choice, 1, BINE_FOREVER), 0);
    CHECK_EQ(choice.error, EPIPE);
    return arg;
}

static void *close_it(void *arg)
{
    CHECK_OK(bine_mailbox_close(mailbox));
    return arg;
}

TEST(a_close_by_another_thread_wakes_all_who_wait_to_receive)
{
    mailbox = bine_mailbox_new(4);
    bine_greenlet *all[] = {receive_in_greenlet(expect_the_end),
                            receive_in_greenlet(choose_the_end), receive_in_greenlet(watch_the_end),
                            receive_in_greenlet(expect_the_end)};
    pthread_t thread; /* without a hub */
    CHECK_EQ(pthread_create(&thread, NULL, close_it, NULL), 0);
    CHECK_OK(bine_joinall(all, 4, BINE_FOREVER));
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_OK(bine_mailbox_free(mailbox));
}

static void *send_into_the_full(void *arg)
{
    CHECK_ERROR(bine_mailbox_send(mailbox, (void *)9, BINE_FOREVER), EPIPE);
    return arg;
}

TEST(a_close_wakes_all_who_wait_to_send)
{
    void *item;
    mailbox = bine_mailbox_new(2);
    CHECK_OK(bine_mailbox_send(mailbox, (void *)1, 0));
    CHECK_OK(bine_mailbox_send(mailbox, (void *)2, 0));
    bine_workers *workers = bine_workers_start(PRODUCERS, send_into_the_full, NULL);
    bine_greenlet *g = receive_in_greenlet(send_into_the_full);
    CHECK_OK(bine_sleep(5 * BINE_MS));
    CHECK_OK(bine_mailbox_close(mailbox));
    CHECK_OK(bine_workers_join(workers, BINE_FOREVER));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_OK(bine_mailbox_receive(mailbox, &item, 0));
    CHECK_OK(bine_mailbox_receive(mailbox, &item, 0));
    CHECK_EQ(item, (void *)2);
    CHECK_ERROR(bine_mailbox_receive(mailbox, &item, 0), EPIPE);
    CHECK_OK(bine_mailbox_free(mailbox));
}

static atomic_long sent;

static void *send_until_closed(void *arg)
{
    for (;;) {
        int failed = (intptr_t)arg ? bine_mailbox_send_nowait(mailbox, (void *)1)
                                   : bine_mailbox_send(mailbox, (void *)1, BINE_FOREVER);
        if (!failed) {
            atomic_fetch_add(&sent, 1);
        } else if (errno == EPIPE) {
            return NULL;
        } else {
            CHECK_EQ(errno, EAGAIN);
        }
    }
}

/* Whatever a send said was sent before the close is received before the end is told. */
TEST(a_close_among_sends_loses_nothing, .seconds = 60)
{
    for (int round = 0; round < 200; round++) {
        mailbox = bine_mailbox_new(1u << round % 8);
        atomic_store(&sent, 0);
        bine_workers *workers =
            bine_workers_start(2, send_until_closed, (void *)(intptr_t)(round % 2));
        long received = 0;
        int left = round * 7 % 300;
        for (void *item; bine_mailbox_receive(mailbox, &item, BINE_FOREVER) == 0; received++)
            if (left-- == 0)
                CHECK_OK(bine_mailbox_close(mailbox));
        CHECK_EQ(errno, EPIPE);
        CHECK_OK(bine_workers_join(workers, BINE_FOREVER));
        CHECK_EQ(received, atomic_load(&sent));
        CHECK_OK(bine_mailbox_free(mailbox));
    }
}

TEST(what_is_left_in_a_mailbox_is_discarded_when_it_is_freed)
{
    mailbox = bine_mailbox_new_with(&(bine_mailbox_options){.capacity = 4, .discard = discard});
    CHECK_OK(bine_mailbox_send_nowait(mailbox, (void *)3));
    CHECK_OK(bine_mailbox_send_nowait(mailbox, (void *)4));
    CHECK_OK(bine_mailbox_free(mailbox));
    CHECK_EQ(discards, 2);
    CHECK_EQ(discarded, 7);
    CHECK_EQ(bine_mailbox_new_with(NULL), NULL);
    CHECK_EQ(errno, EINVAL);
    CHECK_EQ(bine_mailbox_new_with(&(bine_mailbox_options){.discard = discard}), NULL);
    CHECK_EQ(errno, EINVAL);
}

/* ---- discards that give again ---------------------------------------------------------------- */

static bine_channel *freed;
static int sent_again;

static void send_again(void *item)
{
    if (++discards > 100)
        return; /* so that this test ends where freeing does not */
    int result = freed ? bine_channel_send(freed, item, 0) : bine_mailbox_send(mailbox, item, 0);
    CHECK(result == 0 || errno == EPIPE);
    sent_again += result == 0;
}

TEST(hazard_102_a_discard_that_sends_again_is_refused)
{
    freed = bine_channel_new_with(&(bine_channel_options){.buffer = 4, .discard = send_again});
    CHECK_OK(bine_channel_send(freed, &sent_again, 0));
    CHECK_OK(bine_channel_send(freed, &sent_again, 0));
    CHECK_OK(bine_channel_free(freed));
    freed = NULL;
    CHECK_EQ(discards, 2);
    mailbox = bine_mailbox_new_with(&(bine_mailbox_options){.capacity = 4, .discard = send_again});
    CHECK_OK(bine_mailbox_send(mailbox, &sent_again, 0));
    CHECK_OK(bine_mailbox_send(mailbox, &sent_again, 0));
    CHECK_OK(bine_mailbox_free(mailbox));
    CHECK_EQ(discards, 4);
    CHECK_EQ(sent_again, 0);
}
