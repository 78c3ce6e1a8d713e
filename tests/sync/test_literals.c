/* Literals with commas in the arguments of the macros that spawn: options, arguments, items. */
#include <bine.h>
#include <string.h>

#include "harness.h"

struct pair {
    long left, right;
};

static void *add(void *arg)
{
    struct pair *pair = arg;
    return (void *)(pair->left + pair->right);
}

static void *add_to(void *item, void *context)
{
    return (void *)((long)item + *(long *)context);
}

static void *twice(void *item)
{
    return (void *)((long)item * 2);
}

static void *nothing(void *arg)
{
    return arg;
}

static bool named_for(bine_greenlet *g, const char *function)
{
    return strstr(bine_name(g), function) != NULL;
}

TEST(options_with_several_members_are_written_in_the_call)
{
    bine_greenlet *g = bine_spawn_with(
        &(bine_spawn_options){.name = "later", .delay = BINE_MS, .stack_size = 65536}, nothing,
        NULL);
    CHECK(named_for(g, "later"));
    bine_join(g, NULL, BINE_FOREVER);

    bine_scope *scope = bine_scope_begin(BINE_FOREVER);
    CHECK(named_for(bine_scope_spawn_with(scope,
                                          &(bine_spawn_options){.name = "in scope", .delay = 1},
                                          nothing, NULL),
                    "in scope"));
    CHECK_OK(bine_scope_end(scope));

    bine_pool *pool = bine_pool_new(2, 0);
    CHECK(named_for(bine_pool_spawn_with(pool, &(bine_spawn_options){.name = "in pool", .delay = 1},
                                         nothing, NULL, BINE_FOREVER),
                    "in pool"));
    CHECK_OK(bine_pool_join(pool, BINE_FOREVER));

    void *results[2];
    int errors[2] = {1, 1};
    long context = 10;
    CHECK_OK(bine_pool_map_with(
        pool, &(bine_map_options){.context = &context, .results = results, .errors = errors},
        add_to, ((void *[]){(void *)1, (void *)2}), 2, BINE_FOREVER));
    CHECK_EQ((long)results[0], 11);
    CHECK_EQ((long)results[1], 12);
    CHECK_EQ(errors[1], 0);
    CHECK_OK(bine_pool_free(pool));
}

TEST(without_a_name_a_greenlet_has_that_of_its_function)
{
    bine_greenlet *all[] = {
        bine_spawn_with(NULL, nothing, NULL),
        bine_spawn_with(&(bine_spawn_options){.delay = 1}, nothing, NULL),
        bine_spawn_with(
            &(bine_spawn_options){.delay = 1, .stack_size = 65536, .discard = NULL, .name = NULL},
            nothing, NULL),
        bine_spawn_with((&(bine_spawn_options){.delay = 1, .discard = NULL}), nothing, NULL),
    };
    for (size_t i = 0; i < 4; i++)
        CHECK(named_for(all[i], ": nothing("));
    bine_joinall(all, 4, BINE_FOREVER);

    bine_scope *scope = bine_scope_begin(BINE_FOREVER);
    CHECK(named_for(bine_scope_spawn_with(scope, &(bine_spawn_options){.delay = 1, .discard = NULL},
                                          nothing, NULL),
                    ": nothing("));
    CHECK_OK(bine_scope_end(scope));

    bine_pool *pool = bine_pool_new(0, 0);
    CHECK(named_for(bine_pool_spawn_with(pool, &(bine_spawn_options){.delay = 1, .discard = NULL},
                                         nothing, NULL, 0),
                    ": nothing("));
    CHECK(named_for(bine_pool_spawn_with(pool, NULL, nothing, NULL, 0), ": nothing("));
    CHECK_OK(bine_pool_join(pool, BINE_FOREVER));
    CHECK_OK(bine_pool_free(pool));
}

static void *name_of_itself(void *item, void *context)
{
    *(bool *)context = named_for(bine_getcurrent(), ": name_of_itself(");
    return item;
}

TEST(so_has_one_that_maps)
{
    bool right = false;
    bine_pool *pool = bine_pool_new(1, 0);
    CHECK_OK(bine_pool_map_with(pool, &(bine_map_options){.context = &right, .results = NULL},
                                name_of_itself, &(void *){NULL}, 1, BINE_FOREVER));
    CHECK(right);
    CHECK_OK(bine_pool_free(pool));
}

TEST(arguments_and_items_are_written_in_the_call)
{
    void *value = NULL;
    bine_greenlet *all[] = {
        bine_spawn(add, &(struct pair){1, 2}),
        bine_spawn_later(1, add, &(struct pair){1, 2}),
        bine_spawn_with(NULL, add, &(struct pair){1, 2}),
        bine_spawn_on(bine_hub_get(), add, &(struct pair){1, 2}),
    };
    for (size_t i = 0; i < 4; i++) {
        CHECK_OK(bine_join(all[i], &value, BINE_FOREVER));
        CHECK_EQ((long)value, 3);
    }
    /* Not within CHECK: a literal lives as long as its block, and the greenlet reads it later. */
    int error = bine_go(add, &(struct pair){1, 2});
    CHECK_EQ(error, 0);

    bine_scope *scope = bine_scope_begin(BINE_FOREVER);
    const bine_greenlet *spawned = bine_scope_spawn(scope, add, &(struct pair){1, 2});
    CHECK(spawned != NULL);
    CHECK_OK(bine_scope_end(scope));

    void *results[2] = {NULL, NULL};
    bine_pool *pool = bine_pool_new(0, 0);
    spawned = bine_pool_spawn(pool, add, &(struct pair){1, 2});
    CHECK(spawned != NULL);
    CHECK_OK(bine_pool_apply(pool, add, &(struct pair){1, 2}, &value, BINE_FOREVER));
    CHECK_EQ((long)value, 3);
    CHECK_OK(
        bine_pool_map(pool, twice, (void *[]){(void *)1, (void *)2}, 2, results, BINE_FOREVER));
    CHECK_EQ((long)results[1], 4);

    long sum = 0;
    bine_imap_result result;
    void *items[] = {(void *)1, (void *)2};
    bine_imap *imap = bine_pool_imap(pool, twice, items, (size_t){2});
    while (bine_imap_next(imap, &result, BINE_FOREVER) == 1)
        sum += (long)result.value;
    CHECK_EQ(sum, 6);
    bine_imap_end(imap);
    CHECK_OK(bine_pool_free(pool));
}
