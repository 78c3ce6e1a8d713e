/* A signal at every wait of the root for descriptors, compared with libc (hazard 50). */
#include <bine.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/un.h>

#include "harness.h"
#include "io/pairs.h"
#include "signal_waits.h"

static int ends[2], other[2], file = -1, held = -1;
static struct sockaddr_storage address;
static socklen_t address_length;

static void close_both(int pair[2])
{
    close(pair[0]);
    close(pair[1]);
}

/* ---- descriptors ----------------------------------------------------------------------------- */

static char block[65536];

static void make_pair(void)
{
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
}

static void fill(int fd)
{
    fcntl(fd, F_SETFL, O_NONBLOCK);
    while (write(fd, block, sizeof block) > 0 || write(fd, block, 1) > 0)
        continue;
    fcntl(fd, F_SETFL, 0);
}

static void make_full_pair(void)
{
    make_pair();
    fill(ends[0]);
}

static void make_pipe(void)
{
    CHECK_EQ(pipe(ends), 0);
}

static void make_full_pipe(void)
{
    make_pipe();
    fill(ends[1]);
}

static void close_ends(void)
{
    close_both(ends);
}

static int64_t call_recv(void)
{
    return recv(ends[0], block, sizeof block, 0);
}

static int64_t call_recvmmsg(void)
{
    struct iovec vector = {block, sizeof block};
    struct mmsghdr message = {.msg_hdr = {.msg_iov = &vector, .msg_iovlen = 1}};
    return recvmmsg(ends[0], &message, 1, 0, NULL);
}

static int64_t call_read(void)
{
    return read(ends[0], block, 1);
}

static int64_t call_send(void)
{
    return send(ends[0], block, 1, 0);
}

static int64_t call_write(void)
{
    return write(ends[1], block, 1);
}

static void complete_read(void)
{
    if (write(ends[1], "x", 1) != 1)
        abort();
}

/* Room for a write: a Unix socket tells of it when a third is free. */
static void complete_write(void)
{
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    while (read(ends[0], block, sizeof block) > 0)
        continue;
}

static void complete_send(void)
{
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    while (read(ends[1], block, sizeof block) > 0)
        continue;
}

static void make_listener(int type, int backlog)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    file = socket(AF_UNIX, type, 0);
    CHECK_EQ(bind(file, (struct sockaddr *)&name, sizeof name.sun_family), 0);
    if (type == SOCK_STREAM)
        CHECK_EQ(listen(file, backlog), 0);
    address_length = sizeof address;
    CHECK_EQ(getsockname(file, (struct sockaddr *)&address, &address_length), 0);
    held = socket(AF_UNIX, type, 0);
}

static void begin_accept(void)
{
    make_listener(SOCK_STREAM, 5);
}

static int64_t call_accept(void)
{
    int made = accept(file, NULL, NULL);
    if (made >= 0)
        close(made);
    return made;
}

static void complete_accept(void)
{
    if (connect(held, (struct sockaddr *)&address, address_length) != 0)
        abort();
}

static void close_listener(void)
{
    close(file);
    close(held);
}

/* A Unix backlog is full with one more than was asked for. */
static void begin_connect(void)
{
    make_listener(SOCK_STREAM, 0);
    ends[0] = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_EQ(connect(ends[0], (struct sockaddr *)&address, address_length), 0);
}

static int64_t call_connect(void)
{
    return connect(held, (struct sockaddr *)&address, address_length);
}

static void complete_connect(void)
{
    ends[1] = accept(file, NULL, NULL);
}

static void end_connect(void)
{
    close_both(ends);
    close_listener();
}

static void begin_sendto(void)
{
    make_listener(SOCK_DGRAM, 0);
    while (sendto(held, "x", 1, MSG_DONTWAIT, (struct sockaddr *)&address, address_length) == 1)
        continue;
}

static int64_t call_sendto(void)
{
    return sendto(held, "x", 1, 0, (struct sockaddr *)&address, address_length);
}

static void complete_sendto(void)
{
    while (recv(file, block, sizeof block, MSG_DONTWAIT) > 0)
        continue;
}

