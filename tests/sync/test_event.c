/* Event and AsyncResult. */
#include <bine.h>

#include "harness.h"

static bine_event *event;
static bine_async_result *result;
static int order[16], served;

static void *wait_event(void *number)
{
    CHECK_OK(bine_event_wait(event, BINE_FOREVER));
    order[served++] = (int)(intptr_t)number;
    return NULL;
}

TEST(event_wakes_everybody_who_waits_even_if_cleared_at_once)
{
    event = bine_event_new(0);
    bine_greenlet *all[3];
    for (intptr_t i = 0; i < 3; i++)
        all[i] = bine_spawn(wait_event, (void *)i);
    bine_sleep(0);
    CHECK(!bine_event_is_set(event));
    CHECK_ERROR(bine_event_free(event), EBUSY);
    CHECK_OK(bine_event_set(event));
    CHECK_OK(bine_event_clear(event));
    CHECK(!bine_event_is_set(event));
    CHECK_OK(bine_joinall(all, 3, BINE_FOREVER));
    CHECK_EQ(served, 3);
    CHECK_OK(bine_event_free(event));
}

TEST(event_that_is_set_does_not_wait)
{
    event = bine_event_new(0);
    CHECK_OK(bine_event_set(event));
    CHECK_OK(bine_event_wait(event, 0));
    CHECK_OK(bine_event_wait(event, BINE_FOREVER));
    CHECK_OK(bine_event_clear(event));
    CHECK_ERROR(bine_event_wait(event, 0), ETIMEDOUT);
    CHECK_ERROR(bine_event_wait(event, BINE_MS), ETIMEDOUT);
    CHECK_ERROR(bine_event_wait(event, -1), EINVAL);
    CHECK_OK(bine_event_free(event));
}

static void *expect_cancelled(void *arg)
{
    CHECK_ERROR(bine_event_wait(event, BINE_FOREVER), ECANCELED);
    return NULL;
}

TEST(event_wait_obeys_kill_and_scope)
{
    event = bine_event_new(0);
    bine_greenlet *g = bine_spawn(expect_cancelled, NULL);
    bine_sleep(0);
    CHECK_OK(bine_kill(g));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    bine_timeout scope;
    CHECK_OK(bine_timeout_begin(&scope, BINE_MS));
    CHECK_ERROR(bine_event_wait(event, BINE_FOREVER), ETIMEDOUT);
    CHECK_EQ(bine_timeout_end(&scope), 1);
    CHECK_OK(bine_event_free(event));
}

TEST(event_bad_arguments)
{
    CHECK_ERROR(bine_event_new(~0u), EINVAL);
    CHECK_ERROR(bine_event_set(NULL), EINVAL);
    CHECK_ERROR(bine_event_clear(NULL), EINVAL);
    CHECK_ERROR(bine_event_wait(NULL, 0), EINVAL);
    CHECK(!bine_event_is_set(NULL));
    CHECK_OK(bine_event_free(NULL));
}

TEST(waiting_for_an_event_that_nobody_can_set_is_a_deadlock)
{
    harness_only_one_thread();
    event = bine_event_new(0);
    CHECK_ERROR(bine_event_wait(event, BINE_FOREVER), EDEADLK);
    CHECK_OK(bine_event_free(event));
}

static void *wait_both(void *arg)
{
    void *objects[] = {event, result}, *ready[2];
    CHECK_EQ(bine_wait(objects, 2, ready, 2, BINE_FOREVER), 2);
    CHECK_EQ(ready[0], (void *)result);
    CHECK_EQ(ready[1], (void *)event);
    return NULL;
}

TEST(events_and_results_can_be_waited_for_together)
{
    event = bine_event_new(0);
    result = bine_async_result_new(0);
    bine_greenlet *g = bine_spawn(wait_both, NULL);
    bine_sleep(0);
    CHECK_ERROR(bine_event_free(event), EBUSY);
    CHECK_OK(bine_async_result_set(result, NULL));
    CHECK_OK(bine_event_set(event));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_OK(bine_event_free(event));
    CHECK_OK(bine_async_result_free(result));
}

static void *get_result(void *wanted)
{
    void *value = NULL;
    CHECK_OK(bine_async_result_get(result, &value, BINE_FOREVER));
    CHECK_EQ(value, wanted);
    return NULL;
}

TEST(async_result_gives_its_value_to_all)
{
    result = bine_async_result_new(0);
    CHECK(!bine_async_result_ready(result));
    CHECK_ERROR(bine_async_result_get(result, NULL, 0), ETIMEDOUT);
    bine_greenlet *all[] = {bine_spawn(get_result, (void *)7), bine_spawn(get_result, (void *)7)};
    bine_sleep(0);
    CHECK_OK(bine_async_result_set(result, (void *)7));
    CHECK(bine_async_result_ready(result));
    CHECK(bine_async_result_successful(result));
    CHECK_EQ(bine_async_result_value(result), (void *)7);
    CHECK_OK(bine_joinall(all, 2, BINE_FOREVER));
    CHECK_OK(bine_async_result_free(result));
}

TEST(async_result_gives_its_error)
{
    result = bine_async_result_new(0);
    CHECK_ERROR(bine_async_result_set_error(result, 0), EINVAL);
    CHECK_OK(bine_async_result_set_error(result, ENOTTY));
    CHECK_ERROR(bine_async_result_get(result, NULL, BINE_FOREVER), ENOTTY);
    CHECK_OK(bine_async_result_wait(result, BINE_FOREVER));
    CHECK(!bine_async_result_successful(result));
    CHECK_EQ(bine_async_result_error(result), ENOTTY);
    CHECK_OK(bine_async_result_set(result, (void *)1));
    CHECK_OK(bine_async_result_get(result, NULL, BINE_FOREVER));
    CHECK_OK(bine_async_result_free(result));
}

static void *returns_five(void *arg)
{
    return (void *)5;
}

static void *fails(void *arg)
{
    bine_fail(EIO);
}

TEST(async_result_follows_a_greenlet)
{
    void *value;
    result = bine_async_result_new(0);
    bine_greenlet *g = bine_spawn(returns_five, NULL);
    CHECK_OK(bine_link(g, bine_async_result_from, result));
    CHECK_OK(bine_async_result_get(result, &value, BINE_FOREVER));
    CHECK_EQ(value, (void *)5);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    g = bine_spawn(fails, NULL);
    CHECK_OK(bine_link(g, bine_async_result_from, result));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_ERROR(bine_async_result_get(result, &value, BINE_FOREVER), EIO);
    CHECK_OK(bine_async_result_free(result));
}
