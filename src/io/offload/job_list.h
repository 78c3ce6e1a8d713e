/* Jobs of the offload pool that wait for a thread, first in, first out. Any job can be taken out in
 * constant time. */
#ifndef BINE_IO_OFFLOAD_JOB_LIST_H
#define BINE_IO_OFFLOAD_JOB_LIST_H

#include "offload.h"

struct bine_job_list {
    struct bine_offload_job *first, *last;
    size_t count;
};

static inline void bine_job_push(struct bine_job_list *list, struct bine_offload_job *job)
{
    job->next = NULL;
    job->previous = list->last;
    job->queued = true;
    if (list->last)
        list->last->next = job;
    else
        list->first = job;
    list->last = job;
    list->count++;
}

static inline void bine_job_remove(struct bine_job_list *list, struct bine_offload_job *job)
{
    if (job->previous)
        job->previous->next = job->next;
    else
        list->first = job->next;
    if (job->next)
        job->next->previous = job->previous;
    else
        list->last = job->previous;
    job->queued = false;
    list->count--;
}

#endif
