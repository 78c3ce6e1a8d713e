/*
 * What the benchmark programs share: clocks, memory figures and the form of a result line. Each
 * program is called as `PROGRAM WORK [COUNT]`, does the work COUNT times and prints lines of `name
 * value unit`, which bench/run collects. A program that does not know the work exits with 77: left
 * out.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct bench_work {
    const char *name;
    void (*run)(long count);
    long count; /* when the command line gives none */
};

static inline double bench_clock(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static inline double bench_now(void)
{
    return bench_clock(CLOCK_MONOTONIC);
}

/* For work that never waits: what others take of the processor does not count. */
static inline double bench_cpu(void)
{
    return bench_clock(CLOCK_PROCESS_CPUTIME_ID);
}

static inline void bench_report(const char *name, double value, const char *unit)
{
    printf("%s %.3f %s\n", name, value, unit);
    fflush(stdout);
}

/* A field of /proc/self/status in bytes: "VmRSS", "VmPTE". */
static inline double bench_memory(const char *field)
{
    FILE *status = fopen("/proc/self/status", "r");
    char line[256];
    double kilobytes = 0;
    size_t length = strlen(field);
    while (status && fgets(line, sizeof line, status))
        if (strncmp(line, field, length) == 0 && line[length] == ':')
            kilobytes = atof(line + length + 1);
    if (status)
        fclose(status);
    return kilobytes * 1024;
}

/* Sleeps for the timer work: 1 to 50 ms, the same sequence in every contender. */
static inline int64_t bench_sleep_ns(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return 1000000 + (int64_t)(*seed % 49000) * 1000;
}

static inline int bench_main(int argc, char **argv, const struct bench_work *works)
{
    const char *divide = getenv("BENCH_DIVIDE");
    for (; argc > 1 && works->name; works++)
        if (strcmp(works->name, argv[1]) == 0) {
            works->run(argc > 2 ? atol(argv[2]) : works->count / (divide ? atol(divide) : 1));
            return 0;
        }
    return 77;
}

#endif
