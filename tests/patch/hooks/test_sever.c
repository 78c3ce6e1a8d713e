/* A library that keeps a connection whose question was cut short: nobody gets the answer that comes
 * late. */
#include <bine.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"
#include "patch/libraries/asks.h"

static int near, far;

static void connect_both(void)
{
    int fds[2];
    CHECK_OK(bine_patch_all());
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    near = fds[0], far = fds[1];
}

static void close_both(void)
{
    CHECK_EQ(close(near) | close(far), 0);
}

static bool is_severed(void)
{
    char byte;
    CHECK_EQ(send(far, "late", 4, MSG_NOSIGNAL), -1);
    CHECK_EQ(errno, EPIPE);
    return recv(near, &byte, 1, MSG_DONTWAIT) == 0;
}

static int (*call)(int fd);
static int result;

static void *make_call(void *unused)
{
    result = call(near);
    return unused;
}

static bine_greenlet *begin(int (*of_library)(int fd))
{
    call = of_library;
    bine_greenlet *g = bine_spawn(make_call, NULL);
    CHECK_OK(bine_sleep(BINE_MS));
    return g;
}

static void kill_in(int (*of_library)(int fd))
{
    connect_both();
    bine_greenlet *g = begin(of_library);
    CHECK_OK(bine_kill(g));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(result, ECANCELED);
    CHECK(is_severed());
    close_both();
}

TEST(hazard_124_a_kill_in_poll)
{
    kill_in(asks_poll);
}

TEST(hazard_124_a_kill_in_recv)
{
    kill_in(asks_recv);
}

TEST(hazard_124_a_kill_in_send)
{
    kill_in(asks_send);
}

TEST(hazard_124_a_timeout_in_poll)
{
    connect_both();
    bool late = false;
    BINE_WITHIN(5 * BINE_MS, &late)
    result = asks_poll(near);
    CHECK(late);
    CHECK_EQ(result, ETIMEDOUT);
    CHECK(is_severed());
    close_both();
}

/* After these errors the library makes the call again. */
TEST(hazard_124_what_is_tried_again_severs_nothing)
{
    connect_both();
    CHECK_EQ(asks_recv_at_once(near), EAGAIN);
    bine_greenlet *g = begin(asks_poll);
    CHECK_OK(bine_interrupt(g, EINTR));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(result, EINTR);
    CHECK_EQ(send(far, "x", 1, MSG_NOSIGNAL), 1);
    CHECK_EQ(asks_recv(near), 0);
    close_both();
}

/* The number may be another connection's by now. */
TEST(hazard_124_a_descriptor_that_was_closed_meanwhile_is_left_alone)
{
    connect_both();
    bine_greenlet *g = begin(asks_recv);
    int old = near, fds[2];
    CHECK_EQ(close(near) | close(far), 0);
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    CHECK(fds[0] == old || fds[1] == old);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(result, EBADF);
    near = fds[0], far = fds[1];
    CHECK_EQ(send(far, "x", 1, MSG_NOSIGNAL), 1);
    CHECK_EQ(send(near, "x", 1, MSG_NOSIGNAL), 1);
    close_both();
}

static void *receive(void *unused)
{
    char byte;
    CHECK_EQ(recv(near, &byte, 1, 0), -1);
    CHECK_EQ(errno, ECANCELED);
    return unused;
}

/* A caller of libc that is no such library goes on with its connection. */
TEST(elsewhere_a_kill_severs_nothing)
{
    connect_both();
    bine_greenlet *g = bine_spawn(receive, NULL);
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_OK(bine_kill(g));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(send(far, "x", 1, MSG_NOSIGNAL), 1);
    char byte = 0;
    CHECK_EQ(recv(near, &byte, 1, 0), 1);
    CHECK_EQ(byte, 'x');
    close_both();
}
