/*
 * What came before a close (hazard 63): bytes that had arrived, connections, room, and the end of a
 * stream that was shut down reach the greenlet that waited for them, although another one closes
 * the descriptor before it has run.
 */
#include <bine.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "harness.h"
#include "io/pairs.h"
#include "newer.h"

static int ends[2]; /* ends[0] is waited for, and closed */
static char bytes[65536];

static void unix_ends(void)
{
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
}

static void packet_pair(void)
{
    CHECK_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
}

static void tcp_ends(void)
{
    tcp_pair(ends);
}

static void a_pipe(void)
{
    CHECK_EQ(pipe(ends), 0);
}

/* ---- the calls that wait --------------------------------------------------------------------- */

static struct iovec vector = {bytes, sizeof bytes};

static ssize_t by_read(void)
{
    return read(ends[0], bytes, sizeof bytes);
}

static ssize_t by_readv(void)
{
    return readv(ends[0], &vector, 1);
}

static ssize_t by_recv(void)
{
    return recv(ends[0], bytes, sizeof bytes, 0);
}

static ssize_t by_recv_all(void)
{
    return recv(ends[0], bytes, 1, MSG_WAITALL);
}

static ssize_t by_recvfrom(void)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    return recvfrom(ends[0], bytes, sizeof bytes, 0, (struct sockaddr *)&address, &length);
}

static ssize_t by_recvmsg(void)
{
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    return recvmsg(ends[0], &message, 0);
}

static ssize_t by_recvmmsg(void)
{
    struct mmsghdr message = {.msg_hdr = {.msg_iov = &vector, .msg_iovlen = 1}};
    int count = recvmmsg(ends[0], &message, 1, 0, NULL);
    return count < 0 ? -1 : (ssize_t)message.msg_len;
}

/* Those that only look must find it, too. */
static ssize_t by_poll(void)
{
    struct pollfd entry = {.fd = ends[0], .events = POLLIN};
    int count = poll(&entry, 1, -1);
    return count == 1 && entry.revents & POLLIN ? recv(ends[0], bytes, sizeof bytes, MSG_DONTWAIT)
                                                : -1;
}

static ssize_t by_select(void)
{
    fd_set readable;
    FD_ZERO(&readable);
    FD_SET(ends[0], &readable);
    return select(ends[0] + 1, &readable, NULL, NULL, NULL) == 1
               ? recv(ends[0], bytes, sizeof bytes, MSG_DONTWAIT)
               : -1;
}

struct way {
    const char *name;
    ssize_t (*call)(void);
    bool sockets;
};

static const struct way ways[] = {
    {"read", by_read, false},        {"readv", by_readv, false},
    {"recv", by_recv, true},         {"recv(MSG_WAITALL)", by_recv_all, true},
    {"recvfrom", by_recvfrom, true}, {"recvmsg", by_recvmsg, true},
    {"recvmmsg", by_recvmmsg, true}, {"poll", by_poll, true},
    {"select", by_select, true},
};

/* ---- how it is closed ------------------------------------------------------------------------ */

static void by_close(void)
{
    CHECK_EQ(close(ends[0]), 0);
}

static void by_dup2(void)
{
    int other = eventfd(0, 0);
    CHECK_EQ(dup2(other, ends[0]), ends[0]);
    close(other);
    close(ends[0]);
}

static void by_close_range(void)
{
    CHECK_EQ(newer_close_range((unsigned)ends[0], (unsigned)ends[0], 0), 0);
}

static void by_fclose(void)
{
    FILE *file = fdopen(ends[0], "r");
    CHECK_EQ(fclose(file), 0);
}

static void (*const closers[])(void) = {by_close, by_dup2, by_close_range, by_fclose};

static const struct way *way;
static ssize_t result;
static int error;

static void *wait_here(void *arg)
{
    result = way->call();
    error = errno;
    return arg;
}

static void check(void (*make)(void), bool sockets, void (*happens)(void), ssize_t expected)
{
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        for (size_t j = 0; j < sizeof closers / sizeof *closers; j++) {
            way = &ways[i];
            if (way->sockets && !sockets)
                continue;
            make();
            bine_greenlet *g = bine_spawn(wait_here, NULL);
            CHECK_OK(bine_sleep(BINE_MS));
            CHECK(!bine_dead(g));
            happens();
            closers[j]();
            CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
            if (result != expected)
                FAIL("%s, closed in way %zu: %zd (%s) instead of %zd", way->name, j, result,
                     strerror(error), expected);
            close(ends[1]);
        }
}

