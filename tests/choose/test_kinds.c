/* Each kind of operation that bine_choose knows beside those of test_channel.c: alone, ready and
 * not, and mixed with others. */
#include <bine.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness.h"

static void *nap(void *value)
{
    CHECK_OK(bine_sleep(2 * BINE_MS));
    return value;
}

static void *fail(void *error)
{
    bine_fail((int)(intptr_t)error);
}

TEST(choose_joins_the_greenlet_that_ends_first)
{
    bine_greenlet *slow = bine_spawn(nap, (void *)1), *never = bine_spawn(nap, (void *)2);
    CHECK_OK(bine_kill(never));
    bine_choice choices[] = {{BINE_CHOOSE_JOIN, slow, NULL, 0}, {BINE_CHOOSE_JOIN, never, NULL, 0}};
    /* It has ended already, without having begun. */
    CHECK_EQ(bine_choose(choices, 2, 0), 1);
    CHECK_EQ(choices[1].error, ECANCELED);
    CHECK_EQ(choices[1].item, NULL);
    choices[1].object = NULL;
    CHECK_ERROR(bine_choose(choices, 2, 0), ETIMEDOUT);
    CHECK_ERROR(bine_choose(choices, 2, BINE_MS), ETIMEDOUT); /* the reference is still there */
    CHECK_EQ(bine_choose(choices, 2, BINE_FOREVER), 0);
    CHECK_EQ(choices[0].item, (void *)1);
    CHECK_EQ(choices[0].error, 0);
}

TEST(choose_tells_how_a_greenlet_failed_even_if_for_want_of_memory)
{
    bine_greenlet *g = bine_spawn(fail, (void *)ENOMEM);
    bine_choice choice = {BINE_CHOOSE_JOIN, g, NULL, 0};
    CHECK_EQ(bine_choose(&choice, 1, BINE_FOREVER), 0);
    CHECK_EQ(choice.error, ENOMEM);
}

TEST(choose_does_not_join_oneself_nor_what_is_no_greenlet)
{
    bine_event *event = bine_event_new(0);
    bine_choice self = {BINE_CHOOSE_JOIN, bine_getcurrent(), NULL, 0},
                other = {BINE_CHOOSE_JOIN, event, NULL, 0};
    CHECK_ERROR(bine_choose(&self, 1, 0), EDEADLK);
    CHECK_ERROR(bine_choose(&other, 1, 0), EINVAL);
    CHECK_OK(bine_event_free(event));
}

static int ends[2];

static void *write_later(void *arg)
{
    CHECK_OK(bine_sleep(2 * BINE_MS));
    CHECK_EQ(bine_write(ends[1], "x", 1), 1);
    return arg;
}

TEST(choose_sees_a_descriptor_become_readable)
{
    bine_queue *queue = bine_queue_new(1, 0);
    CHECK_EQ(pipe(ends), 0);
    bine_choice choices[] = {{BINE_CHOOSE_READABLE, &ends[0], NULL, 0},
                             {BINE_CHOOSE_GET, queue, NULL, 0}};
    CHECK_ERROR(bine_choose(choices, 2, 0), ETIMEDOUT);
    CHECK_ERROR(bine_choose(choices, 2, BINE_MS), ETIMEDOUT);
    bine_greenlet *g = bine_spawn(write_later, NULL);
    CHECK_EQ(bine_choose(choices, 2, BINE_FOREVER), 0);
    CHECK_EQ(choices[0].error, 0);
    CHECK_EQ(bine_choose_first(choices, 2, 0), 0); /* nothing was taken */
    CHECK_OK(bine_queue_put(queue, g, 0));
    choices[0].object = NULL;
    CHECK_EQ(bine_choose_first(choices, 2, 0), 1);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_OK(bine_queue_free(queue));
    close(ends[0]);
    close(ends[1]);
}

static void *read_later(void *arg)
{
    static char bytes[1 << 20];
    CHECK_OK(bine_sleep(2 * BINE_MS));
    CHECK_GT(bine_read(ends[0], bytes, sizeof bytes), 0);
    return arg;
}

