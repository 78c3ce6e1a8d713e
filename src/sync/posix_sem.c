/*
 * POSIX semaphores for greenlets. See posix.h for the rules.
 *
 * A post goes to libc's semaphore first and is then taken from it on behalf of the first greenlet in the queue: so it works
 * from signal handlers and from threads without a hub, sem_getvalue is right, and sem_trywait needs no hook.
 *
 * Process-shared and named semaphores are posted by other processes too, which no queue of ours hears of (hazard 33): the
 * greenlet that is first in the queue watches.
 */
#include "posix.h"

#include <errno.h>

#include "../core/libc.h"
#include "parking_lot.h"
#include "posix_clock.h"

static enum bine_lot_answer acquire(struct bine_lot_waiter *waiter)
{
    int saved_errno = errno;
    int rc = bine_libc.sem_trywait((sem_t *)waiter->address);
    errno = saved_errno;
    return rc == 0 ? BINE_LOT_GRANTED : BINE_LOT_REFUSED;
}

/* sem_t since glibc 2.1: 64 bits of value and waiters, then an int that is not 0 if processes share it. */
static bool is_shared(const sem_t *semaphore)
{
#if __SIZEOF_POINTER__ == 8
    return ((const int *)semaphore)[2] != 0;
#else
    return ((const int *)semaphore)[1] != 0;
#endif
}

static int wait_for(struct bine_hub *hub, sem_t *semaphore, int64_t deadline)
{
    struct bine_lot_waiter waiter;
    unsigned flags = BINE_PARK_SIGNALS | BINE_PARK_RESTARTS;
    if (is_shared(semaphore))
        flags |= BINE_PARK_EXTERNAL | BINE_LOT_WATCH;
    bine_lot_waiter_init(&waiter, hub, semaphore);
    waiter.acquire = acquire;
    int error = bine_lot_wait(&waiter, "semaphore", deadline, flags);
    if (error == 0)
        return 0;
    errno = error == ETIME ? ETIMEDOUT : error;
    return -1;
}

int bine_sem_wait(sem_t *semaphore)
{
    int saved_errno = errno;
    if (__builtin_expect(bine_libc.sem_trywait(semaphore) == 0, 1))
        return 0;
    if (errno != EAGAIN)
        return -1;
    errno = saved_errno;
    struct bine_hub *hub = bine_hub_here();
    if (!hub || hub->no_park)
        return bine_libc.sem_wait(semaphore);
    return wait_for(hub, semaphore, INT64_MAX);
}

int bine_sem_clockwait(sem_t *semaphore, clockid_t clock, const struct timespec *until)
{
    int saved_errno = errno;
    int64_t deadline;
    struct bine_hub *hub = bine_hub_here();
    if (!hub || hub->no_park)
        return bine_libc.sem_clockwait(semaphore, clock, until);
    /* Unlike the mutexes', the times of semaphores are checked first. */
    int error = bine_posix_deadline(hub, clock, until, &deadline);
    if (error) {
        errno = error;
        return -1;
    }
    if (bine_libc.sem_trywait(semaphore) == 0)
        return 0;
    if (errno != EAGAIN)
        return -1;
    errno = saved_errno;
    return wait_for(hub, semaphore, deadline);
}

int bine_sem_timedwait(sem_t *semaphore, const struct timespec *until)
{
    return bine_sem_clockwait(semaphore, CLOCK_REALTIME, until);
}

int bine_sem_post(sem_t *semaphore)
{
    int rc = bine_libc.sem_post(semaphore);
    if (__builtin_expect(bine_lot_waited(semaphore), 0))
        bine_lot_balance(semaphore);
    return rc;
}
