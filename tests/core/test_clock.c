/* The clock and what is left until a deadline. */
#include <bine.h>
#include <pthread.h>
#include <time.h>

#include "core/hub/hub.h"
#include "harness.h"

static int64_t monotonic(void)
{
    struct timespec now;
    CHECK_EQ(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return now.tv_sec * BINE_SECOND + now.tv_nsec;
}

static void *without_hub(void *arg)
{
    int64_t before = monotonic(), now = bine_now(), after = monotonic();
    CHECK(before <= now && now <= after);
    CHECK_GE(bine_deadline(BINE_SECOND), after + BINE_SECOND);
    CHECK_EQ(bine_left(now), 0);
    CHECK(!bine_hub_exists());
    return arg;
}

TEST(the_clock_is_the_monotonic_one_and_needs_no_hub)
{
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, without_hub, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
}

TEST(what_is_left_shrinks_to_nothing_and_no_further)
{
    int64_t deadline = bine_deadline(BINE_SECOND * 1000), left = bine_left(deadline);
    CHECK(left > BINE_SECOND * 900 && left <= BINE_SECOND * 1000);
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_LE(bine_left(deadline), left - BINE_MS);

    deadline = bine_deadline(BINE_MS);
    CHECK_OK(bine_sleep(2 * BINE_MS));
    CHECK_EQ(bine_left(deadline), 0);
    CHECK_EQ(bine_left(bine_deadline(0)), 0);
    CHECK_EQ(bine_left(0), 0);
    CHECK_EQ(bine_left(-1), 0);
    CHECK_EQ(bine_left(INT64_MIN), 0);
}

TEST(for_ever_stays_for_ever_and_the_longest_time_is_not_for_ever)
{
    CHECK_EQ(bine_deadline(BINE_FOREVER), BINE_FOREVER);
    CHECK_EQ(bine_left(BINE_FOREVER), BINE_FOREVER);
    CHECK_EQ(bine_deadline(BINE_FOREVER - 1), BINE_FOREVER - 1);
    CHECK_LT(bine_left(BINE_FOREVER - 1), BINE_FOREVER - 1);
    CHECK_GT(bine_left(BINE_FOREVER - 1), 0);
}

TEST(a_negative_duration_has_no_deadline)
{
    CHECK_ERROR(bine_deadline(-1), EINVAL);
    CHECK_ERROR(bine_deadline(INT64_MIN), EINVAL);
    CHECK_EQ(bine_left(bine_deadline(-1)), 0);
    errno = EXDEV;
    (void)bine_left(bine_deadline(5));
    CHECK_EQ(errno, EXDEV);
}

static int64_t hub_time;

static int64_t another_clock(struct bine_driver *driver)
{
    (void)driver;
    return hub_time;
}

TEST(it_is_the_clock_that_the_waits_of_the_thread_go_by)
{
    struct bine_driver *driver = bine_hub_get()->driver;
    int64_t (*before)(struct bine_driver *) = driver->now;
    driver->now = another_clock;
    hub_time = 5000;
    int64_t now = bine_now(), deadline = bine_deadline(100);
    hub_time += 30;
    int64_t left = bine_left(deadline);
    driver->now = before;
    CHECK_EQ(now, 5000);
    CHECK_EQ(deadline, 5100);
    CHECK_EQ(left, 70);
}

static void *waits(void *deadline)
{
    bine_sleep(BINE_FOREVER);
    return deadline;
}

TEST(several_waits_keep_one_limit)
{
    bine_greenlet *g = bine_spawn(waits, NULL);
    int64_t begun = bine_now(), deadline = bine_deadline(20 * BINE_MS);
    unsigned rounds = 0;
    while (bine_join(g, NULL,
                     bine_left(deadline) < 5 * BINE_MS ? bine_left(deadline) : 5 * BINE_MS) != 0) {
        CHECK_EQ(errno, ETIMEDOUT);
        if (bine_left(deadline) == 0)
            break;
        rounds++;
    }
    CHECK_GE(bine_now() - begun, 20 * BINE_MS);
    CHECK_LE(rounds, 4u);
    bine_kill(g);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
}
