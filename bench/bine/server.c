/*
 * The servers on Bine: a greenlet a connection, plain blocking accept, read and write, and
 * bine_patch_all(). `server echo` or `server http`; BINE_POLLER chooses the poller.
 */
#include <bine.h>
#include <stdbool.h>

#include "../server.h"

static void *http(void *arg)
{
    int fd = (int)(long)arg;
    char buffer[BENCH_BUFFER];
    ssize_t n;
    while ((n = read(fd, buffer, sizeof buffer)) >= 4 && memcmp(buffer + n - 4, "\r\n\r\n", 4) == 0)
        if (write(fd, BENCH_HTTP_ANSWER, sizeof BENCH_HTTP_ANSWER - 1) !=
            sizeof BENCH_HTTP_ANSWER - 1)
            break;
    close(fd);
    return NULL;
}

int main(int argc, char **argv)
{
    bool is_http = argc > 1 && strcmp(argv[1], "http") == 0;
    bench_must(bine_patch_all(), "bine_patch_all");
    int listener = bench_listen(0);
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        bench_must(fd, "accept");
        bench_no_delay(fd);
        bench_must(bine_go(is_http ? http : bench_echo, (void *)(long)fd), "bine_go");
    }
}
