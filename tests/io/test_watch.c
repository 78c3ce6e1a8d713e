/* Watching descriptors without a greenlet (io/watch.h), and what keeps a hub whose greenlets all wait. */
#include <errno.h>

#include "io/watch.h"
#include "pollers.h"

struct news {
    int calls;
    int64_t result;
    bine_greenlet *wakes;
};

static void ready(void *arg, int64_t result)
{
    struct news *news = arg;
    news->calls++;
    news->result = result;
    if (news->wakes)
        bine_unpark(news->wakes);
}

static struct bine_watch *watch(int fd, uint32_t events, struct news *news)
{
    struct bine_watch *watch = NULL;
    *news = (struct news){0};
    CHECK_EQ(bine_watch(bine_hub_get(), fd, events, ready, news, &watch), 0);
    return watch;
}

static void until_called(const struct news *news, int times)
{
    for (int i = 0; i < 5000 && news->calls < times; i++)
        CHECK_OK(bine_sleep(BINE_MS));
    CHECK_EQ(news->calls, times);
}

TEST(it_is_called_once_when_the_descriptor_is_ready)
{
    int pair[2];
    struct news news;
    make_pair(pair);
    watch(pair[0], POLLIN, &news);
    CHECK_OK(bine_sleep(2 * BINE_MS));
    CHECK_EQ(news.calls, 0);
    put(pair[1], "x", 1);
    until_called(&news, 1);
    CHECK_EQ(news.result, POLLIN);
    put(pair[1], "y", 1);
    CHECK_OK(bine_sleep(2 * BINE_MS));
    CHECK_EQ(news.calls, 1);
    shut(pair[0]);
    shut(pair[1]);
}

TEST(what_is_ready_already_is_told_again_and_again)
{
    int pair[2];
    struct news news;
    make_pair(pair);
    put(pair[1], "x", 1);
    for (int i = 0; i < 20; i++) {
        watch(pair[0], POLLIN | POLLOUT, &news);
        until_called(&news, 1);
        CHECK_EQ(news.result, POLLIN | POLLOUT);
    }
    shut(pair[0]);
    shut(pair[1]);
}

TEST(after_unwatch_it_is_not_called)
{
    int pair[2];
    struct news news, other;
    make_pair(pair);
    for (int i = 0; i < 300; i++)
        bine_unwatch(watch(pair[0], POLLIN, &news));
    watch(pair[0], POLLIN, &other);
    put(pair[1], "x", 1);
    until_called(&other, 1);
    CHECK_EQ(news.calls, 0);
    for (int i = 0; i < 1000 && poller()->pending; i++)
        CHECK_OK(bine_sleep(BINE_MS));
    CHECK_EQ(bine_hub_get()->background_operations, 0u);
    shut(pair[0]);
    shut(pair[1]);
}

TEST(two_watches_and_a_waiter_of_one_descriptor_are_all_told)
{
    int pair[2];
    struct news news[2];
    make_pair(pair);
    watch(pair[0], POLLIN, &news[0]);
    watch(pair[0], POLLIN, &news[1]);
    struct waiter waiter = {.fd = pair[0], .events = POLLIN};
    bine_greenlet *g = spawn(&waiter);
    until_pending(3);
    put(pair[1], "x", 1);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    until_called(&news[0], 1);
    until_called(&news[1], 1);
    CHECK_EQ(waiter.result, POLLIN);
    shut(pair[0]);
    shut(pair[1]);
}

TEST(closing_the_descriptor_ends_the_watch)
{
    int pair[2];
    struct news news;
    make_pair(pair);
    watch(pair[0], POLLIN, &news);
    CHECK_OK(bine_sleep(BINE_MS));
    shut(pair[0]);
    until_called(&news, 1);
    CHECK_EQ(news.result, -EBADF);
    shut(pair[1]);
}

TEST(bytes_that_came_before_a_close_do_not_need_a_greenlet_to_fetch_them)
{
    int pair[2];
    struct news news;
    make_pair(pair);
    watch(pair[0], POLLIN, &news);
    CHECK_OK(bine_sleep(BINE_MS));
    put(pair[1], "x", 1);
    CHECK_OK(bine_close(pair[0]));
    until_called(&news, 1);
    CHECK_OK(bine_close(pair[1]));
}

