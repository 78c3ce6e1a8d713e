/*
 * Workers. Each thread makes its hub before it reports to the starter. Then all are let go, or,
 * when one could not be made, all end at once. A shared semaphore counts their ends. It parks the
 * joiner without blocking its thread.
 */
#include <bine/semaphore.h>
#include <bine/workers.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "core/last.h"
#include "libc/carrier.h"
#include "libc/free.h"
#include "libc/libc.h"
#include "object.h"

enum {
    MOST = 4096
};
enum {
    UNDECIDED,
    GO,
    GIVE_UP
};

struct worker {
    struct bine_workers *workers;
    pthread_t thread;
    struct bine_hub *hub; /* NULL: it could not be made */
    void *_Atomic value;  /* other threads may look */
    int number;
};

struct bine_workers {
    bine_run *run;
    void *arg;
    bine_semaphore *ended;
    unsigned n;
    unsigned joined;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned reported; /* under the lock */
    int decision;      /* under the lock */
    struct worker each[];
};

static BINE_CARRIED int own_number_ = -1;
#define own_number BINE_OF_CARRIER(own_number_)

/* Its run has returned, or has left by bine_exit, or pthread_exit. */
static void work_over(void *arg)
{
    struct worker *worker = arg;
    void *value = worker->hub->root->arg;
    bine_hub_end_greenlets(worker->hub);
    atomic_store(&worker->value, value);
    bine_semaphore_release(worker->workers->ended);
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    struct bine_workers *workers = worker->workers;
    own_number = worker->number;
    worker->hub = bine_hub_get();

    bine_libc.pthread_mutex_lock(&workers->lock);
    workers->reported++;
    bine_libc.pthread_cond_broadcast(&workers->changed);
    while (workers->decision == UNDECIDED)
        bine_libc.pthread_cond_wait(&workers->changed, &workers->lock);
    bool go = workers->decision == GO;
    bine_libc.pthread_mutex_unlock(&workers->lock);

    if (go) {
        worker->hub->root->arg = NULL;
        pthread_cleanup_push(work_over, worker);
        worker->hub->root->arg = workers->run(workers->arg);
        pthread_cleanup_pop(true);
    }
    return NULL;
}

/* Wait until `started` threads have reported, decide, and tell them. */
static bool decide(struct bine_workers *workers, unsigned started)
{
    bine_libc.pthread_mutex_lock(&workers->lock);
    while (workers->reported < started)
        bine_libc.pthread_cond_wait(&workers->changed, &workers->lock);
    bool go = started == workers->n;
    for (unsigned i = 0; i < started; i++)
        go = go && workers->each[i].hub;
    workers->decision = go ? GO : GIVE_UP;
    bine_libc.pthread_cond_broadcast(&workers->changed);
    bine_libc.pthread_mutex_unlock(&workers->lock);
    return go;
}

static void free_workers(struct bine_workers *workers, unsigned threads)
{
    for (unsigned i = 0; i < threads; i++)
        bine_libc.pthread_join(workers->each[i].thread, NULL);
    bine_semaphore_free(workers->ended);
    pthread_cond_destroy(&workers->changed);
    pthread_mutex_destroy(&workers->lock);
    free(workers);
}

static unsigned processors(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    return CPU_COUNT(&set) > 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

bine_workers *bine_workers_start(unsigned n, bine_run *run, void *arg)
{
    if (!run || n > MOST) {
        errno = EINVAL;
        return NULL;
    }
    if (n == 0)
        n = processors();
    struct bine_workers *workers = calloc(1, sizeof *workers + n * sizeof workers->each[0]);
    if (!workers)
        return NULL;
    workers->ended = bine_semaphore_new(0, BINE_SHARED);
    if (!workers->ended) {
        bine_free(workers);
        return NULL;
    }
    workers->run = run;
    workers->arg = arg;
    workers->n = n;
    pthread_mutex_init(&workers->lock, NULL);
    pthread_cond_init(&workers->changed, NULL);
    unsigned started = 0;
    for (; started < n; started++) {
        struct worker *worker = &workers->each[started];
        worker->workers = workers;
        worker->number = (int)started;
        if (bine_libc.pthread_create(&worker->thread, NULL, work, worker) != 0)
            break;
    }
    if (decide(workers, started))
        return workers;
    free_workers(workers, started);
    errno = EAGAIN;
    return NULL;
}

unsigned bine_workers_count(const bine_workers *workers)
{
    return workers ? workers->n : 0;
}

int bine_worker(void)
{
    return own_number;
}

bine_hub *bine_workers_hub(bine_workers *workers, unsigned i)
{
    if (!workers || i >= workers->n) {
        errno = EINVAL;
        return NULL;
    }
    return workers->each[i].hub;
}

void *bine_workers_value(const bine_workers *workers, unsigned i)
{
    return workers && i < workers->n ? atomic_load(&workers->each[i].value) : NULL;
}

/* The thread that started them has ended, so that nothing counts their ends: asks again and
 * again. */
static int join_orphans(struct bine_workers *workers, int64_t timeout)
{
    int64_t deadline = bine_hub_deadline(bine_hub_here(), timeout);
    for (; workers->joined < workers->n; workers->joined++)
        while (bine_libc.pthread_tryjoin_np(workers->each[workers->joined].thread, NULL) == EBUSY)
            if (bine_hub_now(bine_hub_here()) >= deadline || timeout == 0)
                return bine_result(ETIMEDOUT);
            else if (bine_sleep(BINE_MS) != 0)
                return -1;
    free_workers(workers, 0);
    return 0;
}

int bine_workers_join(bine_workers *workers, int64_t timeout)
{
    if (!workers || timeout < 0)
        return bine_result(EINVAL);
    int refused = bine_object_check_free(workers->ended);
    if (refused)
        return bine_result(refused);
    if (bine_object_orphan(workers->ended))
        return join_orphans(workers, timeout);
    int64_t deadline = bine_hub_deadline(bine_hub_here(), timeout);
    for (; workers->joined < workers->n; workers->joined++) {
        int64_t left = timeout;
        if (timeout != BINE_FOREVER && timeout != 0) {
            left = deadline - bine_hub_now(bine_hub_here());
            left = left > 0 ? left : 0;
        }
        if (bine_semaphore_acquire(workers->ended, left) != 0)
            return -1;
    }
    /* The threads are past their work and only have to end. */
    free_workers(workers, workers->n);
    return 0;
}

int bine_workers_run(unsigned n, bine_run *run, void *arg)
{
    bine_workers *workers = bine_workers_start(n, run, arg);
    return workers ? bine_workers_join(workers, BINE_FOREVER) : -1;
}
