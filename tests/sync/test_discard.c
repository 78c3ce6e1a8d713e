/* `discard` of the spawn options: called exactly once for each argument whose greenlet never ran,
 * and for no other. */
#include <bine.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

static atomic_int ran, discarded;
static pthread_t discarded_on;
static intptr_t last;

static void *runs(void *arg)
{
    ran++;
    free(arg);
    return NULL;
}

static void discard(void *arg)
{
    discarded++;
    discarded_on = pthread_self();
    last = *(int *)arg;
    free(arg);
}

static int *number(int value)
{
    int *made = malloc(sizeof *made);
    CHECK(made != NULL);
    *made = value;
    return made;
}

static const bine_spawn_options with_discard = {.discard = discard};
static const bine_spawn_options later = {.discard = discard, .delay = 100 * BINE_SECOND};

static void check(int expected_runs, int expected_discards)
{
    CHECK_EQ(ran, expected_runs);
    CHECK_EQ(discarded, expected_discards);
}

TEST(one_that_runs_keeps_its_argument)
{
    bine_greenlet *g = bine_spawn_with(&with_discard, runs, number(1));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    check(1, 0);
    bine_greenlet *soon =
        bine_spawn_with((&(bine_spawn_options){.discard = discard, .delay = 1}), runs, number(2));
    CHECK_OK(bine_join(soon, NULL, BINE_FOREVER));
    check(2, 0);
}

static int waits_in_vain;

static void *waits(void *arg)
{
    waits_in_vain = bine_sleep(BINE_FOREVER) == 0 ? 0 : errno;
    return runs(arg);
}

TEST(one_that_was_killed_while_it_ran_keeps_its_argument)
{
    bine_greenlet *g = bine_spawn_with(&with_discard, waits, number(1));
    CHECK_OK(bine_sleep(0));
    CHECK_OK(bine_kill(g));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(waits_in_vain, ECANCELED);
    check(1, 0);
}

TEST(killed_before_it_ran_or_before_its_delay_was_over)
{
    bine_greenlet *ready = bine_spawn_with(&with_discard, runs, number(3)),
                  *delayed = bine_spawn_with(&later, runs, number(4));
    CHECK_OK(bine_kill(ready));
    check(0, 1);
    CHECK_EQ(last, 3);
    CHECK_OK(bine_kill(ready));
    CHECK_OK(bine_kill(delayed));
    check(0, 2);
    CHECK_EQ(last, 4);
    CHECK_ERROR(bine_get(ready, NULL, 0), ECANCELED);
    bine_detach(ready);
    CHECK_OK(bine_join(delayed, NULL, BINE_FOREVER));
    CHECK_OK(bine_sleep(0)); /* the queue still holds it */
    check(0, 2);
}

static bine_greenlet *doomed;
static int inside;

/* What it may not do fails, what it may do does no harm. */
static void discard_and_try(void *arg)
{
    inside = bine_sleep(BINE_MS) == 0 ? 0 : errno;
    CHECK(bine_dead(doomed));
    CHECK_OK(bine_kill(doomed));
    CHECK_OK(bine_go(runs, number(0)));
    discard(arg);
}

TEST(discarding_may_not_wait_and_may_spawn)
{
    doomed = bine_spawn_with((&(bine_spawn_options){.discard = discard_and_try}), runs, number(1));
    CHECK_OK(bine_kill(doomed));
    CHECK_EQ(inside, EDEADLK);
    check(0, 1);
    CHECK_OK(bine_join(doomed, NULL, BINE_FOREVER));
    CHECK_OK(bine_sleep(0));
    check(1, 1);
}

static void *thread_leaves_two(void *arg)
{
    bine_detach(bine_spawn_with(&with_discard, runs, number(1)));
    bine_detach(bine_spawn_with(&later, runs, number(2)));
    return arg;
}

TEST(the_end_of_the_thread_discards_on_that_thread)
{
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, thread_leaves_two, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    check(0, 2);
    CHECK(pthread_equal(discarded_on, thread));
}

static void *kill_from_outside(void *g)
{
    CHECK_OK(bine_killall((bine_greenlet *const *)&g, 1, BINE_FOREVER));
    return NULL;
}

TEST(a_kill_from_another_thread_discards_on_its_own)
{
    bine_greenlet *g = bine_spawn_with(&later, runs, number(1));
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, kill_from_outside, g), 0);
    while (pthread_tryjoin_np(thread, NULL) == EBUSY)
        bine_sleep(100 * BINE_US);
    check(0, 1);
    CHECK(pthread_equal(discarded_on, pthread_self()));
    bine_detach(g);
}

