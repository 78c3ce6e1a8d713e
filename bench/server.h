/*
 * What the benchmark servers share: a listening socket on a free port of loopback, told to
 * bench/run as a line `port N`; and the end of the process when the one that started it ends.
 */
#ifndef BENCH_SERVER_H
#define BENCH_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BENCH_MESSAGE = 64,  /* bytes of an echo */
    BENCH_BUFFER = 1024, /* what servers read into: as usual more than what comes */
};

/* The whole answer of the HTTP works: 13 bytes of text. */
#define BENCH_HTTP_ANSWER \
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world!"

/* An echo server's connection: blocking calls, whatever they are patched to. */
static inline void *bench_echo(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char buffer[BENCH_BUFFER];
    ssize_t n;
    while ((n = read(fd, buffer, sizeof buffer)) > 0)
        if (write(fd, buffer, (size_t)n) != n)
            break;
    close(fd);
    return NULL;
}

static inline void bench_must(int result, const char *what)
{
    if (result < 0) {
        perror(what);
        exit(1);
    }
}

static inline void bench_descriptors(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static inline void bench_no_delay(int fd)
{
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

/* A listening socket, its port printed. flags: SOCK_NONBLOCK or 0. */
static inline int bench_listen(int flags)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    bench_descriptors();
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    bench_must(fd, "socket");
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    bench_must(bind(fd, (struct sockaddr *)&address, length), "bind");
    bench_must(listen(fd, 4096), "listen");
    bench_must(getsockname(fd, (struct sockaddr *)&address, &length), "getsockname");
    printf("port %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

#endif
