/* A kill or a timeout that meets a greenlet inside a library which aborts at unknown errors waits
 * until the call has returned. */
#include <bine.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "harness.h"
#include "patch/libraries/aborts.h"

static int fds[2], epoll = -1;

static void *in_poll(void *unused)
{
    CHECK_EQ(aborts_poll(fds[0], -1), 0);
    CHECK_ERROR(bine_sleep(BINE_SECOND), ECANCELED);
    return unused;
}

static void *in_epoll(void *unused)
{
    CHECK_EQ(aborts_epoll(epoll), 0);
    CHECK_ERROR(bine_sleep(BINE_SECOND), ECANCELED);
    return unused;
}

static void *in_read(void *unused)
{
    CHECK_EQ(aborts_read(fds[0]), 0);
    CHECK_ERROR(bine_sleep(BINE_SECOND), ECANCELED);
    return unused;
}

static void *in_wait(void *unused)
{
    CHECK_EQ(aborts_wait(), 0);
    CHECK_ERROR(bine_sleep(BINE_SECOND), ECANCELED);
    return unused;
}

static void *in_semaphore(void *unused)
{
    CHECK_EQ(aborts_semaphore(), 0);
    CHECK_ERROR(bine_sleep(BINE_SECOND), ECANCELED);
    return unused;
}

static void write_byte(void)
{
    CHECK_EQ(write(fds[1], "x", 1), 1);
}

/* `release` ends the wait. */
static void kill_in(void *(*wait)(void *), void (*release)(void))
{
    CHECK_OK(bine_patch_patient("libaborts.so"));
    CHECK_OK(bine_patch_all());
    CHECK_EQ(pipe(fds), 0);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[0], &event), 0);
    bine_greenlet *g = bine_spawn(wait, NULL);
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_OK(bine_kill(g));
    for (int i = 0; i < 5; i++)
        CHECK_OK(bine_sleep(BINE_MS));
    CHECK(!bine_dead(g));
    release();
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(close(fds[0]) | close(fds[1]) | close(epoll), 0);
}

TEST(hazard_99_a_kill_in_poll)
{
    kill_in(in_poll, write_byte);
}

TEST(hazard_99_a_kill_in_epoll_wait)
{
    kill_in(in_epoll, write_byte);
}

TEST(hazard_99_a_kill_in_read)
{
    kill_in(in_read, write_byte);
}

TEST(hazard_99_a_kill_in_a_wait_for_a_condition)
{
    kill_in(in_wait, aborts_wake);
}

TEST(hazard_99_a_kill_in_a_wait_for_a_semaphore)
{
    kill_in(in_semaphore, aborts_post);
}

/* The call's own limit holds, and so does that of the scope, afterwards. */
TEST(hazard_99_a_timeout_in_poll)
{
    CHECK_OK(bine_patch_patient("libaborts.so"));
    CHECK_OK(bine_patch_all());
    CHECK_EQ(pipe(fds), 0);
    bine_timeout scope;
    bine_timeout_begin(&scope, 5 * BINE_MS);
    CHECK_EQ(aborts_poll(fds[0], 50), 0);
    CHECK_ERROR(bine_sleep(BINE_SECOND), ETIMEDOUT);
    CHECK(bine_timeout_end(&scope));
    CHECK_EQ(close(fds[0]) | close(fds[1]), 0);
}

/* What it is for. */
TEST(without_the_rule_the_library_aborts, .signal = SIGABRT)
{
    CHECK_OK(bine_patch_all());
    CHECK_EQ(pipe(fds), 0);
    bine_greenlet *g = bine_spawn(in_poll, NULL);
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_OK(bine_kill(g));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
}