static void make_tcp(void)
{
    tcp_pair(ends);
}

static int64_t call_peek_all(void)
{
    return recv(ends[0], block, 1, MSG_PEEK | MSG_WAITALL);
}

static const struct waiting descriptors[] = {
    {"recv", make_pair, call_recv, complete_read, close_ends},
    {"recv, TCP", make_tcp, call_recv, complete_read, close_ends},
    {"recv(MSG_PEEK | MSG_WAITALL)", make_tcp, call_peek_all, complete_read, close_ends},
    {"recvmmsg", make_pair, call_recvmmsg, complete_read, close_ends},
    {"read of a pipe", make_pipe, call_read, complete_read, close_ends},
    {"send", make_full_pair, call_send, complete_send, close_ends},
    {"write of a pipe", make_full_pipe, call_write, complete_write, close_ends},
};

static const struct waiting connections[] = {
    {"accept", begin_accept, call_accept, complete_accept, close_listener},
    {"connect to a full backlog", begin_connect, call_connect, complete_connect, end_connect},
    {"sendto a full queue", begin_sendto, call_sendto, complete_sendto, close_listener},
};

TEST(hazard_50_a_signal_ends_a_wait_for_bytes_as_in_libc, .seconds = 60)
{
    COMPARE(descriptors);
}

TEST(hazard_50_a_signal_ends_a_wait_for_a_connection_as_in_libc, .seconds = 60)
{
    COMPARE(connections);
}

/* ---- several at once, and copies ------------------------------------------------------------- */

static int64_t call_poll(void)
{
    struct pollfd entry = {.fd = ends[0], .events = POLLIN};
    return poll(&entry, 1, -1);
}

static int64_t call_ppoll(void)
{
    struct pollfd entry = {.fd = ends[0], .events = POLLIN};
    sigset_t none;
    sigemptyset(&none);
    return ppoll(&entry, 1, NULL, &none);
}

static int64_t call_select(void)
{
    fd_set readable;
    FD_ZERO(&readable);
    FD_SET(ends[0], &readable);
    return select(ends[0] + 1, &readable, NULL, NULL, NULL);
}

static void begin_epoll(void)
{
    struct epoll_event event = {.events = EPOLLIN};
    make_pipe();
    file = epoll_create1(0);
    CHECK_EQ(epoll_ctl(file, EPOLL_CTL_ADD, ends[0], &event), 0);
}

static int64_t call_epoll(void)
{
    struct epoll_event event;
    return epoll_wait(file, &event, 1, -1);
}

static void end_epoll(void)
{
    close(file);
    close_ends();
}

static void make_two_pipes(void)
{
    make_pipe();
    CHECK_EQ(pipe(other), 0);
}

static void close_two_pipes(void)
{
    close_both(ends);
    close_both(other);
}

static int64_t call_splice(void)
{
    return splice(ends[0], NULL, other[1], NULL, 1, 0);
}

static int64_t call_tee(void)
{
    return tee(ends[0], other[1], 1, 0);
}

static int64_t call_vmsplice(void)
{
    struct iovec vector = {block, 1};
    return vmsplice(ends[1], &vector, 1, 0);
}

static const struct waiting several[] = {
    {"poll", make_pipe, call_poll, complete_read, close_ends},
    {"ppoll", make_pipe, call_ppoll, complete_read, close_ends},
    {"select", make_pipe, call_select, complete_read, close_ends},
    {"epoll_wait", begin_epoll, call_epoll, complete_read, end_epoll},
};

static const struct waiting copies[] = {
    {"splice", make_two_pipes, call_splice, complete_read, close_two_pipes},
    {"tee", make_two_pipes, call_tee, complete_read, close_two_pipes},
    {"vmsplice", make_full_pipe, call_vmsplice, complete_write, close_ends},
};

TEST(hazard_50_a_signal_ends_a_wait_for_several_as_in_libc, .seconds = 60)
{
    COMPARE(several);
}

TEST(hazard_50_a_signal_ends_a_copy_that_waits_as_in_libc, .seconds = 60)
{
    COMPARE(copies);
}