static void bytes_arrive(void)
{
    CHECK_EQ(write(ends[1], "x", 1), 1);
}

static void it_is_shut_down(void)
{
    CHECK_EQ(shutdown(ends[0], SHUT_RDWR), 0);
}

static void the_peer_shuts_down(void)
{
    CHECK_EQ(shutdown(ends[1], SHUT_WR), 0);
}

static void the_peer_closes(void)
{
    int copy = dup(ends[0]); /* so that close(ends[1]) of the caller closes nothing else */
    CHECK_EQ(close(ends[1]), 0);
    ends[1] = copy;
}

TEST(hazard_63_bytes_that_arrived_before_the_close_are_read, .seconds = 60)
{
    CHECK_OK(bine_patch_all());
    check(unix_ends, true, bytes_arrive, 1);
    check(packet_pair, true, bytes_arrive, 1);
    check(tcp_ends, true, bytes_arrive, 1);
    check(a_pipe, false, bytes_arrive, 1);
    CHECK_OK(bine_unpatch_all());
}

TEST(hazard_63_a_stream_shut_down_before_the_close_has_ended, .seconds = 60)
{
    CHECK_OK(bine_patch_all());
    check(unix_ends, true, it_is_shut_down, 0);
    check(tcp_ends, true, it_is_shut_down, 0);
    check(unix_ends, true, the_peer_shuts_down, 0);
    check(tcp_ends, true, the_peer_shuts_down, 0);
    check(unix_ends, true, the_peer_closes, 0);
    CHECK_OK(bine_unpatch_all());
}

static void nothing(void)
{
}

static void check_nothing(void (*make)(void))
{
    make();
    way = &ways[0];
    bine_greenlet *g = bine_spawn(wait_here, NULL);
    CHECK_OK(bine_sleep(BINE_MS));
    nothing();
    by_close();
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(result, -1);
    CHECK_EQ(error, EBADF);
    close(ends[1]);
}

TEST(hazard_63_where_nothing_came_the_wait_fails_as_ever)
{
    CHECK_OK(bine_patch_all());
    check_nothing(unix_ends);
    check_nothing(tcp_ends);
    check_nothing(a_pipe);
    CHECK_OK(bine_unpatch_all());
}

/* ---- connections ----------------------------------------------------------------------------- */

static int listener;

static void *accept_here(void *arg)
{
    result = accept(listener, NULL, NULL);
    error = errno;
    return arg;
}

TEST(hazard_63_a_connection_that_came_before_the_close_is_accepted)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    socklen_t length = sizeof name;
    CHECK_OK(bine_patch_all());
    listener = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_EQ(bind(listener, (struct sockaddr *)&name, sizeof name.sun_family), 0);
    CHECK_EQ(listen(listener, 5), 0);
    CHECK_EQ(getsockname(listener, (struct sockaddr *)&name, &length), 0);
    bine_greenlet *g = bine_spawn(accept_here, NULL);
    CHECK_OK(bine_sleep(BINE_MS));
    int client = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_EQ(connect(client, (struct sockaddr *)&name, length), 0);
    CHECK_EQ(close(listener), 0);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_GE(result, 0);
    close((int)result);
    close(client);
    CHECK_OK(bine_unpatch_all());
}

/* ---- the reader closes, too ------------------------------------------------------------------ */

static int again;

static void *read_and_close(void *arg)
{
    result = read(ends[0], bytes, sizeof bytes);
    again = close(ends[0]);
    error = errno;
    return arg;
}

/* Its close comes after the other one, as it would with threads: the number may be another file's
 * by then. */
TEST(hazard_63_a_reader_that_closes_what_is_being_closed_is_told)
{
    CHECK_OK(bine_patch_all());
    unix_ends();
    bine_greenlet *g = bine_spawn(read_and_close, NULL);
    CHECK_OK(bine_sleep(BINE_MS));
    it_is_shut_down();
    by_close();
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(result, 0);
    CHECK_EQ(again, -1);
    CHECK_EQ(error, EBADF);
    close(ends[1]);
    CHECK_OK(bine_unpatch_all());
}
