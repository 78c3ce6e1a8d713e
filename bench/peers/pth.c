/* The scheduling works on GNU Pth (libpth-dev). Its queues are linear in places, so only small
 * ones. */
#include <pth.h>

#include "../bench.h"

static long left;
static double stopped;

static pth_t spawn(void *(*run)(void *))
{
    static pth_attr_t attributes;
    if (!attributes) {
        attributes = pth_attr_new();
        pth_attr_set(attributes, PTH_ATTR_STACK_SIZE, 64 * 1024);
    }
    pth_t thread = pth_spawn(attributes, run, NULL);
    if (!thread) {
        perror("pth_spawn");
        exit(1);
    }
    return thread;
}

static void *spin(void *arg)
{
    pth_yield(NULL);
    while (--left > 0)
        pth_yield(NULL);
    if (left == 0)
        stopped = bench_cpu();
    return arg;
}

static void yield_2(long count)
{
    pth_t a = spawn(spin), b = spawn(spin);
    pth_yield(NULL);
    left = count;
    double start = bench_cpu();
    pth_join(a, NULL);
    pth_join(b, NULL);
    bench_report("yield_2", (stopped - start) / (double)count, "ns");
}

static void *nothing(void *arg)
{
    return arg;
}

static void spawn_join(long count)
{
    double start = bench_cpu();
    for (long i = 0; i < count; i++)
        pth_join(spawn(nothing), NULL);
    bench_report("spawn_join", (bench_cpu() - start) / (double)count, "ns");
}

int main(int argc, char **argv)
{
    static const struct bench_work works[] = {
        {"yield_2", yield_2, 300000},
        {"spawn_join", spawn_join, 50000},
        {NULL, NULL, 0},
    };
    pth_init();
    return bench_main(argc, argv, works);
}
