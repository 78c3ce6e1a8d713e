/* The timer heap, against a reference, and sleeping by it. */
#include <bine.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/timer.h"
#include "harness.h"

enum {
    N = 3000
};

static struct item {
    struct bine_timer timer;
    int64_t order;
    bool started, fired;
} items[N];
static int64_t last_deadline, last_order, fired;

static void on_fire(struct bine_timer *timer)
{
    struct item *item = (struct item *)timer;
    CHECK(item->started && !item->fired);
    CHECK(timer->deadline > last_deadline || (timer->deadline == last_deadline && item->order > last_order));
    last_deadline = timer->deadline;
    last_order = item->order;
    item->fired = true;
    item->started = false;
    fired++;
}

TEST(timers_fire_in_order_of_deadline_then_of_starting)
{
    for (unsigned seed = 1; seed <= 50; seed++) {
        struct bine_timers timers = {0};
        int64_t order = 0, running = 0;
        srand(seed);
        CHECK_OK(bine_timers_reserve(&timers, N));
        memset(items, 0, sizeof items);
        fired = 0;
        for (int step = 0; step < 3 * N; step++) {
            struct item *item = &items[rand() % N];
            if (item->started && rand() % 3 == 0) {
                bine_timer_stop(&timers, &item->timer);
                bine_timer_stop(&timers, &item->timer);
                item->started = false;
                running--;
            } else if (!item->started) {
                item->timer.fire = on_fire;
                item->order = ++order;
                item->started = true;
                bine_timer_start(&timers, &item->timer, rand() % 1000);
                running++;
            }
        }
        CHECK_EQ((int64_t)timers.count, running);
        last_deadline = -1;
        for (int64_t now = 0; now <= 1000; now += rand() % 100 + 1) {
            bine_timers_fire(&timers, now);
            CHECK_GT(bine_timers_next(&timers), now);
        }
        bine_timers_fire(&timers, 2000);
        CHECK_EQ(fired, running);
        CHECK_EQ(bine_timers_next(&timers), INT64_MAX);
        bine_timers_free(&timers);
    }
}

static struct bine_timers again_timers;
static int again;

static void start_again(struct bine_timer *timer)
{
    if (++again < 1000)
        bine_timer_start(&again_timers, timer, 0);
}

TEST(a_timer_that_starts_itself_again_does_not_hold_the_turn)
{
    struct bine_timer timer = {.fire = start_again};
    CHECK_OK(bine_timers_reserve(&again_timers, 1));
    bine_timer_start(&again_timers, &timer, 0);
    CHECK_EQ(bine_timers_fire(&again_timers, 10), 1u);
    CHECK_EQ(again, 1);
    bine_timer_stop(&again_timers, &timer);
    bine_timers_free(&again_timers);
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

/* hazard 27: sorted lists took 17 s of processor time for this; a heap takes under one. No assertion on time. */
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
