/* Real threads that are joined without blocking the hub. See thread_join.h. */
#include "thread_join.h"

#include <errno.h>
#include <stddef.h>

#include "core/schedule/park.h"
#include "io/offload/offload.h"
#include "libc/container_of.h"
#include "libc/libc.h"

struct join {
    struct bine_offload_job job;
    pthread_t thread;
    void **value;
    clockid_t clock;
    const struct timespec *until;
    pthread_barrier_t *barrier;
    int result;
};

static void run_join(struct bine_offload_job *job)
{
    struct join *join = BINE_CONTAINER_OF(job, struct join, job);
    join->result = join->until ? bine_libc.pthread_clockjoin_np(join->thread, join->value,
                                                                join->clock, join->until)
                               : bine_libc.pthread_join(join->thread, join->value);
}

static void run_barrier(struct bine_offload_job *job)
{
    struct join *join = BINE_CONTAINER_OF(job, struct join, job);
    join->result = bine_libc.pthread_barrier_wait(join->barrier);
}

static int offload(struct bine_hub *hub, struct join *join, const char *verb, uintptr_t object)
{
    join->job.error = errno;
    join->job.lingers = true;
    join->job.any_rights = true;
    /* Not to be cancelled, also before a thread has begun with it. */
    bine_shield_begin();
    int error = bine_offload_firm(hub, &join->job, verb, object);
    bine_shield_end();
    return error ? error : join->result;
}

int bine_thread_join(struct bine_hub *hub, pthread_t thread, void **value, clockid_t clock,
                     const struct timespec *until)
{
    if (pthread_equal(thread, bine_libc.pthread_self()))
        return bine_libc.pthread_join(thread, value); /* EDEADLK */
    /* Most threads that are joined have ended or are about to: no other thread is needed to see
     * that. */
    for (int64_t pause = 0;; pause = 100 * BINE_US) {
        int error = bine_libc.pthread_tryjoin_np(thread, value);
        if (error != EBUSY)
            return error;
        if (pause)
            break;
        bine_park(hub, "join thread", (uintptr_t)thread, bine_hub_deadline(hub, 100 * BINE_US),
                  BINE_PARK_FIRM);
    }
    struct join join = {
        .job.run = run_join,
        .thread = thread,
        .value = value,
        .clock = clock,
        .until = until,
    };
    return offload(hub, &join, "join thread", (uintptr_t)thread);
}

int bine_thread_barrier(struct bine_hub *hub, pthread_barrier_t *barrier)
{
    struct join join = {.job.run = run_barrier, .barrier = barrier};
    return offload(hub, &join, "barrier", (uintptr_t)barrier);
}
