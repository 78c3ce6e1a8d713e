/*
 * A crew: the threads of the offload pool that have the same rights (confine.h), and the jobs that
 * wait for them. All functions are called with the pool's lock held.
 */
#ifndef BINE_IO_OFFLOAD_CREW_H
#define BINE_IO_OFFLOAD_CREW_H

#include "job_list.h"

enum {
    BINE_CREW_THREADS_MOST = 4096 /* however many of them linger */
};

struct bine_worker;

struct bine_crew {
    unsigned rights;                  /* the rights of its threads */
    bool retired;                     /* bine_offload_renew: threads end when nothing is queued */
    struct bine_job_list jobs, names; /* the queued ones */
    bool named_last;                  /* the job that was last taken from a queue was a name */
    struct bine_worker *idle;
    size_t naming;  /* threads that are looking up names */
    size_t threads; /* running and idle */
    size_t making;  /* threads that are being made */
    /* those of `threads` that are at work on jobs that do not count towards the bound */
    size_t lingering;
    /* those of `threads` that are done with their job and about to look for the next */
    size_t finishing;
    struct bine_crew *next;
};

static inline size_t bine_crew_queued(const struct bine_crew *crew)
{
    return crew->jobs.count + crew->names.count;
}

static inline struct bine_job_list *bine_crew_list(struct bine_crew *crew,
                                                   const struct bine_offload_job *job)
{
    return job->name ? &crew->names : &crew->jobs;
}

/* Names leave half of the threads to all other jobs. Strangers choose which names are looked up,
 * and their own name server may be slow. */
static inline size_t bine_crew_room_for_names(const struct bine_crew *crew, size_t bound)
{
    size_t most = (bound + 1) / 2;
    return crew->naming < most ? most - crew->naming : 0;
}

static inline size_t bine_crew_names_that_may_begin(const struct bine_crew *crew, size_t bound)
{
    size_t room = bine_crew_room_for_names(crew, bound);
    return crew->names.count < room ? crew->names.count : room;
}

/* Returns the next job. Names and other jobs take turns. Returns NULL if no job may begin. */
static inline struct bine_offload_job *bine_crew_pop(struct bine_crew *crew, size_t bound)
{
    bool name =
        bine_crew_names_that_may_begin(crew, bound) > 0 && (!crew->jobs.first || !crew->named_last);
    struct bine_offload_job *job = name ? crew->names.first : crew->jobs.first;
    crew->named_last = name;
    if (job)
        bine_job_remove(bine_crew_list(crew, job), job);
    return job;
}

/* Is one more thread needed for the queued jobs, and allowed? A caller that makes one call after
 * the other needs only one thread, which has perhaps not yet noticed that it is free. */
static inline bool bine_crew_wants_thread(const struct bine_crew *crew, size_t bound)
{
    size_t threads = crew->threads + crew->making;
    return crew->jobs.count + bine_crew_names_that_may_begin(crew, bound) > crew->finishing &&
           threads - crew->lingering < bound && threads < BINE_CREW_THREADS_MOST;
}

#endif
