/*
 * pthread_mutex for greenlets. See posix.h for the rules.
 *
 * Ordinary (normal and adaptive) mutexes need nothing but libc's trylock: the owner does not matter. Where it does matter
 * (recursive, error-checking) libc compares thread ids, and all greenlets of a thread have the same: a record in the
 * parking lot says which greenlet holds the mutex and how often; libc's own count stays at one (hazard 1).
 *
 * When a lock is granted to a greenlet of another thread, libc's owner field is set to that thread: unlock compares
 * it. Robust, priority-inheriting and priority-protected mutexes tie the lock to the locking thread in the kernel, so
 * they are never taken on behalf of another thread: the waiter is woken to try itself.
 */
#include "posix.h"

#include <errno.h>
#include <stdlib.h>

#include "../core/libc.h"
#include "parking_lot.h"
#include "posix_clock.h"
#include "posix_debug.h"

bool bine_debug_locks;

__attribute__((constructor(102))) static void read_debug_setting(void)
{
    const char *setting = getenv("BINE_DEBUG_LOCKS");
    bine_debug_locks = setting && *setting && *setting != '0';
}

/*
 * What libc keeps in the object. The kind is at a fixed place because static initialisers are compiled into
 * programs; these bits have not changed since 2005.
 */
enum {
    KIND_TYPE = 3, /* PTHREAD_MUTEX_RECURSIVE_NP 1, _ERRORCHECK_NP 2, normal 0, adaptive 3 */
    KIND_ROBUST = 16,
    KIND_PRIORITY = 32 | 64, /* inherit, protect */
    KIND_SHARED = 128,
};

static inline int kind_of(const pthread_mutex_t *mutex)
{
    return __atomic_load_n(&mutex->__data.__kind, __ATOMIC_RELAXED);
}

/* The owner does not matter and nothing ties the lock to a thread. */
static inline bool is_plain(int kind)
{
    int type = kind & (KIND_TYPE | KIND_ROBUST | KIND_PRIORITY);
    return type == PTHREAD_MUTEX_NORMAL || type == PTHREAD_MUTEX_ADAPTIVE_NP;
}

static inline bool counts_owner(int kind)
{
    int type = kind & KIND_TYPE;
    return type == PTHREAD_MUTEX_RECURSIVE || type == PTHREAD_MUTEX_ERRORCHECK;
}

static inline bool is_tied(int kind)
{
    return kind & (KIND_ROBUST | KIND_PRIORITY);
}

static inline int libc_owner(const pthread_mutex_t *mutex)
{
    return __atomic_load_n(&mutex->__data.__owner, __ATOMIC_RELAXED);
}

/* The bucket is locked. Take the mutex for greenlet g of thread `thread`, which may not be ours. */
static int try_for(struct bine_lot_bucket *bucket, pthread_mutex_t *mutex, struct bine_greenlet *g, pid_t thread)
{
    int kind = kind_of(mutex);
    bool recorded = counts_owner(kind) || bine_debug_locks;
    if (recorded) {
        struct bine_lot_record *record = bine_lot_find(bucket, mutex, BINE_RECORD_MUTEX);
        if (record && !counts_owner(kind) && __atomic_load_n(&mutex->__data.__lock, __ATOMIC_RELAXED) == 0) {
            /* Debugging only: somebody released it by other ways than ours. */
            bine_lot_remove(bucket, record);
            record = NULL;
        }
        if (record) {
            if (record->owner != g || !counts_owner(kind))
                return EBUSY;
            if ((kind & KIND_TYPE) == PTHREAD_MUTEX_ERRORCHECK)
                return EDEADLK;
            if (record->count == UINT32_MAX)
                return EAGAIN;
            record->count++;
            return 0;
        }
    }
    bool root = g->flags & BINE_G_ROOT;
    /* Held by this thread without a record: locked before it had a hub or before patching, so by the root. */
    if ((kind & KIND_TYPE) == PTHREAD_MUTEX_ERRORCHECK && root && libc_owner(mutex) == thread)
        return EDEADLK;
    int error = bine_libc.pthread_mutex_trylock(mutex);
    if (error == EDEADLK && !root)
        return EBUSY;
    if (error != 0 && error != EOWNERDEAD)
        return error;
    if ((kind & KIND_TYPE) == PTHREAD_MUTEX_RECURSIVE && mutex->__data.__count > 1 && !root) {
        bine_libc.pthread_mutex_unlock(mutex);
        return EBUSY;
    }
    if (recorded) {
        struct bine_lot_record *record = bine_lot_add(bucket, mutex, BINE_RECORD_MUTEX);
        if (!record) {
            bine_libc.pthread_mutex_unlock(mutex);
            return EAGAIN;
        }
        record->owner = g;
        record->count = 1;
    }
    return error;
}

static enum bine_lot_answer acquire(struct bine_lot_waiter *waiter)
{
    pthread_mutex_t *mutex = (pthread_mutex_t *)waiter->address;
    pid_t here = bine_lot_thread();
    if (is_tied(kind_of(mutex)) && here != waiter->thread)
        return __atomic_load_n(&mutex->__data.__lock, __ATOMIC_RELAXED) == 0 ? BINE_LOT_ASK : BINE_LOT_REFUSED;
    int error = try_for(bine_lot_bucket_of(mutex), mutex, waiter->greenlet, waiter->thread);
    /* It has passed to another thread, whose unlock we may not see: the waiter must begin to watch (wait_for). */
    if (error == EBUSY && !waiter->item && libc_owner(mutex) != waiter->thread)
        return BINE_LOT_ASK;
    if (error == EBUSY)
        return BINE_LOT_REFUSED;
    if (error == 0 && here != waiter->thread)
        __atomic_store_n(&mutex->__data.__owner, waiter->thread, __ATOMIC_RELAXED);
    waiter->result = error;
    return BINE_LOT_GRANTED;
}

