/* The end of a worker is the end of its greenlets; and greenlets that another thread spawns on a
 * hub. */
#include <bine.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness.h"

static atomic_int ended, cleaned, discarded;

static void *waits(void *arg)
{
    if (bine_sleep(BINE_FOREVER) != 0 && errno == ECANCELED) {
        bine_shield_begin();
        bine_sleep(5 * BINE_MS); /* cleanup that waits */
        bine_shield_end();
        cleaned++;
    }
    ended++;
    return arg;
}

static void discard(void *arg)
{
    (void)arg;
    discarded++;
}

static void *leaves_some(void *arg)
{
    for (int i = 0; i < 3; i++)
        CHECK_OK(bine_go(waits, NULL));
    CHECK_OK(bine_sleep(0));
    bine_detach(bine_spawn_with(
        (&(bine_spawn_options){.discard = discard, .delay = BINE_SECOND * 100}), waits, NULL));
    return arg;
}

TEST(a_worker_kills_and_waits_for_the_greenlets_it_leaves)
{
    CHECK_OK(bine_workers_run(2, leaves_some, NULL));
    CHECK_EQ(cleaned, 6);
    CHECK_EQ(ended, 6);
    CHECK_EQ(discarded, 2);
}

static void *exits(void *arg)
{
    CHECK_OK(bine_go(waits, NULL));
    CHECK_OK(bine_sleep(0));
    bine_exit(arg);
}

TEST(a_worker_that_calls_exit_ends_like_one_that_returns)
{
    bine_workers *workers = bine_workers_start(1, exits, (void *)5);
    while (bine_workers_value(workers, 0) == NULL)
        bine_sleep(BINE_MS);
    CHECK_EQ((intptr_t)bine_workers_value(workers, 0), 5);
    CHECK_EQ(cleaned, 1);
    CHECK_OK(bine_workers_join(workers, 10 * BINE_SECOND * harness_slower()));
}

static void *spawns_in_cleanup(void *depth)
{
    bine_sleep(BINE_FOREVER);
    if ((intptr_t)depth > 0)
        CHECK_OK(bine_go(spawns_in_cleanup, (void *)((intptr_t)depth - 1)));
    bine_shield_begin();
    bine_sleep(BINE_MS); /* so that the new one begins */
    bine_shield_end();
    ended++;
    return NULL;
}

static void respawn(bine_greenlet *g, void *arg)
{
    (void)g, (void)arg;
    bine_greenlet *next = bine_spawn(waits, NULL);
    CHECK_OK(bine_link(next, respawn, NULL));
    bine_detach(next);
}

static void *leaves_the_stubborn(void *arg)
{
    CHECK_OK(bine_go(spawns_in_cleanup, (void *)3));
    respawn(NULL, NULL); /* at its end another begins, and so on */
    CHECK_OK(bine_sleep(0));
    return arg;
}

TEST(those_that_come_meanwhile_are_killed_as_well)
{
    CHECK_OK(bine_workers_run(1, leaves_the_stubborn, NULL));
    CHECK_GE(ended, 4);
}

/* ---- spawning on another hub ----------------------------------------------------------------- */

static pthread_t ran_on;

static void *tells_where(void *arg)
{
    ran_on = pthread_self();
    bine_sleep(BINE_MS);
    if (!arg)
        bine_fail(EIO);
    return arg;
}

static void *serves(void *arg)
{
    (void)bine_event_wait(arg, BINE_FOREVER);
    return NULL;
}

