/*
 * File locks: flock, fcntl and lockf. See bine/file.h.
 *
 * A thread of the pool that blocked for a lock could not be called back. All of them together would
 * keep out the greenlets that are to free the lock. So the kernel is asked again and again.
 */
#include <bine/file.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/hub/waitable.h"
#include "io/wait/backoff.h"
#include "io/wait/wait.h"
#include "libc/carrier.h"
#include "libc/libc.h"

#define LONGEST_PAUSE (50 * BINE_MS)

/* Greenlets of this hub that pause between two attempts. */
static BINE_CARRIED struct bine_waiters waiting;

__attribute__((noinline)) static struct bine_waiters *waiting_here(void)
{
    return &BINE_OF_CARRIER(waiting);
}

static void forget_waiting(struct bine_hub *hub)
{
    (void)hub;
    *waiting_here() = (struct bine_waiters){0};
}

__attribute__((constructor)) static void flock_set_up(void)
{
    bine_hub_on_fork(forget_waiting);
    bine_hub_on_end(forget_waiting);
}

/* A lock was given back by this thread: greenlets of its hub try again at once. */
static void given_back(void)
{
    for (struct bine_waiter *waiter; (waiter = bine_waiters_pop(waiting_here()));)
        bine_waiter_wake(waiter);
}

static struct bine_backoff flock_begin(const struct bine_hub *hub, const char *verb, int fd)
{
    return bine_backoff_begin(hub, verb, (uintptr_t)fd, LONGEST_PAUSE, BINE_PARK_RESTARTS);
}

/* Waits before the next attempt. Returns 0 or an error number. */
static int flock_pause(struct bine_hub *hub, struct bine_backoff *backoff)
{
    struct bine_waiter waiter = {.greenlet = hub->current};
    bine_waiters_push(waiting_here(), &waiter);
    int error = bine_backoff_pause(hub, backoff);
    bine_waiters_remove(&waiter);
    return error;
}

int bine_flock(int fd, int operation)
{
    struct bine_hub *hub = bine_io_hub();
    int error = hub && operation != LOCK_UN ? bine_streak(hub) : 0;
    if (error)
        return (int)bine_io_fail(error);
    if (!hub || operation & LOCK_NB || operation == LOCK_UN) {
        int result = bine_libc.flock(fd, operation);
        if (hub && result == 0 && operation == LOCK_UN)
            given_back();
        return result;
    }
    for (struct bine_backoff backoff = flock_begin(hub, "flock fd", fd);;) {
        int result = bine_libc.flock(fd, operation | LOCK_NB);
        if (result == 0 || errno != EWOULDBLOCK)
            return result;
        error = flock_pause(hub, &backoff);
        if (error)
            return (int)bine_io_fail(error);
    }
}

int bine_fcntl_lock(int fd, int command, struct flock *lock)
{
    struct bine_hub *hub = bine_io_hub();
    int error = hub && !(lock && lock->l_type == F_UNLCK) ? bine_streak(hub) : 0;
    if (error)
        return (int)bine_io_fail(error);
    bool waits = command == F_SETLKW || command == F_OFD_SETLKW;
    if (!hub || !waits || !lock || lock->l_type == F_UNLCK) {
        int result = bine_libc.fcntl(fd, command, lock);
        if (hub && result == 0 && lock && lock->l_type == F_UNLCK)
            given_back();
        return result;
    }
    int attempt = command == F_SETLKW ? F_SETLK : F_OFD_SETLK;
    for (struct bine_backoff backoff = flock_begin(hub, "fcntl lock fd", fd);;) {
        int result = bine_libc.fcntl(fd, attempt, lock);
        if (result == 0 || (errno != EAGAIN && errno != EACCES))
            return result;
        error = flock_pause(hub, &backoff);
        if (error)
            return (int)bine_io_fail(error);
    }
}

int bine_lockf(int fd, int command, off_t size)
{
    struct bine_hub *hub = bine_io_hub();
    int error = hub && command != F_ULOCK ? bine_streak(hub) : 0;
    if (error)
        return (int)bine_io_fail(error);
    if (!hub || command != F_LOCK) {
        int result = bine_libc.lockf(fd, command, size);
        if (hub && result == 0 && command == F_ULOCK)
            given_back();
        return result;
    }
    for (struct bine_backoff backoff = flock_begin(hub, "lockf fd", fd);;) {
        int result = bine_libc.lockf(fd, F_TLOCK, size);
        if (result == 0 || (errno != EAGAIN && errno != EACCES))
            return result;
        error = flock_pause(hub, &backoff);
        if (error)
            return (int)bine_io_fail(error);
    }
}
