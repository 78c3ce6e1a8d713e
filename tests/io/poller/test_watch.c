/* Watching descriptors without a greenlet (io/poller/watch.h), and what keeps a hub whose greenlets
 * all wait. */
#include <errno.h>
#include <pthread.h>
#include <sys/wait.h>

#include "io/poller/watch.h"
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

/* A watch that the kernel knows of and that nothing has happened to so far. */
static struct bine_watch *watch_idle_pair(int pair[2], struct news *news)
{
    make_pair(pair);
    struct bine_watch *armed = watch(pair[0], POLLIN, news);
    CHECK_OK(bine_sleep(2 * BINE_MS));
    return armed;
}

TEST(it_is_called_once_when_the_descriptor_is_ready)
{
    int pair[2];
    struct news news;
    watch_idle_pair(pair, &news);
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
    watch_idle_pair(pair, &news);
    shut(pair[0]);
    until_called(&news, 1);
    CHECK_EQ(news.result, -EBADF);
    shut(pair[1]);
}

TEST(bytes_that_came_before_a_close_do_not_need_a_greenlet_to_fetch_them)
{
    int pair[2];
    struct news news;
    watch_idle_pair(pair, &news);
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
    CHECK_OK(bine_go(releases, hub));
    CHECK_OK(bine_go(releases, hub));
    CHECK_EQ(bine_wait(NULL, 0, NULL, 0, BINE_FOREVER), 0);
    CHECK_EQ(hub->engaged, 0u);
}

/* ---- what was given up stays armed until the next turn ---- */

TEST(what_is_given_up_and_wanted_again_takes_one_operation)
{
    int pair[2];
    struct news news;
    make_pair(pair);
    struct bine_watch *first = watch(pair[0], POLLIN, &news);
    size_t pending = poller()->pending;
    for (int i = 0; i < 300; i++) {
        bine_unwatch(first);
        CHECK(watch(pair[0], POLLIN, &news) == first);
    }
    CHECK_EQ(poller()->pending, pending);
    put(pair[1], "x", 1);
    until_called(&news, 1);
    CHECK_EQ(news.result, POLLIN);
    CHECK_EQ(bine_hub_get()->background_operations, 0u);
    shut(pair[0]);
    shut(pair[1]);
}

TEST(what_is_given_up_is_gone_after_a_turn)
{
    int pair[2];
    struct news news;
    bine_unwatch(watch_idle_pair(pair, &news));
    for (int i = 0; i < 1000 && poller()->pending; i++)
        CHECK_OK(bine_sleep(BINE_MS));
    CHECK_EQ(poller()->pending, 0u);
    put(pair[1], "x", 1);
    CHECK_OK(bine_sleep(2 * BINE_MS));
    CHECK_EQ(news.calls, 0);
    shut(pair[0]);
    shut(pair[1]);
}

TEST(other_events_do_not_take_over_what_is_armed)
{
    int pair[2];
    struct news reads, writes;
    make_pair(pair);
    bine_unwatch(watch(pair[0], POLLIN, &reads));
    watch(pair[0], POLLOUT, &writes);
    until_called(&writes, 1);
    CHECK_EQ(writes.result, POLLOUT);
    CHECK_EQ(reads.calls, 0);
    shut(pair[0]);
    shut(pair[1]);
}

TEST(what_was_read_before_the_watch_took_over_is_no_news)
{
    int pair[2];
    char byte;
    struct news stopped, news;
    struct bine_watch *armed = watch_idle_pair(pair, &stopped);
    put(pair[1], "x", 1);
    bine_unwatch(armed);
    CHECK_EQ(bine_libc.read(pair[0], &byte, 1), 1);
    CHECK(watch(pair[0], POLLIN, &news) == armed);
    CHECK_OK(bine_sleep(5 * BINE_MS));
    CHECK_EQ(stopped.calls, 0);
    if (news.calls) /* 0: it may be ready, ask */
        CHECK_EQ(news.result, 0);
    shut(pair[0]);
    shut(pair[1]);
}

