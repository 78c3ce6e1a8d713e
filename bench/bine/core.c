/* The scheduling works on Bine, by its public interface only. */
#include <bine.h>
#include <errno.h>
#include <stdbool.h>

#include "../bench.h"
#include "objects.h"

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    perror(what);
    exit(1);
}

static bine_greenlet **spawn_all(bine_run *run, long n)
{
    bine_greenlet **all = calloc((size_t)n, sizeof *all);
    must(all != NULL, "calloc");
    for (long i = 0; i < n; i++)
        must((all[i] = bine_spawn(run, (void *)i)) != NULL, "bine_spawn");
    return all;
}

/* ---- yield ----------------------------------------------------------------------------------- */

static long left;
static double stopped;

static void *spin(void *arg)
{
    bine_sleep(0);
    while (--left > 0)
        bine_sleep(0);
    if (left == 0)
        stopped = bench_cpu();
    return arg;
}

static double robin_time(long n, long switches)
{
    bine_greenlet **all = spawn_all(spin, n);
    bine_sleep(0); /* everyone has started and comes back into the ring */
    left = switches;
    double start = bench_cpu();
    must(bine_joinall(all, (size_t)n, BINE_FOREVER) == 0, "bine_joinall");
    return (stopped - start) / (double)switches;
}

static void robin(const char *name, long n, long switches)
{
    bench_report(name, robin_time(n, switches), "ns");
}

/* What a recorded yield takes more than one that is not recorded, in turn. */
static void yield_2_traced(long count)
{
    double times[2] = {0};
    for (int round = 0; round < 10; round++) {
        if (round % 2)
            must(bine_trace_start(0) == 0, "bine_trace_start");
        else
            bine_trace_stop();
        times[round % 2] += robin_time(2, count / 10) / 5;
    }
    bine_trace_stop();
    bench_report("yield_2_traced_more", times[1] - times[0], "ns");
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

/* ---- spawn and join -------------------------------------------------------------------------- */

static void *nothing(void *arg)
{
    return arg;
}

static void spawn_join(long count)
{
    double start = 0;
    for (long i = -1000; i < count; i++) {
        if (i == 0)
            start = bench_cpu();
        must(bine_join(bine_spawn(nothing, NULL), NULL, BINE_FOREVER) == 0, "bine_join");
    }
    bench_report("spawn_join", (bench_cpu() - start) / (double)count, "ns");
}

static void spawn_10000(long count)
{
    static bine_greenlet *all[10000];
    double start = 0;
    for (long done = -10000; done < count; done += 10000) {
        if (done == 0)
            start = bench_cpu();
        for (int i = 0; i < 10000; i++)
            all[i] = bine_spawn(nothing, NULL);
        must(bine_joinall(all, 10000, BINE_FOREVER) == 0, "bine_joinall");
    }
    bench_report("spawn_10000", (bench_cpu() - start) / (double)count, "ns");
}

/* ---- timers ---------------------------------------------------------------------------------- */

static void *sleeper(void *arg)
{
    uint32_t seed = (uint32_t)(long)arg + 1;
    for (int i = 0; i < 10; i++)
        bine_sleep(bench_sleep_ns(&seed));
    return NULL;
}

static void timers(long count)
{
    double start = bench_now(), cpu = bench_cpu();
    bine_greenlet **all = spawn_all(sleeper, count / 10);
    must(bine_joinall(all, (size_t)(count / 10), BINE_FOREVER) == 0, "bine_joinall");
    bench_report("timers", (bench_cpu() - cpu) / 1e9, "s");
    bench_report("timers_wall", (bench_now() - start) / 1e9, "s");
}

/* ---- parked ---------------------------------------------------------------------------------- */

static void *park(void *arg)
{
    bine_sleep(BINE_FOREVER);
    return arg;
}

static void parked(long count)
{
    bine_sleep(0);
    double rss = bench_memory("VmRSS"), tables = bench_memory("VmPTE");
    for (long i = 0; i < count; i++)
        must(bine_spawn(park, NULL) != NULL, "bine_spawn");
    bine_sleep(0);
    bench_report("parked", (bench_memory("VmRSS") - rss) / (double)count, "B");
    bench_report("parked_tables", (bench_memory("VmPTE") - tables) / (double)count, "B");
    fflush(NULL);
    _Exit(0);
}

int main(int argc, char **argv)
{
    static const struct bench_work works[] = {
        {"yield_2", yield_2, 20000000},
        {"yield_2_traced", yield_2_traced, 20000000},
        {"robin_1000", robin_1000, 20000000},
        {"robin_100000", robin_100000, 5000000},
        {"spawn_join", spawn_join, 2000000},
        {"spawn_10000", spawn_10000, 2000000},
        {"timers", timers, 1000000},
        {"parked", parked, 100000},
        {"channel", channel, 5000000},
        {"queue", queue, 5000000},
        {"lock_handoff", lock_handoff, 2000000},
        {"pool_map", pool_map, 1000000},
        {"cross_hub", cross_hub, 1000000},
        {"choose_ready", choose_ready, 2000000},
        {"choose_waiting", choose_waiting, 2000000},
        {"choose_job", choose_job, 200000},
        {NULL, NULL, 0},
    };
    return bench_main(argc, argv, works);
}
