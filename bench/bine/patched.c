/*
 * What a patched call costs when it need not wait, against the same call of libc: `patched WORK [COUNT]`. Both are
 * measured in one process, in turns, the patched ones inside a greenlet.
 */
#include <bine.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../bench.h"

enum {
    TURNS = 9
};

static int ends[2];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void must(int ok, const char *what)
{
    if (ok)
        return;
    perror(what);
    exit(1);
}

/* Every call of a set is one round trip that never waits. */
static void send_recv(long count)
{
    char byte = 0;
    for (long i = 0; i < count; i++)
        must(send(ends[1], &byte, 1, 0) == 1 && recv(ends[0], &byte, 1, 0) == 1, "send, recv");
}

static void write_read(long count)
{
    char byte = 0;
    for (long i = 0; i < count; i++)
        must(write(ends[1], &byte, 1) == 1 && read(ends[0], &byte, 1) == 1, "write, read");
}

static void poll_0(long count)
{
    struct pollfd set = {.fd = ends[0], .events = POLLIN};
    for (long i = 0; i < count; i++)
        must(poll(&set, 1, 0) == 0, "poll");
}

static void lock_unlock(long count)
{
    for (long i = 0; i < count; i++)
        must(pthread_mutex_lock(&mutex) == 0 && pthread_mutex_unlock(&mutex) == 0, "pthread_mutex_lock");
}

static double measure(void (*calls)(long), long count)
{
    double start = bench_cpu();
    calls(count);
    return (bench_cpu() - start) / (double)count;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct comparison {
    const char *name;
    void (*calls)(long);
    long count;
};

static void *compare(void *arg)
{
    const struct comparison *work = arg;
    double plain[TURNS], patched[TURNS], difference[TURNS];
    for (int turn = -1; turn < TURNS; turn++) { /* turn -1 warms up */
        int i = turn < 0 ? 0 : turn;
        must(bine_unpatch_all() == 0, "bine_unpatch_all");
        plain[i] = measure(work->calls, work->count / TURNS + 1);
        must(bine_patch_all() == 0, "bine_patch_all");
        patched[i] = measure(work->calls, work->count / TURNS + 1);
        difference[i] = patched[i] - plain[i];
    }
    qsort(plain, TURNS, sizeof *plain, by_value);
    qsort(patched, TURNS, sizeof *patched, by_value);
    qsort(difference, TURNS, sizeof *difference, by_value);
    char name[64];
    snprintf(name, sizeof name, "%s_libc", work->name);
    bench_report(name, plain[TURNS / 2], "ns");
    snprintf(name, sizeof name, "%s_patched", work->name);
    bench_report(name, patched[TURNS / 2], "ns");
    snprintf(name, sizeof name, "%s_more", work->name);
    bench_report(name, difference[TURNS / 2], "ns");
    return NULL;
}

int main(int argc, char **argv)
{
    static struct comparison works[] = {
        {"send_recv", send_recv, 1000000},
        {"write_read", write_read, 1000000},
        {"poll_0", poll_0, 3000000},
        {"lock_unlock", lock_unlock, 30000000},
    };
    for (size_t i = 0; argc > 1 && i < sizeof works / sizeof *works; i++) {
        if (strcmp(works[i].name, argv[1]) != 0)
            continue;
        if (argc > 2)
            works[i].count = atol(argv[2]);
        if (works[i].calls == write_read)
            must(pipe(ends) == 0, "pipe");
        else
            must(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "socketpair");
        bine_greenlet *g = bine_spawn(compare, &works[i]);
        must(bine_join(g, NULL, BINE_FOREVER) == 0, "bine_join");
        return 0;
    }
    return 77;
}
