/* bine_wait and bine_iwait over greenlets. */
#include <bine.h>
#include <stdlib.h>

#include "harness.h"

static void *after(void *ms)
{
    bine_sleep((intptr_t)ms * BINE_MS);
    return ms;
}

/* An order that does not depend on how busy the machine is. */
static void *after_turns(void *turns)
{
    for (intptr_t i = 0; i < (intptr_t)turns; i++)
        bine_sleep(0);
    return turns;
}

TEST(wait_returns_in_order_of_readiness)
{
    bine_greenlet *a = bine_spawn(after_turns, (void *)20), *b = bine_spawn(after_turns, (void *)1),
                  *c = bine_spawn(after_turns, (void *)10);
    void *objects[] = {a, b, c}, *ready[3];
    CHECK_EQ(bine_wait(objects, 3, ready, 2, BINE_FOREVER), 2);
    CHECK(ready[0] == b && ready[1] == c);
    CHECK_EQ(bine_wait(objects, 3, ready, 0, BINE_FOREVER), 3);
    CHECK_EQ(bine_wait(objects, 3, NULL, 0, 0), 3);
    CHECK_OK(bine_joinall((bine_greenlet *[]){a, b, c}, 3, 0));
}

TEST(wait_that_times_out_says_how_many)
{
    bine_greenlet *a = bine_spawn(after, (void *)0), *b = bine_spawn(after, (void *)100000);
    void *objects[] = {a, b}, *ready[2];
    CHECK_EQ(bine_wait(objects, 2, ready, 0, 5 * BINE_MS), 1);
    CHECK(ready[0] == a);
    CHECK_OK(bine_killall(&b, 1, BINE_FOREVER));
    CHECK_OK(bine_joinall((bine_greenlet *[]){a, b}, 2, 0));
}

TEST(wait_for_nothing_waits_for_everybody)
{
    CHECK_OK(bine_go(after, (void *)5));
    CHECK_OK(bine_go(after, (void *)15));
    CHECK_EQ(bine_wait(NULL, 0, NULL, 0, BINE_FOREVER), 0);
    CHECK_EQ(bine_hub_greenlets(), 0u);
}

TEST(iwait_yields_each_as_it_ends)
{
    bine_greenlet *a = bine_spawn(after_turns, (void *)10), *b = bine_spawn(after_turns, (void *)1),
                  *c = bine_spawn(after, (void *)100000);
    void *objects[] = {a, b, c};
    bine_iwait *iteration = bine_iwait_begin(objects, 3);
    CHECK(bine_iwait_next(iteration, BINE_FOREVER) == b);
    CHECK(bine_iwait_next(iteration, BINE_FOREVER) == a);
    CHECK_ERROR(bine_iwait_next(iteration, 2 * BINE_MS), ETIMEDOUT);
    CHECK_OK(bine_kill(c));
    CHECK(bine_iwait_next(iteration, BINE_FOREVER) == c);
    errno = 5;
    CHECK(bine_iwait_next(iteration, BINE_FOREVER) == NULL);
    CHECK_EQ(errno, 0);
    bine_iwait_end(iteration);
    bine_iwait_end(NULL);
    CHECK_OK(bine_joinall((bine_greenlet *[]){a, b, c}, 3, 0));
}

TEST(an_iteration_may_be_ended_early)
{
    bine_greenlet *a = bine_spawn(after, (void *)5);
    bine_iwait *iteration = bine_iwait_begin((void *[]){a}, 1);
    bine_iwait_end(iteration);
    CHECK_OK(bine_join(a, NULL, BINE_FOREVER));
}

static void *waits(void *g)
{
    CHECK_ERROR(bine_wait(&g, 1, NULL, 0, BINE_FOREVER), ECANCELED);
    return NULL;
}

TEST(a_killed_wait_leaves_no_trace)
{
    bine_greenlet *a = bine_spawn(after, (void *)5), *w = bine_spawn(waits, a);
    bine_sleep(0);
    CHECK_OK(bine_killall(&w, 1, BINE_FOREVER));
    CHECK_OK(bine_joinall((bine_greenlet *[]){a, w}, 2, BINE_FOREVER));
}

TEST(bad_arguments_of_wait)
{
    void *none = NULL;
    CHECK_ERROR(bine_wait(NULL, 1, NULL, 0, 0), EINVAL);
    CHECK_ERROR(bine_wait(&none, 1, NULL, 0, 0), EINVAL);
    CHECK_ERROR(bine_wait(NULL, 0, NULL, 0, -1), EINVAL);
    CHECK_ERROR(bine_iwait_next(NULL, 0), EINVAL);
    CHECK_ERROR(bine_iwait_begin(NULL, 1), EINVAL);
}
