/*
 * The parking lot's queues. See parking_lot.h.
 *
 * How a waiter ends, and why its record may lie on its stack: exactly one waker takes it off the
 * queue, under the bucket's lock (QUEUED to LEAVING). A waker on the waiter's own hub unparks it at
 * once. Any other waker sends a message that lies in the record, and the waiter does not return
 * before that message has been delivered (DONE).
 */
#include "parking_lot.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/hub/own.h"
#include "core/schedule/signalled.h"
#include "futex_watch.h"
#include "libc/carrier.h"
#include "libc/container_of.h"
#include "libc/libc.h"
#include "libc/spin.h"
#include "lot_records.h"

struct bine_lot_bucket bine_lot_buckets[1 << BINE_LOT_BUCKET_BITS];

enum {
    BUCKETS = 1 << BINE_LOT_BUCKET_BITS,
    SPINS_OF_HANDLER = 100000,
};

/* ---- the running thread and greenlet --------------------------------------------------------- */

/* Not inlined anywhere: the address of a thread-local may not be kept across a switch. Greenlets
 * stay on their thread, but a fork renames it. */
__attribute__((noinline)) pid_t bine_lot_thread(void)
{
    if (!bine_thread_number)
        bine_thread_number = (pid_t)bine_libc.syscall(SYS_gettid);
    return bine_thread_number;
}

bool bine_lot_on_thread_of(const struct bine_lot_waiter *waiter, pid_t thread)
{
    if (thread == waiter->thread)
        return true;
    const struct bine_hub *hub = waiter->hub;
    return hub && hub->owns && (thread >= BINE_OWN_FIRST_ID || thread == hub->tid);
}

const void *bine_lot_self(void)
{
    struct bine_hub *hub = bine_hub_here();
    if (hub)
        return hub->current;
    return (const void *)bine_libc.pthread_self();
}

/*
 * The hub's queues may not be touched from a signal handler that interrupted them. Handlers run on
 * the alternate signal stack (the patched sigaction sees to it): off the greenlet's own. Where the
 * root's stack lies only the kernel knows.
 */
static __attribute__((noinline)) bool in_signal_handler(const struct bine_greenlet *g)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    const struct bine_own *own = bine_own_of(g);
    if (own)
        return here - (uintptr_t)own->bottom >= own->size;
    if (g->stack)
        return here - (uintptr_t)bine_stack_bottom(g->stack) >= bine_stack_size(g->stack);
    stack_t stack;
    return sigaltstack(NULL, &stack) == 0 && (stack.ss_flags & SS_ONSTACK);
}

/* ---- bucket locks ---------------------------------------------------------------------------- */

static bool try_lock(struct bine_lot_bucket *bucket)
{
    return atomic_load_explicit(&bucket->lock, memory_order_relaxed) == 0 &&
           atomic_exchange(&bucket->lock, 1) == 0;
}

static void lock_bucket(struct bine_lot_bucket *bucket)
{
    for (unsigned rounds = 0; !try_lock(bucket);)
        bine_spin_pause(&rounds);
}

static void balance_bucket(struct bine_lot_bucket *bucket, const void *address);

static void unlock_bucket(struct bine_lot_bucket *bucket)
{
    atomic_store(&bucket->lock, 0);
    /* A signal handler or another thread wanted in: do what it came for. */
    while (__builtin_expect(atomic_load(&bucket->again), 0) && try_lock(bucket)) {
        if (atomic_exchange(&bucket->again, false))
            balance_bucket(bucket, NULL);
        else
            atomic_store(&bucket->lock, 0);
    }
}

struct bine_lot_bucket *bine_lot_lock(const void *address)
{
    struct bine_lot_bucket *bucket = bine_lot_bucket_of(address);
    lock_bucket(bucket);
    return bucket;
}

void bine_lot_unlock(struct bine_lot_bucket *bucket)
{
    unlock_bucket(bucket);
}

/* ---- the queue; all with the bucket's lock held ---------------------------------------------- */