TEST(a_descriptor_that_is_closed_while_armed_is_not_held)
{
    int pair[2];
    char byte;
    struct news news;
    make_pair(pair);
    bine_unwatch(watch(pair[0], POLLIN, &news));
    CHECK_OK(bine_close(pair[0]));
    /* The end of the stream: nobody holds the other end. */
    CHECK_EQ(bine_read(pair[1], &byte, 1), 0);
    CHECK_EQ(news.calls, 0);
    for (int i = 0; i < 1000 && poller()->pending; i++)
        CHECK_OK(bine_sleep(BINE_MS));
    CHECK_EQ(bine_hub_get()->background_operations, 0u);
    shut(pair[1]);
}

TEST(a_file_that_has_the_number_of_one_that_was_armed_is_watched_itself)
{
    int pair[2], other[2];
    struct news stopped, news;
    make_pair(pair);
    make_pair(other);
    bine_unwatch(watch(pair[0], POLLIN, &stopped));
    put(pair[1], "x", 1); /* for the file that has the number so far */
    poller()->class->replaced(poller(), pair[0]);
    CHECK_EQ(bine_libc.dup2(other[0], pair[0]), pair[0]);
    bine_descriptor_fresh(pair[0], BINE_FD_SOCKET, 0);
    watch(pair[0], POLLIN, &news);
    CHECK_OK(bine_sleep(2 * BINE_MS));
    CHECK_EQ(news.calls, 0);
    put(other[1], "y", 1);
    until_called(&news, 1);
    CHECK_EQ(news.result, POLLIN);
    CHECK_EQ(stopped.calls, 0);
    shut(pair[0]);
    shut(pair[1]);
    shut(other[0]);
    shut(other[1]);
}

TEST(a_child_begins_anew_what_its_parent_had_armed)
{
    int pair[2], status;
    struct news news;
    make_pair(pair);
    bine_unwatch(watch(pair[0], POLLIN, &news));
    pid_t child = fork();
    if (child == 0) {
        put(pair[1], "x", 1);
        watch(pair[0], POLLIN, &news);
        for (int i = 0; i < 5000 && !news.calls; i++)
            bine_sleep(BINE_MS);
        int result = news.calls == 1 && news.result == POLLIN ? 0 : 1;
        bine_unwatch(watch(pair[0], POLLPRI, &news));
        for (int i = 0; i < 1000 && bine_hub_get()->background_operations; i++)
            bine_sleep(BINE_MS);
        _exit(result | (bine_hub_get()->background_operations == 0 ? 0 : 2));
    }
    CHECK_EQ(bine_libc.waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    watch(pair[0], POLLIN, &news);
    until_called(&news, 1);
    shut(pair[0]);
    shut(pair[1]);
}

static struct news last_news;

static void *ends_while_armed(void *fd)
{
    bine_unwatch(watch(*(int *)fd, POLLIN, &last_news));
    return NULL;
}

static void *ends_while_watching(void *fd)
{
    watch(*(int *)fd, POLLIN, &last_news);
    return NULL;
}

/* AddressSanitizer looks whether the memory is given back. */
static void ends_with_a_watch(void *(*thread_function)(void *))
{
    int pair[2];
    char byte;
    pthread_t thread;
    make_pair(pair);
    CHECK_EQ(bine_libc.pthread_create(&thread, NULL, thread_function, &pair[0]), 0);
    CHECK_EQ(bine_libc.pthread_join(thread, NULL), 0);
    CHECK_EQ(last_news.calls, 0);
    shut(pair[0]);
    CHECK_EQ(bine_read(pair[1], &byte, 1), 0); /* the thread's poller holds the file no more */
    shut(pair[1]);
}

TEST(a_thread_may_end_with_what_is_armed)
{
    ends_with_a_watch(ends_while_armed);
}

TEST(a_thread_may_end_with_what_is_watched)
{
    ends_with_a_watch(ends_while_watching);
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
    CHECK_OK(bine_sleep(2 * BINE_MS * harness_slower()));
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
