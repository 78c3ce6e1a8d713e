/* Spawning greenlets, and what is known of them before, during and after. */
#include "harness.h"

#include <bine.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char trace[256];

static void *add_letter(void *letter)
{
    size_t length = strlen(trace);
    trace[length] = (char)(intptr_t)letter;
    trace[length + 1] = '\0';
    return letter;
}

static void *add_letter_twice(void *letter)
{
    add_letter(letter);
    CHECK_OK(bine_sleep(0));
    return add_letter(letter);
}

TEST(spawned_greenlets_start_in_order_once_the_spawner_parks)
{
    bine_greenlet *all[] = {bine_spawn(add_letter, (void *)'a'),
                            bine_spawn(add_letter, (void *)'b'),
                            bine_spawn(add_letter, (void *)'c')};
    CHECK_STRING(trace, "");
    CHECK_OK(bine_joinall(all, 3, BINE_FOREVER));
    CHECK_STRING(trace, "abc");
}

TEST(sleep_zero_lets_all_others_run_once)
{
    bine_greenlet *all[] = {bine_spawn(add_letter_twice, (void *)'a'),
                            bine_spawn(add_letter_twice, (void *)'b'),
                            bine_spawn(add_letter_twice, (void *)'c')};
    CHECK_OK(bine_sleep(0));
    CHECK_STRING(trace, "abc");
    CHECK_OK(bine_joinall(all, 3, BINE_FOREVER));
    CHECK_STRING(trace, "abcabc");
}

TEST(spawn_checks_its_arguments)
{
    CHECK_ERROR(bine_spawn_at(NULL, NULL, "f\0here"), EINVAL);
    CHECK_ERROR(bine_spawn_later(-1, add_letter, NULL), EINVAL);
    CHECK_ERROR(bine_spawn_later(INT64_MIN, add_letter, NULL), EINVAL);
    bine_spawn_options huge = {.stack_size = (size_t)2 << 30}, early = {.delay = -5};
    CHECK_ERROR(bine_spawn_with(&huge, add_letter, NULL), EINVAL);
    CHECK_ERROR(bine_spawn_with(&early, add_letter, NULL), EINVAL);
    bine_spawn_options absurd = {.stack_size = SIZE_MAX};
    CHECK_ERROR(bine_spawn_with(&absurd, add_letter, NULL), EINVAL);
    CHECK_EQ(bine_hub_greenlets(), 0u);
}

TEST(success_leaves_errno_alone)
{
    errno = EXDEV;
    bine_greenlet *g = bine_spawn(add_letter, (void *)'a');
    CHECK_OK(bine_sleep(BINE_US));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(errno, EXDEV);
}

TEST(spawn_later_starts_after_its_delay_and_in_order_of_deadlines)
{
    int64_t begin = harness_now(), step = harness_slower() * 10 * BINE_MS;
    bine_greenlet *all[] = {bine_spawn_later(3 * step, add_letter, (void *)'c'),
                            bine_spawn_later(1 * step, add_letter, (void *)'a'),
                            bine_spawn_later(2 * step, add_letter, (void *)'b')};
    CHECK(!bine_started(all[0]));
    CHECK(!bine_dead(all[0]));
    CHECK_OK(bine_joinall(all, 3, BINE_FOREVER));
    CHECK_STRING(trace, "abc");
    CHECK_GE(harness_now() - begin, 3 * step);
}

TEST(spawn_with_a_delay_and_a_name)
{
    bine_spawn_options options = {.name = "late", .delay = BINE_MS, .stack_size = 20000};
    bine_greenlet *g = bine_spawn_with(&options, add_letter, (void *)'x');
    CHECK(strstr(bine_name(g), ": late>"));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_STRING(trace, "x");
}

static void *look_at_self(void *arg)
{
    bine_greenlet *self = bine_getcurrent();
    CHECK_EQ(*(bine_greenlet **)arg, self);
    CHECK(bine_started(self));
    CHECK(!bine_dead(self));
    CHECK_EQ(bine_value(self), NULL);
    return arg;
}

