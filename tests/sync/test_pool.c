/* Pools, groups, maps, scopes. */
#include <bine.h>

#include "harness.h"

static bine_pool *pool;
static int running, most, ended;

static void *work(void *arg)
{
    if (++running > most)
        most = running;
    int slept = bine_sleep((int64_t)(intptr_t)arg);
    running--;
    ended++;
    return slept == 0 ? arg : NULL;
}

TEST(pool_limits_how_many_run)
{
    pool = bine_pool_new(3, 0);
    CHECK_EQ(bine_pool_free_count(pool), 3u);
    for (int i = 0; i < 3; i++)
        CHECK(bine_pool_spawn(pool, work, (void *)BINE_MS) != NULL);
    CHECK(bine_pool_full(pool));
    CHECK_ERROR(bine_pool_spawn_at(pool, work, NULL, 0, BINE_SITE(work)), ETIMEDOUT);
    CHECK_ERROR(bine_pool_free(pool), EBUSY);
    CHECK_ERROR(bine_pool_wait_available(pool, 0), ETIMEDOUT);
    CHECK_OK(bine_pool_wait_available(pool, BINE_FOREVER));
    CHECK(!bine_pool_full(pool));
    for (int i = 3; i < 10; i++)
        CHECK(bine_pool_spawn(pool, work, (void *)BINE_MS) != NULL);
    CHECK_OK(bine_pool_join(pool, BINE_FOREVER));
    CHECK_EQ(ended, 10);
    CHECK_EQ(most, 3);
    CHECK_EQ(bine_pool_count(pool), 0u);
    CHECK_EQ(bine_pool_free_count(pool), 3u);
    CHECK_OK(bine_pool_free(pool));
}

TEST(pool_kill_ends_them_all_started_or_not)
{
    pool = bine_group_new();
    bine_greenlet *g = bine_ref(bine_pool_spawn(pool, work, (void *)BINE_FOREVER));
    bine_sleep(0);
    for (int i = 0; i < 5; i++)
        bine_pool_spawn(pool, work, (void *)BINE_FOREVER);
    CHECK_EQ(bine_pool_count(pool), 6u);
    CHECK_OK(bine_pool_kill(pool, BINE_FOREVER));
    CHECK_EQ(bine_pool_count(pool), 0u);
    CHECK_EQ(ended, 1);
    CHECK(bine_dead(g));
    bine_detach(g);
    CHECK_OK(bine_pool_free(pool));
}

static void *kill_own_pool(void *arg)
{
    CHECK_ERROR(bine_pool_join(pool, BINE_FOREVER), EDEADLK);
    CHECK_ERROR(bine_pool_kill(pool, BINE_FOREVER), ECANCELED); /* killed, too */
    CHECK(bine_killed(bine_getcurrent()));
    return NULL;
}

TEST(pool_member_may_kill_its_pool)
{
    pool = bine_group_new();
    bine_pool_spawn(pool, work, (void *)BINE_FOREVER);
    bine_pool_spawn(pool, kill_own_pool, NULL);
    CHECK_OK(bine_pool_join(pool, BINE_FOREVER));
    CHECK_EQ(ended, 1);
    CHECK_OK(bine_pool_free(pool));
}

TEST(pool_takes_in_and_lets_go)
{
    pool = bine_pool_new(1, 0);
    bine_greenlet *g = bine_spawn(work, (void *)BINE_MS),
                  *other = bine_spawn(work, (void *)BINE_MS);
    CHECK_OK(bine_pool_add(pool, g, 0));
    CHECK_ERROR(bine_pool_add(pool, g, 0), EEXIST);
    CHECK_ERROR(bine_pool_add(pool, other, 0), ETIMEDOUT);
    CHECK_ERROR(bine_pool_discard(pool, other), ENOENT);
    CHECK_OK(bine_pool_discard(pool, g));
    CHECK_EQ(bine_pool_count(pool), 0u);
    CHECK_OK(bine_pool_add(pool, other, 0));
    CHECK_OK(bine_pool_join(pool, BINE_FOREVER));
    CHECK_OK(bine_pool_add(pool, other, 0)); /* ended: nothing to do */
    CHECK_EQ(bine_pool_count(pool), 0u);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_OK(bine_join(other, NULL, BINE_FOREVER));
    CHECK_OK(bine_pool_free(pool));
}

static void *square(void *arg)
{
    intptr_t n = (intptr_t)arg;
    bine_sleep((10 - n) * BINE_MS / 5);
    if (n < 0)
        bine_fail((int)-n);
    return (void *)(n * n);
}

