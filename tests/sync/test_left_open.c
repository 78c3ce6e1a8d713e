/* Timeouts, shields and scopes that a greenlet leaves open are reported by its name and closed;
 * BINE_WITHIN leaves none open. */
#include <bine.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness.h"

/* ---- what was said on standard error --------------------------------------------------------- */

static int said_fd = -1, stderr_before = -1;

static void listen_to_stderr(void)
{
    int fds[2];
    CHECK_EQ(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    stderr_before = dup(STDERR_FILENO);
    CHECK(dup2(fds[1], STDERR_FILENO) == STDERR_FILENO);
    close(fds[1]);
    said_fd = fds[0];
}

static const char *said(void)
{
    static char text[4096];
    ssize_t n = read(said_fd, text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static void stop_listening(void)
{
    CHECK(dup2(stderr_before, STDERR_FILENO) == STDERR_FILENO);
    close(stderr_before);
    close(said_fd);
}

static size_t lines(const char *text)
{
    size_t n = 0;
    for (; (text = strchr(text, '\n')); text++)
        n++;
    return n;
}

/* What it said while run(arg) ran in a greenlet of that name. */
static const char *report_of(bine_run *run, void *arg, const char *name)
{
    listen_to_stderr();
    bine_greenlet *g = bine_spawn_with((&(bine_spawn_options){.name = name}), run, arg);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    const char *text = said();
    stop_listening();
    return text;
}

/* ---- forgetting ------------------------------------------------------------------------------ */

static bine_key key;
static int destructor_saw;

/* Waits, which it can only if nothing is open any more. */
static void destroy(void *value)
{
    destructor_saw = bine_sleep(BINE_MS) == 0 ? (int)(intptr_t)value : -errno;
}

static __attribute__((noinline)) void open_timeout(void)
{
    static bine_timeout timeout;
    CHECK_OK(bine_timeout_begin(&timeout, 0));
    CHECK_ERROR(bine_sleep(BINE_SECOND), ETIMEDOUT);
}

static void *forgets_timeout(void *arg)
{
    CHECK_OK(bine_setspecific(key, (void *)7));
    open_timeout();
    return arg;
}

TEST(a_timeout_left_open_is_reported_by_name_and_closed)
{
    CHECK_OK(bine_key_create(&key, destroy));
    const char *text = report_of(forgets_timeout, NULL, "forgetful");
    CHECK_EQ(lines(text), 1u);
    CHECK(strstr(text, "forgetful") && strstr(text, "bine_timeout_end") &&
          strstr(text, "test_left_open.c:"));
    CHECK_EQ(destructor_saw, 7);
    CHECK_OK(bine_key_delete(key));
}

static void *forgets_shield(void *arg)
{
    bine_shield_begin();
    bine_shield_begin();
    bine_shield_end();
    return arg;
}

TEST(a_shield_left_open_is_reported)
{
    const char *text = report_of(forgets_shield, NULL, "shielded");
    CHECK_EQ(lines(text), 1u);
    CHECK(strstr(text, "shielded") && strstr(text, "bine_shield_end"));
}

static int ended_members;

static void *member(void *arg)
{
    if (bine_sleep(BINE_FOREVER) != 0 && errno == ECANCELED)
        ended_members++;
    return arg;
}

static void *forgets_scopes(void *arg)
{
    for (int i = 0; i < 2; i++) {
        bine_scope *scope = bine_scope_begin(BINE_FOREVER);
        CHECK(scope && bine_scope_spawn(scope, member, NULL));
    }
    CHECK_OK(bine_sleep(0));
    return arg;
}

TEST(a_scope_left_open_is_reported_and_its_greenlets_end_before_its_owner)
{
    const char *text = report_of(forgets_scopes, NULL, "owner");
    CHECK_EQ(lines(text), 1u);
    CHECK(strstr(text, "owner") && strstr(text, "bine_scope_end"));
    CHECK_EQ(ended_members, 2); /* when the join came back */
    CHECK_EQ(bine_hub_greenlets(), 0u);
}

/* The greenlet that ends with a scope of another's open is not its owner. */
static void *ends_beside(void *arg)
{
    bine_timeout timeout;
    CHECK_OK(bine_timeout_begin(&timeout, BINE_SECOND));
    CHECK_EQ(bine_timeout_end(&timeout), 0);
    bine_shield_begin();
    bine_shield_end();
    bine_shield_end();
    return arg;
}

TEST(what_was_closed_is_not_reported)
{
    bine_scope *scope = bine_scope_begin(BINE_FOREVER);
    CHECK(bine_scope_spawn(scope, member, NULL) != NULL);
    CHECK_STRING(report_of(ends_beside, NULL, "tidy"), "");
    CHECK_OK(bine_scope_cancel(scope, 0));
    CHECK_OK(bine_scope_end(scope));
}

/* ---- leaving on purpose ---------------------------------------------------------------------- */

static void *fails_inside(void *arg)
{
    bine_scope *scope = bine_scope_begin(BINE_FOREVER);
    CHECK(scope && bine_scope_spawn(scope, member, NULL));
    CHECK_OK(bine_sleep(0));
    bine_shield_begin();
    BINE_WITHIN(BINE_SECOND)
    {
        if (arg)
            bine_fail((int)(intptr_t)arg);
        bine_exit(NULL);
    }
    return NULL;
}

TEST(fail_and_exit_close_without_a_report)
{
    CHECK_STRING(report_of(fails_inside, (void *)EIO, "fails"), "");
    CHECK_EQ(ended_members, 1);
    CHECK_STRING(report_of(fails_inside, NULL, "exits"), "");
    CHECK_EQ(ended_members, 2);
}

static void *thread_forgets(void *arg)
{
    CHECK(bine_getcurrent() != NULL);
    forgets_shield(arg);
    if (arg)
        bine_exit(NULL);
    return NULL;
}

TEST(the_root_of_a_thread_is_reported_when_the_thread_ends)
{
    for (intptr_t exits = 0; exits < 2; exits++) {
        pthread_t thread;
        listen_to_stderr();
        CHECK_EQ(pthread_create(&thread, NULL, thread_forgets, (void *)exits), 0);
        CHECK_EQ(pthread_join(thread, NULL), 0);
        const char *text = said();
        stop_listening();
        CHECK_EQ(lines(text), exits ? 0u : 1u);
        CHECK(exits || (strstr(text, "root") && strstr(text, "bine_shield_end")));
    }
}

static void shield_a_moment(void *unused)
{
    (void)unused;
    bine_shield_begin();
    bine_shield_end();
}

/* pthread_exit unwinds the stack: past the block, and past the cleanup. */
static void *root_exits_inside(void *arg)
{
    CHECK(bine_getcurrent() != NULL);
    bine_shield_begin();
    pthread_cleanup_push(shield_a_moment, NULL);
    BINE_WITHIN(BINE_SECOND)
    bine_exit(arg);
    pthread_cleanup_pop(false);
    return arg;
}

TEST(a_root_that_exits_is_not_reported_while_its_stack_is_unwound)
{
    pthread_t thread;
    listen_to_stderr();
    CHECK_EQ(pthread_create(&thread, NULL, root_exits_inside, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_STRING(said(), "");
    stop_listening();
}

/* ---- BINE_WITHIN ----------------------------------------------------------------------------- */

static bool nothing_open(void)
{
    return bine_sleep(BINE_MS) == 0;
}

static int leaves_by(int way, bool *late)
{
    for (int round = 0; round < 3; round++) {
        BINE_WITHIN(BINE_MS, late)
        {
            if (way == 0)
                return round;
            if (way == 1)
                break;
            if (way == 2)
                continue;
            if (way == 3)
                goto out;
            CHECK_ERROR(bine_sleep(BINE_FOREVER), ETIMEDOUT);
            errno = EXDEV;
        }
        CHECK(way != 4 || errno == EXDEV);
        CHECK(nothing_open());
    }
    return 3;
out:
    return 4;
}

TEST(within_is_closed_on_every_way_out)
{
    static const int results[] = {0, 3, 3, 4, 3};
    for (int way = 0; way < 5; way++) {
        bool late = way != 4;
        CHECK_EQ(leaves_by(way, &late), results[way]);
        CHECK_EQ(late, way == 4);
        CHECK(nothing_open());
    }
}

TEST(within_nests_and_tells_whose_time_it_was)
{
    bool inner = true, outer = false;
    int runs = 0;
    BINE_WITHIN(2 * BINE_MS, &outer)
    {
        BINE_WITHIN(BINE_SECOND, &inner)
        {
            runs++;
            CHECK_ERROR(bine_sleep(BINE_FOREVER), ETIMEDOUT);
        }
        CHECK_ERROR(bine_sleep(BINE_MS), ETIMEDOUT);
    }
    CHECK(!inner && outer);
    CHECK_EQ(runs, 1);
    CHECK(nothing_open());
}

static int evaluated;

static int64_t duration(int64_t value)
{
    evaluated++;
    return value;
}

TEST(within_evaluates_its_duration_once_and_a_negative_one_has_passed)
{
    BINE_WITHIN(duration(BINE_FOREVER)) CHECK(nothing_open());
    CHECK_EQ(evaluated, 1);
    bool late = false;
    BINE_WITHIN(duration(-5), &late) CHECK_ERROR(bine_sleep(BINE_SECOND), ETIMEDOUT);
    CHECK_EQ(evaluated, 2);
    CHECK(late);
}

static void *leaves_timeout_inside(void *arg)
{
    BINE_WITHIN(BINE_SECOND)
    open_timeout();
    CHECK(nothing_open());
    return arg;
}

TEST(a_timeout_left_open_inside_is_reported_at_the_end_of_the_block)
{
    const char *text = report_of(leaves_timeout_inside, NULL, "nested");
    CHECK_EQ(lines(text), 1u);
    CHECK(strstr(text, "nested") && strstr(text, "BINE_WITHIN"));
    bine_within_end(NULL);
}