static int try_once(pthread_mutex_t *mutex, struct bine_hub *hub, int kind)
{
    if (is_plain(kind) && !bine_debug_locks)
        return bine_libc.pthread_mutex_trylock(mutex);
    struct bine_lot_bucket *bucket = bine_lot_lock(mutex);
    int error = try_for(bucket, mutex, hub->current, bine_lot_thread());
    bine_lot_unlock(bucket);
    return error;
}

static int wait_for(pthread_mutex_t *mutex, struct bine_hub *hub, int kind, int64_t deadline)
{
    struct bine_lot_waiter waiter;
    unsigned flags = BINE_PARK_FIRM;
    if (kind & KIND_SHARED)
        flags |= BINE_PARK_EXTERNAL | BINE_LOT_WATCH;
    for (;;) {
        bine_lot_waiter_init(&waiter, hub, mutex);
        waiter.acquire = acquire;
        /* Held by another thread, which may run code that is not patched, and then nobody would tell us. */
        if (libc_owner(mutex) != waiter.thread)
            flags |= BINE_LOT_WATCH;
        waiter.item = flags & BINE_LOT_WATCH;
        if (bine_debug_locks)
            bine_debug_waits(hub->current, mutex);
        int error = bine_lot_wait(&waiter, "mutex", deadline, flags);
        if (error == ETIME)
            return ETIMEDOUT;
        if (error != EAGAIN)
            return error;
        error = try_once(mutex, hub, kind);
        if (error != EBUSY)
            return error;
        flags |= BINE_LOT_FIRST;
    }
}

/* A callback between two greenlets cannot park. If a greenlet of this very thread holds the mutex, waiting would be for ever. */
static int lock_in_callback(pthread_mutex_t *mutex)
{
    return libc_owner(mutex) == bine_lot_thread() ? EDEADLK : bine_libc.pthread_mutex_lock(mutex);
}

static __attribute__((noinline)) int lock_slowly(pthread_mutex_t *mutex, int kind)
{
    struct bine_hub *hub = bine_hub_here();
    if (!hub)
        return bine_libc.pthread_mutex_lock(mutex);
    int error = try_once(mutex, hub, kind);
    if (error != EBUSY)
        return error;
    if (hub->no_park)
        return lock_in_callback(mutex);
    return wait_for(mutex, hub, kind, INT64_MAX);
}

int bine_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    int kind = kind_of(mutex);
    if (__builtin_expect(is_plain(kind) && !bine_debug_locks, 1)) {
        int error = bine_libc.pthread_mutex_trylock(mutex);
        if (__builtin_expect(error != EBUSY, 1))
            return error;
    }
    return lock_slowly(mutex, kind);
}

int bine_pthread_mutex_trylock(pthread_mutex_t *mutex)
{
    int kind = kind_of(mutex);
    struct bine_hub *hub;
    if ((is_plain(kind) && !bine_debug_locks) || !(hub = bine_hub_here()))
        return bine_libc.pthread_mutex_trylock(mutex);
    int error = try_once(mutex, hub, kind);
    return error == EDEADLK ? EBUSY : error;
}

int bine_pthread_mutex_clocklock(pthread_mutex_t *mutex, clockid_t clock, const struct timespec *until)
{
    int kind = kind_of(mutex);
    int64_t deadline;
    struct bine_hub *hub = bine_hub_here();
    if (!hub || hub->no_park)
        return bine_libc.pthread_mutex_clocklock(mutex, clock, until);
    if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC)
        return EINVAL;
    int error = try_once(mutex, hub, kind);
    if (error != EBUSY)
        return error;
    /* libc looks at the time only when it has to wait. */
    error = bine_posix_deadline(hub, clock, until, &deadline);
    return error ? error : wait_for(mutex, hub, kind, deadline);
}

int bine_pthread_mutex_timedlock(pthread_mutex_t *mutex, const struct timespec *until)
{
    return bine_pthread_mutex_clocklock(mutex, CLOCK_REALTIME, until);
}

static int unlock_recorded(pthread_mutex_t *mutex, struct bine_hub *hub, int kind)
{
    struct bine_lot_bucket *bucket = bine_lot_lock(mutex);
    struct bine_lot_record *record = bine_lot_find(bucket, mutex, BINE_RECORD_MUTEX);
    int error = 0;
    /* Greenlets always leave a record; only the root may hold it without, from before it had a hub. */
    bool owns = record ? record->owner == hub->current : hub->current->flags & BINE_G_ROOT;
    if (counts_owner(kind) && !owns) {
        error = EPERM;
    } else if (record && --record->count > 0) {
        bine_lot_unlock(bucket);
        return 0;
    } else {
        if (record)
            bine_lot_remove(bucket, record);
        error = bine_libc.pthread_mutex_unlock(mutex);
    }
    bine_lot_unlock(bucket);
    if (error == 0)
        bine_lot_balance(mutex);
    return error;
}

int bine_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    int kind = kind_of(mutex);
    if (__builtin_expect(counts_owner(kind) || bine_debug_locks, 0)) {
        struct bine_hub *hub = bine_hub_here();
        if (hub)
            return unlock_recorded(mutex, hub, kind);
    }
    /* From here on the mutex may be somebody else's, or freed: only its address is looked at. */
    int error = bine_libc.pthread_mutex_unlock(mutex);
    if (__builtin_expect(bine_lot_waited(mutex), 0))
        bine_lot_balance(mutex);
    return error;
}