TEST(pool_map_gives_results_in_order)
{
    pool = bine_pool_new(4, 0);
    void *items[10], *results[10];
    for (intptr_t i = 0; i < 10; i++)
        items[i] = (void *)i;
    CHECK_OK(bine_pool_map(pool, square, items, 10, results, BINE_FOREVER));
    for (intptr_t i = 0; i < 10; i++)
        CHECK_EQ((intptr_t)results[i], i * i);
    CHECK_OK(bine_pool_map(pool, square, items, 0, results, BINE_FOREVER));
    items[4] = (void *)-EIO;
    items[2] = (void *)-ENOTTY;
    CHECK_ERROR(bine_pool_map(pool, square, items, 10, results, BINE_FOREVER), ENOTTY);
    CHECK_EQ(results[2], NULL);
    CHECK_EQ((intptr_t)results[9], 81);
    void *value;
    CHECK_OK(bine_pool_apply(pool, square, (void *)6, &value, BINE_FOREVER));
    CHECK_EQ((intptr_t)value, 36);
    CHECK_ERROR(bine_pool_apply(pool, square, (void *)-EIO, &value, BINE_FOREVER), EIO);
    CHECK_ERROR(bine_pool_apply(pool, square, (void *)1, &value, 0), ETIMEDOUT);
    CHECK_EQ(bine_pool_count(pool), 0u);
    CHECK_OK(bine_pool_free(pool));
}

static void *stubborn(void *duration)
{
    bine_sleep((int64_t)(intptr_t)duration);
    return (void *)7; /* whatever the sleep said */
}

TEST(hazard_76_what_the_time_of_a_map_broke_off_has_no_result)
{
    pool = bine_pool_new(0, 0);
    void *items[] = {(void *)0, (void *)BINE_FOREVER}, *results[2], *value = (void *)1;
    CHECK_ERROR(bine_pool_map(pool, stubborn, items, 2, results, BINE_MS), ETIMEDOUT);
    CHECK_EQ((intptr_t)results[0], 7);
    CHECK_EQ(results[1], NULL);
    CHECK_ERROR(bine_pool_apply(pool, stubborn, (void *)BINE_FOREVER, &value, BINE_MS), ETIMEDOUT);
    CHECK_EQ((intptr_t)value, 1);
    CHECK_OK(bine_pool_free(pool));
}

static void *map_forever(void *arg)
{
    void *items[] = {(void *)BINE_FOREVER, (void *)BINE_FOREVER, (void *)BINE_FOREVER};
    CHECK_ERROR(bine_pool_map(pool, work, items, 3, NULL, BINE_FOREVER), ECANCELED);
    CHECK_EQ(running, 0);
    return NULL;
}

TEST(pool_map_that_is_cut_short_leaves_nothing_running)
{
    pool = bine_pool_new(2, 0);
    bine_greenlet *g = bine_spawn(map_forever, NULL);
    bine_sleep(0);
    bine_sleep(0);
    CHECK_EQ(running, 2);
    CHECK_OK(bine_kill(g));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(bine_pool_count(pool), 0u);
    void *item = (void *)BINE_FOREVER;
    CHECK_ERROR(bine_pool_map(pool, work, &item, 1, NULL, BINE_MS), ETIMEDOUT);
    CHECK_EQ(running, 0);
    CHECK_OK(bine_pool_free(pool));
}

TEST(imap_gives_results_in_order_and_unordered_as_they_come)
{
    pool = bine_pool_new(10, 0);
    void *items[10];
    for (intptr_t i = 0; i < 10; i++)
        items[i] = (void *)i;
    bine_imap_result result;
    bine_imap *imap = bine_pool_imap(pool, square, items, 10);
    for (intptr_t i = 0; i < 10; i++) {
        CHECK_EQ(bine_imap_next(imap, &result, BINE_FOREVER), 1);
        CHECK_EQ((intptr_t)result.index, i);
        CHECK_EQ((intptr_t)result.value, i * i);
        CHECK_EQ(result.error, 0);
    }
    CHECK_EQ(bine_imap_next(imap, &result, BINE_FOREVER), 0);
    bine_imap_end(imap);

    bool seen[10] = {false};
    items[3] = (void *)-EIO;
    imap = bine_pool_imap_unordered(pool, square, items, 10);
    for (int i = 0; i < 10; i++) {
        CHECK_EQ(bine_imap_next(imap, &result, BINE_FOREVER), 1);
        CHECK(!seen[result.index]);
        seen[result.index] = true;
        CHECK_EQ(result.error, result.index == 3 ? EIO : 0);
    }
    CHECK_EQ(bine_imap_next(imap, &result, BINE_FOREVER), 0);
    bine_imap_end(imap);
    CHECK_OK(bine_pool_free(pool));
}

