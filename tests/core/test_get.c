/* bine_get: the value of a greenlet, or its error. And bine_go, which wants neither. */
#include <bine.h>
#include <pthread.h>
#include <stdatomic.h>

#include "harness.h"

static void *returns(void *arg)
{
    bine_sleep(0);
    return arg;
}

static void *fails(void *error)
{
    bine_sleep(0);
    bine_fail((int)(intptr_t)error);
}

static void *waits(void *arg)
{
    (void)bine_sleep(BINE_FOREVER);
    return arg;
}

TEST(get_gives_the_value_and_takes_the_reference)
{
    void *value = NULL;
    bine_greenlet *g = bine_spawn(returns, (void *)7);
    bine_ref(g);
    CHECK_OK(bine_get(g, &value, BINE_FOREVER));
    CHECK_EQ((intptr_t)value, 7);
    CHECK_OK(bine_get(g, NULL, 0)); /* the other one */
}

TEST(get_fails_with_the_error_of_the_greenlet_and_keeps_the_reference)
{
    void *value = (void *)1;
    bine_greenlet *g = bine_spawn(fails, (void *)EIO);
    CHECK_ERROR(bine_get(g, &value, BINE_FOREVER), EIO);
    CHECK_EQ((intptr_t)value, 1);
    CHECK_EQ(bine_error(g), EIO); /* it is there still, and so is its name */
    CHECK_ERROR(bine_get(g, &value, 0), EIO);
    CHECK(strstr(bine_name(g), "fails") != NULL);
    bine_detach(g);
}

TEST(a_greenlet_killed_before_it_ran_is_canceled)
{
    bine_greenlet *g = bine_spawn(returns, NULL);
    CHECK_OK(bine_kill(g));
    CHECK_ERROR(bine_get(g, NULL, BINE_FOREVER), ECANCELED);
    CHECK(bine_dead(g));
    bine_detach(g);
}

/* A greenlet's own ETIMEDOUT and that of the wait for it are told apart, and the caller does the
 * same after both. */
TEST(a_wait_that_is_cut_short_is_told_from_a_failure)
{
    bine_greenlet *slow = bine_spawn(waits, NULL), *failed = bine_spawn(fails, (void *)ETIMEDOUT);
    CHECK_ERROR(bine_get(slow, NULL, BINE_MS), ETIMEDOUT);
    CHECK_ERROR(bine_get(failed, NULL, BINE_SECOND), ETIMEDOUT);
    CHECK(!bine_dead(slow) && bine_dead(failed));
    bine_greenlet *both[] = {slow, failed};
    for (int i = 0; i < 2; i++) {
        CHECK_OK(bine_kill(both[i]));
        bine_detach(both[i]);
    }
    CHECK_OK(bine_sleep(0));
    CHECK_EQ(bine_hub_greenlets(), 0u);
}

static int seen;

static void *gets(void *g)
{
    seen = bine_get(g, NULL, BINE_FOREVER) == 0 ? 0 : errno;
    return NULL;
}

TEST(a_killed_getter_keeps_the_reference)
{
    bine_greenlet *slow = bine_spawn(waits, NULL), *getter = bine_spawn(gets, slow);
    CHECK_OK(bine_sleep(0));
    CHECK_OK(bine_kill(getter));
    CHECK_OK(bine_get(getter, NULL, BINE_FOREVER));
    CHECK_EQ(seen, ECANCELED);
    CHECK(bine_started(slow));
    CHECK_OK(bine_kill(slow));
    CHECK_OK(bine_get(slow, NULL, BINE_FOREVER));
}

TEST(get_checks_its_arguments)
{
    bine_greenlet *g = bine_spawn(returns, NULL);
    CHECK_ERROR(bine_get(NULL, NULL, 0), EINVAL);
    CHECK_ERROR(bine_get(g, NULL, -1), EINVAL);
    CHECK_ERROR(bine_get(g, NULL, 0), ETIMEDOUT);
    CHECK_ERROR(bine_get(bine_getcurrent(), NULL, BINE_FOREVER), EDEADLK);
    errno = EXDEV;
    CHECK_OK(bine_get(g, NULL, BINE_FOREVER));
    CHECK_EQ(errno, EXDEV);
}

static void *get_elsewhere(void *arg)
{
    bine_greenlet **of_main = arg;
    void *value = NULL;
    CHECK_OK(bine_get(of_main[0], &value, BINE_FOREVER));
    CHECK_EQ((intptr_t)value, 9);
    CHECK_ERROR(bine_get(of_main[1], &value, BINE_FOREVER), EPROTO);
    CHECK_EQ(bine_error(of_main[1]), EPROTO);
    bine_detach(of_main[1]);
    CHECK_ERROR(bine_get(of_main[2], &value, BINE_MS), ETIMEDOUT);
    CHECK_ERROR(bine_get(of_main[2], &value, 0), ETIMEDOUT);
    CHECK_OK(bine_kill(of_main[2]));
    CHECK_OK(bine_get(of_main[2], &value, BINE_FOREVER));
    CHECK_EQ((intptr_t)value, 3);
    return NULL;
}

TEST(get_takes_a_greenlet_of_another_thread)
{
    bine_greenlet *all[] = {bine_spawn(returns, (void *)9), bine_spawn(fails, (void *)EPROTO),
                            bine_spawn(waits, (void *)3)};
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, get_elsewhere, all), 0);
    while (pthread_tryjoin_np(thread, NULL) == EBUSY)
        bine_sleep(100 * BINE_US);
}

/* ---- bine_go --------------------------------------------------------------------------------- */

static int went;

static void *goes(void *arg)
{
    went += (int)(intptr_t)arg;
    bine_sleep(0);
    went += (int)(intptr_t)arg;
    return NULL;
}

static void *fails_alone(void *arg)
{
    went += (int)(intptr_t)arg;
    bine_fail(EIO);
}

TEST(what_was_let_go_runs_and_frees_itself)
{
    CHECK_OK(bine_go(goes, (void *)1));
    CHECK_EQ(went, 0);
    CHECK_OK(bine_sleep(0));
    CHECK_EQ(went, 1);
    CHECK_OK(bine_go(fails_alone, (void *)10));
    CHECK_OK(bine_wait(NULL, 0, NULL, 0, BINE_FOREVER) >= 0 ? 0 : -1);
    CHECK_EQ(went, 12);
    /* Records are recycled, so the address of one that was freed comes back. */
    bine_greenlet *g = bine_spawn(returns, NULL), *same = g;
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_OK(bine_go(goes, (void *)0));
    CHECK_OK(bine_wait(NULL, 0, NULL, 0, BINE_FOREVER) >= 0 ? 0 : -1);
    g = bine_spawn(returns, NULL);
    CHECK(g == same);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
}

TEST(go_checks_its_arguments)
{
    CHECK_ERROR(bine_go_at(NULL, NULL, "f\0here"), EINVAL);
    CHECK_ERROR(bine_go_at(goes, NULL, NULL), EINVAL);
    CHECK_EQ(bine_hub_greenlets(), 0u);
}

static void *kill_itself(void *arg)
{
    CHECK_OK(bine_kill(bine_getcurrent()));
    CHECK_ERROR(bine_sleep(0), ECANCELED);
    went++;
    return arg;
}

TEST(what_was_let_go_may_be_killed_and_hold_itself)
{
    CHECK_OK(bine_go(kill_itself, NULL));
    CHECK_OK(bine_wait(NULL, 0, NULL, 0, BINE_FOREVER) >= 0 ? 0 : -1);
    CHECK_EQ(went, 1);
}