TEST(a_greenlet_spawned_on_another_hub_is_joined_got_and_killed_here)
{
    bine_event *stop = bine_event_new(BINE_SHARED);
    bine_workers *workers = bine_workers_start(1, serves, stop);
    bine_hub *hub = bine_workers_hub(workers, 0);
    void *value = NULL;

    bine_greenlet *g = bine_spawn_on(hub, tells_where, (void *)3);
    CHECK(g != NULL);
    CHECK_OK(bine_get(g, &value, BINE_FOREVER));
    CHECK_EQ((intptr_t)value, 3);
    CHECK(!pthread_equal(ran_on, pthread_self()));

    g = bine_spawn_on(hub, tells_where, NULL);
    CHECK_ERROR(bine_get(g, &value, BINE_FOREVER), EIO);
    bine_detach(g);

    g = bine_spawn_on(hub, waits, (void *)4);
    CHECK_ERROR(bine_join(g, NULL, BINE_MS), ETIMEDOUT);
    CHECK_OK(bine_kill(g));
    CHECK_OK(bine_join(g, &value, BINE_FOREVER));
    CHECK_EQ((intptr_t)value, 4);
    CHECK_EQ(cleaned, 1);

    CHECK_OK(bine_event_set(stop));
    CHECK_OK(bine_workers_join(workers, BINE_FOREVER));
    CHECK_ERROR(bine_spawn_on(hub, waits, NULL), ESRCH);
    CHECK_OK(bine_event_free(stop));
}

TEST(spawn_on_ones_own_hub_and_with_bad_arguments)
{
    void *value;
    bine_greenlet *g = bine_spawn_on(bine_hub_get(), tells_where, (void *)6);
    CHECK_OK(bine_get(g, &value, BINE_FOREVER));
    CHECK_EQ((intptr_t)value, 6);
    CHECK(pthread_equal(ran_on, pthread_self()));
    CHECK_ERROR(bine_spawn_on(NULL, waits, NULL), EINVAL);
    CHECK_ERROR(bine_spawn_on_at(bine_hub_get(), NULL, NULL, "f\0here"), EINVAL);
    CHECK_ERROR(bine_spawn_on_at(bine_hub_get(), waits, NULL, NULL), EINVAL);
}

TEST(what_a_worker_was_given_last_ends_with_it)
{
    bine_event *stop = bine_event_new(BINE_SHARED);
    bine_workers *workers = bine_workers_start(1, serves, stop);
    bine_greenlet *g = bine_spawn_on(bine_workers_hub(workers, 0), waits, NULL);
    CHECK(g != NULL);
    CHECK_OK(bine_event_set(stop));
    CHECK_OK(bine_workers_join(workers, BINE_FOREVER));
    CHECK(bine_dead(g));
    bine_detach(g);
    CHECK_OK(bine_event_free(stop));
}

/* ---- a caller that goes with its thread ------------------------------------------------------ */

static atomic_uintptr_t for_nobody;

static void *note_itself(void *arg)
{
    for_nobody = (uintptr_t)bine_getcurrent();
    return arg;
}

static void *spawn_on(void *hub)
{
    bine_detach(bine_spawn_on(hub, note_itself, NULL));
    FAIL("nobody is left to return to");
    return NULL;
}

/* It looks at no message, so that the answer is on its way when the thread ends. */
static void *end_while_spawning(void *hub)
{
    bine_detach(bine_spawn(spawn_on, hub));
    CHECK_OK(bine_sleep(0));
    while (!for_nobody)
        usleep(1000);
    return NULL;
}

TEST(hazard_119_a_reference_for_a_thread_that_has_ended_is_given_back)
{
    enum {
        RECORDS = 64
    };
    bine_greenlet *all[RECORDS];
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, end_while_spawning, bine_hub_get()), 0);
    while (pthread_tryjoin_np(thread, NULL) != 0)
        CHECK_OK(bine_sleep(BINE_MS));
    CHECK_OK(bine_sleep(BINE_MS)); /* the thread gave it back by a message */
    /* Its record is the next spawn's, or one of the next. */
    uintptr_t lost = for_nobody;
    int found = 0;
    for (int i = 0; i < RECORDS; i++) {
        all[i] = bine_spawn(note_itself, NULL);
        found += (uintptr_t)all[i] == lost;
    }
    CHECK_EQ(found, 1);
    CHECK_OK(bine_joinall(all, RECORDS, BINE_FOREVER));
}