TEST(imap_can_be_left_early)
{
    pool = bine_pool_new(2, 0);
    void *items[50];
    for (int i = 0; i < 50; i++)
        items[i] = (void *)(i == 0 ? BINE_MS : BINE_FOREVER);
    bine_imap_result result;
    bine_imap *imap = bine_pool_imap(pool, work, items, 50);
    CHECK_ERROR(bine_imap_next(imap, &result, 0), ETIMEDOUT);
    CHECK_EQ(bine_imap_next(imap, &result, BINE_FOREVER), 1);
    CHECK_ERROR(bine_imap_next(imap, &result, BINE_MS), ETIMEDOUT);
    bine_imap_end(imap);
    CHECK_EQ(running, 0);
    CHECK_OK(bine_pool_free(pool));
    bine_imap_end(NULL);
}

static int begun;

static void *begins(void *arg)
{
    begun++;
    return arg;
}

TEST(imap_limit_lets_a_slow_reader_hold_up_the_work)
{
    pool = bine_pool_new(0, 0);
    void *items[20] = {0};
    for (int ordered = 0; ordered < 2; ordered++) {
        bine_imap_result result;
        bine_imap *imap = bine_pool_imap_at(pool, begins, items, 20, ordered, BINE_SITE(begins));
        CHECK_OK(bine_imap_limit(imap, 3));
        begun = 0;
        for (int i = 0; i < 20; i++) {
            CHECK_OK(bine_sleep(0));
            CHECK_OK(bine_sleep(0));
            CHECK_LE(begun, i + 3);
            CHECK_EQ(bine_imap_next(imap, &result, BINE_FOREVER), 1);
        }
        CHECK_EQ(bine_imap_next(imap, &result, BINE_FOREVER), 0);
        CHECK_EQ(begun, 20);
        bine_imap_end(imap);
        /* And it can be left while the feeder waits. */
        imap = bine_pool_imap_at(pool, begins, items, 20, ordered, BINE_SITE(begins));
        CHECK_OK(bine_imap_limit(imap, 1));
        CHECK_OK(bine_sleep(BINE_MS));
        bine_imap_end(imap);
    }
    CHECK_ERROR(bine_imap_limit(NULL, 1), EINVAL);
    CHECK_OK(bine_pool_free(pool));
}

TEST(pool_says_who_is_in_it)
{
    pool = bine_pool_new(0, 0);
    bine_greenlet *all[5], *g = bine_spawn(work, NULL);
    CHECK_EQ(bine_pool_list(pool, all, 5), 0u);
    bine_greenlet *first = bine_pool_spawn(pool, work, NULL),
                  *second = bine_pool_spawn(pool, work, NULL);
    CHECK(bine_pool_contains(pool, first));
    CHECK(!bine_pool_contains(pool, g));
    CHECK(!bine_pool_contains(pool, NULL));
    CHECK(!bine_pool_contains(NULL, g));
    CHECK_EQ(bine_pool_list(pool, all, 1), 2u);
    CHECK_EQ(all[0], second);
    CHECK_EQ(bine_pool_list(pool, all, 5), 2u);
    CHECK_EQ(all[1], first);
    CHECK_EQ(bine_pool_list(NULL, all, 5), 0u);
    CHECK_OK(bine_pool_join(pool, BINE_FOREVER));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_OK(bine_pool_free(pool));
}

TEST(pool_bad_arguments)
{
    pool = bine_pool_new(1, 0);
    CHECK_ERROR(bine_pool_new(1, ~BINE_SHARED), EINVAL);
    CHECK_ERROR(bine_pool_spawn(NULL, work, NULL), EINVAL);
    CHECK_ERROR(bine_pool_spawn_at(pool, NULL, NULL, 0, ""), EINVAL);
    CHECK_ERROR(bine_pool_add(pool, NULL, 0), EINVAL);
    CHECK_ERROR(bine_pool_discard(pool, NULL), EINVAL);
    CHECK_ERROR(bine_pool_join(pool, -1), EINVAL);
    CHECK_ERROR(bine_pool_kill(NULL, 0), EINVAL);
    CHECK_ERROR(bine_pool_map(pool, work, NULL, 1, NULL, 0), EINVAL);
    CHECK_ERROR(bine_pool_imap(pool, work, NULL, 1), EINVAL);
    CHECK_ERROR(bine_imap_next(NULL, NULL, 0), EINVAL);
    CHECK_OK(bine_pool_free(NULL));
    CHECK_OK(bine_pool_free(pool));
}

/* ---- scope ----------------------------------------------------------------------------------- */

static bine_scope *scope;

static void *fail_later(void *error)
{
    CHECK_OK(bine_sleep(BINE_MS));
    bine_fail((int)(intptr_t)error);
}

static void *spawn_sibling(void *arg)
{
    CHECK(bine_scope_spawn(scope, work, (void *)BINE_MS) != NULL);
    return NULL;
}

