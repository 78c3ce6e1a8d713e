/* What the tests of calls share: connected descriptors. */
#ifndef BINE_TESTS_IO_PAIRS_H
#define BINE_TESTS_IO_PAIRS_H

#include <arpa/inet.h>
#include <bine.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "io/descriptor/descriptor.h"

/* A descriptor as the hooks would have announced it. */
static inline int announced(int fd, enum bine_descriptor_kind kind)
{
    CHECK_OK(fd);
    bine_descriptor_fresh(fd, kind, 0);
    return fd;
}

static inline void unix_pair(int fds[2])
{
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
    announced(fds[0], BINE_FD_SOCKET);
    announced(fds[1], BINE_FD_SOCKET);
}

static inline void pipe_pair(int fds[2])
{
    CHECK_OK(pipe2(fds, O_CLOEXEC));
    announced(fds[0], BINE_FD_PIPE);
    announced(fds[1], BINE_FD_PIPE);
}

/* A listener on `host`, an address of loopback; *address is where. */
static inline int tcp_listener_at(in_addr_t host, struct sockaddr_in *address, int backlog)
{
    socklen_t length = sizeof *address;
    int fd = announced(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), BINE_FD_SOCKET);
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(host)};
    CHECK_OK(bind(fd, (struct sockaddr *)address, sizeof *address));
    CHECK_OK(getsockname(fd, (struct sockaddr *)address, &length));
    CHECK_OK(listen(fd, backlog));
    return fd;
}

static inline int tcp_listener(struct sockaddr_in *address, int backlog)
{
    return tcp_listener_at(INADDR_LOOPBACK, address, backlog);
}

static inline int tcp_socket(void)
{
    return announced(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), BINE_FD_SOCKET);
}

/* Each process at another address: many seeds one after the other would use up the ports of one,
 * which are in TIME_WAIT for a minute. */
static inline void tcp_pair(int fds[2])
{
    struct sockaddr_in address;
    int one = 1,
        listener = tcp_listener_at(INADDR_LOOPBACK + (in_addr_t)getpid() % 0xffff00, &address, 4);
    fds[0] = tcp_socket();
    CHECK_OK(connect(fds[0], (struct sockaddr *)&address, sizeof address));
    fds[1] = announced(accept4(listener, NULL, NULL, SOCK_CLOEXEC), BINE_FD_SOCKET);
    CHECK_OK(setsockopt(fds[0], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one));
    CHECK_OK(setsockopt(fds[1], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one));
    CHECK_OK(bine_close(listener));
}

/* Reads as much as there is until that is `size` bytes, and not more; the simulator's reads come up
 * short. */
static inline void check_read(int fd, const char *expected, size_t size)
{
    char buffer[64];
    size_t got = 0;
    while (got < size) {
        ssize_t n = bine_read(fd, buffer + got, sizeof buffer - got);
        CHECK_GT(n, 0);
        got += (size_t)n;
    }
    CHECK_EQ(got, size);
    CHECK_MEMORY(buffer, expected, size);
}

static inline void close_pair(const int fds[2])
{
    CHECK_OK(bine_close(fds[0]));
    CHECK_OK(bine_close(fds[1]));
}

/* A child has had whatever is open now. */
static inline void share_with_a_child(void)
{
    pid_t child = fork();
    CHECK_OK(child);
    if (child == 0)
        _exit(0);
    CHECK_EQ(waitpid(child, NULL, 0), child);
}

static inline void set_linger(int fd, int seconds)
{
    struct linger linger = {.l_onoff = 1, .l_linger = seconds};
    CHECK_OK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
}

#endif
