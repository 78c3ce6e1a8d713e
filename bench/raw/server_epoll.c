/*
 * The raw limit of the server works: one thread, one epoll, level-triggered, every connection
 * registered once; a request is one read and one write, answered on the spot. `server_epoll echo`
 * or `server_epoll http`.
 */
#include <errno.h>
#include <sys/epoll.h>

#include "../server.h"

enum {
    EVENTS = 1024
};

static int http;

/* One request; false when the connection is over. */
static int serve(int fd)
{
    char buffer[BENCH_BUFFER];
    ssize_t n = read(fd, buffer, sizeof buffer);
    if (n <= 0)
        return n < 0 && errno == EAGAIN;
    /* Like the load, this is trusting: requests arrive whole, one at a time. */
    if (http && (n < 4 || memcmp(buffer + n - 4, "\r\n\r\n", 4) != 0))
        return 0;
    const char *answer = http ? BENCH_HTTP_ANSWER : buffer;
    size_t size = http ? sizeof BENCH_HTTP_ANSWER - 1 : (size_t)n;
    return write(fd, answer, size) == (ssize_t)size;
}

int main(int argc, char **argv)
{
    http = argc > 1 && strcmp(argv[1], "http") == 0;
    int listener = bench_listen(SOCK_NONBLOCK);
    int poller = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[EVENTS];
    bench_must(epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event), "epoll_ctl");
    for (;;) {
        int n = epoll_wait(poller, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd != listener) {
                if (!serve(fd))
                    close(fd);
                continue;
            }
            while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
                bench_no_delay(fd);
                event.data.fd = fd;
                bench_must(epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
            }
        }
    }
}
