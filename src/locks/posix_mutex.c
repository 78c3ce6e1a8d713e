/*
 * pthread_mutex for greenlets. See posix.h for the rules.
 *
 * Ordinary (normal and adaptive) mutexes need only libc's trylock, because the owner does not
 * matter. Where it does matter (recursive, error-checking) libc compares thread ids, and all
 * greenlets of a thread have the same. So two words of the object say which greenlet holds it and
 * how often, and libc's own count stays at one (hazard 1). The words are the links of the robust
 * list. libc leaves these alone in mutexes that are not robust, and initialises them to zero. So
 * robust mutexes that are recursive or error-checking know only threads.
 *
 * When a lock is granted to a greenlet of another thread, libc's owner field is set to that thread,
 * because unlock compares it. Robust, priority-inheriting and priority-protected mutexes tie the
 * lock to the locking thread in the kernel. So they are never taken on behalf of another thread:
 * the waiter is woken to try itself.
 */
#include "posix.h"

#include <errno.h>
#include <stdlib.h>

#include "libc/layout.h"
#include "libc/libc.h"
#include "parking_lot.h"
#include "posix_clock.h"
#include "posix_debug.h"
#include "posix_tsan.h"
#include "surprise.h"

bool bine_debug_locks;

__attribute__((constructor(102))) static void read_debug_setting(void)
{
    const char *setting = secure_getenv("BINE_DEBUG_LOCKS");
    bine_debug_locks = setting && *setting && *setting != '0';
}

/*
 * What libc keeps in the object. The kind is at a fixed place because static initialisers are
 * compiled into programs; these bits have not changed since 2005.
 */
enum {
    KIND_TYPE = 3, /* PTHREAD_MUTEX_RECURSIVE_NP 1, _ERRORCHECK_NP 2, normal 0, adaptive 3 */
    KIND_ROBUST = 16,
    KIND_PRIORITY = 32 | 64, /* inherit, protect */
    KIND_SHARED = 128,
};

static inline int mutex_kind_of(const pthread_mutex_t *mutex)
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

/* Does a greenlet that holds it leave its mark? */
static inline bool is_marked(int kind)
{
    return (counts_owner(kind) || bine_debug_locks) && !(kind & KIND_ROBUST);
}

_Static_assert(sizeof(((pthread_mutex_t *)0)->__data.__list) >= 2 * sizeof(void *),
               "two words of our own");

BINE_LAYOUT(mutex_rows) = {
    BINE_FIELD_AS("mutex", "lock", pthread_mutex_t, __data.__lock),
    BINE_FIELD_AS("mutex", "thread", pthread_mutex_t, __data.__owner),
    BINE_FIELD_AS("mutex", "kind", pthread_mutex_t, __data.__kind),
    BINE_FIELD_AS("mutex", "greenlet", pthread_mutex_t, __data.__list),
    BINE_ADDRESS("debug_locks", bine_debug_locks),
};

/* The holder of the lock sets and clears it. Any thread may compare it. */
static inline void **owner_word(pthread_mutex_t *mutex)
{
    return (void **)&mutex->__data.__list;
}

/* A mark on a mutex that is free is left over from code that is not patched, or not any more, and
 * released it. */
static inline const struct bine_greenlet *owner_of(pthread_mutex_t *mutex)
{
    const struct bine_greenlet *owner = __atomic_load_n(owner_word(mutex), __ATOMIC_RELAXED);
    return owner && __atomic_load_n(&mutex->__data.__lock, __ATOMIC_RELAXED) ? owner : NULL;
}

static inline void set_owner(pthread_mutex_t *mutex, struct bine_greenlet *g)
{
    __atomic_store_n(owner_word(mutex), g, __ATOMIC_RELAXED);
}

/* How often the owner holds a recursive mutex. The owner's own; atomic because the next one's first
 * count may be written by another thread. */
static inline atomic_uint *count_word(pthread_mutex_t *mutex)
{
    return (atomic_uint *)((void **)&mutex->__data.__list + 1);
}

static inline unsigned add_count(pthread_mutex_t *mutex, int change)
{
    unsigned count =
        atomic_load_explicit(count_word(mutex), memory_order_relaxed) + (unsigned)change;
    atomic_store_explicit(count_word(mutex), count, memory_order_relaxed);
    return count;
}

