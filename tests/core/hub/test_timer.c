/* The timer heap, against a reference, and sleeping by it. */
#include <bine.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/hub/timer.h"
#include "harness.h"

enum {
    N = 3000
};

static struct item {
    int64_t deadline, order;
    bool started, fired;
} items[N];
static int64_t last_deadline, last_order, fired;

static void on_fire(void *owner, int64_t deadline)
{
    struct item *item = owner;
    CHECK(item->started && !item->fired);
    CHECK_EQ(deadline, item->deadline);
    CHECK(deadline > last_deadline || (deadline == last_deadline && item->order > last_order));
    last_deadline = deadline;
    last_order = item->order;
    item->fired = true;
    item->started = false;
    fired++;
}

TEST(timers_fire_in_order_of_deadline_then_of_starting)
{
    for (unsigned seed = 1; seed <= 50; seed++) {
        /* Orders that run over on the way. */
        struct bine_timers timers = {.order = (uint32_t)-N};
        int64_t order = 0, running = 0;
        srand(seed);
        memset(items, 0, sizeof items);
        fired = 0;
        for (int step = 0; step < 3 * N; step++) {
            /* Room is made while they run. */
            uint32_t room = step < N ? (uint32_t)step + 1 : N, timer = (uint32_t)rand() % room;
            CHECK_OK(bine_timers_reserve(&timers, room));
            struct item *item = &items[timer];
            CHECK_EQ(bine_timer_started(&timers, timer), item->started);
            if (item->started && rand() % 3 == 0) {
                bine_timer_stop(&timers, timer);
                bine_timer_stop(&timers, timer);
                item->started = false;
                running--;
            } else if (!item->started) {
                item->deadline = rand() % 1000;
                item->order = ++order;
                item->started = true;
                bine_timer_start(&timers, timer, on_fire, item, item->deadline);
                running++;
            } else {
                CHECK_EQ(bine_timer_deadline(&timers, timer), item->deadline);
            }
        }
        CHECK_EQ((int64_t)timers.count, running);
        last_deadline = -1;
        for (int64_t now = 0; now <= 1000; now += rand() % 100 + 1) {
            while (bine_timers_fire(&timers, now, 7) == 7)
                ;
            CHECK_GT(bine_timers_next(&timers), now);
        }
        bine_timers_fire(&timers, 2000, N);
        CHECK_EQ(fired, running);
        CHECK_EQ(bine_timers_next(&timers), INT64_MAX);
        bine_timers_free(&timers);
    }
}

static void start_again(void *owner, int64_t deadline)
{
    bine_timer_start(owner, 0, start_again, owner, deadline);
}

TEST(timers_that_are_due_again_and_again_do_not_hold_the_turn)
{
    struct bine_timers timers = {0};
    CHECK_OK(bine_timers_reserve(&timers, 1));
    bine_timer_start(&timers, 0, start_again, &timers, 0);
    CHECK_EQ(bine_timers_fire(&timers, 10, 5), 5u);
    CHECK(bine_timer_started(&timers, 0));
    bine_timers_clear(&timers);
    CHECK(!bine_timer_started(&timers, 0));
    bine_timers_free(&timers);
}

static void count_fired(void *owner, int64_t deadline)
{
    (void)deadline;
    ++*(int *)owner;
}

TEST(odd_numbers_are_taken_and_given_back)
{
    struct bine_timers timers = {0};
    uint32_t taken[100];
    int fired_times[100] = {0};
    for (int i = 0; i < 100; i++) {
        int64_t timer = bine_timer_take(&timers);
        CHECK_EQ(timer % 2, 1);
        for (int j = 0; j < i; j++)
            CHECK(taken[j] != timer);
        taken[i] = (uint32_t)timer;
        bine_timer_start(&timers, taken[i], count_fired, &fired_times[i], i);
    }
    size_t room = timers.room;
    CHECK_EQ(bine_timers_fire(&timers, 49, 1000), 50u);
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(fired_times[i], i < 50);
        bine_timer_stop(&timers, taken[i]);
        bine_timer_give_back(&timers, taken[i]);
    }
    for (int i = 0; i < 100; i++)
        CHECK_EQ(bine_timer_take(&timers), taken[99 - i]);
    CHECK_EQ(timers.room, room);
    bine_timers_free(&timers);
}

/* hazard 27: a wait never ends early, however short it is. */
TEST(hazard_27_sleep_never_ends_early)
{
    for (int64_t duration = 1; duration < 20 * BINE_MS; duration = duration * 3 + 7) {
        int64_t begin = harness_now();
        CHECK_OK(bine_sleep(duration));
        CHECK_GE(harness_now() - begin, duration);
    }
}

static int woken;

static void *sleeps(void *arg)
{
    unsigned random = (unsigned)(intptr_t)arg * 2654435761u;
    for (int i = 0; i < 10; i++) {
        random = random * 1664525 + 1013904223;
        bine_sleep(random % 10000 * BINE_US);
    }
    woken++;
    return NULL;
}

/* hazard 27: sorted lists took 17 s of processor time for this; a heap takes under one. No
 * assertion on time. */
TEST(hazard_27_many_timers, .seconds = 60)
{
    int n = harness_instrumented() ? 500 : 50000;
    bine_greenlet **all = malloc((size_t)n * sizeof *all);
    for (int i = 0; i < n; i++)
        all[i] = bine_spawn(sleeps, (void *)(intptr_t)i);
    CHECK_OK(bine_joinall(all, (size_t)n, BINE_FOREVER));
    CHECK_EQ(woken, n);
    free(all);
}

TEST(very_long_sleeps_do_not_overflow)
{
    bine_timeout scope;
    CHECK_OK(bine_timeout_begin(&scope, BINE_MS));
    CHECK_ERROR(bine_sleep(BINE_FOREVER - 1), ETIMEDOUT);
    bine_timeout_end(&scope);
}
