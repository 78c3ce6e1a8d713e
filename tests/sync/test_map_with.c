/* bine_pool_map_with: a context for all items, and an error for each. */
#include <bine.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness.h"

enum {
    N = 10
};

struct context {
    int runs, sum;
};

static void *items[N], *results[N];
static int errors[N];
static struct context context;

/* Odd items fail with their number, after those behind them. */
static void *even_only(void *item, void *arg)
{
    struct context *to = arg;
    intptr_t number = (intptr_t)item;
    to->runs++;
    bine_sleep((N - number) * BINE_MS / 4);
    if (number % 2)
        bine_fail((int)number);
    to->sum += (int)number;
    return (void *)(number * 2);
}

static void set_up(void)
{
    for (intptr_t i = 0; i < N; i++) {
        items[i] = (void *)i;
        results[i] = &context;
        errors[i] = -1;
    }
}

static const bine_map_options all = {.context = &context, .results = results, .errors = errors};

TEST(each_item_has_its_result_or_its_error)
{
    set_up();
    bine_pool *pool = bine_pool_new(3, 0);
    CHECK_ERROR(bine_pool_map_with(pool, &all, even_only, items, N, BINE_FOREVER), 1);
    for (intptr_t i = 0; i < N; i++) {
        CHECK_EQ((intptr_t)results[i], i % 2 ? 0 : i * 2);
        CHECK_EQ(errors[i], i % 2 ? i : 0);
    }
    CHECK_EQ(context.runs, N);
    CHECK_EQ(context.sum, 0 + 2 + 4 + 6 + 8);
    CHECK_OK(bine_pool_free(pool));
}

static void *count(void *item, void *arg)
{
    (void)arg;
    context.runs++;
    return item;
}

TEST(options_and_their_fields_may_be_left_out)
{
    set_up();
    bine_pool *pool = bine_pool_new(0, 0);
    CHECK_OK(bine_pool_map_with(pool, NULL, count, items, N, BINE_FOREVER));
    bine_map_options only_errors = {.errors = errors};
    CHECK_OK(bine_pool_map_with(pool, &only_errors, count, items, N, BINE_FOREVER));
    for (int i = 0; i < N; i++)
        CHECK_EQ(errors[i], 0);
    CHECK_OK(bine_pool_map_with(pool, &all, count, NULL, 0, BINE_FOREVER));
    CHECK_EQ(context.runs, 2 * N);
    CHECK_OK(bine_pool_free(pool));
}

static void *third_hangs(void *item, void *arg)
{
    (void)arg;
    if ((intptr_t)item == 3)
        bine_sleep(BINE_FOREVER);
    if ((intptr_t)item == 1)
        bine_fail(EIO);
    return item;
}

TEST(what_was_cut_short_or_never_begun_is_canceled)
{
    set_up();
    bine_pool *pool = bine_pool_new(1, 0);
    CHECK_ERROR(bine_pool_map_with(pool, &all, third_hangs, items, N, 20 * BINE_MS), ETIMEDOUT);
    for (int i = 0; i < N; i++)
        CHECK_EQ(errors[i], i == 1 ? EIO : i < 3 ? 0 : ECANCELED);
    CHECK_EQ((intptr_t)results[2], 2);
    CHECK(results[1] == NULL && results[3] == NULL && results[N - 1] == NULL);
    CHECK_EQ(bine_pool_count(pool), 0u);
    CHECK_OK(bine_pool_free(pool));
}

TEST(map_with_checks_its_arguments_and_touches_nothing)
{
    set_up();
    bine_pool *pool = bine_pool_new(1, 0);
    CHECK_ERROR(bine_pool_map_with_at(pool, &all, NULL, items, N, 0, "f\0here"), EINVAL);
    CHECK_ERROR(bine_pool_map_with(NULL, &all, count, items, N, 0), EINVAL);
    CHECK_ERROR(bine_pool_map_with(pool, &all, count, NULL, N, 0), EINVAL);
    CHECK_ERROR(bine_pool_map_with(pool, &all, count, items, N, -1), EINVAL);
    CHECK_ERROR(bine_pool_map_with(pool, &all, count, items, SIZE_MAX, BINE_FOREVER), ENOMEM);
    CHECK_EQ(errors[0], -1);
    CHECK(results[0] == &context);
    CHECK_EQ(context.runs, 0);
    CHECK_OK(bine_pool_free(pool));
}

