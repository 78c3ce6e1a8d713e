/* Each allocation of the core fails once: the call says so, nothing is lost, and it all goes on. */
#include "failing.h"

#include <bine.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "core/hub/hub.h"

static int ran;

static void *count_run(void *arg)
{
    ran++;
    return arg;
}

static void spawn_and_join(void)
{
    ran = 0;
    bine_greenlet *g = bine_spawn(count_run, (void *)7);
    if (!g) {
        failing_excuse();
        CHECK_EQ(ran, 0);
        return;
    }
    void *value = NULL;
    CHECK_OK(bine_join(g, &value, BINE_FOREVER));
    CHECK_EQ((long)value, 7);
    CHECK_EQ(ran, 1);
}

static void go(void)
{
    ran = 0;
    bool gone = bine_go(count_run, NULL) == 0;
    if (!gone)
        failing_excuse();
    CHECK_OK(bine_sleep(0));
    CHECK_EQ(ran, gone ? 1 : 0);
    CHECK_EQ(bine_hub_greenlets(), 0u);
}

TEST(go_says_that_memory_is_out, .seconds = 60)
{
    CHECK_GT(failing_each(go), 3u);
}

TEST(spawn_says_that_memory_is_out, .seconds = 60)
{
    CHECK_GT(failing_each(spawn_and_join), 3u);
}

static void spawn_many(void)
{
    enum {
        MANY = 300,
        SOME = 60 /* still more than one allocation holds */
    };
    bine_greenlet *all[MANY];
    int spawned = 0, most = harness_instrumented() ? SOME : MANY;
    ran = 0;
    for (int i = 0; i < most; i++) {
        all[spawned] = bine_spawn(count_run, NULL);
        if (all[spawned])
            spawned++;
        else
            failing_excuse();
    }
    CHECK_OK(bine_joinall(all, spawned, BINE_FOREVER));
    CHECK_EQ(ran, spawned);
}

TEST(those_that_were_spawned_run_although_others_could_not_be, .seconds = 120)
{
    CHECK_GT(failing_each(spawn_many), 5u);
}

static void *sleeper(void *duration)
{
    /* The room for a greenlet's own timer was made when it was spawned: a sleep cannot fail for
     * memory. */
    CHECK_OK(bine_sleep((int64_t)(intptr_t)duration));
    return NULL;
}

static void sleep_at_once(void)
{
    enum {
        MANY = 100
    };
    bine_greenlet *all[MANY];
    int spawned = 0;
    for (int i = 0; i < MANY; i++) {
        all[spawned] = i % 2 ? bine_spawn(sleeper, (void *)(intptr_t)(BINE_US * i))
                             : bine_spawn_later(BINE_US * i, sleeper, (void *)1);
        if (all[spawned])
            spawned++;
        else
            failing_excuse();
    }
    CHECK_OK(bine_joinall(all, spawned, BINE_FOREVER));
}

TEST(a_greenlet_that_was_spawned_can_always_sleep, .seconds = 120)
{
    CHECK_GT(failing_each(sleep_at_once), 5u);
}

static int linked;

static void count_link(bine_greenlet *g, void *arg)
{
    linked++;
}

static void link_and_name(void)
{
    linked = 0;
    int expected = 0;
    bine_spawn_options options = {.name = "fetch-7", .stack_size = 64 * 1024};
    bine_greenlet *g = bine_spawn_with(&options, count_run, NULL);
    if (!g)
        return failing_excuse();
    for (int i = 0; i < 3; i++) {
        if (bine_link(g, count_link, NULL) == 0)
            expected++;
        else
            failing_excuse();
    }
    CHECK(strstr(bine_name(g), "fetch-7") != NULL || failing_struck());
    if (bine_set_name(g, "renamed") != 0)
        failing_excuse();
    CHECK(bine_name(g) != NULL);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(linked, expected);
}

TEST(links_and_names_survive_exhaustion, .seconds = 60)
{
    CHECK_GT(failing_each(link_and_name), 5u);
}

static int destroyed;

static void count_destroyed(void *value)
{
    destroyed++;
}

static int values_set;

static void *set_values(void *arg)
{
    bine_key *keys = arg;
    for (int i = 0; i < 40; i++) {
        if (bine_setspecific(keys[i], &keys[i]) == 0) {
            values_set++;
            CHECK_EQ(bine_getspecific(keys[i]), (void *)&keys[i]);
        } else {
            failing_excuse();
            CHECK_EQ(bine_getspecific(keys[i]), NULL);
        }
    }
    return NULL;
}

