/*
 * The parking lot: queues of greenlets keyed by the address they wait for, for objects that have no room for a queue
 * of their own (pthread_mutex_t, sem_t ...). Process-wide: the waiters of one address may belong to several hubs.
 *
 * The object itself stays the truth: a waiter brings an `acquire` function that tries to take it without waiting
 * (pthread_mutex_trylock of libc). Whoever released the object calls bine_lot_balance, which acquires on behalf
 * of the waiters in the order of their coming, and wakes those for whom it worked. So hand-off is direct and FIFO,
 * a greenlet that locks in a loop starves nobody, and code that knows nothing of the lot sees an ordinary lock.
 *
 * Beside the queues lie records: what Bine has to remember about an address (who runs this initialiser).
 *
 * Every bucket of the table has a spin lock of its own, held for a few instructions and never across a switch.
 */
#ifndef BINE_LOCKS_PARKING_LOT_H
#define BINE_LOCKS_PARKING_LOT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/hub/park.h"

struct bine_lot_waiter;
struct bine_lot_bucket;

/* What `acquire` says. */
enum bine_lot_answer {
    BINE_LOT_REFUSED, /* not yet: the waiter stays first in its queue */
    BINE_LOT_GRANTED, /* taken for the waiter; waiter->result is what its wait returns */
    BINE_LOT_ASK,     /* only the waiter's own thread can take it: wake it, its wait returns EAGAIN */
};

/* A futex that whoever releases the object wakes: while it has this value there is nothing to be had. */
struct bine_lot_futex {
    const void *word;
    uint32_t value;
    bool shared; /* between processes */
};

enum bine_lot_state {
    BINE_LOT_QUEUED,
    BINE_LOT_LEAVING, /* taken off the queue, the wake is on its way: the record must stay */
    BINE_LOT_DONE,
};

/* On the stack of the waiter. Filled in by bine_lot_waiter_init; `acquire` and `item` are the caller's. */
struct bine_lot_waiter {
    struct bine_lot_waiter *next, *previous;
    const void *address;
    struct bine_greenlet *greenlet; /* NULL: an OS thread without a hub */
    struct bine_hub *hub;
    pid_t thread;
    /* Called under the bucket's lock, on any thread; may not wait. NULL: only bine_lot_wake wakes this waiter. */
    enum bine_lot_answer (*acquire)(struct bine_lot_waiter *waiter);
    /* See to it that a release wakes the futex, and name it. Under the bucket's lock, on any thread. NULL: there
     * is none. */
    void (*arm)(struct bine_lot_waiter *waiter, struct bine_lot_futex *futex);
    uintptr_t item;
    uint32_t bits; /* bine_lot_wake_bits wakes those that have one in common with the waker's; 0: not for it */
    int result;
    atomic_uint state; /* enum bine_lot_state; a futex for threads without a hub */
    struct bine_message message;
};

/* hub NULL: the caller is a thread without a hub. */
void bine_lot_waiter_init(struct bine_lot_waiter *waiter, struct bine_hub *hub, const void *address);

/* ---- waiting -------------------------------------------------------------------------------- */

enum {
    BINE_LOT_FIRST = 1u << 16, /* queue up in front: this waiter had been first before */
    BINE_LOT_WATCH = 1u << 17, /* others than us may release the object: watch its futex, or look from time to time */
};

/*
 * Queue up and wait until acquired or woken. flags: BINE_PARK_* and BINE_LOT_*. Returns the waiter's result (0, or what
 * acquire put there; EAGAIN: try yourself), or why the wait ended without: ETIME, ECANCELED, ETIMEDOUT, EINTR,
 * EDEADLK. Threads without a hub wait for ever: no deadline. Switches: maybe.
 */
int bine_lot_wait(struct bine_lot_waiter *waiter, const char *verb, int64_t deadline, unsigned flags);

/* The same in two steps, for those who must be in the queue before they let go of something. */
void bine_lot_enqueue(struct bine_lot_waiter *waiter, unsigned flags);
int bine_lot_await(struct bine_lot_waiter *waiter, const char *verb, int64_t deadline, unsigned flags);
/* With the bucket's lock held. */
void bine_lot_enqueue_locked(struct bine_lot_bucket *bucket, struct bine_lot_waiter *waiter, unsigned flags);
/* Leave the queue without having waited. False: too late, it has been woken; then call bine_lot_await. */
bool bine_lot_leave(struct bine_lot_waiter *waiter);