/* Take the mutex for greenlet g of thread `thread`. It may be another than the current greenlet
 * (on_behalf), even another thread's. */
static inline int try_for(pthread_mutex_t *mutex, int kind, struct bine_greenlet *g, pid_t thread,
                          bool on_behalf)
{
    bool marked = is_marked(kind), root = g->flags & BINE_G_ROOT;
    int type = kind & KIND_TYPE;
    if (marked) {
        const struct bine_greenlet *owner = owner_of(mutex);
        if (owner == g && type == PTHREAD_MUTEX_RECURSIVE) {
            if (atomic_load_explicit(count_word(mutex), memory_order_relaxed) == UINT32_MAX)
                return EAGAIN;
            add_count(mutex, 1);
            return 0;
        }
        /* Held by this thread without a mark: since before it had a hub, or before patching; so by
         * the root. */
        if (type == PTHREAD_MUTEX_ERRORCHECK &&
            (owner == g || (!owner && root && libc_owner(mutex) == thread)))
            return EDEADLK;
        if (owner)
            return EBUSY;
    }
    int error = on_behalf ? BINE_TAKE_FOR_ANOTHER(pthread_mutex_trylock, mutex)
                          : bine_libc.pthread_mutex_trylock(mutex);
    if (!marked || error)
        return error;
    if (type == PTHREAD_MUTEX_RECURSIVE && mutex->__data.__count > 1 && !root) {
        bine_libc.pthread_mutex_unlock(mutex);
        return EBUSY;
    }
    atomic_store_explicit(count_word(mutex), 1, memory_order_relaxed);
    set_owner(mutex, g);
    return 0;
}

/* libc's lock word: 0 free, 1 held, 2 held and unlock has to wake the futex (Drepper, "Futexes are
 * tricky"; lowlevellock.h). */
enum {
    HELD = 1,
    CONTENDED = 2
};

static void expect_wake(pthread_mutex_t *mutex)
{
    int held = HELD;
    __atomic_compare_exchange_n(&mutex->__data.__lock, &held, CONTENDED, false, __ATOMIC_RELAXED,
                                __ATOMIC_RELAXED);
}

static enum bine_lot_answer mutex_acquire(struct bine_lot_waiter *waiter)
{
    pthread_mutex_t *mutex = (pthread_mutex_t *)waiter->address;
    pid_t here = bine_lot_thread();
    if (is_tied(mutex_kind_of(mutex)) && here != waiter->thread)
        return __atomic_load_n(&mutex->__data.__lock, __ATOMIC_RELAXED) == 0 ? BINE_LOT_ASK
                                                                             : BINE_LOT_REFUSED;
    int error = try_for(mutex, mutex_kind_of(mutex), waiter->greenlet, waiter->thread, true);
    /* The lock has passed to another thread, whose unlock may not pass the lot. So the waiter must
     * begin to watch (wait_for). */
    if (error == EBUSY && !waiter->item && !bine_lot_on_thread_of(waiter, libc_owner(mutex)))
        return BINE_LOT_ASK;
    if (error == EBUSY)
        return BINE_LOT_REFUSED;
    if (error == 0 && here != waiter->thread)
        __atomic_store_n(&mutex->__data.__owner, waiter->thread, __ATOMIC_RELAXED);
    /* Threads may wait in libc, too, and rely on the unlock to wake them. */
    if (waiter->arm)
        expect_wake(mutex);
    waiter->result = error;
    return BINE_LOT_GRANTED;
}

static void arm(struct bine_lot_waiter *waiter, struct bine_lot_futex *futex)
{
    pthread_mutex_t *mutex = (pthread_mutex_t *)waiter->address;
    expect_wake(mutex);
    *futex = (struct bine_lot_futex){.word = &mutex->__data.__lock,
                                     .value = CONTENDED,
                                     .shared = mutex_kind_of(mutex) & KIND_SHARED};
}