static void use_locals(void)
{
    bine_key keys[40];
    destroyed = values_set = 0;
    for (int i = 0; i < 40; i++)
        CHECK_OK(bine_key_create(&keys[i], count_destroyed));
    bine_greenlet *g = bine_spawn(set_values, keys);
    if (g)
        CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    else
        failing_excuse();
    CHECK_EQ(destroyed, values_set);
    for (int i = 0; i < 40; i++)
        CHECK_OK(bine_key_delete(keys[i]));
}

TEST(every_greenlet_local_value_that_was_set_is_destroyed, .seconds = 60)
{
    CHECK_GT(failing_each(use_locals), 4u);
}

static void wait_for_some(void)
{
    enum {
        MANY = 20
    };
    bine_greenlet *all[MANY];
    void *ready[MANY];
    size_t spawned = 0;
    for (int i = 0; i < MANY; i++) {
        all[spawned] = bine_spawn(sleeper, (void *)(intptr_t)(BINE_US * (MANY - i)));
        if (all[spawned])
            spawned++;
        else
            failing_excuse();
    }
    ssize_t first = bine_wait((void *const *)all, spawned, ready, spawned / 2, BINE_FOREVER);
    if (spawned && first < 0)
        failing_excuse();
    else
        CHECK_GE(first, (ssize_t)(spawned / 2));
    bine_iwait *iteration = bine_iwait_begin((void *const *)all, spawned);
    if (iteration) {
        for (size_t i = 0; i < spawned; i++)
            CHECK(bine_iwait_next(iteration, BINE_FOREVER) != NULL);
        bine_iwait_end(iteration);
    } else if (spawned) {
        failing_excuse();
    }
    if (bine_joinall_with(all, spawned, BINE_FOREVER, 0, BINE_RAISE_ERROR) < 0)
        failing_excuse();
    CHECK_OK(bine_joinall(all, spawned, BINE_FOREVER));
}

TEST(waiting_for_many_says_that_memory_is_out, .seconds = 60)
{
    CHECK_GT(failing_each(wait_for_some), 5u);
}

static void delivered(void *arg)
{
    ++*(int *)arg;
}

static void post_to_oneself(void)
{
    int count = 0;
    bine_hub *hub = bine_hub_get();
    if (!hub)
        return failing_excuse();
    if (bine_post(hub, delivered, &count) != 0) {
        failing_excuse();
        CHECK_OK(bine_sleep(0));
        CHECK_EQ(count, 0);
        return;
    }
    for (int i = 0; i < 1000 && !count; i++)
        CHECK_OK(bine_sleep(0));
    CHECK_EQ(count, 1);
}

TEST(a_post_that_was_accepted_is_delivered, .seconds = 60)
{
    CHECK_GT(failing_each(post_to_oneself), 3u);
}

static void call_own_hub(void)
{
    void *value = NULL;
    bine_hub *own = bine_hub_get();
    ran = 0;
    if (!own || bine_call(own, count_run, (void *)7, &value, BINE_FOREVER) != 0) {
        failing_excuse();
        CHECK_EQ(ran, 0);
        return;
    }
    CHECK_EQ((long)value, 7);
    CHECK_EQ(ran, 1);
}

TEST(a_call_into_a_hub_says_that_memory_is_out_here_or_there, .seconds = 60)
{
    CHECK_GT(failing_each(call_own_hub), 2u);
}

/* ---- making a hub ---------------------------------------------------------------------------- */

static void *make_hub(void *made)
{
    struct bine_hub *hub = bine_hub_get();
    *(bool *)made = hub != NULL;
    if (!hub)
        return NULL;
    /* Every record is the root's or free. */
    size_t records = 1;
    for (struct bine_greenlet *g = hub->records; g; g = g->next_free)
        records++;
    CHECK_EQ(records, hub->records_made);
    return NULL;
}

static void make_hub_in_thread(void)
{
    pthread_t thread;
    bool made;
    if (pthread_create(&thread, NULL, make_hub, &made) != 0)
        return;
    CHECK_EQ(pthread_join(thread, NULL), 0);
    if (!made)
        CHECK(failing_struck());
}

TEST(hazard_118_a_hub_that_cannot_be_made_loses_no_record, .seconds = 60)
{
    CHECK_GT(failing_each(make_hub_in_thread), 3u);
}
