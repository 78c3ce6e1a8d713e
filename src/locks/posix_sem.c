/*
 * POSIX semaphores for greenlets. See posix.h for the rules.
 *
 * A post goes to libc's semaphore first and is then taken from it on behalf of the first greenlet
 * in the queue. So it works from signal handlers and from threads without a hub, sem_getvalue is
 * right, and sem_trywait needs no hook.
 *
 * Other processes post process-shared and named semaphores too, and the parking lot does not learn
 * of that (hazard 33). So the futex of such a semaphore is watched. A post wakes the futex only if
 * the semaphore says that there is a waiter.
 */
#include "posix.h"

#include <errno.h>

#include "libc/libc.h"
#include "parking_lot.h"
#include "posix_clock.h"
#include "surprise.h"

static enum bine_lot_answer sem_acquire(struct bine_lot_waiter *waiter)
{
    int saved_errno = errno;
    int rc = bine_libc.sem_trywait((sem_t *)waiter->address);
    errno = saved_errno;
    return rc == 0 ? BINE_LOT_GRANTED : BINE_LOT_REFUSED;
}

/* sem_t since glibc 2.21: the value, and the number of waiters, as the halves of 64 bits; then an
 * int that is not 0 if processes share it. On machines that do not have 64 bits the parts differ,
 * and there is no futex to be watched. */
struct libc_semaphore {
#if __SIZEOF_POINTER__ == 8
    uint64_t value_and_waiters;
#else
    uint32_t value;
#endif
    int shared;
};

static bool is_shared(const sem_t *semaphore)
{
    return ((const struct libc_semaphore *)semaphore)->shared != 0;
}

#if __SIZEOF_POINTER__ == 8

static void count_waiter(sem_t *semaphore, int64_t change)
{
    struct libc_semaphore *inner = (struct libc_semaphore *)semaphore;
    __atomic_fetch_add(&inner->value_and_waiters, (uint64_t)change << 32, __ATOMIC_SEQ_CST);
}

static void watch(struct bine_lot_waiter *waiter, struct bine_lot_futex *futex)
{
    const char *halves = waiter->address;
    size_t low = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 0 : 4;
    *futex = (struct bine_lot_futex){.word = halves + low, .value = 0, .shared = true};
}

#else

static void count_waiter(sem_t *semaphore, int64_t change)
{
}

#define watch NULL

#endif

/* As in libc any signal ends a wait with a limit. A wait without a limit continues after signals
 * that restart calls. */
static int sem_wait_for(struct bine_hub *hub, sem_t *semaphore, int64_t deadline, unsigned restarts)
{
    struct bine_lot_waiter waiter;
    unsigned flags = BINE_PARK_SIGNALS | restarts | BINE_PARK_HANDLERS;
    bine_lot_waiter_init(&waiter, hub, semaphore);
    waiter.acquire = sem_acquire;
    bool shared = is_shared(semaphore);
    if (shared) {
        flags |= BINE_PARK_EXTERNAL | BINE_LOT_WATCH;
        waiter.arm = watch;
        count_waiter(semaphore, 1);
    }
    int error = bine_lot_wait(&waiter, "semaphore", deadline, flags);
    if (shared)
        count_waiter(semaphore, -1);
    if (error == 0)
        return 0;
    if (error == EINTR)
        bine_interrupted();
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
    return sem_wait_for(hub, semaphore, INT64_MAX, BINE_PARK_RESTARTS);
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
    return sem_wait_for(hub, semaphore, deadline, 0);
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

/* What libc keeps in the object, tried out. */
const char *bine_sem_surprise(void)
{
    sem_t private, shared;
    sem_init(&private, 0, 5);
    sem_init(&shared, 1, 5);
    bool known = !is_shared(&private) && is_shared(&shared);
    known = bine_libc.sem_trywait(&private) == 0 && known;
#if __SIZEOF_POINTER__ == 8
    known = known && ((struct libc_semaphore *)&private)->value_and_waiters == 4;
#endif
    sem_destroy(&private);
    sem_destroy(&shared);
    return known ? NULL : "the value of a semaphore";
}
