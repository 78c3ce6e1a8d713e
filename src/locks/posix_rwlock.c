/*
 * pthread_rwlock for greenlets. See posix.h for the rules.
 *
 * libc knows the writer by its thread id, by which unlock tells a writer from a reader. So a write
 * lock that is granted to a greenlet of another thread has that field set. Two padding words of the
 * object say which greenlet of the thread it is, so that locking twice is EDEADLK only for that
 * greenlet (hazard 1).
 */
#include "posix.h"

#include <errno.h>
#include <stddef.h>

#include "libc/layout.h"
#include "libc/libc.h"
#include "parking_lot.h"
#include "posix_clock.h"
#include "posix_debug.h"
#include "posix_tsan.h"
#include "surprise.h"

BINE_LAYOUT(posix_rwlock_rows) = {
    BINE_FIELD_AS("posix_rwlock", "thread", pthread_rwlock_t, __data.__cur_writer),
    BINE_FIELD_AS("posix_rwlock", "readers", pthread_rwlock_t, __data.__readers),
    BINE_FIELD_AS("posix_rwlock", "greenlet", pthread_rwlock_t, __data.__pad3),
};

enum mode {
    READ,
    WRITE,
};

static inline int libc_writer(const pthread_rwlock_t *lock)
{
    return __atomic_load_n(&lock->__data.__cur_writer, __ATOMIC_RELAXED);
}

/* Padding that libc initialises to zero. The writer sets and clears it. */
static inline uint64_t *mark_of(pthread_rwlock_t *lock)
{
    _Static_assert(offsetof(pthread_rwlock_t, __data.__pad4) ==
                           offsetof(pthread_rwlock_t, __data.__pad3) + 4 &&
                       offsetof(pthread_rwlock_t, __data.__pad3) % 8 == 0,
                   "two words of padding in a row");
    return (uint64_t *)&lock->__data.__pad3;
}

static inline void mark(pthread_rwlock_t *lock, const struct bine_greenlet *g)
{
    __atomic_store_n(mark_of(lock), (uint64_t)(uintptr_t)g, __ATOMIC_RELAXED);
}

static inline const struct bine_greenlet *writer_of(pthread_rwlock_t *lock)
{
    return (const struct bine_greenlet *)(uintptr_t)__atomic_load_n(mark_of(lock),
                                                                    __ATOMIC_RELAXED);
}

static inline int try_for(pthread_rwlock_t *lock, enum mode mode, struct bine_greenlet *g,
                          pid_t thread, bool on_behalf)
{
    if (mode == READ) {
        int error = on_behalf ? BINE_TAKE_FOR_ANOTHER(pthread_rwlock_tryrdlock, lock)
                              : bine_libc.pthread_rwlock_tryrdlock(lock);
        if (error != EBUSY)
            return error;
    } else {
        int error = on_behalf ? BINE_TAKE_FOR_ANOTHER(pthread_rwlock_trywrlock, lock)
                              : bine_libc.pthread_rwlock_trywrlock(lock);
        if (error == 0)
            mark(lock, g);
        if (error != EBUSY)
            return error;
    }
    if (libc_writer(lock) != thread)
        return EBUSY;
    const struct bine_greenlet *writer = writer_of(lock);
    return writer == g || (!writer && g->flags & BINE_G_ROOT) ? EDEADLK : EBUSY;
}

static enum bine_lot_answer rwlock_acquire(struct bine_lot_waiter *waiter)
{
    pthread_rwlock_t *lock = (pthread_rwlock_t *)waiter->address;
    int error = try_for(lock, (enum mode)waiter->item, waiter->greenlet, waiter->thread, true);
    if (error == EBUSY)
        return BINE_LOT_REFUSED;
    if (error == 0 && waiter->item == WRITE)
        __atomic_store_n(&lock->__data.__cur_writer, waiter->thread, __ATOMIC_RELAXED);
    waiter->result = error;
    return BINE_LOT_GRANTED;
}

static bool wants_to_write(const struct bine_lot_waiter *waiter)
{
    return waiter->item == WRITE;
}

/* Must a reader queue up behind a writer that waits? libc obeys only the strict one of its two
 * kinds of writer preference. */
static bool writer_first(pthread_rwlock_t *lock, enum mode mode)
{
    return mode == READ && lock->__data.__flags == PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP &&
           bine_lot_queued(lock, wants_to_write);
}

static int try_once(pthread_rwlock_t *lock, enum mode mode, struct bine_hub *hub)
{
    if (!hub)
        return mode == WRITE ? bine_libc.pthread_rwlock_trywrlock(lock)
                             : bine_libc.pthread_rwlock_tryrdlock(lock);
    if (writer_first(lock, mode))
        return EBUSY;
    return try_for(lock, mode, hub->current, bine_lot_thread(), false);
}

/* A reader that stands behind a waiting writer may not be let in by the balance that queueing up
 * brings: it comes after the writer in the queue, and the balance stops at the writer. */
