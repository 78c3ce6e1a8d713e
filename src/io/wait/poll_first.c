/* See poll_first.h. */
#include "poll_first.h"

#include <fcntl.h>

#include "io/offload/offload.h"

/* A caller that came too late gets the next item, but it does not wait for ever: a thread does not
 * notice that fd is closed, the poller does. */
enum {
    PATIENCE = 20 * BINE_MS
};

/* The interval at which greenlets look that wait for another greenlet's race for the same file.
 * That race is mostly over by then. */
enum {
    AGAIN = BINE_MS
};

struct race {
    struct bine_offload_job job; /* first */
    int fd, own;
    ssize_t (*call)(int fd, const void *arg);
    const void *arg;
    ssize_t result;
};

static void close_own(struct race *race)
{
    int saved = errno;
    if (race->own >= 0)
        bine_libc.close(race->own);
    race->own = -1;
    errno = saved;
}

/* It closes what is its own, for its greenlet may be gone by then. */
static void poll_first_run(struct bine_offload_job *job)
{
    struct race *race = (struct race *)job;
    race->result = race->call(race->own >= 0 ? race->own : race->fd, race->arg);
    close_own(race);
}

static atomic_bool ever;

/* The greenlets of a hub that has ended race no more. */
static void poll_first_hub_ended(struct bine_hub *hub)
{
    if (atomic_load(&ever))
        bine_descriptor_forget_racer(hub);
}

__attribute__((constructor)) static void watch_hubs(void)
{
    bine_hub_on_end(poll_first_hub_ended);
}

/* One at a time: a hundred greenlets that are woken for one connection need no hundred threads. 0
 * or an error number. */
static int poll_first_begin(const struct bine_wait *wait)
{
    struct bine_hub *nobody = NULL;
    atomic_store(&ever, true);
    while (wait->record &&
           !atomic_compare_exchange_strong(&wait->record->racer, &nobody, wait->hub)) {
        nobody = NULL;
        if (bine_signals_since(wait->hub, wait->signals, wait->flags))
            return EINTR;
        int64_t until = bine_hub_deadline(wait->hub, AGAIN);
        int error = bine_park(wait->hub, wait->verb, (uintptr_t)wait->fd, until, wait->flags);
        if (error && error != ETIME)
            return error;
        if (bine_wait_closed_meanwhile(wait))
            return EBADF;
    }
    return 0;
}

static void poll_first_end(const struct bine_wait *wait)
{
    if (wait->record)
        atomic_store(&wait->record->racer, NULL);
}

static ssize_t race(const struct bine_wait *wait, ssize_t (*call)(int fd, const void *arg),
                    const void *arg)
{
    struct race race = {.job = {.run = poll_first_run,
                                .lingers = true,
                                .any_rights = true,
                                .interruptible = true,
                                .error = errno},
                        .fd = wait->fd,
                        .call = call,
                        .arg = arg,
                        .result = -1};
    /* A number of its own for the thread: the other one may be closed and mean another file before
     * it gets there. */
    race.own = bine_libc.fcntl(wait->fd, F_DUPFD_CLOEXEC, 0);
    bine_timeout patience;
    bine_timeout_begin(&patience, PATIENCE);
    int error = bine_offload_firm(wait->hub, &race.job, wait->verb, (uintptr_t)wait->fd);
    if (bine_timeout_end(&patience) == 1 && error == ETIMEDOUT)
        error = EAGAIN; /* if a scope of the caller's is over, too, its next wait says so */
    close_own(&race);   /* if it never ran */
    if (race.result >= 0) {
        errno = race.job.error;
        return race.result;
    }
    if (!error)
        error = race.job.error == EINTR ? EAGAIN : race.job.error;
    return bine_io_fail(error == EAGAIN && bine_wait_closed_meanwhile(wait) ? EBADF : error);
}

ssize_t bine_poll_first(const struct bine_wait *wait, short events, bool contested,
                        ssize_t (*call)(int fd, const void *arg), const void *arg)
{
    struct bine_descriptor *record = wait->record;
    int error = contested ? poll_first_begin(wait) : 0;
    if (error)
        return bine_io_fail(error);
    if (!contested && record)
        bine_spin_lock(&record->lock);
    struct pollfd question = {.fd = wait->fd, .events = events};
    ssize_t result;
    if (bine_libc.poll(&question, 1, 0) == 0)
        result = bine_io_fail(EAGAIN);
    else
        result = contested ? race(wait, call, arg) : call(wait->fd, arg);
    if (contested)
        poll_first_end(wait);
    else if (record)
        bine_spin_unlock(&record->lock);
    return result;
}