static void link_waiter(struct bine_lot_bucket *bucket, struct bine_lot_waiter *waiter, bool first)
{
    struct bine_lot_waiter *before = first ? NULL : bucket->last;
    struct bine_lot_waiter *after = first ? bucket->first : NULL;
    waiter->previous = before;
    waiter->next = after;
    if (before)
        before->next = waiter;
    else
        bucket->first = waiter;
    if (after)
        after->previous = waiter;
    else
        bucket->last = waiter;
    atomic_fetch_add(&bucket->waiters, 1);
}

static void unlink_waiter(struct bine_lot_bucket *bucket, struct bine_lot_waiter *waiter)
{
    if (waiter->previous)
        waiter->previous->next = waiter->next;
    else
        bucket->first = waiter->next;
    if (waiter->next)
        waiter->next->previous = waiter->previous;
    else
        bucket->last = waiter->previous;
    atomic_fetch_sub(&bucket->waiters, 1);
}

/* ---- waking ---------------------------------------------------------------------------------- */

static void lot_deliver(struct bine_message *message)
{
    struct bine_lot_waiter *waiter = BINE_CONTAINER_OF(message, struct bine_lot_waiter, message);
    struct bine_greenlet *g = waiter->greenlet;
    atomic_store_explicit(&waiter->state, BINE_LOT_DONE, memory_order_relaxed);
    bine_unpark(g);
}

static void wake_thread(struct bine_lot_waiter *waiter)
{
    atomic_uint *word = &waiter->state;
    atomic_store(word, BINE_LOT_DONE);
    /* The record may be gone already. Then this wakes no thread, or one without reason, which every
     * user of futexes tolerates. */
    int saved_errno = errno;
    bine_libc.syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, INT_MAX);
    errno = saved_errno;
}

/*
 * Off the queue. Waiters of other hubs are told here, under the lock, so that a hub that ends while
 * it has waiters cannot go away in between (forget_hub takes the lock); those of our own hub gather
 * in *local.
 */
static void take_out(struct bine_lot_bucket *bucket, struct bine_lot_waiter *waiter,
                     struct bine_hub *here, struct bine_lot_waiter **local)
{
    unlink_waiter(bucket, waiter);
    atomic_store(&waiter->state, BINE_LOT_LEAVING);
    if (!waiter->greenlet) {
        wake_thread(waiter);
    } else if (waiter->hub == here) {
        waiter->next = *local;
        *local = waiter;
    } else {
        waiter->message = (struct bine_message){NULL, lot_deliver, NULL};
        bine_hub_send(waiter->hub, &waiter->message);
    }
}

static void wake_local(struct bine_lot_waiter *local)
{
    struct bine_lot_waiter *ordered = NULL;
    while (local) {
        struct bine_lot_waiter *next = local->next;
        local->next = ordered;
        ordered = local;
        local = next;
    }
    while (ordered) {
        struct bine_lot_waiter *waiter = ordered;
        ordered = waiter->next;
        atomic_store_explicit(&waiter->state, BINE_LOT_DONE, memory_order_relaxed);
        bine_unpark(waiter->greenlet);
    }
}

/* The hub whose greenlets may be woken directly: none from within a signal handler. */
static struct bine_hub *wakeable_hub(void)
{
    struct bine_hub *hub = bine_hub_here();
    return hub && !in_signal_handler(hub->current) ? hub : NULL;
}

/* Called with the bucket locked, returns with it unlocked. address NULL: all in the bucket. */
static void balance_bucket(struct bine_lot_bucket *bucket, const void *address)
{
    struct bine_lot_waiter *local = NULL, *next;
    struct bine_hub *here = bucket->first ? wakeable_hub() : NULL;
    const void *refused = NULL;
    for (struct bine_lot_waiter *waiter = bucket->first; waiter; waiter = next) {
        next = waiter->next;
        if (!waiter->acquire || waiter->address == refused ||
            (address && waiter->address != address))
            continue;
        enum bine_lot_answer answer = waiter->acquire(waiter);
        if (answer == BINE_LOT_REFUSED) {
            if (address)
                break;
            refused = waiter->address;
            continue;
        }
        if (answer == BINE_LOT_ASK)
            waiter->result = EAGAIN;
        take_out(bucket, waiter, here, &local);
        if (answer == BINE_LOT_ASK && address)
            break;
    }
    atomic_store(&bucket->lock, 0);
    wake_local(local);
}