static int mutex_wait_for(pthread_mutex_t *mutex, struct bine_hub *hub, int kind, int64_t deadline)
{
    struct bine_lot_waiter waiter;
    unsigned flags = BINE_PARK_FIRM;
    if (kind & KIND_SHARED)
        flags |= BINE_PARK_EXTERNAL | BINE_LOT_WATCH;
    for (;;) {
        bine_lot_waiter_init(&waiter, hub, mutex);
        waiter.acquire = mutex_acquire;
        /* Another thread holds it, which may run code that is not patched. Then its unlock does not
         * pass the lot. */
        if (!bine_lot_on_thread_of(&waiter, libc_owner(mutex)))
            flags |= BINE_LOT_WATCH;
        waiter.item = flags & BINE_LOT_WATCH;
        if ((flags & BINE_LOT_WATCH) && !is_tied(kind))
            waiter.arm = arm;
        if (bine_debug_locks && is_marked(kind))
            bine_debug_waits(hub->current, mutex, owner_of(mutex));
        int error = bine_lot_wait(&waiter, "mutex", deadline, flags);
        if (error == ETIME)
            return ETIMEDOUT;
        if (error == 0 || error == EOWNERDEAD)
            bine_tsan_taken(mutex, false);
        if (error != EAGAIN)
            return error;
        error = try_for(mutex, kind, hub->current, bine_lot_thread(), false);
        if (error != EBUSY)
            return error;
        flags |= BINE_LOT_FIRST;
    }
}

/* A callback between two greenlets cannot park. If a greenlet of this very thread holds the mutex,
 * waiting would be for ever. */
static int lock_in_callback(pthread_mutex_t *mutex)
{
    struct bine_lot_waiter here = {.hub = bine_hub_here(), .thread = bine_lot_thread()};
    return bine_lot_on_thread_of(&here, libc_owner(mutex)) ? EDEADLK
                                                           : bine_libc.pthread_mutex_lock(mutex);
}

static __attribute__((noinline)) int lock_slowly(pthread_mutex_t *mutex, int kind)
{
    struct bine_hub *hub = bine_hub_here();
    if (!hub)
        return bine_libc.pthread_mutex_lock(mutex);
    int error = try_for(mutex, kind, hub->current, bine_lot_thread(), false);
    if (error != EBUSY)
        return error;
    if (hub->no_park)
        return lock_in_callback(mutex);
    return mutex_wait_for(mutex, hub, kind, INT64_MAX);
}

int bine_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    int kind = mutex_kind_of(mutex);
    if (__builtin_expect(is_plain(kind) && !bine_debug_locks, 1)) {
        int error = bine_libc.pthread_mutex_trylock(mutex);
        if (__builtin_expect(error != EBUSY, 1))
            return error;
    }
    return lock_slowly(mutex, kind);
}

int bine_pthread_mutex_trylock(pthread_mutex_t *mutex)
{
    int kind = mutex_kind_of(mutex);
    struct bine_hub *hub;
    if ((is_plain(kind) && !bine_debug_locks) || !(hub = bine_hub_here()))
        return bine_libc.pthread_mutex_trylock(mutex);
    int error = try_for(mutex, kind, hub->current, bine_lot_thread(), false);
    return error == EDEADLK ? EBUSY : error;
}

int bine_pthread_mutex_clocklock(pthread_mutex_t *mutex, clockid_t clock,
                                 const struct timespec *until)
{
    int kind = mutex_kind_of(mutex);
    int64_t deadline;
    struct bine_hub *hub = bine_hub_here();
    if (!hub || hub->no_park)
        return bine_libc.pthread_mutex_clocklock(mutex, clock, until);
    if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC)
        return EINVAL;
    int error = try_for(mutex, kind, hub->current, bine_lot_thread(), false);
    if (error != EBUSY)
        return error;
    /* libc looks at the time only when it has to wait. */
    error = bine_posix_deadline(hub, clock, until, &deadline);
    return error ? error : mutex_wait_for(mutex, hub, kind, deadline);
}

int bine_pthread_mutex_timedlock(pthread_mutex_t *mutex, const struct timespec *until)
{
    return bine_pthread_mutex_clocklock(mutex, CLOCK_REALTIME, until);
}

static int unlock_marked(pthread_mutex_t *mutex, struct bine_hub *hub, int kind)
{
    const struct bine_greenlet *owner = owner_of(mutex);
    /* Greenlets always leave a mark; only the root may hold it without, from before it had a
     * hub. */
    bool owns = owner ? owner == hub->current : hub->current->flags & BINE_G_ROOT;
    if (!owns && counts_owner(kind))
        return EPERM;
    if (owner && counts_owner(kind) && add_count(mutex, -1) > 0)
        return 0;
    if (owner)
        set_owner(mutex, NULL);
    return bine_libc.pthread_mutex_unlock(mutex);
}