TEST(a_greenlet_knows_itself_and_its_state_is_told)
{
    bine_greenlet *g = NULL, *root = bine_getcurrent();
    CHECK(root != NULL);
    CHECK(bine_started(root));
    g = bine_spawn(look_at_self, &g);
    CHECK(!bine_started(g));
    CHECK(!bine_dead(g));
    CHECK_EQ(bine_hub_greenlets(), 1u);
    bine_ref(g);
    void *value = NULL;
    CHECK_OK(bine_join(g, &value, BINE_FOREVER));
    CHECK_EQ(value, (void *)&g);
    CHECK(bine_dead(g));
    CHECK(!bine_started(g));
    CHECK(bine_successful(g));
    CHECK_EQ(bine_error(g), 0);
    CHECK_EQ(bine_value(g), (void *)&g);
    CHECK_EQ(bine_getcurrent(), root);
    bine_detach(g);
}

TEST(null_is_answered_without_a_crash)
{
    CHECK_EQ(bine_ref(NULL), NULL);
    bine_detach(NULL);
    CHECK(!bine_started(NULL));
    CHECK(!bine_dead(NULL));
    CHECK(!bine_successful(NULL));
    CHECK(!bine_killed(NULL));
    CHECK_EQ(bine_value(NULL), NULL);
    CHECK_EQ(bine_stack_high_water(NULL), 0u);
    CHECK(bine_name(NULL) != NULL);
    CHECK_ERROR(bine_set_name(NULL, "x"), EINVAL);
    CHECK_ERROR(bine_set_name(bine_getcurrent(), NULL), EINVAL);
    CHECK_ERROR(bine_kill(NULL), EINVAL);
    CHECK_ERROR(bine_join(NULL, NULL, 0), EINVAL);
    CHECK_ERROR(bine_joinall(NULL, 3, 0), EINVAL);
    CHECK_ERROR(bine_link(NULL, NULL, NULL), EINVAL);
    CHECK_ERROR(bine_unlink(NULL, NULL, NULL), EINVAL);
    CHECK_ERROR(bine_timeout_begin(NULL, 1), EINVAL);
    CHECK_ERROR(bine_timeout_end(NULL), EINVAL);
    CHECK_ERROR(bine_key_create(NULL, NULL), EINVAL);
    CHECK_ERROR(bine_post(NULL, NULL, NULL), EINVAL);
    CHECK_ERROR(bine_sleep(-1), EINVAL);
    CHECK_OK(bine_joinall(NULL, 0, 0));
}

static void *exits(void *arg)
{
    bine_exit(arg);
}

static void *fails(void *error)
{
    bine_fail((int)(intptr_t)error);
}

TEST(exit_ends_with_a_value_and_fail_with_an_error)
{
    bine_greenlet *good = bine_spawn(exits, (void *)42), *bad = bine_spawn(fails, (void *)ENOSPC);
    bine_greenlet *both[] = {good, bad};
    CHECK_EQ(bine_joinall_with(both, 2, BINE_FOREVER, 0, 0), 2);
    CHECK(bine_successful(good));
    CHECK_EQ(bine_value(good), (void *)42);
    CHECK(!bine_successful(bad));
    CHECK(bine_dead(bad));
    CHECK_EQ(bine_error(bad), ENOSPC);
    CHECK_EQ(bine_value(bad), NULL);
    void *value = (void *)1;
    CHECK_OK(bine_join(bad, &value, 0));
    CHECK_EQ(value, NULL);
    CHECK_OK(bine_join(good, &value, 0));
    CHECK_EQ(value, (void *)42);
}

static int detached_ran;

static void *detached(void *arg)
{
    CHECK_OK(bine_sleep(BINE_MS));
    detached_ran++;
    return NULL;
}

TEST(a_detached_greenlet_runs_on_and_frees_itself)
{
    for (int i = 0; i < 100; i++)
        CHECK_OK(bine_go(detached, NULL));
    while (bine_hub_greenlets())
        CHECK_OK(bine_sleep(BINE_MS));
    CHECK_EQ(detached_ran, 100);
}

static void *returns_its_argument(void *arg)
{
    return arg;
}

