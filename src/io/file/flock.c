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

#include "core/hub/park.h"
#include "core/hub/signalled.h"
#include "core/hub/waitable.h"
#include "io/wait/wait.h"
#include "libc/libc.h"

enum {
    FIRST_PAUSE_MS = 1,
    LONGEST_PAUSE_MS = 50
};

/* Greenlets of this hub between two questions. */
static __thread struct bine_waiters waiting;

__attribute__((noinline)) static struct bine_waiters *waiting_here(void)
{
    return &waiting;
}

static void forget_waiting(struct bine_hub *hub)
{
    (void)hub;
    waiting = (struct bine_waiters){0};
}

__attribute__((constructor)) static void flock_set_up(void)
{
    bine_hub_on_fork(forget_waiting);
    bine_hub_on_end(forget_waiting);
}

/* A lock was given back here: those of this hub need not sit out their pause. */
static void given_back(void)
{
    for (struct bine_waiter *waiter; (waiter = bine_waiters_pop(waiting_here()));)
        bine_waiter_wake(waiter);
}

/* A call that asks again and again. */
struct asking {
    const char *verb;
    int fd;
    unsigned milliseconds; /* of the next pause */
    bine_signal_mark signals;
};

static struct asking begin_asking(const struct bine_hub *hub, const char *verb, int fd)
{
    return (struct asking){verb, fd, FIRST_PAUSE_MS, bine_signals_now(hub)};
}

/* Wait before asking again. 0 or an error number. */
static int flock_pause_a_while(struct bine_hub *hub, struct asking *asking)
{
    unsigned flags = BINE_PARK_EXTERNAL | BINE_PARK_SIGNALS | BINE_PARK_RESTARTS,
             milliseconds = asking->milliseconds;
    if (bine_signals_since(hub, asking->signals, flags))
        return EINTR;
    struct bine_waiter waiter = {.greenlet = hub->current};
    bine_waiters_push(waiting_here(), &waiter);
    int error = bine_park(hub, asking->verb, (uintptr_t)asking->fd,
                          bine_hub_deadline(hub, milliseconds * BINE_MS), flags);
    bine_waiters_remove(&waiter);
    asking->milliseconds =
        milliseconds * 2 < LONGEST_PAUSE_MS ? milliseconds * 2 : LONGEST_PAUSE_MS;
    return error == ETIME ? 0 : error;
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
    for (struct asking asking = begin_asking(hub, "flock fd", fd);;) {
        int result = bine_libc.flock(fd, operation | LOCK_NB);
        if (result == 0 || errno != EWOULDBLOCK)
            return result;
        error = flock_pause_a_while(hub, &asking);
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
    for (struct asking asking = begin_asking(hub, "fcntl lock fd", fd);;) {
        int result = bine_libc.fcntl(fd, attempt, lock);
        if (result == 0 || (errno != EAGAIN && errno != EACCES))
            return result;
        error = flock_pause_a_while(hub, &asking);
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
    for (struct asking asking = begin_asking(hub, "lockf fd", fd);;) {
        int result = bine_libc.lockf(fd, F_TLOCK, size);
        if (result == 0 || (errno != EAGAIN && errno != EACCES))
            return result;
        error = flock_pause_a_while(hub, &asking);
        if (error)
            return (int)bine_io_fail(error);
    }
}