TEST(what_cannot_be_watched_says_why)
{
    struct bine_watch *watch = NULL;
    struct news news = {0};
    CHECK_EQ(bine_watch(bine_hub_get(), -1, POLLIN, ready, &news, &watch), EBADF);
    CHECK(watch == NULL);
    CHECK_EQ(bine_hub_get()->background_operations, 0u);
}

TEST(a_watch_alone_keeps_nobody_waiting_and_an_engagement_does)
{
    harness_only_one_thread();
    int pair[2];
    struct news news;
    struct bine_hub *hub = bine_hub_get();
    make_pair(pair);
    struct bine_watch *watched = watch(pair[0], POLLIN, &news);
    CHECK_EQ(bine_park(hub, "test", 0, INT64_MAX, 0), EDEADLK);
    bine_hub_engage(hub);
    CHECK_EQ(bine_wait(NULL, 0, NULL, 0, 2 * BINE_MS), 0);
    CHECK_EQ(bine_park(hub, "test", 0, bine_hub_deadline(hub, 2 * BINE_MS), 0), ETIME);
    news.wakes = hub->current;
    put(pair[1], "x", 1);
    CHECK_EQ(bine_park(hub, "test", 0, INT64_MAX, 0), 0);
    CHECK_EQ(news.calls, 1);
    bine_hub_release(hub);
    CHECK_EQ(bine_wait(NULL, 0, NULL, 0, BINE_FOREVER), 0);
    CHECK_EQ(bine_park(hub, "test", 0, INT64_MAX, 0), EDEADLK);
    (void)watched;
    shut(pair[0]);
    shut(pair[1]);
}

static void *releases(void *hub)
{
    CHECK_OK(bine_sleep(5 * BINE_MS));
    bine_hub_release(hub);
    return NULL;
}

TEST(waiting_for_all_ends_with_the_last_engagement)
{
    struct bine_hub *hub = bine_hub_get();
    bine_hub_engage(hub);
    bine_hub_engage(hub);
    bine_detach(bine_spawn(releases, hub));
    bine_detach(bine_spawn(releases, hub));
    CHECK_EQ(bine_wait(NULL, 0, NULL, 0, BINE_FOREVER), 0);
    CHECK_EQ(hub->engaged, 0u);
}

/* ---- around a turn that waits ---- */

static int begun, ended;

static void recess_begins(struct bine_hub *hub)
{
    (void)hub;
    begun++;
}

static void recess_over(struct bine_hub *hub)
{
    (void)hub;
    ended++;
}

TEST(a_recess_is_told_of_each_turn_that_waits)
{
    static const struct bine_recess recess = {recess_begins, recess_over};
    bine_hub_get()->recess = &recess;
    CHECK_OK(bine_sleep(2 * BINE_MS));
    CHECK_GT(begun, 0);
    CHECK_EQ(begun, ended);
    bine_hub_get()->recess = NULL;
}

static void *waits_for_ever(void *arg)
{
    return (void *)(intptr_t)bine_park(bine_hub_get(), "test", 0, INT64_MAX, 0);
}

static void *tries_in_a_callback(void *arg)
{
    struct bine_hub *hub = bine_hub_get();
    hub->current->attention |= BINE_A_CALLBACK;
    CHECK_EQ(bine_park(hub, "test", 0, bine_hub_deadline(hub, BINE_SECOND), 0), EDEADLK);
    CHECK_EQ(bine_park(hub, "test", 0, bine_hub_deadline(hub, BINE_MS), BINE_PARK_FIRM), ETIME);
    hub->current->attention &= (uint8_t)~BINE_A_CALLBACK;
    CHECK_EQ(bine_park(hub, "test", 0, bine_hub_deadline(hub, BINE_MS), 0), ETIME);
    return arg;
}

TEST(a_greenlet_that_runs_a_callback_waits_for_nothing_that_may_be_refused)
{
    bine_greenlet *other = bine_spawn(waits_for_ever, NULL);
    CHECK_OK(bine_join(bine_spawn(tries_in_a_callback, NULL), NULL, BINE_FOREVER));
    bine_kill(other);
    CHECK_OK(bine_join(other, NULL, BINE_FOREVER));
}
