/* Kill, shields, timeout scopes, interrupts: cutting waits short. */
#include <bine.h>
#include <pthread.h>
#include <stdlib.h>

#include "core/schedule/park.h"
#include "harness.h"

static int errors[8], error_count;

static void *sleeps_thrice(void *arg)
{
    for (int i = 0; i < 3; i++)
        errors[error_count++] = bine_sleep(BINE_FOREVER) < 0 ? errno : 0;
    return arg;
}

TEST(kill_is_sticky)
{
    bine_greenlet *g = bine_spawn(sleeps_thrice, "v");
    bine_sleep(0);
    CHECK_OK(bine_kill(g));
    CHECK_OK(bine_kill(g));
    CHECK(bine_killed(g) && !bine_dead(g));
    CHECK_OK(bine_killall(&g, 1, BINE_FOREVER));
    CHECK_EQ(error_count, 3);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(errors[i], ECANCELED);
    CHECK_OK(bine_kill(g));
    CHECK_STRING(bine_value(g), "v");
    CHECK_OK(bine_join(g, NULL, 0));
}

static int runs;

static void *runs_once(void *arg)
{
    runs++;
    return arg;
}

static void count_link(bine_greenlet *g, void *count)
{
    (void)g;
    ++*(int *)count;
}

TEST(a_greenlet_killed_before_its_start_never_runs)
{
    int linked = 0;
    bine_greenlet *now = bine_spawn(runs_once, NULL),
                  *later = bine_spawn_later(5 * BINE_MS, runs_once, NULL);
    CHECK_OK(bine_link(now, count_link, &linked));
    CHECK_OK(bine_link(later, count_link, &linked));
    CHECK_OK(bine_kill(now));
    CHECK_OK(bine_kill(later));
    CHECK(bine_dead(now) && bine_dead(later));
    CHECK_EQ(bine_error(now), ECANCELED);
    CHECK_EQ(linked, 2);
    bine_sleep(10 * BINE_MS);
    CHECK_EQ(runs, 0);
    CHECK_OK(bine_join(now, NULL, 0));
    CHECK_OK(bine_join(later, NULL, 0));
}

static void *shielded(void *arg)
{
    bine_shield_begin();
    errors[0] = bine_sleep(5 * BINE_MS) < 0 ? errno : 0;
    bine_shield_begin();
    bine_shield_end();
    errors[1] = bine_sleep(BINE_MS) < 0 ? errno : 0;
    bine_shield_end();
    errors[2] = bine_sleep(BINE_MS) < 0 ? errno : 0;
    return arg;
}

TEST(a_shield_lets_cleanup_block)
{
    bine_greenlet *g = bine_spawn(shielded, NULL);
    bine_sleep(0);
    CHECK_OK(bine_kill(g));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(errors[0], 0);
    CHECK_EQ(errors[1], 0);
    CHECK_EQ(errors[2], ECANCELED);
}

TEST(killall_waits_only_as_long_as_asked)
{
    bine_greenlet *g = bine_spawn(shielded, NULL);
    bine_sleep(0);
    CHECK_ERROR(bine_killall(&g, 1, 0), ETIMEDOUT);
    CHECK_ERROR(bine_killall(&g, 1, BINE_US), ETIMEDOUT);
    CHECK_OK(bine_killall(&g, 1, BINE_FOREVER));
    CHECK_OK(bine_join(g, NULL, 0));
}

static void *parks_twice(void *arg)
{
    errors[0] = bine_park(bine_hub_here(), "a wake", 0, INT64_MAX, 0);
    errors[1] = bine_park(bine_hub_here(), "another", 0, INT64_MAX, 0);
    return arg;
}

TEST(a_wake_that_came_before_the_kill_wins)
{
    bine_greenlet *g = bine_spawn(parks_twice, NULL);
    bine_sleep(0);
    CHECK(bine_unpark(g));
    CHECK_OK(bine_kill(g));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(errors[0], 0);
    CHECK_EQ(errors[1], ECANCELED);
}