TEST(choose_sees_a_descriptor_become_writable)
{
    char bytes[4096] = {0};
    CHECK_EQ(pipe2(ends, O_NONBLOCK), 0);
    bine_choice choice = {BINE_CHOOSE_WRITABLE, &ends[1], NULL, 0};
    CHECK_EQ(bine_choose(&choice, 1, 0), 0);
    while (write(ends[1], bytes, sizeof bytes) > 0)
        continue;
    CHECK_ERROR(bine_choose(&choice, 1, 0), ETIMEDOUT);
    bine_greenlet *g = bine_spawn(read_later, NULL);
    CHECK_EQ(bine_choose(&choice, 1, BINE_FOREVER), 0);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    close(ends[0]);
    close(ends[1]);
}

static void *close_later(void *arg)
{
    CHECK_OK(bine_sleep(2 * BINE_MS));
    CHECK_OK(bine_close(ends[0]));
    return arg;
}

TEST(choose_tells_of_descriptors_that_are_none_or_closed_meanwhile)
{
    int none = -1, closed = 999;
    bine_choice choices[] = {{BINE_CHOOSE_READABLE, &none, NULL, 0},
                             {BINE_CHOOSE_WRITABLE, &closed, NULL, 0}};
    CHECK_EQ(bine_choose_first(choices, 2, BINE_FOREVER), 0);
    CHECK_EQ(choices[0].error, EBADF);
    CHECK_EQ(bine_choose_first(choices + 1, 1, BINE_FOREVER), 0);
    CHECK_EQ(choices[1].error, EBADF);
    CHECK_EQ(pipe(ends), 0);
    bine_greenlet *g = bine_spawn(close_later, NULL);
    choices[0].object = &ends[0];
    CHECK_EQ(bine_choose(choices, 1, BINE_FOREVER), 0);
    CHECK_EQ(choices[0].error, EBADF);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    close(ends[1]);
}

TEST(choose_finds_a_file_always_ready)
{
    FILE *file = tmpfile();
    int fd = fileno(file);
    bine_choice choice = {BINE_CHOOSE_READABLE, &fd, NULL, 0};
    CHECK_EQ(bine_choose(&choice, 1, BINE_FOREVER), 0);
    CHECK_EQ(choice.error, 0);
    fclose(file);
}

TEST(choose_knows_the_time)
{
    bine_channel *channel = bine_channel_new(0, 0);
    int64_t soon = bine_deadline(50 * BINE_MS * harness_slower()),
            later = bine_deadline(100 * BINE_SECOND), never = BINE_FOREVER;
    bine_choice choices[] = {{BINE_CHOOSE_RECEIVE, channel, NULL, 0},
                             {BINE_CHOOSE_TIMER, &later, NULL, 0},
                             {BINE_CHOOSE_TIMER, &never, NULL, 0},
                             {BINE_CHOOSE_TIMER, &soon, NULL, 0}};
    CHECK_ERROR(bine_choose(choices, 4, 0), ETIMEDOUT);
    CHECK_EQ(bine_choose(choices, 4, BINE_FOREVER), 3);
    CHECK_EQ(bine_left(soon), 0);
    CHECK_EQ(bine_choose(choices, 4, 0), 3); /* its time stays over */
    CHECK_EQ(bine_choose(choices, 4, BINE_FOREVER), 3);
    /* The limit of the call comes before the timer. */
    CHECK_ERROR(bine_choose(choices, 3, BINE_MS), ETIMEDOUT);
    CHECK_OK(bine_channel_free(channel));
}

static bine_mailbox *mailbox;

static void *send_mail(void *item)
{
    CHECK_OK(bine_mailbox_send(mailbox, item, BINE_FOREVER));
    return NULL;
}