void bine_lot_balance(const void *address)
{
    struct bine_lot_bucket *bucket = bine_lot_bucket_of(address);
    if (!try_lock(bucket)) {
        /* The holder may be the very thread that this signal handler interrupted: leave it a note
         * instead of spinning, and try again in case it has left without seeing it. */
        atomic_store(&bucket->again, true);
        if (!try_lock(bucket))
            return;
    }
    atomic_exchange(&bucket->again, false) ? balance_bucket(bucket, NULL)
                                           : balance_bucket(bucket, address);
    if (atomic_load(&bucket->again)) {
        lock_bucket(bucket);
        unlock_bucket(bucket);
    }
}

/* Called with the bucket locked, returns with it unlocked. bits 0: all waiters. */
static size_t wake_some(struct bine_lot_bucket *bucket, const void *address, size_t count,
                        uint32_t bits)
{
    struct bine_hub *here = wakeable_hub();
    struct bine_lot_waiter *local = NULL, *next;
    size_t woken = 0;
    for (struct bine_lot_waiter *waiter = bucket->first; waiter && woken < count; waiter = next) {
        next = waiter->next;
        if (waiter->address != address || (bits && !(waiter->bits & bits)))
            continue;
        take_out(bucket, waiter, here, &local);
        woken++;
    }
    unlock_bucket(bucket);
    wake_local(local);
    return woken;
}

size_t bine_lot_wake(const void *address, size_t count)
{
    return wake_some(bine_lot_lock(address), address, count, 0);
}

size_t bine_lot_wake_bits(const void *address, size_t count, uint32_t bits)
{
    struct bine_lot_bucket *bucket = bine_lot_bucket_of(address);
    /* A holder that this signal handler interrupted never lets go: after a while it is left a
     * note. */
    for (unsigned spins = 0; !try_lock(bucket); spins++) {
        if (spins < SPINS_OF_HANDLER)
            continue;
        atomic_store(&bucket->again, true);
        if (!try_lock(bucket))
            return 0;
        break;
    }
    return wake_some(bucket, address, count, bits);
}

bool bine_lot_queued(const void *address, bool (*matches)(const struct bine_lot_waiter *waiter))
{
    if (!bine_lot_waited(address))
        return false;
    struct bine_lot_bucket *bucket = bine_lot_lock(address);
    bool found = false;
    for (struct bine_lot_waiter *waiter = bucket->first; waiter && !found; waiter = waiter->next)
        found = waiter->address == address && (!matches || matches(waiter));
    unlock_bucket(bucket);
    return found;
}

/* ---- waiting --------------------------------------------------------------------------------- */

void bine_lot_waiter_init(struct bine_lot_waiter *waiter, struct bine_hub *hub, const void *address)
{
    waiter->address = address;
    waiter->hub = hub;
    waiter->greenlet = hub ? hub->current : NULL;
    waiter->thread = bine_lot_thread();
    waiter->acquire = NULL;
    waiter->arm = NULL;
    waiter->item = 0;
    waiter->bits = 0;
    waiter->result = 0;
    atomic_init(&waiter->state, BINE_LOT_QUEUED);
}

void bine_lot_enqueue(struct bine_lot_waiter *waiter, unsigned flags)
{
    struct bine_lot_bucket *bucket = bine_lot_lock(waiter->address);
    link_waiter(bucket, waiter, flags & BINE_LOT_FIRST);
    unlock_bucket(bucket);
}

void bine_lot_enqueue_locked(struct bine_lot_bucket *bucket, struct bine_lot_waiter *waiter,
                             unsigned flags)
{
    link_waiter(bucket, waiter, flags & BINE_LOT_FIRST);
}