static void *map_from_outside(void *pool)
{
    CHECK_ERROR(bine_pool_map_with(pool, &all, even_only, items, N, BINE_FOREVER), 1);
    CHECK_ERROR(bine_pool_map_with(pool, &all, third_hangs, items, N, 20 * BINE_MS), ETIMEDOUT);
    CHECK_EQ(errors[1], EIO);
    CHECK_EQ(errors[3], ECANCELED);
    return NULL;
}

TEST(another_thread_maps_in_a_shared_pool)
{
    set_up();
    bine_pool *pool = bine_pool_new(0, BINE_SHARED);
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, map_from_outside, pool), 0);
    while (pthread_tryjoin_np(thread, NULL) == EBUSY)
        bine_sleep(100 * BINE_US);
    CHECK_EQ(context.runs, N);
    CHECK_OK(bine_pool_free(pool));
}

/* ---- callers of other threads ---------------------------------------------------------------- */

static bine_pool *shared_pool;
static atomic_bool begun, caller_over;

/* Blocks the pool's thread, so that it looks at no message before its result is stored. */
static void *outlasts_the_caller(void *item, void *arg)
{
    (void)arg;
    begun = true;
    while (!caller_over)
        usleep(1000);
    return item;
}

static void *outlasts(void *item)
{
    return outlasts_the_caller(item, NULL);
}

/* All that the call is given lies on the greenlet's stack, which goes with the thread. */
static void *map_elsewhere(void *with_options)
{
    void *mine[2] = {&begun, &begun}, *here[2];
    int why[2];
    bine_map_options options = {.results = here, .errors = why};
    if (with_options)
        bine_pool_map_with(shared_pool, &options, outlasts_the_caller, mine, 2, BINE_FOREVER);
    else
        bine_pool_map(shared_pool, outlasts, mine, 2, here, BINE_FOREVER);
    FAIL("nobody is left to return to");
    return NULL;
}

static void *end_while_mapping(void *with_options)
{
    bine_detach(bine_spawn(map_elsewhere, with_options));
    while (!begun)
        CHECK_OK(bine_sleep(BINE_MS));
    return NULL;
}

static void *tell_when_over(void *thread)
{
    CHECK_EQ(pthread_join(*(pthread_t *)thread, NULL), 0);
    caller_over = true;
    return NULL;
}

static void check_caller_that_ends(void *with_options)
{
    pthread_t caller, watcher;
    begun = caller_over = false;
    shared_pool = bine_pool_new(1, BINE_SHARED);
    CHECK_EQ(pthread_create(&caller, NULL, end_while_mapping, with_options), 0);
    CHECK_EQ(pthread_create(&watcher, NULL, tell_when_over, &caller), 0);
    while (!caller_over)
        CHECK_OK(bine_sleep(BINE_MS));
    CHECK_EQ(pthread_join(watcher, NULL), 0);
    CHECK_OK(bine_pool_join(shared_pool, BINE_FOREVER));
    CHECK_OK(bine_sleep(0));
    CHECK_OK(bine_pool_free(shared_pool));
}

TEST(hazard_119_a_thread_may_end_while_its_greenlet_maps_in_a_pool_of_another)
{
    check_caller_that_ends(NULL);
    check_caller_that_ends(&begun);
}

static void *map_and_return(void *arg)
{
    set_up();
    CHECK_ERROR(bine_pool_map_with(shared_pool, &all, even_only, items, N, BINE_FOREVER), 1);
    for (intptr_t i = 0; i < N; i++) {
        CHECK_EQ((intptr_t)results[i], i % 2 ? 0 : i * 2);
        CHECK_EQ(errors[i], i % 2 ? i : 0);
    }
    set_up();
    CHECK_OK(bine_pool_map(shared_pool, outlasts, items, N, results, BINE_FOREVER));
    for (intptr_t i = 0; i < N; i++)
        CHECK_EQ((intptr_t)results[i], i);
    return arg;
}

TEST(another_threads_caller_has_all_results_and_errors)
{
    pthread_t thread;
    caller_over = true;
    shared_pool = bine_pool_new(3, BINE_SHARED);
    CHECK_EQ(pthread_create(&thread, NULL, map_and_return, NULL), 0);
    while (pthread_tryjoin_np(thread, NULL) != 0)
        CHECK_OK(bine_sleep(BINE_MS));
    CHECK_OK(bine_pool_free(shared_pool));
}