/* ---- waking: any thread --------------------------------------------------------------------- */

struct bine_lot_bucket {
    atomic_uint lock;
    atomic_uint waiters; /* how many are queued here, for all addresses */
    atomic_bool again;   /* somebody could not get the lock and wants all waiters here balanced */
    struct bine_lot_waiter *first, *last;
    struct bine_lot_record *records;
} __attribute__((aligned(64)));

enum {
    BINE_LOT_BUCKET_BITS = 9
};

extern struct bine_lot_bucket bine_lot_buckets[1 << BINE_LOT_BUCKET_BITS];

static inline struct bine_lot_bucket *bine_lot_bucket_of(const void *address)
{
    /* Fibonacci hashing: the golden ratio spreads addresses that differ in a few bits only. */
    uint64_t hash = (uint64_t)(uintptr_t)address * UINT64_C(0x9E3779B97F4A7C15);
    return &bine_lot_buckets[hash >> (64 - BINE_LOT_BUCKET_BITS)];
}

/*
 * May anybody wait at this address? To be asked after the object was released; false is the common answer and
 * costs a few instructions. The waiter queues up, then tries once more; we release, then look: one of us sees the
 * other. Releasing is a locked instruction on x86-64, which orders it; elsewhere it takes a fence.
 */
static inline bool bine_lot_waited(const void *address)
{
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
    atomic_signal_fence(memory_order_seq_cst);
    return atomic_load_explicit(&bine_lot_bucket_of(address)->waiters, memory_order_relaxed) != 0;
#else
    /* An addition of nothing is a fence that thread sanitizer understands. */
    return atomic_fetch_add(&bine_lot_bucket_of(address)->waiters, 0) != 0;
#endif
}

/* Acquire for as many waiters of this address as possible, in order, and wake them. Async-signal-safe. */
void bine_lot_balance(const void *address);

/* Wake up to `count` waiters of this address, whatever their acquire would say. Returns how many. */
size_t bine_lot_wake(const void *address, size_t count);

/* The same for waiters with bits (futexes). Async-signal-safe: where the queue cannot be had, all waiters of the bucket are asked by
 * their acquire later, and 0 is returned. */
size_t bine_lot_wake_bits(const void *address, size_t count, uint32_t bits);

/* Arm the first waiter of this address that can be. False: there is none. */
bool bine_lot_arm(const void *address, struct bine_lot_futex *futex);

/* Is anybody queued at this address for whom `matches` holds (NULL: anybody)? */
bool bine_lot_queued(const void *address, bool (*matches)(const struct bine_lot_waiter *waiter));

/* ---- records -------------------------------------------------------------------------------- */

struct bine_lot_record {
    struct bine_lot_record *next;
    const void *address;
    const void *owner; /* bine_lot_self of the owner, compared only */
    uint32_t count;
    uint8_t kind; /* enum bine_lot_record_kind */
    void *item;
};

enum bine_lot_record_kind {
    BINE_RECORD_ONCE,
    BINE_RECORD_BARRIER,
    BINE_RECORD_THREAD,
    BINE_RECORD_GUARD,
};

/* The bucket's lock, for those who look at records; balance_locked wakes only after the lock was given back. */
struct bine_lot_bucket *bine_lot_lock(const void *address);
void bine_lot_unlock(struct bine_lot_bucket *bucket);

/* All with the bucket's lock held. add: NULL: no memory. */
struct bine_lot_record *bine_lot_find(struct bine_lot_bucket *bucket, const void *address,
                                      enum bine_lot_record_kind kind);
struct bine_lot_record *bine_lot_add(struct bine_lot_bucket *bucket, const void *address,
                                     enum bine_lot_record_kind kind);
void bine_lot_remove(struct bine_lot_bucket *bucket, struct bine_lot_record *record);

/* The kernel's id of this thread, cached. */
pid_t bine_lot_thread(void);

/* Who runs now: the current greenlet, or on a thread without a hub the thread. */
const void *bine_lot_self(void);

#endif
