/* The stalling proxy. See library.h. It uses the libc calls that the test has patched, as any
 * program would. */
#include <arpa/inet.h>
#include <bine.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "library.h"

struct pump {
    int from, to;
    bool answers;
};

static struct {
    int listener, upstream;
    size_t after;
    long stall;
    bine_greenlet *greenlets[500];
    int sockets[500];
    size_t count, socket_count;
} proxy;

static void send_all(int to, const char *bytes, ssize_t size)
{
    for (ssize_t sent = 0; sent < size;) {
        ssize_t n = send(to, bytes + sent, (size_t)(size - sent), MSG_NOSIGNAL);
        if (n <= 0)
            return;
        sent += n;
    }
}

static void *pump(void *arg)
{
    struct pump pump = *(struct pump *)arg;
    char bytes[8192];
    size_t seen = 0;
    free(arg);
    for (ssize_t n; (n = recv(pump.from, bytes, sizeof bytes, 0)) > 0;) {
        size_t before = seen;
        seen += (size_t)n;
        if (pump.answers && proxy.stall && before <= proxy.after && seen > proxy.after) {
            ssize_t head = (ssize_t)(proxy.after - before);
            send_all(pump.to, bytes, head);
            bine_sleep(proxy.stall);
            send_all(pump.to, bytes + head, n - head);
        } else {
            send_all(pump.to, bytes, n);
        }
    }
    shutdown(pump.to, SHUT_WR);
    return NULL;
}

static void start_pump(int from, int to, bool answers)
{
    struct pump *arg = malloc(sizeof *arg);
    *arg = (struct pump){from, to, answers};
    CHECK_LT(proxy.count, 500u);
    proxy.greenlets[proxy.count++] = bine_spawn(pump, arg);
}

static int connect_upstream(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)proxy.upstream),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_OK(connect(fd, (struct sockaddr *)&address, sizeof address));
    return fd;
}

static void *accepts(void *arg)
{
    for (int fd; (fd = accept(proxy.listener, NULL, NULL)) >= 0;) {
        int upstream = connect_upstream();
        proxy.sockets[proxy.socket_count++] = fd;
        proxy.sockets[proxy.socket_count++] = upstream;
        start_pump(fd, upstream, false);
        start_pump(upstream, fd, true);
    }
    return arg;
}

int proxy_start(int upstream, size_t after, long stall)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    memset(&proxy, 0, sizeof proxy);
    proxy.upstream = upstream;
    proxy.after = after;
    proxy.stall = stall;
    proxy.listener = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_OK(bind(proxy.listener, (struct sockaddr *)&address, sizeof address));
    CHECK_OK(listen(proxy.listener, 100));
    CHECK_OK(getsockname(proxy.listener, (struct sockaddr *)&address, &length));
    proxy.greenlets[proxy.count++] = bine_spawn(accepts, NULL);
    return ntohs(address.sin_port);
}

void proxy_stop(void)
{
    CHECK_OK(bine_killall(proxy.greenlets, proxy.count, 10 * BINE_SECOND));
    CHECK_OK(bine_joinall(proxy.greenlets, proxy.count, 0));
    for (size_t i = 0; i < proxy.socket_count; i++)
        close(proxy.sockets[i]);
    close(proxy.listener);
}
