/* Pools, maps, scopes, offloaded calls: limits hold, results are right, nothing outlives its
 * frame. */
#include <errno.h>
#include <unistd.h>

#include "soak.h"

enum {
    USERS = 8,
    TURNS = 15,
    LIMIT = 5
};

static bine_pool *pool;
static int in_pool;
static atomic_int offloaded;

static void *double_it(void *number)
{
    check(++in_pool <= LIMIT, "more in the pool than it takes");
    bine_sleep((int64_t)random_below(100) * BINE_US);
    in_pool--;
    if (bine_killed(bine_getcurrent()))
        bine_fail(ECANCELED);
    return (void *)((intptr_t)number * 2);
}

static void *sleep_on_thread(void *microseconds)
{
    offloaded++;
    usleep((unsigned)(uintptr_t)microseconds);
    return microseconds;
}

static void map(void)
{
    void *items[6], *results[6];
    for (intptr_t i = 0; i < 6; i++)
        items[i] = (void *)i;
    if (went_well(bine_pool_map(pool, double_it, items, 6, results, some_time())))
        for (intptr_t i = 0; i < 6; i++)
            check((intptr_t)results[i] == 2 * i, "a wrong result of map");
}

static void iterate(void)
{
    void *items[6] = {NULL};
    bine_imap_result result;
    bine_imap *imap =
        bine_pool_imap_at(pool, double_it, items, 6, random_below(2), BINE_SITE(double_it));
    check(imap != NULL, "imap");
    bine_imap_limit(imap, random_below(4));
    for (unsigned k = random_below(8); k > 0; k--)
        if (bine_imap_next(imap, &result, some_time()) < 0)
            went_well(-1);
    bine_imap_end(imap);
}

static void spawn_some(void)
{
    if (bine_pool_spawn_at(pool, double_it, NULL, some_time(), BINE_SITE(double_it)) == NULL)
        went_well(-1);
}

static void *in_scope(void *scope)
{
    bine_sleep((int64_t)random_below(100) * BINE_US);
    if (random_below(4) == 0)
        bine_fail(EPIPE);
    if (random_below(4) == 0)
        bine_scope_spawn(scope, in_scope, scope);
    return NULL;
}

static void structured(void)
{
    bine_scope *scope = bine_scope_begin(1 + (int64_t)random_below(1000) * BINE_US);
    check(scope != NULL, "scope");
    for (unsigned k = random_below(4); k > 0; k--)
        bine_scope_spawn(scope, in_scope, scope);
    went_well(bine_scope_end(scope));
}

static void offload(void)
{
    void *value = NULL;
    bine_timeout scope;
    bine_timeout_begin(&scope, some_time());
    if (went_well(bine_offload(sleep_on_thread, (void *)(uintptr_t)random_below(300), &value)))
        check((uintptr_t)value < 300, "a wrong value of an offloaded call");
    bine_timeout_end(&scope);
}

static void *use(void *arg)
{
    static void (*const ways[])(void) = {map, iterate, spawn_some, structured, offload};
    for (int i = 0; i < TURNS && !bine_killed(bine_getcurrent()); i++)
        ways[random_below(5)]();
    return NULL;
}

static void begin(void)
{
    pool = bine_pool_new(LIMIT, 0);
}

static size_t spawn(bine_greenlet **all, size_t room)
{
    size_t n = 0;
    while (n < USERS && n < room)
        all[n++] = bine_spawn(use, NULL);
    return n;
}

static void end(void)
{
    check(bine_pool_kill(pool, BINE_FOREVER) == 0 && in_pool == 0 && bine_pool_free(pool) == 0,
          "the pool is not empty");
}

const struct part pools_part = {"pools", begin, spawn, NULL, end};
