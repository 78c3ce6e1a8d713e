/* Queues. */
#include <bine.h>

#include "harness.h"

static bine_queue *queue;
static intptr_t got[64];
static int count;

static void *put_three(void *first)
{
    for (intptr_t i = 0; i < 3; i++)
        CHECK_OK(bine_queue_put(queue, (void *)((intptr_t)first + i), BINE_FOREVER));
    return NULL;
}

static void *get_forever(void *arg)
{
    void *item;
    while (bine_queue_get(queue, &item, BINE_FOREVER) == 0)
        got[count++] = (intptr_t)item;
    return (void *)(intptr_t)errno;
}

TEST(queue_is_first_in_first_out_and_bounded)
{
    queue = bine_queue_new(2, 0);
    bine_greenlet *g = bine_spawn(put_three, (void *)1);
    bine_sleep(0);
    CHECK_EQ(bine_queue_size(queue), 2u);
    CHECK_EQ(bine_queue_capacity(queue), 2u);
    CHECK(bine_queue_full(queue));
    CHECK_ERROR(bine_queue_put(queue, NULL, 0), ETIMEDOUT);
    CHECK_ERROR(bine_queue_put_nowait(queue, NULL), EAGAIN);
    CHECK_ERROR(bine_queue_free(queue), EBUSY);
    void *item;
    for (intptr_t i = 1; i <= 3; i++) {
        CHECK_OK(bine_queue_get(queue, &item, 0));
        CHECK_EQ((intptr_t)item, i);
    }
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_ERROR(bine_queue_get(queue, &item, 0), ETIMEDOUT);
    CHECK_ERROR(bine_queue_get_nowait(queue, &item), EAGAIN);
    CHECK_ERROR(bine_queue_get(queue, &item, BINE_MS), ETIMEDOUT);
    CHECK_OK(bine_queue_free(queue));
}

TEST(queue_gives_items_to_getters_in_the_order_in_which_they_came)
{
    queue = bine_queue_new(0, 0);
    CHECK_EQ(bine_queue_capacity(queue), 0u);
    bine_greenlet *all[3];
    for (int i = 0; i < 3; i++)
        all[i] = bine_spawn(get_forever, NULL);
    bine_sleep(0);
    for (intptr_t i = 0; i < 9; i++)
        CHECK_OK(bine_queue_put(queue, (void *)i, 0));
    CHECK_EQ(bine_queue_size(queue), 6u); /* three were handed over */
    CHECK_OK(bine_queue_shutdown(queue, false));
    CHECK_OK(bine_joinall(all, 3, BINE_FOREVER));
    CHECK_EQ(count, 9);
    CHECK_OK(bine_queue_free(queue));
}

static int compare_strings(const void *a, const void *b)
{
    return strcmp(a, b);
}

TEST(queue_orders)
{
    void *item;
    queue = bine_queue_new_with(&(bine_queue_options){.order = BINE_LIFO});
    for (intptr_t i = 0; i < 20; i++)
        CHECK_OK(bine_queue_put(queue, (void *)i, 0));
    for (intptr_t i = 19; i >= 0; i--) {
        CHECK_OK(bine_queue_peek(queue, &item, 0));
        CHECK_EQ((intptr_t)item, i);
        CHECK_OK(bine_queue_get(queue, &item, 0));
        CHECK_EQ((intptr_t)item, i);
    }
    CHECK_OK(bine_queue_free(queue));

    queue = bine_queue_new_with(&(bine_queue_options){.order = BINE_PRIORITY});
    for (intptr_t i = 0; i < 50; i++)
        CHECK_OK(bine_queue_put(queue, (void *)((i * 37) % 50 - 25), 0));
    for (intptr_t i = -25; i < 25; i++) {
        CHECK_OK(bine_queue_get(queue, &item, 0));
        CHECK_EQ((intptr_t)item, i);
    }
    CHECK_OK(bine_queue_free(queue));

    char first[] = "same", second[] = "same", before[] = "ante";
    queue = bine_queue_new_with(
        &(bine_queue_options){.order = BINE_PRIORITY, .compare = compare_strings});
    CHECK_OK(bine_queue_put(queue, first, 0));
    CHECK_OK(bine_queue_put(queue, second, 0));
    CHECK_OK(bine_queue_put(queue, before, 0));
    void *wanted[] = {before, first, second};
    for (int i = 0; i < 3; i++) {
        CHECK_OK(bine_queue_get(queue, &item, 0));
        CHECK_EQ(item, wanted[i]);
    }
    CHECK_OK(bine_queue_free(queue));
    CHECK_ERROR(bine_queue_new_with(&(bine_queue_options){.order = 3}), EINVAL);
}

static void *peek_one(void *arg)
{
    void *item;
    CHECK_OK(bine_queue_peek(queue, &item, BINE_FOREVER));
    CHECK_EQ((intptr_t)item, 5);
    return NULL;
}

TEST(queue_shows_an_item_to_all_who_peek_and_keeps_it)
{
    queue = bine_queue_new(0, 0);
    bine_greenlet *all[] = {bine_spawn(peek_one, NULL), bine_spawn(peek_one, NULL)};
    bine_sleep(0);
    CHECK_OK(bine_queue_put(queue, (void *)5, 0));
    CHECK_OK(bine_joinall(all, 2, BINE_FOREVER));
    CHECK_EQ(bine_queue_size(queue), 1u);
    CHECK_OK(bine_queue_free(queue));
}

static void *put_until_killed(void *first)
{
    for (intptr_t i = (intptr_t)first; bine_queue_put(queue, (void *)i, BINE_FOREVER) == 0; i++)
        ;
    CHECK_EQ(errno, ECANCELED);
    return NULL;
}