TEST(the_child_of_a_fork_discards_nothing, .leaves = "the parent's greenlets in the child")
{
    bine_greenlet *g = bine_spawn_with(&later, runs, number(1));
    pid_t child = fork();
    CHECK_GE(child, 0);
    if (child == 0)
        _exit(bine_dead(g) && discarded == 0 ? 0 : 1);
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    CHECK_OK(bine_kill(g));
    bine_detach(g);
    check(0, 1);
}

TEST(a_spawn_that_failed_leaves_the_argument_to_the_caller)
{
    int *mine = number(1);
    bine_spawn_options huge = {.discard = discard, .stack_size = SIZE_MAX};
    CHECK_ERROR(bine_spawn_with(&huge, runs, mine), EINVAL);
    bine_pool *pool = bine_pool_new(1, 0);
    CHECK(bine_pool_spawn_with(pool, &with_discard, waits, number(2), 0) != NULL);
    CHECK_ERROR(bine_pool_spawn_with(pool, &with_discard, runs, mine, 0), ETIMEDOUT);
    CHECK_ERROR(bine_pool_spawn_with(pool, &huge, runs, mine, 0), ETIMEDOUT);
    check(0, 0);
    free(mine);
    CHECK_OK(bine_pool_kill(pool, BINE_FOREVER));
    check(0, 1);
    CHECK_OK(bine_pool_free(pool));
}

TEST(pools_and_scopes_discard_what_they_kill)
{
    bine_pool *pool = bine_pool_new(0, 0);
    for (int i = 0; i < 3; i++)
        CHECK(bine_pool_spawn_with(pool, i ? &with_discard : &later, runs, number(i),
                                   BINE_FOREVER) != NULL);
    CHECK_OK(bine_pool_kill(pool, BINE_FOREVER));
    check(0, 3);
    CHECK_OK(bine_pool_free(pool));

    bine_scope *scope = bine_scope_begin(BINE_FOREVER);
    CHECK(bine_scope_spawn_with(scope, &later, runs, number(9)) != NULL);
    CHECK(bine_scope_spawn_with(scope, NULL, runs, number(9)) != NULL);
    CHECK_OK(bine_sleep(0));
    check(1, 3);
    CHECK_OK(bine_scope_cancel(scope, 0));
    check(1, 4);
    int *mine = number(5);
    CHECK_ERROR(bine_scope_spawn_with(scope, &later, runs, mine), ECANCELED);
    free(mine);
    CHECK_OK(bine_scope_end(scope));
    check(1, 4);
}

static void *spawn_from_outside(void *pool)
{
    char name[] = "far";
    bine_spawn_options options = {.discard = discard, .delay = 100 * BINE_SECOND, .name = name};
    CHECK(bine_pool_spawn_with(pool, &options, runs, number(1), BINE_FOREVER) != NULL);
    memset(name, 'x', 3);
    return NULL;
}

TEST(another_thread_may_spawn_with_options_in_a_shared_pool)
{
    bine_pool *pool = bine_pool_new(0, BINE_SHARED);
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, spawn_from_outside, pool), 0);
    while (pthread_tryjoin_np(thread, NULL) == EBUSY)
        bine_sleep(100 * BINE_US);
    bine_greenlet *g;
    CHECK_EQ(bine_pool_list(pool, &g, 1), 1u);
    CHECK(strstr(bine_name(g), "far") != NULL);
    CHECK_OK(bine_pool_kill(pool, BINE_FOREVER));
    check(0, 1);
    CHECK(pthread_equal(discarded_on, pthread_self()));
    CHECK_OK(bine_pool_free(pool));
}

/* ---- threads that end ------------------------------------------------------------------------ */

static int refused;

static void discard_and_respawn(void *arg)
{
    if (++discarded > 1000)
        return; /* so that this test ends where threads do not */
    bine_spawn_options again = {.discard = discard_and_respawn};
    bine_greenlet *next = bine_spawn_with(&again, runs, arg);
    refused += !next && errno == EAGAIN;
    bine_detach(next);
}

static void *end_with_respawning_discards(void *arg)
{
    bine_spawn_options options = {.discard = discard_and_respawn};
    for (int i = 0; i < 3; i++)
        bine_detach(bine_spawn_with(&options, runs, arg));
    return arg;
}

TEST(hazard_102_a_discard_that_respawns_ends_with_its_thread)
{
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, end_with_respawning_discards, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(discarded, 3 * 17); /* each spawn that succeeded */
    CHECK_EQ(refused, 3);
    discarded = 0; /* the record of its hub refuses nothing for the next thread */
    CHECK_EQ(pthread_create(&thread, NULL, end_with_respawning_discards, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(discarded, 3 * 17);
}