bool bine_lot_leave(struct bine_lot_waiter *waiter)
{
    struct bine_lot_bucket *bucket = bine_lot_lock(waiter->address);
    bool queued = atomic_load_explicit(&waiter->state, memory_order_relaxed) == BINE_LOT_QUEUED;
    if (queued)
        unlink_waiter(bucket, waiter);
    unlock_bucket(bucket);
    return queued;
}

static int await_as_thread(struct bine_lot_waiter *waiter)
{
    unsigned state;
    while ((state = atomic_load(&waiter->state)) != BINE_LOT_DONE)
        bine_libc.syscall(SYS_futex, &waiter->state, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, state, NULL);
    return waiter->result;
}

bool bine_lot_arm(const void *address, struct bine_lot_futex *futex)
{
    struct bine_lot_bucket *bucket = bine_lot_lock(address);
    struct bine_lot_waiter *waiter = bucket->first;
    while (waiter && (waiter->address != address || !waiter->arm))
        waiter = waiter->next;
    /* As long as the waiter is queued, the object exists. */
    if (waiter)
        waiter->arm(waiter, futex);
    unlock_bucket(bucket);
    return waiter != NULL;
}

static bool is_first(const struct bine_lot_waiter *waiter)
{
    struct bine_lot_bucket *bucket = bine_lot_lock(waiter->address);
    const struct bine_lot_waiter *first = bucket->first;
    while (first && first->address != waiter->address)
        first = first->next;
    unlock_bucket(bucket);
    return first == waiter;
}

enum {
    SOON = 4 /* looks before a wait counts as long */
};

/*
 * How long until the next look. Most releases are told to us, and soon: so the futex is watched
 * only in waits that have become long, and then looking is but a safety net. Without a futex the
 * first in the queue looks every 10 ms; the others only guard against having become first.
 */
static int64_t next_look(const struct bine_lot_waiter *waiter, unsigned looks, bool *watched)
{
    if (looks < SOON)
        return (100 * BINE_US) << looks;
    if (looks == SOON && waiter->arm)
        *watched = bine_futex_watch(waiter->address);
    if (*watched)
        return 500 * BINE_MS;
    /* Words that are shared in name only (libstdc++ says so of each) may be many. */
    if (waiter->bits)
        return looks < SOON + 7 ? (10 * BINE_MS) << (looks - SOON) : BINE_SECOND;
    return is_first(waiter) ? 10 * BINE_MS : 50 * BINE_MS;
}

int bine_lot_await(struct bine_lot_waiter *waiter, const char *verb, int64_t deadline,
                   unsigned flags)
{
    struct bine_hub *hub = waiter->hub;
    if (!hub)
        return await_as_thread(waiter);
    unsigned park_flags = flags & 0xffffu;
    bool watched = false;
    bine_signal_mark signals = bine_signals_now(hub);
    int error = 0;
    for (unsigned looks = 0; atomic_load(&waiter->state) == BINE_LOT_QUEUED; looks++) {
        int64_t until = deadline;
        if (flags & BINE_LOT_WATCH) {
            until = bine_hub_deadline(hub, next_look(waiter, looks, &watched));
            if (until > deadline)
                until = deadline;
        }
        error = bine_park(hub, verb, (uintptr_t)waiter->address, until, park_flags);
        if (atomic_load(&waiter->state) != BINE_LOT_QUEUED)
            break;
        if (error == 0)
            continue;
        if (error == ETIME && until < deadline) {
            bine_lot_balance(waiter->address);
            if (!bine_signals_since(hub, signals, park_flags))
                continue;
            error = EINTR;
        }
        if (bine_lot_leave(waiter)) {
            waiter->result = error;
            atomic_store_explicit(&waiter->state, BINE_LOT_DONE, memory_order_relaxed);
        }
        break;
    }
    /* If granted, the record is the waker's until its message has arrived. */
    while (atomic_load(&waiter->state) != BINE_LOT_DONE)
        bine_park(hub, verb, (uintptr_t)waiter->address, INT64_MAX,
                  BINE_PARK_FIRM | BINE_PARK_EXTERNAL);
    if (watched)
        bine_futex_unwatch(waiter->address);
    return waiter->result;
}