TEST(choose_receives_from_a_mailbox)
{
    mailbox = bine_mailbox_new(2);
    int64_t late = bine_deadline(10 * BINE_SECOND);
    bine_choice choices[] = {{BINE_CHOOSE_RECEIVE, mailbox, NULL, 0},
                             {BINE_CHOOSE_TIMER, &late, NULL, 0}};
    CHECK_ERROR(bine_choose(choices, 2, 0), ETIMEDOUT);
    CHECK_ERROR(bine_choose(choices, 2, BINE_MS), ETIMEDOUT);
    bine_workers *workers = bine_workers_start(1, send_mail, (void *)7);
    CHECK_EQ(bine_choose(choices, 2, BINE_FOREVER), 0);
    CHECK_EQ(choices[0].item, (void *)7);
    CHECK_OK(bine_workers_join(workers, BINE_FOREVER));
    CHECK_OK(bine_mailbox_send_nowait(mailbox, (void *)8));
    CHECK_EQ(bine_choose(choices, 2, 0), 0);
    CHECK_EQ(choices[0].item, (void *)8);
    choices[0].operation = BINE_CHOOSE_SEND;
    CHECK_ERROR(bine_choose(choices, 2, 0), EINVAL);
    CHECK_OK(bine_mailbox_free(mailbox));
}

static bine_rlock *lock;

static void *hold(void *arg)
{
    CHECK_OK(bine_rlock_acquire(lock, BINE_FOREVER));
    CHECK_OK(bine_sleep(2 * BINE_MS));
    CHECK_OK(bine_rlock_release(lock));
    return arg;
}

TEST(choose_acquires_a_lock)
{
    lock = bine_rlock_new(0);
    bine_choice choice = {BINE_CHOOSE_ACQUIRE, lock, NULL, 0};
    CHECK_EQ(bine_choose(&choice, 1, 0), 0);
    CHECK_EQ(bine_choose(&choice, 1, 0), 0); /* again */
    CHECK(bine_rlock_owned(lock));
    CHECK_OK(bine_rlock_release(lock));
    CHECK_OK(bine_rlock_release(lock));
    CHECK(!bine_rlock_locked(lock));
    bine_greenlet *g = bine_spawn(hold, NULL);
    CHECK_OK(bine_sleep(0));
    CHECK_ERROR(bine_choose(&choice, 1, 0), ETIMEDOUT);
    CHECK_EQ(bine_choose(&choice, 1, BINE_FOREVER), 0);
    CHECK(bine_rlock_owned(lock));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_OK(bine_rlock_release(lock));
    CHECK(!bine_rlock_locked(lock));
    CHECK_OK(bine_rlock_free(lock));
}

TEST(choose_sees_a_signal)
{
    bine_event *term = bine_signal_event_new(SIGTERM);
    int64_t soon = bine_deadline(BINE_MS);
    bine_choice choices[] = {{BINE_CHOOSE_READY, term, NULL, 0},
                             {BINE_CHOOSE_TIMER, &soon, NULL, 0}};
    CHECK_EQ(bine_choose(choices, 2, BINE_FOREVER), 1);
    choices[1].object = NULL;
    raise(SIGTERM);
    CHECK_EQ(bine_choose(choices, 2, BINE_FOREVER), 0);
    CHECK_OK(bine_event_clear(term));
    CHECK_ERROR(bine_choose(choices, 2, 0), ETIMEDOUT);
    CHECK_OK(bine_signal_event_free(term));
}

TEST(choose_draws_among_what_is_ready_of_all_kinds_and_keeps_to_the_order_if_asked)
{
    enum {
        DRAWS = 2000
    };
    CHECK_EQ(pipe(ends), 0);
    bine_semaphore *semaphore = bine_semaphore_new(DRAWS, 0);
    int64_t past = 1;
    bine_choice choices[] = {{BINE_CHOOSE_WRITABLE, &ends[1], NULL, 0},
                             {BINE_CHOOSE_ACQUIRE, semaphore, NULL, 0},
                             {BINE_CHOOSE_TIMER, &past, NULL, 0}};
    int counts[3] = {0};
    for (int i = 0; i < DRAWS; i++)
        counts[bine_choose(choices, 3, BINE_FOREVER)]++;
    CHECK_EQ(bine_semaphore_permits(semaphore), (unsigned)(DRAWS - counts[1]));
    for (int i = 0; i < 3; i++)
        CHECK(counts[i] > DRAWS / 6 && counts[i] < DRAWS / 2);
    for (int i = 0; i < 20; i++)
        CHECK_EQ(bine_choose_first(choices, 3, 0), 0);
    CHECK_OK(bine_semaphore_free(semaphore));
    close(ends[0]);
    close(ends[1]);
}

