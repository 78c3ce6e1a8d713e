/*
 * The inside of the offload pool, for offload.c and offload_end.c. One lock guards all of it. Jobs
 * are taken and finished too rarely for that lock to be a bottleneck. It is libc's own lock and not
 * the patched one: no greenlet parks while it holds it.
 */
#ifndef BINE_IO_OFFLOAD_OFFLOAD_POOL_H
#define BINE_IO_OFFLOAD_OFFLOAD_POOL_H

#include <pthread.h>

#include "crew.h"
#include "libc/libc.h"

/* A job that was given to a thread and has not ended. */
struct bine_running {
    struct bine_offload_job *job;
    struct bine_hub *hub;
    struct bine_crew *crew;
    pthread_t thread;
    pid_t id; /* the kernel's id of the thread */
    /* copied from the job, which may be gone when its message has been sent */
    bool firm, lingers, interruptible, locks, name;
    bool worker;  /* it runs on a thread of the pool */
    bool sending; /* its message is about to be in the hub's inbox */
    bool orphan;  /* the hub has ended meanwhile, or is in the parent */
    struct bine_running *next, *previous;
};

struct bine_worker {
    pthread_cond_t wake;
    struct bine_running running; /* job NULL: the worker is idle */
    struct bine_worker *below;   /* the next one in the stack of idle workers */
};

extern struct bine_pool {
    pthread_mutex_t lock;
    struct bine_crew *crew;  /* the crew with the pool's present rights */
    struct bine_crew *crews; /* all of them */
    int counted;             /* threads that bine_hub_runtime_threads knows */
    size_t bound;            /* the most threads of a crew; 0: not read yet */
    struct bine_running *running;
    pthread_cond_t finished; /* a job on a stack has ended while its hub's end waits for it */
    bool finish_wanted;
    unsigned forks;       /* forks under way; while there are any, no job begins */
    int interrupt_signal; /* 0: none was free */
} bine_pool;

/* The job that this thread is at work on. */
extern _Thread_local struct bine_running *bine_running_here;

static inline void bine_pool_lock(void)
{
    bine_libc.pthread_mutex_lock(&bine_pool.lock);
}

static inline void bine_pool_unlock(void)
{
    bine_libc.pthread_mutex_unlock(&bine_pool.lock);
}

/* All functions that follow are called with the lock held. */

static inline struct bine_offload_job *bine_pool_pop_job(struct bine_crew *crew)
{
    return bine_pool.forks ? NULL : bine_crew_pop(crew, bine_pool.bound);
}

static inline bool bine_pool_wants_thread(const struct bine_crew *crew)
{
    return bine_crew_wants_thread(crew, bine_pool.bound);
}

/* Gives the job to the worker of its crew that went idle last. */
void bine_pool_hand_over(struct bine_offload_job *job);
/* Makes a thread if one is wanted for the rights of the calling thread. The lock is free in
 * between. */
void bine_pool_add_wanted_thread(void);
/* Notes that threads have come or gone. */
void bine_pool_count_threads(struct bine_crew *crew, int change);
/* Initialises a condition whose waits use CLOCK_MONOTONIC. */
void bine_pool_init_condition(pthread_cond_t *condition);
/* From now on, handles forks and the ends of hubs. */
void bine_pool_watch_ends(void);

#endif
