/*
 * What threads cost, in a program that knows nothing of Bine: `core WORK [COUNT]`. See bench.h. For
 * bench/threads/run, which runs it plainly and under `bine run`.
 */
#include "../bench.h"

#include <pthread.h>
#include <sched.h>

static void must(int error, const char *what)
{
    if (!error)
        return;
    fprintf(stderr, "%s: %s\n", what, strerror(error));
    exit(1);
}

static pthread_t begin(void *(*run)(void *), void *arg)
{
    pthread_t thread;
    must(pthread_create(&thread, NULL, run, arg), "pthread_create");
    return thread;
}

static void *nothing(void *arg)
{
    return arg;
}

static void create_join(long count)
{
    double start = bench_cpu();
    for (long i = 0; i < count; i++)
        must(pthread_join(begin(nothing, NULL), NULL), "pthread_join");
    bench_report("create_join", (bench_cpu() - start) / (double)count, "ns");
}

/* ---- two threads that wait for each other ---------------------------------------------------- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static long turns;
static int turn;

static void *play(void *arg)
{
    int mine = (int)(intptr_t)arg;
    pthread_mutex_lock(&mutex);
    for (long i = 0; i < turns; i++) {
        while (turn != mine)
            pthread_cond_wait(&changed, &mutex);
        turn = !mine;
        pthread_cond_signal(&changed);
    }
    pthread_mutex_unlock(&mutex);
    return NULL;
}

static void condition(long count)
{
    turns = count;
    double start = bench_cpu();
    pthread_t other = begin(play, (void *)1);
    play(NULL);
    must(pthread_join(other, NULL), "pthread_join");
    bench_report("condition", (bench_cpu() - start) / (double)count / 2, "ns");
}

/* Two mutexes go from hand to hand: each thread waits for the one that the other lets go. */
static pthread_mutex_t hands[2] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};
static volatile long shared;

static void *contend(void *arg)
{
    for (long i = 0; i < turns; i++) {
        pthread_mutex_lock(&hands[0]);
        shared++;
        pthread_mutex_lock(&hands[1]);
        shared++;
        pthread_mutex_unlock(&hands[0]);
        sched_yield(); /* the other one waits for the second by now */
        pthread_mutex_unlock(&hands[1]);
    }
    return arg;
}

static void mutex_handed(long count)
{
    turns = count;
    double start = bench_cpu();
    pthread_t other = begin(contend, NULL);
    contend(NULL);
    must(pthread_join(other, NULL), "pthread_join");
    bench_report("mutex", (bench_cpu() - start) / (double)count / 2, "ns");
}

int main(int argc, char **argv)
{
    static const struct bench_work works[] = {{"create_join", create_join, 20000},
                                              {"condition", condition, 100000},
                                              {"mutex", mutex_handed, 100000},
                                              {NULL, NULL, 0}};
    return bench_main(argc, argv, works);
}