TEST(scope_ends_when_all_in_it_have_ended)
{
    scope = bine_scope_begin(BINE_FOREVER);
    CHECK(bine_scope_spawn(scope, work, (void *)BINE_MS) != NULL);
    CHECK(bine_scope_spawn(scope, spawn_sibling, NULL) != NULL);
    CHECK_OK(bine_scope_end(scope));
    CHECK_EQ(ended, 2);
}

TEST(scope_failure_kills_the_rest_and_tells_the_block)
{
    scope = bine_scope_begin(BINE_FOREVER);
    bine_scope_spawn(scope, work, (void *)BINE_FOREVER);
    bine_scope_spawn(scope, fail_later, (void *)EIO);
    CHECK_ERROR(bine_sleep(BINE_FOREVER), ECANCELED); /* the block itself is cut short */
    CHECK_ERROR(bine_sleep(BINE_FOREVER), ETIMEDOUT);
    CHECK_ERROR(bine_scope_spawn(scope, work, NULL), ECANCELED);
    CHECK_ERROR(bine_scope_end(scope), EIO);
    CHECK_EQ(running, 0);
    CHECK_OK(bine_sleep(0));
    CHECK_OK(bine_sleep(BINE_MS)); /* nothing of it is left over */
}

TEST(scope_failure_while_it_ends)
{
    scope = bine_scope_begin(BINE_FOREVER);
    bine_scope_spawn(scope, work, (void *)BINE_FOREVER);
    bine_scope_spawn(scope, fail_later, (void *)EIO);
    CHECK_ERROR(bine_scope_end(scope), EIO);
    CHECK_EQ(running, 0);
    CHECK_OK(bine_sleep(BINE_MS));
}

TEST(scope_cancel_is_no_failure_if_it_names_no_error)
{
    scope = bine_scope_begin(BINE_FOREVER);
    for (int i = 0; i < 10; i++)
        bine_scope_spawn(scope, work, (void *)BINE_FOREVER);
    CHECK_OK(bine_sleep(0));
    CHECK_OK(bine_scope_cancel(scope, 0));
    CHECK_OK(bine_scope_cancel(scope, EIO)); /* the first counts */
    CHECK_OK(bine_scope_end(scope));
    CHECK_EQ(running, 0);
    CHECK_OK(bine_sleep(BINE_MS));
}

TEST(scope_timeout_kills_what_is_left)
{
    scope = bine_scope_begin(BINE_MS);
    bine_scope_spawn(scope, work, (void *)BINE_FOREVER);
    CHECK_ERROR(bine_scope_end(scope), ETIMEDOUT);
    CHECK_EQ(running, 0);
    CHECK_OK(bine_sleep(2 * BINE_MS));
}

TEST(hazard_76_scope_whose_time_cut_the_block_short_says_so)
{
    scope = bine_scope_begin(BINE_MS);
    CHECK(bine_scope_spawn(scope, work, NULL) != NULL);
    CHECK_ERROR(bine_sleep(BINE_FOREVER), ETIMEDOUT);
    CHECK_EQ(running, 0); /* nobody is left to be killed */
    CHECK_ERROR(bine_scope_end(scope), ETIMEDOUT);

    scope = bine_scope_begin(BINE_MS);
    CHECK_ERROR(bine_sleep(BINE_FOREVER), ETIMEDOUT);
    CHECK_OK(bine_scope_cancel(scope, 0)); /* what the block says about its outcome counts */
    CHECK_OK(bine_scope_end(scope));
}

static void *block(void *arg)
{
    scope = bine_scope_begin(BINE_FOREVER);
    bine_scope_spawn(scope, work, (void *)BINE_FOREVER);
    CHECK_ERROR(bine_scope_end(scope), ECANCELED);
    CHECK_EQ(running, 0);
    return NULL;
}

TEST(scope_of_a_killed_greenlet_takes_its_greenlets_with_it)
{
    bine_greenlet *g = bine_spawn(block, NULL);
    bine_sleep(BINE_MS);
    CHECK_EQ(running, 1);
    CHECK_ERROR(bine_scope_end(scope), EPERM);
    CHECK_OK(bine_kill(g));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
}

TEST(scopes_nest)
{
    bine_scope *outer = bine_scope_begin(BINE_FOREVER), *inner = bine_scope_begin(BINE_FOREVER);
    CHECK_ERROR(bine_scope_end(outer), EINVAL);
    bine_scope_spawn(inner, work, (void *)BINE_FOREVER);
    bine_scope_spawn(outer, fail_later, (void *)EIO);
    /* The outer scope's failure ends the inner one. */
    CHECK_EQ(bine_scope_end(inner), -1);
    CHECK_EQ(running, 0);
    CHECK_ERROR(bine_scope_end(outer), EIO);
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_ERROR(bine_scope_begin(-1), EINVAL);
    CHECK_ERROR(bine_scope_end(NULL), EINVAL);
    CHECK_ERROR(bine_scope_cancel(NULL, 0), EINVAL);
}
