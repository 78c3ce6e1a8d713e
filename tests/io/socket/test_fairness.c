/* Calls that never have to wait let other greenlets run nevertheless, and are ended by a kill. */
#include <fcntl.h>
#include <poll.h>
#include <sys/select.h>

#include "io/one_call.h"

static void *count_turns(void *arg)
{
    for (;;) {
        ++*(unsigned *)arg;
        if (bine_sleep(0) < 0)
            return NULL;
    }
}

static void check_others_run(void (*call)(int fd), int fd)
{
    unsigned turns = 0;
    bine_greenlet *g = bine_spawn(count_turns, &turns);
    for (int i = 0; i < 1000; i++)
        call(fd);
    CHECK_GE(turns, 5u);
    CHECK_OK(bine_kill(g));
    CHECK_OK(bine_join(g, NULL, BINE_SECOND));
}

static void poll_nothing(int fd)
{
    struct pollfd question = {.fd = fd, .events = POLLIN};
    CHECK_EQ(bine_poll(&question, 1, 0), 0);
}

static void select_nothing(int fd)
{
    fd_set set;
    struct timeval zero = {0, 0};
    FD_ZERO(&set);
    FD_SET(fd, &set);
    CHECK_EQ(bine_select(fd + 1, &set, NULL, NULL, &zero), 0);
}

static void send_datagram_to_nobody(int fd)
{
    CHECK_EQ(bine_send(fd, "", 0, 0), 0);
}

static void receive_nothing(int fd)
{
    char byte;
    CHECK_ERROR(bine_recv(fd, &byte, 1, MSG_DONTWAIT), EAGAIN);
}

static void read_zeros(int fd)
{
    char bytes[16];
    CHECK_EQ(bine_read(fd, bytes, sizeof bytes), 16);
}

TEST(hazard_26_calls_that_never_wait_let_others_run)
{
    int fds[2];
    unix_pair(fds);
    check_others_run(poll_nothing, fds[0]);
    check_others_run(select_nothing, fds[0]);
    check_others_run(receive_nothing, fds[0]);
    check_others_run(send_datagram_to_nobody, fds[0]);
    close_pair(fds);
    int zeros = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    CHECK_OK(zeros);
    check_others_run(read_zeros, zeros);
    CHECK_OK(bine_close(zeros));
}

static void *spin(void *arg)
{
    char byte;
    while (bine_recv(*(int *)arg, &byte, 1, MSG_PEEK) == 1)
        continue;
    CHECK_EQ(errno, ECANCELED);
    return NULL;
}

TEST(hazard_26_a_killed_greenlet_that_never_waits_ends)
{
    int fds[2];
    unix_pair(fds);
    CHECK_EQ(bine_write(fds[1], "x", 1), 1);
    bine_greenlet *g = bine_spawn(spin, &fds[0]);
    CHECK_OK(bine_sleep(0));
    CHECK_OK(bine_kill(g));
    CHECK_OK(bine_join(g, NULL, 5 * BINE_SECOND));
    close_pair(fds);
}
