/* What one thread does to the greenlets and hubs of another: joining, killing, detaching, calling.
 * Fit for TSan. */
#include <bine.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

enum {
    MANY = 200
};

static bine_hub *home;
static bine_greenlet *many[MANY];
static atomic_int ran;

static void *other(void *(*run)(void *), void *arg)
{
    pthread_t thread;
    void *value = NULL;
    CHECK_EQ(pthread_create(&thread, NULL, run, arg), 0);
    /* Not pthread_join: this thread's greenlets have to run. */
    for (int error; (error = pthread_tryjoin_np(thread, &value)) != 0;) {
        CHECK_EQ(error, EBUSY);
        bine_sleep(100 * BINE_US);
    }
    return value;
}

static void *returns(void *arg)
{
    ran++;
    bine_sleep((intptr_t)arg % 3 ? 0 : (intptr_t)arg * BINE_US);
    return arg;
}

static void *sleeps(void *arg)
{
    CHECK_ERROR(bine_sleep(BINE_FOREVER), ECANCELED);
    return arg;
}

/* ---- join ------------------------------------------------------------------------------------ */

static void *join_many(void *arg)
{
    for (intptr_t i = 0; i < MANY; i++) {
        void *value;
        CHECK_OK(bine_join(many[i], &value, BINE_FOREVER));
        CHECK_EQ((intptr_t)value, i);
    }
    return arg;
}

TEST(greenlets_are_joined_from_another_thread)
{
    for (intptr_t i = 0; i < MANY; i++)
        many[i] = bine_spawn(returns, (void *)i);
    other(join_many, NULL);
    CHECK_EQ(bine_hub_greenlets(), 0u);
}

static void *join_impatiently(void *g)
{
    void *value;
    CHECK_ERROR(bine_join(g, &value, 0), ETIMEDOUT);
    CHECK_ERROR(bine_join(g, &value, BINE_MS), ETIMEDOUT);
    CHECK_ERROR(bine_join(g, &value, -1), EINVAL);
    bine_timeout scope;
    CHECK_OK(bine_timeout_begin(&scope, BINE_MS));
    CHECK_ERROR(bine_join(g, &value, BINE_FOREVER), ETIMEDOUT);
    CHECK_EQ(bine_timeout_end(&scope), 1);
    CHECK_ERROR(bine_joinall((bine_greenlet *[]){g}, 1, 0), EINVAL);
    CHECK_OK(bine_kill(g));
    CHECK_OK(bine_join(g, &value, BINE_FOREVER));
    CHECK_EQ((intptr_t)value, 5);
    return NULL;
}

TEST(a_join_from_another_thread_that_gives_up_keeps_the_reference)
{
    other(join_impatiently, bine_spawn(sleeps, (void *)5));
}

static void *joins(void *g)
{
    CHECK_ERROR(bine_join(g, NULL, BINE_FOREVER), ECANCELED);
    return NULL;
}

static void *kill_the_joiner(void *g)
{
    bine_greenlet *joiner = bine_spawn(joins, g);
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_OK(bine_kill(joiner));
    CHECK_OK(bine_join(joiner, NULL, BINE_FOREVER));
    return NULL;
}

TEST(who_joins_across_threads_can_be_killed)
{
    bine_greenlet *g = bine_spawn(sleeps, (void *)5);
    other(kill_the_joiner, g);
    CHECK(!bine_dead(g));
    CHECK_OK(bine_kill(g));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
}

/* ---- kill, detach ---------------------------------------------------------------------------- */

static void *kill_many(void *arg)
{
    CHECK_OK(bine_killall(many, MANY, BINE_FOREVER));
    CHECK_OK(bine_killall(many, MANY, 0)); /* they have ended */
    for (int i = 0; i < MANY; i++)
        bine_detach(many[i]);
    bine_detach(NULL);
    return arg;
}

TEST(greenlets_are_killed_and_detached_from_another_thread)
{
    for (intptr_t i = 0; i < MANY; i++)
        many[i] = i % 2 ? bine_spawn(sleeps, NULL) : bine_spawn_later(BINE_FOREVER, returns, NULL);
    other(kill_many, NULL);
    CHECK_EQ(ran, 0); /* killed before they began */
    CHECK_EQ(bine_hub_greenlets(), 0u);
}

static void *kill_in_vain(void *g)
{
    CHECK_ERROR(bine_killall((bine_greenlet *[]){g}, 1, BINE_MS), ETIMEDOUT);
    return NULL;
}

static void *shielded(void *event)
{
    bine_shield_begin();
    CHECK_OK(bine_event_wait(event, BINE_FOREVER));
    bine_shield_end();
    CHECK_ERROR(bine_sleep(0), ECANCELED);
    return NULL;
}