TEST(the_earliest_of_nested_scopes_wins)
{
    bine_timeout outer, inner;
    CHECK_OK(bine_timeout_begin(&outer, 2 * BINE_MS));
    CHECK_OK(bine_timeout_begin(&inner, BINE_SECOND));
    CHECK_ERROR(bine_sleep(BINE_FOREVER), ETIMEDOUT);
    CHECK_ERROR(bine_sleep(BINE_MS), ETIMEDOUT);
    CHECK_ERROR(bine_timeout_end(&outer), EINVAL);
    CHECK_EQ(bine_timeout_end(&inner), 0);
    CHECK_EQ(bine_timeout_end(&outer), 1);
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_OK(bine_timeout_begin(&outer, BINE_SECOND));
    CHECK_OK(bine_timeout_begin(&inner, BINE_MS));
    CHECK_ERROR(bine_sleep(BINE_FOREVER), ETIMEDOUT);
    CHECK_EQ(bine_timeout_end(&inner), 1);
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_EQ(bine_timeout_end(&outer), 0);
    CHECK_ERROR(bine_timeout_begin(NULL, 0), EINVAL);
    CHECK_ERROR(bine_timeout_begin(&outer, -1), EINVAL);
}

TEST(a_scope_tells_whether_it_was_its_time)
{
    bine_timeout outer, inner;
    CHECK_OK(bine_timeout_begin(&outer, BINE_MS));
    CHECK_OK(bine_timeout_begin(&inner, BINE_SECOND));
    CHECK(!bine_timeout_expired(&outer) && !bine_timeout_expired(&inner));
    CHECK_ERROR(bine_sleep(BINE_FOREVER), ETIMEDOUT);
    CHECK(bine_timeout_expired(&outer) && !bine_timeout_expired(&inner));
    CHECK_EQ(bine_timeout_end(&inner), 0);
    CHECK_EQ(bine_timeout_end(&outer), 1);
    CHECK(bine_timeout_expired(&outer)); /* also once it has been ended */

    /* A call's own timeout, and time that passed while nobody waited. */
    CHECK_OK(bine_timeout_begin(&outer, BINE_SECOND));
    CHECK(!bine_timeout_expired(&outer));
    bine_greenlet *other = bine_spawn(sleeps_thrice, NULL);
    CHECK_ERROR(bine_join(other, NULL, BINE_MS), ETIMEDOUT);
    CHECK(!bine_timeout_expired(&outer));
    CHECK_EQ(bine_timeout_end(&outer), 0);
    CHECK_OK(bine_kill(other));
    CHECK_OK(bine_join(other, NULL, BINE_FOREVER));
    CHECK(!bine_timeout_expired(NULL));
}

TEST(a_wait_that_ends_before_the_scope_is_not_disturbed)
{
    bine_timeout scope;
    CHECK_OK(bine_timeout_begin(&scope, 200 * BINE_MS));
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_OK(bine_join(bine_spawn(runs_once, NULL), NULL, BINE_FOREVER));
    CHECK_EQ(bine_timeout_end(&scope), 0);
}

TEST(an_interrupt_strikes_once)
{
    bine_greenlet *g = bine_spawn(sleeps_thrice, NULL);
    bine_sleep(0);
    bine_interrupt(g, EINTR);
    bine_sleep(0);
    CHECK_EQ(error_count, 1);
    CHECK_EQ(errors[0], EINTR);
    bine_interrupt(bine_getcurrent(), EINTR);
    CHECK_ERROR(bine_sleep(0), EINTR);
    CHECK_OK(bine_sleep(0));
    CHECK_OK(bine_killall(&g, 1, BINE_FOREVER));
    CHECK_OK(bine_join(g, NULL, 0));
}

TEST(an_interrupt_waits_for_the_next_park_and_is_replaced_or_taken_back)
{
    bine_greenlet *self = bine_getcurrent();
    CHECK_OK(bine_interrupt(self, EIO));
    CHECK_OK(bine_interrupt(self, ENOSPC));
    CHECK_ERROR(bine_sleep(BINE_MS), ENOSPC);
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_OK(bine_interrupt(self, EIO));
    CHECK_OK(bine_interrupt(self, 0));
    CHECK_OK(bine_sleep(BINE_MS));

    bine_shield_begin();
    CHECK_OK(bine_interrupt(self, EIO));
    CHECK_OK(bine_sleep(BINE_MS));
    bine_shield_end();
    CHECK_ERROR(bine_sleep(BINE_MS), EIO);

    bine_greenlet *g = bine_spawn(sleeps_thrice, NULL);
    CHECK_OK(bine_interrupt(g, ERANGE)); /* before it has begun */
    CHECK_OK(bine_sleep(0));
    CHECK_EQ(error_count, 1);
    CHECK_EQ(errors[0], ERANGE);
    CHECK_OK(bine_killall(&g, 1, BINE_FOREVER));
    CHECK_EQ(errors[1], ECANCELED);
    CHECK_OK(bine_interrupt(g, EIO)); /* it has ended */
    CHECK_OK(bine_join(g, NULL, 0));
}

