/* The time family against the real calls: what they return, what they write, and how long they take
 * at least. */
#include <bine.h>
#include <signal.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>

#include "libc/libc.h"
#include "patch/common.h"

static int64_t since(int64_t start)
{
    return harness_now() - start;
}

/* Run body(arg) in a greenlet of its own, with or without the family patched. */
static void in_greenlet(bine_run *body, void *arg, bool patched)
{
    if (patched)
        CHECK_OK(bine_patch_time());
    bine_greenlet *g = bine_spawn(body, arg);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    if (patched)
        CHECK_OK(bine_unpatch(BINE_PATCH_TIME));
}

static void both_ways(bine_run *body)
{
    in_greenlet(body, NULL, false);
    in_greenlet(body, NULL, true);
    /* And from the root greenlet, and with another greenlet about that keeps the hub busy. */
    CHECK_OK(bine_patch_time());
    body(NULL);
    CHECK_OK(bine_unpatch(BINE_PATCH_TIME));
}

static void *sleeps_long_enough(void *arg)
{
    int64_t start = harness_now();
    struct timespec time = {.tv_nsec = 3 * BINE_MS};
    CHECK_EQ(nanosleep(&time, NULL), 0);
    CHECK_GE(since(start), 3 * BINE_MS);
    start = harness_now();
    CHECK_EQ(usleep(3000), 0);
    CHECK_GE(since(start), 3 * BINE_MS);
    start = harness_now();
    CHECK_EQ(clock_nanosleep(CLOCK_REALTIME, 0, &time, NULL), 0);
    CHECK_GE(since(start), 3 * BINE_MS);
    start = harness_now();
    CHECK_EQ(thrd_sleep(&time, NULL), 0);
    CHECK_GE(since(start), 3 * BINE_MS);
    static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_TAI};
    for (int i = 0; i < 4; i++) {
        struct timespec until, now;
        CHECK_EQ(clock_gettime(clocks[i], &until), 0);
        until.tv_nsec += 3 * BINE_MS;
        if (until.tv_nsec >= BINE_SECOND) {
            until.tv_nsec -= BINE_SECOND;
            until.tv_sec++;
        }
        CHECK_EQ(clock_nanosleep(clocks[i], TIMER_ABSTIME, &until, NULL), 0);
        CHECK_EQ(clock_gettime(clocks[i], &now), 0);
        CHECK(now.tv_sec > until.tv_sec ||
              (now.tv_sec == until.tv_sec && now.tv_nsec >= until.tv_nsec));
        /* A moment that has passed is no wait. */
        CHECK_EQ(clock_nanosleep(clocks[i], TIMER_ABSTIME, &until, NULL), 0);
    }
    CHECK_EQ(sleep(0), 0);
    CHECK_EQ(sched_yield(), 0);
    thrd_yield();
    return NULL;
}

TEST(sleeps_are_never_short)
{
    both_ways(sleeps_long_enough);
}

static void *refuses_what_libc_refuses(void *arg)
{
    struct timespec left = {.tv_sec = 7};
    static const struct timespec bad[] = {{.tv_sec = -1}, {.tv_nsec = -1}, {.tv_nsec = 1000000000}};
    for (int i = 0; i < 3; i++) {
        CHECK_ERROR(nanosleep(&bad[i], &left), EINVAL);
        errno = 5;
        CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, 0, &bad[i], &left), EINVAL);
        CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &bad[i], &left), EINVAL);
        CHECK_EQ(errno, 5);
        CHECK_LT(thrd_sleep(&bad[i], &left), -1);
    }
    const struct timespec *nowhere = NULL;
    CHECK_ERROR(nanosleep(nowhere, &left), EFAULT);
    struct timespec time = {.tv_nsec = 1};
    CHECK_EQ(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &time, NULL), EINVAL);
    CHECK_EQ(clock_nanosleep(1234567, 0, &time, NULL), EINVAL);
    CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC_COARSE, 0, &time, NULL), ENOTSUP);
    CHECK_EQ(left.tv_sec, 7);
    return NULL;
}

TEST(bad_arguments_give_libcs_errors)
{
    both_ways(refuses_what_libc_refuses);
}

/* ---- cooperation ----------------------------------------------------------------------------- */

static char order[64];

static void *sleep_in_turn(void *arg)
{
    int (*call)(void) = (int (*)(void))arg;
    strcat(order, "a");
    CHECK_EQ(call(), 0);
    strcat(order, "c");
    return NULL;
}

static void *note(void *arg)
{
    strcat(order, "b");
    return NULL;
}

static int by_nanosleep(void)
{
    return nanosleep(&(struct timespec){.tv_nsec = BINE_MS}, NULL);
}