TEST(killall_from_another_thread_waits_only_so_long)
{
    bine_event *event = bine_event_new(0);
    bine_greenlet *g = bine_spawn(shielded, event);
    bine_sleep(0);
    other(kill_in_vain, g);
    while (!bine_killed(g)) /* the message may still be on its way */
        CHECK_OK(bine_sleep(BINE_MS));
    CHECK_OK(bine_event_set(event));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_OK(bine_event_free(event));
}

/* ---- call ------------------------------------------------------------------------------------ */

static void *at_home(void *arg)
{
    CHECK_EQ(bine_hub_get(), home);
    CHECK_OK(bine_sleep(0));
    if ((intptr_t)arg == 13)
        bine_fail(EIO);
    return (void *)((intptr_t)arg + 1);
}

static void *killed_at_home(void *arg)
{
    CHECK_ERROR(bine_sleep(BINE_FOREVER), ECANCELED);
    ran++;
    bine_fail(ECANCELED);
}

static void *call_home(void *arg)
{
    void *value = NULL;
    for (intptr_t i = 0; i < 100; i++) {
        if (i == 13) {
            CHECK_ERROR(bine_call(home, at_home, (void *)i, &value, BINE_FOREVER), EIO);
            continue;
        }
        CHECK_OK(bine_call(home, at_home, (void *)i, &value, BINE_FOREVER));
        CHECK_EQ((intptr_t)value, i + 1);
    }
    CHECK_ERROR(bine_call(home, killed_at_home, NULL, &value, BINE_MS), ETIMEDOUT);
    CHECK_EQ(ran, 1);
    CHECK_ERROR(bine_call(home, at_home, NULL, &value, 0), ETIMEDOUT);
    CHECK_ERROR(bine_call(home, at_home, NULL, &value, -1), EINVAL);
    CHECK_ERROR(bine_call(home, NULL, NULL, &value, 1), EINVAL);
    CHECK_ERROR(bine_call(NULL, at_home, NULL, &value, 1), EINVAL);
    return NULL;
}

TEST(a_function_is_called_in_another_hub)
{
    void *value;
    home = bine_hub_get();
    other(call_home, NULL);
    CHECK_OK(bine_call(home, at_home, (void *)1, &value, BINE_FOREVER)); /* one's own */
    CHECK_EQ((intptr_t)value, 2);
    CHECK_EQ(bine_hub_greenlets(), 0u);
}

/* The usual C function: it is told that it was killed, cleans up and returns what it always
 * returns. */
static atomic_int began;

static void *hangs(void *arg)
{
    began++;
    CHECK_ERROR(bine_sleep(BINE_FOREVER), ECANCELED);
    ran++;
    return arg;
}

static void break_off(bine_hub *hub)
{
    void *value = (void *)1;
    ran = 0;
    began = 0;
    CHECK_ERROR(bine_call(hub, hangs, (void *)7, &value, 50 * BINE_MS), ETIMEDOUT);
    CHECK_EQ((intptr_t)value, 1);
    bine_timeout scope;
    CHECK_OK(bine_timeout_begin(&scope, 50 * BINE_MS));
    CHECK_ERROR(bine_call(hub, hangs, (void *)7, &value, BINE_FOREVER), ETIMEDOUT);
    CHECK_EQ(bine_timeout_end(&scope), 1);
    CHECK_EQ((intptr_t)value, 1);
    CHECK_EQ(ran, began); /* a slow machine may not have begun at all; what began has ended */
}

static void *break_off_home(void *arg)
{
    break_off(home);
    return arg;
}

TEST(hazard_76_a_call_that_its_time_broke_off_has_no_result)
{
    home = bine_hub_get();
    break_off(home);
    other(break_off_home, NULL);
    CHECK_EQ(bine_hub_greenlets(), 0u);
}

static void *calls_what_hangs(void *arg)
{
    void *value = (void *)1;
    CHECK_ERROR(bine_call(home, hangs, (void *)7, &value, BINE_FOREVER), ECANCELED);
    CHECK_EQ((intptr_t)value, 1);
    return arg;
}

TEST(hazard_76_a_call_that_a_kill_broke_off_has_no_result)
{
    home = bine_hub_get();
    bine_greenlet *g = bine_spawn(calls_what_hangs, NULL);
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_OK(bine_kill(g));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(ran, 1);
}

static bine_greenlet *caller;

static void *kills_its_caller(void *arg)
{
    CHECK_OK(bine_kill(caller));
    return arg;
}

static void *is_killed_too_late(void *arg)
{
    void *value;
    CHECK_OK(bine_call(home, kills_its_caller, (void *)7, &value, BINE_FOREVER));
    CHECK_EQ((intptr_t)value, 7);
    CHECK_ERROR(bine_sleep(0), ECANCELED);
    return arg;
}

TEST(a_call_that_ended_before_the_kill_reached_it_has_its_result)
{
    home = bine_hub_get();
    caller = bine_spawn(is_killed_too_late, NULL);
    CHECK_OK(bine_join(caller, NULL, BINE_FOREVER));
}