int bine_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    int kind = mutex_kind_of(mutex);
    struct bine_hub *hub;
    int error;
    if (__builtin_expect(is_marked(kind), 0) && (hub = bine_hub_here()))
        error = unlock_marked(mutex, hub, kind);
    else
        error = bine_libc.pthread_mutex_unlock(mutex);
    /* Another thread may own the mutex by now, or it may be freed. Only its address is looked
     * at. */
    if (__builtin_expect(bine_lot_waited(mutex), 0))
        bine_lot_balance(mutex);
    return error;
}

/* ---- what libc keeps in the object, tried out ------------------------------------------------ */

/* A mutex of these attributes has this kind, and leaves our two words alone. */
static bool has_kind(int type, int robust, int protocol, int shared, int wanted)
{
    pthread_mutexattr_t attributes;
    pthread_mutex_t mutex;
    bool right = true;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, type);
    pthread_mutexattr_setrobust(&attributes, robust);
    pthread_mutexattr_setprotocol(&attributes, protocol);
    pthread_mutexattr_setpshared(&attributes, shared);
    /* Not every kernel has locks that inherit priorities. */
    if (pthread_mutex_init(&mutex, &attributes) == 0) {
        /* A robust one counts as shared, too. */
        int known = KIND_TYPE | KIND_ROBUST | KIND_PRIORITY | (robust ? 0 : KIND_SHARED);
        right = (mutex_kind_of(&mutex) & known) == wanted &&
                (robust || (!*owner_word(&mutex) && !*count_word(&mutex)));
        pthread_mutex_destroy(&mutex);
    }
    pthread_mutexattr_destroy(&attributes);
    return right;
}

static bool kinds_are_known(void)
{
    enum {
        STALLED = PTHREAD_MUTEX_STALLED,
        ROBUST = PTHREAD_MUTEX_ROBUST,
        PRIVATE = PTHREAD_PROCESS_PRIVATE
    };
    return has_kind(PTHREAD_MUTEX_NORMAL, STALLED, PTHREAD_PRIO_NONE, PRIVATE,
                    PTHREAD_MUTEX_NORMAL) &&
           has_kind(PTHREAD_MUTEX_RECURSIVE, STALLED, PTHREAD_PRIO_NONE, PRIVATE,
                    PTHREAD_MUTEX_RECURSIVE) &&
           has_kind(PTHREAD_MUTEX_ERRORCHECK, STALLED, PTHREAD_PRIO_NONE, PRIVATE,
                    PTHREAD_MUTEX_ERRORCHECK) &&
           has_kind(PTHREAD_MUTEX_NORMAL, ROBUST, PTHREAD_PRIO_NONE, PRIVATE, KIND_ROBUST) &&
           has_kind(PTHREAD_MUTEX_NORMAL, STALLED, PTHREAD_PRIO_INHERIT, PRIVATE, 32) &&
           has_kind(PTHREAD_MUTEX_NORMAL, STALLED, PTHREAD_PRIO_PROTECT, PRIVATE, 64) &&
           has_kind(PTHREAD_MUTEX_NORMAL, STALLED, PTHREAD_PRIO_NONE, PTHREAD_PROCESS_SHARED,
                    KIND_SHARED);
}

static bool is_held(pthread_mutex_t *mutex, int word, int owner, unsigned count)
{
    return mutex->__data.__lock == word && libc_owner(mutex) == owner &&
           mutex->__data.__count == count && !*owner_word(mutex) && !*count_word(mutex);
}

const char *bine_mutex_surprise(void)
{
    pthread_mutex_t mutex = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
    if (!kinds_are_known())
        return "the kind of a mutex";
    bool known = bine_libc.pthread_mutex_trylock(&mutex) == 0 &&
                 is_held(&mutex, HELD, bine_lot_thread(), 1) &&
                 bine_libc.pthread_mutex_trylock(&mutex) == 0 &&
                 is_held(&mutex, HELD, bine_lot_thread(), 2);
    bine_libc.pthread_mutex_unlock(&mutex);
    bine_libc.pthread_mutex_unlock(&mutex);
    return known && is_held(&mutex, 0, 0, 0) ? NULL : "the owner of a mutex";
}