static int discarded;

static void discard(void *item)
{
    discarded++;
}

TEST(queue_shutdown_drains_or_discards)
{
    void *item;
    queue = bine_queue_new_with(&(bine_queue_options){.capacity = 2, .discard = discard});
    bine_greenlet *putter = bine_spawn(put_until_killed, (void *)1);
    bine_sleep(0);
    CHECK_OK(bine_kill(putter));
    CHECK_EQ(bine_queue_size(queue), 2u);
    CHECK_OK(bine_queue_get(queue, &item, 0));
    CHECK_EQ((intptr_t)item, 1);
    CHECK_EQ(bine_queue_size(queue), 1u); /* the killed putter's item did not get in */
    CHECK_OK(bine_join(putter, NULL, BINE_FOREVER));
    CHECK_OK(bine_queue_shutdown(queue, false));
    CHECK_ERROR(bine_queue_put(queue, NULL, BINE_FOREVER), EPIPE);
    CHECK_ERROR(bine_queue_put_nowait(queue, NULL), EPIPE);
    CHECK_OK(bine_queue_get(queue, &item, BINE_FOREVER));
    CHECK_EQ((intptr_t)item, 2);
    CHECK_ERROR(bine_queue_get(queue, &item, BINE_FOREVER), EPIPE);
    CHECK_ERROR(bine_queue_get_nowait(queue, &item), EPIPE);
    CHECK_ERROR(bine_queue_peek(queue, &item, BINE_FOREVER), EPIPE);
    CHECK_OK(bine_queue_free(queue));
    CHECK_EQ(discarded, 0);

    queue = bine_queue_new_with(&(bine_queue_options){.discard = discard});
    for (int i = 0; i < 5; i++)
        CHECK_OK(bine_queue_put(queue, NULL, 0));
    CHECK_EQ(bine_queue_unfinished(queue), 5u);
    CHECK_OK(bine_queue_shutdown(queue, true));
    CHECK_EQ(discarded, 5);
    CHECK_OK(bine_queue_join(queue, 0));
    CHECK_OK(bine_queue_free(queue));

    queue = bine_queue_new_with(&(bine_queue_options){.discard = discard});
    CHECK_OK(bine_queue_put(queue, NULL, 0));
    CHECK_OK(bine_queue_free(queue));
    CHECK_EQ(discarded, 6);
}

static void *work(void *arg)
{
    void *item;
    while (bine_queue_get(queue, &item, BINE_FOREVER) == 0) {
        bine_sleep(0);
        count++;
        CHECK_OK(bine_queue_task_done(queue));
    }
    return NULL;
}

TEST(queue_join_waits_for_every_task)
{
    queue = bine_queue_new(3, 0);
    CHECK_OK(bine_queue_join(queue, 0));
    CHECK_ERROR(bine_queue_task_done(queue), EINVAL);
    bine_greenlet *all[] = {bine_spawn(work, NULL), bine_spawn(work, NULL)};
    for (int i = 0; i < 20; i++)
        CHECK_OK(bine_queue_put(queue, NULL, BINE_FOREVER));
    CHECK_ERROR(bine_queue_join(queue, 0), ETIMEDOUT);
    CHECK_OK(bine_queue_join(queue, BINE_FOREVER));
    CHECK_EQ(count, 20);
    CHECK_OK(bine_queue_shutdown(queue, false));
    CHECK_OK(bine_joinall(all, 2, BINE_FOREVER));
    CHECK_OK(bine_queue_free(queue));
}

TEST(queue_grows_wraps_and_shrinks)
{
    queue = bine_queue_new(0, 0);
    void *item;
    intptr_t in = 0, out = 0;
    for (int round = 0; round < 200; round++) {
        for (int i = 0; i < round % 70 + 1; i++)
            CHECK_OK(bine_queue_put(queue, (void *)in++, 0));
        for (int i = 0; i < round % 50 + 1 && out < in; i++) {
            CHECK_OK(bine_queue_get(queue, &item, 0));
            CHECK_EQ((intptr_t)item, out++);
        }
    }
    while (out < in) {
        CHECK_OK(bine_queue_get(queue, &item, 0));
        CHECK_EQ((intptr_t)item, out++);
    }
    CHECK_EQ(bine_queue_size(queue), 0u);
    CHECK_OK(bine_queue_free(queue));
}

TEST(queue_bad_arguments)
{
    void *item;
    queue = bine_queue_new(0, 0);
    CHECK_ERROR(bine_queue_put(NULL, NULL, 0), EINVAL);
    CHECK_ERROR(bine_queue_put(queue, NULL, -1), EINVAL);
    CHECK_ERROR(bine_queue_put_nowait(NULL, NULL), EINVAL);
    CHECK_ERROR(bine_queue_get(NULL, &item, 0), EINVAL);
    CHECK_ERROR(bine_queue_get(queue, NULL, 0), EINVAL);
    CHECK_ERROR(bine_queue_get(queue, &item, -1), EINVAL);
    CHECK_ERROR(bine_queue_get_nowait(queue, NULL), EINVAL);
    CHECK_ERROR(bine_queue_join(NULL, 0), EINVAL);
    CHECK_ERROR(bine_queue_shutdown(NULL, false), EINVAL);
    CHECK_EQ(bine_queue_size(NULL), 0u);
    CHECK(!bine_queue_full(NULL));
    CHECK_OK(bine_queue_free(NULL));
    CHECK_OK(bine_queue_free(queue));
}