static int rwlock_wait_for(pthread_rwlock_t *lock, enum mode mode, struct bine_hub *hub,
                           int64_t deadline)
{
    struct bine_lot_waiter waiter;
    unsigned flags = BINE_PARK_FIRM;
    bine_lot_waiter_init(&waiter, hub, lock);
    waiter.acquire = rwlock_acquire;
    waiter.item = mode;
    if (lock->__data.__shared)
        flags |= BINE_PARK_EXTERNAL;
    /* The readers are unknown, and so is whether the unlock will pass the lot. Only of a writer of
     * this thread it is certain. */
    if (!bine_lot_on_thread_of(&waiter, libc_writer(lock)))
        flags |= BINE_LOT_WATCH;
    if (bine_debug_locks)
        bine_debug_waits(hub->current, lock, writer_of(lock));
    int error = bine_lot_wait(&waiter, mode == WRITE ? "write lock" : "read lock", deadline, flags);
    if (error == 0)
        bine_tsan_taken(lock, mode == READ);
    return error == ETIME ? ETIMEDOUT : error;
}

static int lock_for_ever(pthread_rwlock_t *lock, enum mode mode)
{
    struct bine_hub *hub = bine_hub_here();
    int error = try_once(lock, mode, hub);
    if (error != EBUSY)
        return error;
    if (!hub)
        return mode == WRITE ? bine_libc.pthread_rwlock_wrlock(lock)
                             : bine_libc.pthread_rwlock_rdlock(lock);
    if (hub->no_park)
        return EDEADLK;
    return rwlock_wait_for(lock, mode, hub, INT64_MAX);
}

static int lock_until(pthread_rwlock_t *lock, enum mode mode, clockid_t clock,
                      const struct timespec *until)
{
    struct bine_hub *hub = bine_hub_here();
    int64_t deadline;
    if (!hub || hub->no_park)
        return mode == WRITE ? bine_libc.pthread_rwlock_clockwrlock(lock, clock, until)
                             : bine_libc.pthread_rwlock_clockrdlock(lock, clock, until);
    /* libc checks the time first here. */
    int error = bine_posix_deadline(hub, clock, until, &deadline);
    if (error)
        return error;
    error = try_once(lock, mode, hub);
    return error == EBUSY ? rwlock_wait_for(lock, mode, hub, deadline) : error;
}

int bine_pthread_rwlock_rdlock(pthread_rwlock_t *lock)
{
    return lock_for_ever(lock, READ);
}

int bine_pthread_rwlock_wrlock(pthread_rwlock_t *lock)
{
    return lock_for_ever(lock, WRITE);
}

int bine_pthread_rwlock_tryrdlock(pthread_rwlock_t *lock)
{
    int error = try_once(lock, READ, bine_hub_here());
    return error == EDEADLK ? EBUSY : error;
}

int bine_pthread_rwlock_trywrlock(pthread_rwlock_t *lock)
{
    int error = try_once(lock, WRITE, bine_hub_here());
    return error == EDEADLK ? EBUSY : error;
}

int bine_pthread_rwlock_clockrdlock(pthread_rwlock_t *lock, clockid_t clock,
                                    const struct timespec *until)
{
    return lock_until(lock, READ, clock, until);
}

int bine_pthread_rwlock_clockwrlock(pthread_rwlock_t *lock, clockid_t clock,
                                    const struct timespec *until)
{
    return lock_until(lock, WRITE, clock, until);
}

int bine_pthread_rwlock_timedrdlock(pthread_rwlock_t *lock, const struct timespec *until)
{
    return lock_until(lock, READ, CLOCK_REALTIME, until);
}

int bine_pthread_rwlock_timedwrlock(pthread_rwlock_t *lock, const struct timespec *until)
{
    return lock_until(lock, WRITE, CLOCK_REALTIME, until);
}

int bine_pthread_rwlock_unlock(pthread_rwlock_t *lock)
{
    pid_t writer = libc_writer(lock);
    if (writer && writer == bine_lot_thread())
        mark(lock, NULL);
    int error = bine_libc.pthread_rwlock_unlock(lock);
    if (__builtin_expect(bine_lot_waited(lock), 0))
        bine_lot_balance(lock);
    return error;
}

/* What libc keeps in the object, tried out. */
const char *bine_rwlock_surprise(void)
{
    pthread_rwlock_t lock, shared;
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&lock, &attributes);
    pthread_rwlockattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_rwlock_init(&shared, &attributes);
    pthread_rwlockattr_destroy(&attributes);
    bool known = lock.__data.__flags == PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP &&
                 !lock.__data.__shared && shared.__data.__shared && !writer_of(&lock);
    known = bine_libc.pthread_rwlock_trywrlock(&lock) == 0 &&
            libc_writer(&lock) == bine_lot_thread() && !writer_of(&lock) && known;
    bine_libc.pthread_rwlock_unlock(&lock);
    known = known && libc_writer(&lock) == 0;
    pthread_rwlock_destroy(&lock);
    pthread_rwlock_destroy(&shared);
    return known ? NULL : "the writer of a rwlock";
}