static bine_channel *first, *second;

static void *choose_mixed(void *arg)
{
    int64_t late = bine_deadline(10 * BINE_SECOND);
    bine_choice choices[] = {{BINE_CHOOSE_READABLE, &ends[0], NULL, 0},
                             {BINE_CHOOSE_RECEIVE, first, NULL, 0},
                             {BINE_CHOOSE_SEND, second, arg, 0},
                             {BINE_CHOOSE_TIMER, &late, NULL, 0}};
    ssize_t taken = bine_choose(choices, 4, BINE_FOREVER);
    CHECK(taken != 1 || choices[1].item == arg);
    return (void *)(taken < 0 ? -errno : taken);
}

TEST(choosers_of_all_kinds_meet_each_other_and_plain_waiters_in_order)
{
    CHECK_EQ(pipe(ends), 0);
    first = second = bine_channel_new(0, 0);
    /* Each sends and receives on one channel: none meets itself, so they pair up. */
    bine_greenlet *all[4];
    for (int i = 0; i < 4; i++)
        all[i] = bine_spawn(choose_mixed, &ends);
    CHECK_OK(bine_sleep(5 * BINE_MS));
    int sent = 0, received = 0;
    for (int i = 0; i < 4; i++) {
        void *taken;
        CHECK_OK(bine_join(all[i], &taken, BINE_FOREVER));
        received += taken == (void *)1;
        sent += taken == (void *)2;
    }
    CHECK_EQ(sent, 2);
    CHECK_EQ(received, 2);
    /* A plain waiter before, and one after, a chooser. */
    bine_greenlet *g = bine_spawn(choose_mixed, (void *)5);
    CHECK_OK(bine_sleep(BINE_MS));
    void *item, *taken;
    CHECK_OK(bine_channel_receive(first, &item, 0));
    CHECK_EQ(item, (void *)5);
    CHECK_ERROR(bine_channel_receive(first, &item, 0), ETIMEDOUT);
    CHECK_OK(bine_join(g, &taken, BINE_FOREVER));
    CHECK_EQ(taken, (void *)2);
    g = bine_spawn(choose_mixed, (void *)5);
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_OK(bine_kill(g));
    CHECK_OK(bine_join(g, &taken, BINE_FOREVER));
    CHECK_EQ(taken, (void *)(intptr_t)-ECANCELED);
    CHECK_ERROR(bine_channel_receive(first, &item, 0), ETIMEDOUT);
    CHECK_ERROR(bine_channel_send(first, NULL, 0), ETIMEDOUT);
    CHECK_OK(bine_channel_free(first));
    close(ends[0]);
    close(ends[1]);
}

TEST(many_choices_of_all_kinds_go_as_few_do)
{
    enum {
        MANY = 40
    };
    CHECK_EQ(pipe(ends), 0);
    first = bine_channel_new(0, 0);
    bine_choice choices[MANY];
    for (int i = 0; i < MANY; i++)
        choices[i] = (bine_choice){i % 2 ? BINE_CHOOSE_READABLE : BINE_CHOOSE_RECEIVE,
                                   i % 2 ? (void *)&ends[0] : (void *)first, NULL, 0};
    CHECK_ERROR(bine_choose(choices, MANY, BINE_MS), ETIMEDOUT);
    bine_greenlet *g = bine_spawn(write_later, NULL);
    CHECK_EQ(bine_choose(choices, MANY, BINE_FOREVER) % 2, 1);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_OK(bine_channel_free(first));
    close(ends[0]);
    close(ends[1]);
}