static void *waits_until_killed(void *arg)
{
    unsigned before = bine_interruptions();
    CHECK_ERROR(bine_sleep(BINE_SECOND), ECANCELED);
    CHECK(bine_error_passes(ECANCELED, before));
    CHECK_ERROR(bine_sleep(BINE_SECOND), ECANCELED); /* at once */
    CHECK_EQ(bine_interruptions(), before + 2);
    return arg;
}

TEST(whose_error_it_was_can_be_told)
{
    bine_timeout scope;
    bine_event *event = bine_event_new(0);
    unsigned before = bine_interruptions();
    CHECK_OK(bine_sleep(BINE_US));
    CHECK_ERROR(bine_event_wait(event, BINE_US), ETIMEDOUT); /* the call's own time */
    CHECK_EQ(bine_interruptions(), before);
    CHECK(!bine_error_passes(ETIMEDOUT, before) && !bine_error_passes(EIO, before));
    CHECK(bine_error_passes(EINTR, before) && bine_error_passes(EAGAIN, before));

    CHECK_OK(bine_timeout_begin(&scope, BINE_MS));
    CHECK_ERROR(bine_event_wait(event, BINE_FOREVER), ETIMEDOUT);
    CHECK_EQ(bine_interruptions(), before + 1);
    CHECK(bine_error_passes(ETIMEDOUT, before) && !bine_error_passes(ETIMEDOUT, before + 1));
    CHECK_EQ(bine_timeout_end(&scope), 1);

    CHECK_OK(bine_interrupt(bine_getcurrent(), EIO));
    CHECK_ERROR(bine_event_wait(event, BINE_SECOND), EIO);
    CHECK_EQ(bine_interruptions(), before + 2);

    bine_greenlet *g = bine_spawn(waits_until_killed, NULL);
    CHECK_OK(bine_sleep(0));
    CHECK_OK(bine_kill(g));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(bine_interruptions(), before + 2); /* each greenlet has its own */
    CHECK_OK(bine_event_free(event));
}

TEST(interrupt_checks_its_arguments)
{
    bine_greenlet *self = bine_getcurrent();
    CHECK_ERROR(bine_interrupt(NULL, EINTR), EINVAL);
    CHECK_ERROR(bine_interrupt(self, -1), EINVAL);
    CHECK_ERROR(bine_interrupt(self, 256), EINVAL);
    CHECK_ERROR(bine_interrupt(self, ETIME), EINVAL);
    errno = EXDEV;
    CHECK_OK(bine_interrupt(self, 0));
    CHECK_EQ(errno, EXDEV);
    CHECK_OK(bine_sleep(0));
}

static void *interrupt_main(void *g)
{
    CHECK_OK(bine_interrupt(g, EPROTO));
    CHECK(!bine_hub_exists());
    return NULL;
}

TEST(an_interrupt_may_come_from_a_thread_without_a_hub)
{
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, interrupt_main, bine_getcurrent()), 0);
    CHECK_ERROR(bine_sleep(BINE_FOREVER), EPROTO);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_OK(bine_sleep(BINE_MS));
}

static void *firm(void *arg)
{
    errors[0] = bine_park(bine_hub_here(), "firm", 0,
                          bine_hub_deadline(bine_hub_here(), 3 * BINE_MS), BINE_PARK_FIRM);
    return arg;
}

TEST(a_firm_park_ends_only_by_wake_or_deadline)
{
    bine_greenlet *g = bine_spawn(firm, NULL);
    bine_sleep(0);
    bine_interrupt(g, EINTR);
    CHECK_OK(bine_kill(g));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(errors[0], ETIME);
}

static void parks_in_link(bine_greenlet *g, void *arg)
{
    (void)g;
    errors[0] = bine_sleep(BINE_MS) < 0 ? errno : 0;
    ++*(int *)arg;
}

TEST(links_run_in_order_once_and_may_not_park)
{
    int first = 0, second = 0;
    bine_greenlet *g = bine_spawn(runs_once, NULL);
    CHECK_OK(bine_link(g, parks_in_link, &first));
    CHECK_OK(bine_link(g, count_link, &second));
    CHECK_OK(bine_link(g, count_link, &first));
    CHECK_OK(bine_unlink(g, count_link, &first));
    CHECK_ERROR(bine_unlink(g, count_link, &first), ENOENT);
    CHECK_OK(bine_join(bine_ref(g), NULL, BINE_FOREVER));
    CHECK_EQ(first, 1);
    CHECK_EQ(second, 1);
    CHECK_EQ(errors[0], EDEADLK);
    CHECK_OK(bine_link(g, count_link, &second));
    CHECK_EQ(second, 2);
    bine_detach(g);
}
