/* A greenlet that waits for its job on the offload pool. See offload.h. */
#include "offload.h"

#include <errno.h>
#include <limits.h>

#include "core/schedule/park.h"

static void wake_waiter(struct bine_offload_job *job)
{
    struct bine_greenlet *waiter = job->waiter;
    job->waiter = NULL;
    if (waiter)
        bine_unpark(waiter);
    else
        job->orphaned(job);
}

int bine_offload_firm(struct bine_hub *hub, struct bine_offload_job *job, const char *verb,
                      uintptr_t object)
{
    int cancelled = bine_cancelled(hub);
    if (cancelled)
        return cancelled;
    job->done = wake_waiter;
    job->orphaned = NULL;
    job->waiter = hub->current;
    bine_offload_submit(hub, job);
    int error = bine_park(hub, verb, object, INT64_MAX, BINE_PARK_EXTERNAL | job->park_flags);
    if (error == 0)
        return 0;
    if (bine_offload_withdraw(job))
        return error;
    /* It runs, or has ended and the message is on its way: stay until it is delivered. */
    for (int64_t pause = 100 * BINE_US; job->waiter;
         pause = pause < BINE_SECOND ? 2 * pause : pause) {
        int64_t until = INT64_MAX;
        if (job->interruptible) {
            bine_offload_interrupt(job);
            until = bine_hub_deadline(hub, pause);
        }
        bine_park(hub, verb, object, until, BINE_PARK_EXTERNAL | BINE_PARK_FIRM);
    }
    return job->interruptible ? error : 0;
}

int bine_offload_detached(struct bine_hub *hub, struct bine_offload_job *job,
                          void (*discard)(struct bine_offload_job *job), const char *verb,
                          uintptr_t object, int64_t deadline)
{
    job->done = wake_waiter;
    job->orphaned = discard;
    int error = bine_cancelled(hub);
    if (!error && job->name && !bine_offload_takes_names())
        error = EAGAIN;
    if (error) {
        discard(job);
        return error;
    }
    job->waiter = hub->current;
    bine_offload_submit(hub, job);
    error = bine_park(hub, verb, object, deadline, BINE_PARK_EXTERNAL);
    if (error == 0)
        return 0;
    if (bine_offload_withdraw(job))
        discard(job);
    else
        job->waiter = NULL; /* its message finds no waiter and discards it */
    return error;
}
