/* Each allocation behind an I/O call fails once: the call says so, no byte is lost, and the next
 * one works. */
#include "failing.h"

#include <sys/epoll.h>
#include <sys/select.h>

#include "one_call.h"

/* A call failed: for want of memory, and not of anything else. */
static void excuse(int error)
{
    errno = error;
    failing_excuse();
}

static void read_that_waits(void)
{
    int fds[2];
    char byte = 0, rest = 0;
    unix_pair(fds);
    struct one_call call = {.fd = fds[0], .size = 1, .buffer = &byte};
    bine_greenlet *g = bine_spawn(call_read, &call);
    if (g) {
        if (bine_sleep(BINE_MS) < 0)
            excuse(errno);
        CHECK_EQ(write(fds[1], "x", 1), 1);
        CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
        if (call.result < 0) {
            excuse(call.error);
            CHECK_EQ(recv(fds[0], &rest, 1, MSG_DONTWAIT), 1);
        } else {
            CHECK_EQ(call.result, 1);
            CHECK_EQ(byte, 'x');
        }
    } else {
        failing_excuse();
    }
    close_pair(fds);
}

TEST(a_read_says_that_memory_is_out_and_loses_nothing, .seconds = 120)
{
    CHECK_GT(failing_each(read_that_waits), 3u);
}

enum {
    PAIRS = 20
};

static void poll_and_select_many(void)
{
    int pairs[PAIRS][2];
    struct pollfd asked[PAIRS];
    fd_set set;
    FD_ZERO(&set);
    if (!bine_getcurrent())
        failing_excuse();
    for (int i = 0; i < PAIRS; i++) {
        unix_pair(pairs[i]);
        asked[i] = (struct pollfd){.fd = pairs[i][0], .events = POLLIN};
        FD_SET(pairs[i][0], &set);
    }
    /* When a ring could not be finished the kernel takes it down behind our back, and that
     * interrupts epoll_wait(2) without any signal (Linux 6.18: task work of io_ring_exit_work). It
     * may happen whenever, so EINTR is no failure here. */
    int highest = pairs[PAIRS - 1][0] + 2, result;
    do
        result = bine_poll(asked, PAIRS, 1);
    while (result < 0 && errno == EINTR);
    if (result < 0)
        failing_excuse();
    else
        CHECK_EQ(result, 0);
    do {
        struct timeval time = {0, 1000};
        result = bine_select(highest, &set, NULL, NULL, &time);
    } while (result < 0 && errno == EINTR);
    if (result < 0) {
        failing_excuse();
        CHECK(FD_ISSET(pairs[0][0], &set)); /* as it was */
    } else {
        CHECK_EQ(result, 0);
        CHECK(!FD_ISSET(pairs[0][0], &set));
    }
    for (int i = 0; i < PAIRS; i++)
        close_pair(pairs[i]);
}

TEST(poll_and_select_of_many_say_that_memory_is_out, .seconds = 120)
{
    CHECK_GT(failing_each(poll_and_select_many), 3u);
}

static void connect_and_accept(void)
{
    struct sockaddr_in address;
    int listener = tcp_listener(&address, 4), fd = tcp_socket();
    struct one_call call = {.fd = listener, .result = -1};
    bine_greenlet *g = bine_spawn(call_accept, &call);
    if (!g) {
        failing_excuse();
    } else {
        if (bine_connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
            failing_excuse();
            CHECK_OK(bine_kill(g));
        }
        CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
        if (call.result >= 0)
            CHECK_OK(bine_close((int)call.result));
        else if (call.done && call.error != ECANCELED) /* killed before it began, it never ran */
            excuse(call.error);
    }
    CHECK_OK(bine_close(fd));
    CHECK_OK(bine_close(listener));
}

TEST(connect_and_accept_say_that_memory_is_out, .seconds = 120)
{
    CHECK_GT(failing_each(connect_and_accept), 3u);
}
