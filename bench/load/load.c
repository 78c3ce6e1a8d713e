/*
 * The load: `load echo|http PORT CONNECTIONS REQUESTS`. Opens the connections, makes two requests
 * on each to warm up, prints `ready`, waits for a line on standard input (bench/run reads the
 * server's clocks meanwhile), makes REQUESTS requests in all, each connection sending its next as
 * soon as the answer to its last has come, prints the figures and `done`, and waits for the end of
 * standard input. One thread, one epoll.
 */
#include <errno.h>
#include <sys/epoll.h>

#include "../bench.h"
#include "../server.h"

enum {
    EVENTS = 1024,
    SAMPLES = 1 << 16
};

static const char http_request[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

struct connection {
    int fd;
    size_t missing; /* bytes of the answer that have not come */
    double sent_at;
};

static char request[256];
static size_t request_size, answer_size;
static int poller, count;
static struct connection *connections;
static long asked, answered, wanted;
static double *samples;

static void ask(struct connection *c, double now)
{
    c->missing = answer_size;
    c->sent_at = now;
    asked++;
    if (send(c->fd, request, request_size, MSG_NOSIGNAL) != (ssize_t)request_size) {
        perror("load: send");
        exit(1);
    }
}

static void answer(struct connection *c, double now)
{
    char buffer[4096];
    ssize_t n = recv(c->fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0 || (size_t)n > c->missing) {
        fprintf(stderr, "load: answer of %zd bytes, %zu missing: %s\n", n, c->missing,
                n < 0 ? strerror(errno) : "");
        exit(1);
    }
    c->missing -= (size_t)n;
    if (c->missing)
        return;
    samples[answered++ % SAMPLES] = now - c->sent_at;
    if (asked < wanted)
        ask(c, now);
}

/* Each connection asks, then each again with its answer, until `requests` have been answered. */
static void run(long requests)
{
    struct epoll_event events[EVENTS];
    wanted = requests;
    asked = answered = 0;
    for (int i = 0; i < count && asked < wanted; i++)
        ask(&connections[i], bench_now());
    while (answered < wanted) {
        int n = epoll_wait(poller, events, EVENTS, 30000);
        if (n <= 0) {
            fprintf(stderr, "load: no answer in 30 s, %ld of %ld\n", answered, wanted);
            exit(1);
        }
        double now = bench_now();
        for (int i = 0; i < n; i++)
            answer(events[i].data.ptr, now);
    }
}

/* How long an answer is: ask once, read the header and what it promises. */
static size_t http_answer_size(int fd)
{
    char buffer[4096];
    size_t have = 0;
    bench_must((int)send(fd, request, request_size, MSG_NOSIGNAL), "send");
    for (;;) {
        ssize_t n = recv(fd, buffer + have, sizeof buffer - 1 - have, 0);
        if (n <= 0)
            break;
        have += (size_t)n;
        buffer[have] = 0;
        char *end = strstr(buffer, "\r\n\r\n"), *length = strcasestr(buffer, "\r\ncontent-length:");
        if (!end)
            continue;
        if (!length || strncmp(buffer, "HTTP/1.1 200", 12) != 0)
            break;
        size_t size = (size_t)(end + 4 - buffer) + (size_t)atol(length + 17);
        if (have == size)
            return size;
    }
    fprintf(stderr, "load: not an answer\n");
    exit(1);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    int http = strcmp(argv[1], "http") == 0;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(argv[2])),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    count = atoi(argv[3]);
    long requests = atol(argv[4]);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    bench_descriptors();
    connections = calloc((size_t)count, sizeof *connections);
    samples = calloc(SAMPLES, sizeof *samples);
    poller = epoll_create1(EPOLL_CLOEXEC);
    request_size = answer_size = BENCH_MESSAGE;
    memset(request, 'x', request_size);
    if (http) {
        request_size = sizeof http_request - 1;
        memcpy(request, http_request, request_size);
    }
    for (int i = 0; i < count; i++) {
        struct connection *c = &connections[i];
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        struct linger reset = {.l_onoff = 1}; /* no TIME_WAIT left behind */
        c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        bench_must(c->fd, "socket");
        bench_must(connect(c->fd, (struct sockaddr *)&address, sizeof address), "connect");
        bench_no_delay(c->fd);
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        bench_must(epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event), "epoll_ctl");
    }
    if (http)
        answer_size = http_answer_size(connections[0].fd);
    run(2 * count);
    puts("ready");
    fflush(stdout);
    if (getchar() == EOF)
        return 1;
    double start = bench_now(), cpu = bench_cpu();
    run(requests);
    double time = bench_now() - start;
    size_t have = answered < SAMPLES ? (size_t)answered : SAMPLES;
    qsort(samples, have, sizeof *samples, by_value);
    bench_report("rate", (double)requests / time * 1e9, "1/s");
    bench_report("latency_median", samples[have / 2] / 1e3, "us");
    bench_report("latency_99", samples[have * 99 / 100] / 1e3, "us");
    bench_report("load_cpu", (bench_cpu() - cpu) / (double)requests / 1e3, "us");
    puts("done");
    fflush(stdout);
    getchar(); /* the connections stay open while the server's clocks are read again */
    return 0;
}
