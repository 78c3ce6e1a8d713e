/* See race.h. */
#include "race.h"

#include <fcntl.h>

#include "offload.h"

/* Whoever came too late gets what comes next, but not for ever: a thread does not notice that fd is closed, the poller does. */
enum {
    PATIENCE = 20 * BINE_MS
};

struct race {
    struct bine_offload_job job; /* first */
    int fd;
    ssize_t (*call)(int fd, void *arg);
    void *arg;
    ssize_t result;
};

static void run(struct bine_offload_job *job)
{
    struct race *race = (struct race *)job;
    race->result = race->call(race->fd, race->arg);
}

ssize_t bine_race(const struct bine_wait *wait, ssize_t (*call)(int fd, void *arg), void *arg)
{
    struct race race = {.job = {.run = run, .lingers = true, .interruptible = true, .error = errno},
                        .fd = wait->fd,
                        .call = call,
                        .arg = arg,
                        .result = -1};
    /* A number of its own for the thread: the other one may be closed and mean another file before it gets there. */
    int own = bine_libc.fcntl(wait->fd, F_DUPFD_CLOEXEC, 0);
    if (own >= 0)
        race.fd = own;
    bine_timeout patience;
    bine_timeout_begin(&patience, PATIENCE);
    int error = bine_offload_firm(wait->hub, &race.job, wait->verb, (uintptr_t)wait->fd);
    if (bine_timeout_end(&patience) == 1 && error == ETIMEDOUT)
        error = EAGAIN; /* if a scope of the caller's is over, too, its next wait says so */
    if (own >= 0)
        bine_libc.close(own);
    if (race.result >= 0) {
        errno = race.job.error;
        return race.result;
    }
    if (!error)
        error = race.job.error == EINTR ? EAGAIN : race.job.error;
    return bine_io_fail(error == EAGAIN && bine_wait_closed_meanwhile(wait) ? EBADF : error);
}