static void *exits(void *arg)
{
    bine_sleep(0);
    bine_exit((void *)8);
}

static void *call_what_exits(void *arg)
{
    void *value;
    CHECK_OK(bine_call(home, exits, (void *)7, &value, BINE_FOREVER));
    CHECK_EQ((intptr_t)value, 8);
    return arg;
}

TEST(hazard_76_a_called_function_can_end_by_bine_exit)
{
    home = bine_hub_get();
    call_what_exits(NULL);
    other(call_what_exits, NULL);
}

static atomic_int patience;

static void *call_busy_hub(void *arg)
{
    CHECK_ERROR(bine_call(home, returns, NULL, NULL, BINE_MS), ETIMEDOUT);
    patience = 1;
    return NULL;
}

TEST(a_call_into_a_busy_hub_can_be_given_up)
{
    pthread_t thread;
    home = bine_hub_get();
    CHECK_EQ(pthread_create(&thread, NULL, call_busy_hub, NULL), 0);
    while (!patience) /* without ever looking at its messages */
        sched_yield();
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_EQ(ran, 0);
}

static void *ping(void *arg)
{
    return arg;
}

static void *call_each_other(void *peer)
{
    for (intptr_t i = 0; i < 500; i++) {
        void *value;
        CHECK_OK(bine_call(peer, ping, (void *)i, &value, BINE_FOREVER));
        CHECK_EQ((intptr_t)value, i);
    }
    return NULL;
}

TEST(two_hubs_can_call_each_other_at_once)
{
    bine_workers *workers = bine_workers_start(1, call_each_other, bine_hub_get());
    call_each_other(bine_workers_hub(workers, 0));
    CHECK_OK(bine_workers_join(workers, BINE_FOREVER));
}

/* ---- threads and processes that end ---------------------------------------------------------- */

static void *never_looks(void *stop)
{
    home = bine_hub_get();
    atomic_store((atomic_int *)stop, 1);
    while (atomic_load((atomic_int *)stop) != 2)
        sched_yield();
    return NULL;
}

static void *let_it_end(void *stop)
{
    bine_sleep(5 * BINE_MS);
    atomic_store((atomic_int *)stop, 2);
    return NULL;
}

TEST(a_call_ends_with_the_thread_that_should_answer)
{
    for (int round = 0; round < 10; round++) {
        atomic_int stop = 0;
        pthread_t thread;
        CHECK_EQ(pthread_create(&thread, NULL, never_looks, &stop), 0);
        while (!atomic_load(&stop))
            sched_yield();
        bine_greenlet *g = bine_spawn(let_it_end, &stop);
        CHECK_ERROR(bine_call(home, returns, NULL, NULL, BINE_FOREVER), ESRCH);
        CHECK_ERROR(bine_call(home, returns, NULL, NULL, BINE_FOREVER), ESRCH);
        CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
        CHECK_EQ(pthread_join(thread, NULL), 0);
    }
}

static bool caller_ended;

static void *slow_at_home(void *arg)
{
    bine_shield_begin(); /* the caller's end cuts it short */
    while (!caller_ended)
        bine_sleep(BINE_MS);
    bine_shield_end();
    ran++;
    return NULL;
}

static void *calls_slowly(void *arg)
{
    bine_call(home, slow_at_home, NULL, NULL, BINE_FOREVER);
    FAIL("a greenlet goes on after its thread");
    return NULL;
}

static void *ends_before_the_answer(void *arg)
{
    CHECK_OK(bine_go(calls_slowly, NULL));
    bine_sleep(BINE_MS);
    return NULL;
}

TEST(an_answer_to_a_thread_that_has_ended_is_dropped)
{
    home = bine_hub_get();
    for (int round = 1; round <= 10; round++) {
        caller_ended = false;
        other(ends_before_the_answer, NULL);
        caller_ended = true;
        /* The next thread gets the same hub record: the answer must not be taken for its own. */
        while (ran < round)
            other(returns, (void *)1);
        ran = round;
    }
    CHECK_OK(bine_sleep(10 * BINE_MS));
}

static void *serves_calls(void *arg)
{
    home = bine_hub_get();
    ran = 1;
    while (ran == 1)
        bine_sleep(BINE_MS);
    return NULL;
}

TEST(the_child_of_a_fork_is_told_that_other_threads_are_gone)
{
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, serves_calls, NULL), 0);
    while (!ran)
        sched_yield();
    CHECK_OK(bine_call(home, ping, NULL, NULL, BINE_FOREVER));
    pid_t child = fork();
    if (child == 0)
        _exit(bine_call(home, ping, NULL, NULL, BINE_FOREVER) == -1 && errno == ESRCH ? 0 : 1);
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    ran = 2;
    CHECK_EQ(pthread_join(thread, NULL), 0);
}