TEST(names_tell_function_and_argument)
{
    char wanted[128];
    static int object;
    bine_greenlet *five = bine_spawn(returns_its_argument, (void *)5);
    bine_greenlet *minus = bine_spawn(returns_its_argument, (void *)-3);
    bine_greenlet *pointer = bine_spawn(returns_its_argument, &object);
    snprintf(wanted, sizeof wanted, "<Greenlet at %p: returns_its_argument(5)>", (void *)five);
    CHECK_STRING(bine_name(five), wanted);
    snprintf(wanted, sizeof wanted, "<Greenlet at %p: returns_its_argument(-3)>", (void *)minus);
    CHECK_STRING(bine_name(minus), wanted);
    snprintf(wanted, sizeof wanted, "<Greenlet at %p: returns_its_argument(%p)>", (void *)pointer,
             (void *)&object);
    CHECK_STRING(bine_name(pointer), wanted);
    CHECK_OK(bine_set_name(pointer, "renamed"));
    snprintf(wanted, sizeof wanted, "<Greenlet at %p: renamed>", (void *)pointer);
    CHECK_STRING(bine_name(pointer), wanted);
    bine_greenlet *all[] = {five, minus, pointer};
    CHECK_OK(bine_joinall(all, 3, BINE_FOREVER));
    CHECK(strstr(bine_name(bine_getcurrent()), "root"));
}

static void *spawn_a_child(void *depth)
{
    if (depth) {
        bine_greenlet *child = bine_spawn(spawn_a_child, (char *)depth - 1);
        CHECK(child != NULL);
        CHECK_OK(bine_join(child, NULL, BINE_FOREVER));
    }
    return NULL;
}

TEST(greenlets_spawn_and_join_greenlets)
{
    CHECK_OK(bine_join(bine_spawn(spawn_a_child, (void *)200), NULL, BINE_FOREVER));
}

TEST(a_hundred_thousand_short_ones_reuse_a_few_stacks, .seconds = 60)
{
    enum {
        AT_A_TIME = 1000
    };
    int rounds = harness_instrumented() ? 3 : 100;
    bine_greenlet *all[AT_A_TIME];
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < AT_A_TIME; i++)
            CHECK((all[i] = bine_spawn(returns_its_argument, (void *)(intptr_t)i)) != NULL);
        CHECK_OK(bine_joinall(all, AT_A_TIME, BINE_FOREVER));
    }
}

static void *exits_the_process(void *arg)
{
    exit(0);
}

static void *waits_for_ever(void *arg)
{
    bine_sleep(BINE_FOREVER);
    FAIL("a greenlet that waits for ever came back");
}

TEST(a_process_can_exit_while_greenlets_are_parked)
{
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 50; i++)
            CHECK_OK(bine_go(waits_for_ever, NULL));
        CHECK_OK(bine_sleep(0));
        exit(0);
    }
    harness_join_child(child);
    child = fork();
    if (child == 0) { /* from a greenlet, while the root is parked */
        for (int i = 0; i < 50; i++)
            CHECK_OK(bine_go(waits_for_ever, NULL));
        bine_join(bine_spawn(exits_the_process, NULL), NULL, BINE_FOREVER);
        FAIL("exit did not");
    }
    harness_join_child(child);
}

TEST(exit_of_the_root_is_exit_of_the_process)
{
    pid_t child = fork();
    if (child == 0) {
        CHECK_OK(bine_go(waits_for_ever, NULL));
        CHECK_OK(bine_sleep(0));
        bine_exit((void *)3);
    }
    harness_join_child(child);
}

TEST(version_and_mechanisms_are_told)
{
    CHECK_STRING(bine_version(), "0.2.0");
    CHECK_OK(bine_join(bine_spawn(returns_its_argument, NULL), NULL, BINE_FOREVER));
    CHECK(!strcmp(bine_guard_name(), "madvise") || !strcmp(bine_guard_name(), "mprotect"));
    CHECK(bine_poller_name() != NULL);
}

TEST(hazard_91_control_characters_in_a_name_do_not_reach_a_terminal)
{
    bine_greenlet *g = bine_getcurrent();
    CHECK_OK(bine_set_name(g, "a\033[2Jb\nc\177d\302\233e\303\251"));
    CHECK(strstr(bine_name(g), ": a?[2Jb?c?d??e\303\251>") != NULL);
    bine_spawn_options options = {.name = "x\ry"};
    bine_greenlet *other = bine_spawn_with(&options, returns_its_argument, NULL);
    CHECK(strstr(bine_name(other), ": x?y>") != NULL);
    CHECK_OK(bine_join(other, NULL, BINE_FOREVER));
}
