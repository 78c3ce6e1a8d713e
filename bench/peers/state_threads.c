/* The works on State Threads (libst-dev): scheduling works by name, `echo` and `http` as
 * servers. */
#include <st.h>

#include "../bench.h"
#include "../server.h"

enum {
    STACK = 64 * 1024
};

static long left;
static double stopped;

static st_thread_t spawn(void *(*run)(void *), long arg, int joinable)
{
    st_thread_t thread = st_thread_create(run, (void *)arg, joinable, STACK);
    if (!thread) {
        perror("st_thread_create");
        exit(1);
    }
    return thread;
}

static void *spin(void *arg)
{
    st_usleep(0);
    while (--left > 0)
        st_usleep(0);
    if (left == 0)
        stopped = bench_cpu();
    return arg;
}

static void robin(const char *name, long n, long switches)
{
    st_thread_t *all = calloc((size_t)n, sizeof(st_thread_t));
    for (long i = 0; i < n; i++)
        all[i] = spawn(spin, i, 1);
    st_usleep(0);
    left = switches;
    double start = bench_cpu();
    for (long i = 0; i < n; i++)
        st_thread_join(all[i], NULL);
    bench_report(name, (stopped - start) / (double)switches, "ns");
    free(all);
}

static void yield_2(long count)
{
    robin("yield_2", 2, count);
}

static void robin_1000(long count)
{
    robin("robin_1000", 1000, count);
}

static void robin_100000(long count)
{
    robin("robin_100000", 100000, count);
}

static void *nothing(void *arg)
{
    return arg;
}

static void spawn_join(long count)
{
    double start = bench_cpu();
    for (long i = 0; i < count; i++)
        st_thread_join(spawn(nothing, 0, 1), NULL);
    bench_report("spawn_join", (bench_cpu() - start) / (double)count, "ns");
}

static void spawn_10000(long count)
{
    static st_thread_t all[10000];
    double start = 0;
    for (long done = -10000; done < count; done += 10000) {
        if (done == 0)
            start = bench_cpu();
        for (int i = 0; i < 10000; i++)
            all[i] = spawn(nothing, 0, 1);
        for (int i = 0; i < 10000; i++)
            st_thread_join(all[i], NULL);
    }
    bench_report("spawn_10000", (bench_cpu() - start) / (double)count, "ns");
}

static void *sleeper(void *arg)
{
    uint32_t seed = (uint32_t)(long)arg + 1;
    for (int i = 0; i < 10; i++)
        st_usleep((st_utime_t)(bench_sleep_ns(&seed) / 1000));
    return NULL;
}

static void timers(long count)
{
    long n = count / 10;
    double start = bench_now(), cpu = bench_cpu();
    st_thread_t *all = calloc((size_t)n, sizeof(st_thread_t));
    for (long i = 0; i < n; i++)
        all[i] = spawn(sleeper, i, 1);
    for (long i = 0; i < n; i++)
        st_thread_join(all[i], NULL);
    bench_report("timers", (bench_cpu() - cpu) / 1e9, "s");
    bench_report("timers_wall", (bench_now() - start) / 1e9, "s");
    free(all);
}

static void *park(void *arg)
{
    st_cond_wait(arg);
    return NULL;
}

static void parked(long count)
{
    st_cond_t never = st_cond_new();
    double rss = bench_memory("VmRSS"), tables = bench_memory("VmPTE");
    for (long i = 0; i < count; i++)
        spawn(park, (long)never, 0);
    st_usleep(0);
    bench_report("parked", (bench_memory("VmRSS") - rss) / (double)count, "B");
    bench_report("parked_tables", (bench_memory("VmPTE") - tables) / (double)count, "B");
    _Exit(0);
}

/* A rendezvous out of two condition variables. */
static struct {
    st_cond_t filled, emptied;
    long item, sum;
} channel;

static void *sender(void *arg)
{
    for (long i = 1; i <= (long)arg; i++) {
        while (channel.item)
            st_cond_wait(channel.emptied);
        channel.item = i;
        st_cond_signal(channel.filled);
    }
    return NULL;
}

static void *receiver(void *arg)
{
    for (long i = 1; i <= (long)arg; i++) {
        while (!channel.item)
            st_cond_wait(channel.filled);
        channel.sum += channel.item;
        channel.item = 0;
        st_cond_signal(channel.emptied);
    }
    return NULL;
}

static void channel_work(long count)
{
    channel.filled = st_cond_new();
    channel.emptied = st_cond_new();
    double start = bench_cpu();
    st_thread_t a = spawn(sender, count, 1), b = spawn(receiver, count, 1);
    st_thread_join(a, NULL);
    st_thread_join(b, NULL);
    bench_report("channel", (bench_cpu() - start) / (double)count, "ns");
}

static void *serve(void *arg)
{
    extern int is_http;
    st_netfd_t fd = arg;
    char buffer[BENCH_BUFFER];
    ssize_t n;
    while ((n = st_read(fd, buffer, sizeof buffer, ST_UTIME_NO_TIMEOUT)) > 0) {
        const char *answer = is_http ? BENCH_HTTP_ANSWER : buffer;
        size_t size = is_http ? sizeof BENCH_HTTP_ANSWER - 1 : (size_t)n;
        if (st_write(fd, answer, size, ST_UTIME_NO_TIMEOUT) != (ssize_t)size)
            break;
    }
    st_netfd_close(fd);
    return NULL;
}

int is_http;

static void server(void)
{
    st_netfd_t listener = st_netfd_open_socket(bench_listen(0));
    for (;;) {
        st_netfd_t fd = st_accept(listener, NULL, NULL, ST_UTIME_NO_TIMEOUT);
        if (!fd) { /* Debian's package has only select(2): 1,024 descriptors */
            perror("st_accept");
            exit(77);
        }
        bench_no_delay(st_netfd_fileno(fd));
        spawn(serve, (long)fd, 0);
    }
}

int main(int argc, char **argv)
{
    static const struct bench_work works[] = {
        {"yield_2", yield_2, 5000000},
        {"robin_1000", robin_1000, 5000000},
        {"robin_100000", robin_100000, 2000000},
        {"spawn_join", spawn_join, 1000000},
        {"spawn_10000", spawn_10000, 1000000},
        {"channel", channel_work, 5000000},
        {"timers", timers, 1000000},
        {"parked", parked, 100000},
        {NULL, NULL, 0},
    };
    bench_descriptors();
    st_set_eventsys(ST_EVENTSYS_ALT);
    if (st_init() != 0)
        return 1;
    is_http = argc > 1 && strcmp(argv[1], "http") == 0;
    if (is_http || (argc > 1 && strcmp(argv[1], "echo") == 0))
        server();
    return bench_main(argc, argv, works);
}