int bine_lot_wait(struct bine_lot_waiter *waiter, const char *verb, int64_t deadline,
                  unsigned flags)
{
    bine_lot_enqueue(waiter, flags);
    /* It may have been released before we were seen in the queue. */
    if (waiter->acquire)
        bine_lot_balance(waiter->address);
    return bine_lot_await(waiter, verb, deadline, flags);
}

/* ---- the ends of hubs, and fork -------------------------------------------------------------- */

/* The hub's thread ends and takes the stacks of its greenlets with it. */
static void forget_hub(struct bine_hub *hub)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        struct bine_lot_bucket *bucket = &bine_lot_buckets[i];
        struct bine_lot_waiter *next;
        if (atomic_load(&bucket->waiters) == 0)
            continue;
        lock_bucket(bucket);
        for (struct bine_lot_waiter *waiter = bucket->first; waiter; waiter = next) {
            next = waiter->next;
            if (waiter->hub == hub)
                unlink_waiter(bucket, waiter);
        }
        unlock_bucket(bucket);
    }
}

static void lot_before_fork(void)
{
    for (size_t i = 0; i < BUCKETS; i++)
        lock_bucket(&bine_lot_buckets[i]);
    bine_lot_lock_records();
    bine_futex_before_fork();
}

/* Threads that released something meanwhile left a note in its bucket. */
static void unlock_all(void)
{
    bine_lot_unlock_records();
    for (size_t i = 0; i < BUCKETS; i++)
        unlock_bucket(&bine_lot_buckets[i]);
}

static void lot_after_fork_in_parent(void)
{
    bine_futex_after_fork(false);
    unlock_all();
}

/* Initialisers and barriers of greenlets that are gone will not come to an end. libc restarts the
 * initialisers in the child; the C++ runtime is told that those of statics have failed, so that the
 * child runs them again. Without the locks, for it may call what is patched. */
static void lot_abandon(struct bine_lot_record *gone)
{
    while (gone) {
        struct bine_lot_record *next = gone->next;
        if (gone->kind == BINE_RECORD_GUARD && bine_libc.__cxa_guard_abort)
            bine_libc.__cxa_guard_abort((void *)gone->address);
        bine_lot_free(gone);
        gone = next;
    }
}

static bool ends_with_owner(const struct bine_lot_record *record)
{
    return record->kind == BINE_RECORD_BARRIER ||
           ((record->kind == BINE_RECORD_ONCE || record->kind == BINE_RECORD_GUARD) &&
            record->owner != bine_lot_self());
}

/* Only the forking greenlet lives on, and it waits for nothing. What it holds it still holds. */
static void lot_after_fork_in_child(void)
{
    bine_thread_number = 0;
    struct bine_lot_record *gone = NULL;
    for (size_t i = 0; i < BUCKETS; i++) {
        struct bine_lot_record *next;
        for (struct bine_lot_record *record = bine_lot_buckets[i].records; record; record = next) {
            next = record->next;
            if (!ends_with_owner(record))
                continue;
            bine_lot_take(&bine_lot_buckets[i], record);
            record->next = gone;
            gone = record;
        }
        bine_lot_buckets[i].first = bine_lot_buckets[i].last = NULL;
        atomic_store(&bine_lot_buckets[i].waiters, 0);
        atomic_store(&bine_lot_buckets[i].again, false);
    }
    bine_futex_after_fork(true);
    unlock_all();
    lot_abandon(gone);
}

/* Early among the constructors: prepare handlers of fork run in reverse order, so those of the
 * program run before ours and may still lock. */
__attribute__((constructor(102))) static void lot_set_up(void)
{
    bine_hub_on_end(forget_hub);
    pthread_atfork(lot_before_fork, lot_after_fork_in_parent, lot_after_fork_in_child);
}