static int by_clock(void)
{
    return clock_nanosleep(CLOCK_REALTIME, 0, &(struct timespec){.tv_nsec = BINE_MS}, NULL);
}

static int by_absolute_clock(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 1;
    return clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, NULL);
}

static int by_usleep(void)
{
    return usleep(1000);
}

static int by_no_time(void)
{
    return usleep(0);
}

static int by_yield(void)
{
    return sched_yield();
}

static int by_sleep(void)
{
    return (int)sleep(1);
}

static int by_thrd(void)
{
    return thrd_sleep(&(struct timespec){.tv_nsec = BINE_MS}, NULL);
}

TEST(others_run_while_one_sleeps)
{
    static int (*const ways[])(void) = {by_nanosleep, by_clock, by_absolute_clock, by_usleep,
                                        by_no_time,   by_yield, by_sleep,          by_thrd};
    CHECK_OK(bine_patch_all());
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        order[0] = '\0';
        bine_greenlet *both[] = {bine_spawn(sleep_in_turn, (void *)ways[i]),
                                 bine_spawn(note, NULL)};
        CHECK_OK(bine_joinall(both, 2, BINE_FOREVER));
        CHECK_STRING(order, "abc");
    }
    CHECK_OK(bine_unpatch_all());
}

/* ---- ends before its time -------------------------------------------------------------------- */

static void *sleep_for_long(void *arg)
{
    struct timespec left = {0};
    CHECK_ERROR(nanosleep(&(struct timespec){.tv_sec = 100}, &left), ECANCELED);
    CHECK_GE(left.tv_sec, 90);
    CHECK_LE(left.tv_sec, 100);
    CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_sec = 100}, NULL),
             ECANCELED);
    CHECK_ERROR(usleep(100000000), ECANCELED);
    errno = 0;
    CHECK_EQ(sleep(100), 0); /* or the usual loop would never end */
    CHECK_EQ(errno, ECANCELED);
    CHECK_LT(thrd_sleep(&(struct timespec){.tv_sec = 100}, NULL), -1);
    return NULL;
}

TEST(killing_ends_a_sleep)
{
    CHECK_OK(bine_patch_all());
    bine_greenlet *g = bine_spawn(sleep_for_long, NULL);
    CHECK_OK(bine_sleep(0));
    CHECK_OK(bine_kill(g));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_OK(bine_unpatch_all());
}

TEST(timeouts_end_a_sleep)
{
    CHECK_OK(bine_patch_all());
    bine_timeout scope;
    CHECK_OK(bine_timeout_begin(&scope, 5 * BINE_MS));
    CHECK_ERROR(nanosleep(&(struct timespec){.tv_sec = 100}, NULL), ETIMEDOUT);
    CHECK_EQ(bine_timeout_end(&scope), 1);
    CHECK_OK(bine_unpatch_all());
}

static void nothing(int number)
{
    (void)number;
}

/* What sleep says is left when a signal comes after some part of a second. */
static unsigned left_of_two_seconds(void)
{
    struct sigaction action = {.sa_handler = nothing};
    struct itimerval timer = {.it_value = {0, 100000}};
    sigemptyset(&action.sa_mask);
    CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
    CHECK_EQ(setitimer(ITIMER_REAL, &timer, NULL), 0);
    return sleep(2);
}

TEST(sleep_tells_the_seconds_that_are_left_as_libc_does)
{
    unsigned libcs = left_of_two_seconds();
    CHECK_OK(bine_patch_all());
    CHECK_OK(bine_sleep(0));
    CHECK_EQ(left_of_two_seconds(), libcs);
    CHECK_OK(bine_unpatch_all());
}

/* ---- falling through ------------------------------------------------------------------------- */

static void *without_hub(void *arg)
{
    int64_t start = harness_now();
    CHECK_EQ(usleep(1000), 0);
    CHECK_GE(since(start), BINE_MS);
    CHECK_EQ(bine_hub_greenlets(), 0);
    return NULL;
}

TEST(a_thread_without_a_hub_sleeps_as_ever)
{
    CHECK_OK(bine_patch_all());
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, without_hub, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    without_hub(NULL);
    CHECK_OK(bine_unpatch_all());
}

static void sleep_in_callback(bine_greenlet *g, void *arg)
{
    *(int *)arg = usleep(1000);
}

TEST(hazard_28_a_callback_of_the_hub_falls_through)
{
    CHECK_OK(bine_patch_all());
    int result = 77;
    bine_greenlet *g = bine_spawn(note, NULL);
    CHECK_OK(bine_link(g, sleep_in_callback, &result));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(result, 0);
    CHECK_OK(bine_unpatch_all());
}
