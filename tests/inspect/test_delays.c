/* How long greenlets are ready, by the counters of the ready queue: inspect/snapshot/delays.h. */
#include "inspect/snapshot/delays.h"

#include "harness.h"

static const int64_t ms = 1000000;

static int64_t median, most;

static bool find(struct inspect_delays *delays)
{
    median = most = -1;
    bool found = inspect_delays_find(delays, &median, &most);
    inspect_delays_free(delays);
    return found;
}

/* Within a hundredth. */
static bool about(int64_t value, int64_t wanted)
{
    return value >= wanted - wanted / 100 && value <= wanted + wanted / 100;
}

TEST(no_greenlet_has_no_delay)
{
    struct inspect_delays delays = {0};
    CHECK(!find(&delays));
    for (int i = 0; i < 10; i++)
        CHECK(inspect_delays_add(&delays, i * ms, 7, 7));
    CHECK(!find(&delays));
}

TEST(a_queue_of_constant_length_delays_by_its_length_over_its_rate)
{
    struct inspect_delays delays = {0};
    for (uint32_t i = 0; i <= 100; i++) /* 1000 a ms, 2000 are always ready */
        CHECK(inspect_delays_add(&delays, i * ms, i * 1000, i * 1000 + 2000));
    CHECK(find(&delays));
    CHECK(about(median, 2 * ms));
    CHECK(about(most, 2 * ms));
}

TEST(a_queue_shorter_than_what_runs_between_two_looks_is_resolved_too)
{
    struct inspect_delays delays = {0};
    for (uint32_t i = 0; i <= 100; i++) /* 1000 a ms, 10 are always ready */
        CHECK(inspect_delays_add(&delays, i * ms, i * 1000, i * 1000 + 10));
    CHECK(find(&delays));
    CHECK(about(median, ms / 100));
}

TEST(delays_shorter_than_the_time_between_two_looks_count_as_their_average)
{
    struct inspect_delays delays = {0};
    for (uint32_t i = 0; i <= 100; i++) /* 1000 a ms; at each tenth look 100 are ready */
        CHECK(inspect_delays_add(&delays, i * ms, i * 1000, i * 1000 + (i % 10 == 5 ? 100 : 0)));
    CHECK(find(&delays));
    CHECK(about(median, ms / 100));
    CHECK_EQ(most, median);
}

TEST(counters_may_wrap)
{
    struct inspect_delays delays = {0};
    uint32_t head = UINT32_MAX - 50000;
    for (uint32_t i = 0; i <= 100; i++, head += 1000)
        CHECK(inspect_delays_add(&delays, i * ms, head, head + 2000));
    CHECK(find(&delays));
    CHECK(about(median, 2 * ms));
    CHECK(about(most, 2 * ms));
}

TEST(a_few_that_are_delayed_long_are_the_99th_and_not_the_median)
{
    struct inspect_delays delays = {0};
    uint32_t head = 0;
    int64_t when = 0;
    for (int i = 0; i < 50; i++, head += 20, when += ms) /* quick ones */
        CHECK(inspect_delays_add(&delays, when, head, head + 1));
    CHECK(inspect_delays_add(&delays, when, head, head + 100)); /* a hundred, while one blocks */
    when += 500 * ms;
    CHECK(inspect_delays_add(&delays, when, head, head + 100));
    when += ms;
    CHECK(inspect_delays_add(&delays, when, head + 100, head + 100));
    CHECK(find(&delays));
    CHECK(median < ms);
    CHECK(most >= 500 * ms);
    CHECK(most <= 503 * ms);
}

TEST(those_that_are_still_ready_count_with_the_delay_so_far)
{
    struct inspect_delays delays = {0};
    for (int i = 0; i <= 30; i++)
        CHECK(inspect_delays_add(&delays, i * ms, 5, 8));
    CHECK(find(&delays));
    CHECK_EQ(median, 30 * ms);
    CHECK_EQ(most, 30 * ms);
}

TEST(ends_that_contradict_each_other_are_left_out)
{
    struct inspect_delays delays = {0};
    for (uint32_t i = 0; i <= 100; i++) {
        CHECK(inspect_delays_add(&delays, i * ms, i * 1000, i * 1000 + 2000));
        CHECK(inspect_delays_add(&delays, i * ms, i * 1000, i * 1000 - 1));
    }
    CHECK_EQ(delays.count, 101);
    CHECK(find(&delays));
    CHECK(about(median, 2 * ms));
}

TEST(any_counters_at_all_give_an_answer)
{
    struct inspect_delays delays = {0};
    uint64_t random = 88172645463325252;
    for (int i = 0; i < 5000; i++) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        CHECK(inspect_delays_add(&delays, i * ms, (uint32_t)random, (uint32_t)(random >> 32)));
    }
    CHECK(find(&delays));
    CHECK(median >= 0);
    CHECK(most >= median);
    CHECK(most <= 5000 * ms);
}
