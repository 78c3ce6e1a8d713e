/*
 * The parking lot: queues of greenlets, by the address that they wait for. It serves objects that
 * have no room for a queue of their own (pthread_mutex_t, sem_t ...). It belongs to the whole
 * process: the waiters of one address may belong to several hubs.
 *
 * The object itself stays the truth. A waiter brings an `acquire` function that tries to take the
 * object without waiting (libc's pthread_mutex_trylock). The code that has released the object
 * calls bine_lot_balance. That acquires on behalf of the waiters in the order of their coming, and
 * wakes those for which it worked. So the hand-off is direct and first come, first served. A
 * greenlet that locks in a loop starves no other greenlet. Code that does not know of the lot sees
 * an ordinary lock.
 *
 * Beside the queues are records: what Bine has to remember about an address (which greenlet runs
 * this initialiser).
 *
 * Every bucket of the table has a spin lock of its own, held for a few instructions and never
 * across a switch.
 */
#ifndef BINE_LOCKS_PARKING_LOT_H
#define BINE_LOCKS_PARKING_LOT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/schedule/park.h"

struct bine_lot_waiter;
struct bine_lot_bucket;

/* What `acquire` returns. */
enum bine_lot_answer {
    BINE_LOT_REFUSED, /* not yet: the waiter stays first in its queue */
    BINE_LOT_GRANTED, /* taken for the waiter; waiter->result is what its wait returns */
    /* Only the waiter's own thread can take it. The waiter is woken, and its wait returns
     * EAGAIN. */
    BINE_LOT_ASK,
};

/* A futex that a release of the object wakes. While it has this value the object cannot be had. */
struct bine_lot_futex {
    const void *word;
    uint32_t value;
    bool shared; /* shared between processes */
};

enum bine_lot_state {
    BINE_LOT_QUEUED,
    BINE_LOT_LEAVING, /* taken off the queue, and the wake is on its way: the record must stay */
    BINE_LOT_DONE,
};

/* A waiter's record, on its stack. bine_lot_waiter_init fills it in. `acquire` and `item` are the
 * caller's. */
struct bine_lot_waiter {
    struct bine_lot_waiter *next, *previous;
    const void *address;
    struct bine_greenlet *greenlet; /* NULL: the waiter is an OS thread without a hub */
    struct bine_hub *hub;
    pid_t thread; /* the number by which libc knows it as an owner */
    /* Called under the bucket's lock, on any thread. May not wait. NULL: only bine_lot_wake wakes
     * this waiter. */
    enum bine_lot_answer (*acquire)(struct bine_lot_waiter *waiter);
    /* Makes sure that a release wakes the futex, and names it. Called under the bucket's lock, on
     * any thread. NULL: there is none. */
    void (*arm)(struct bine_lot_waiter *waiter, struct bine_lot_futex *futex);
    uintptr_t item;
    /* bine_lot_wake_bits wakes waiters that have a bit in common with the waker's. 0: it never
     * wakes this one. */
    uint32_t bits;
    int result;
    atomic_uint state; /* enum bine_lot_state; a futex for threads without a hub */
    struct bine_message message;
};

/* `hub` is NULL if the caller is a thread without a hub. */
void bine_lot_waiter_init(struct bine_lot_waiter *waiter, struct bine_hub *hub,
                          const void *address);

/* ---- waiting -------------------------------------------------------------------------------- */

enum {
    BINE_LOT_FIRST = 1u << 16, /* go to the front of the queue: this waiter had been first before */
    /* other code may release the object: watch its futex, or look from time to time */
    BINE_LOT_WATCH = 1u << 17,
};

/*
 * Queues up and waits until the object is acquired or the waiter is woken. flags: BINE_PARK_* and
 * BINE_LOT_*. Returns the waiter's result: 0, or what acquire has put there, or EAGAIN if the
 * caller shall try itself. Returns ETIME, ECANCELED, ETIMEDOUT, EINTR or EDEADLK if the wait ended
 * without. Threads without a hub wait for ever, without a deadline. Switches: maybe.
 */
int bine_lot_wait(struct bine_lot_waiter *waiter, const char *verb, int64_t deadline,
                  unsigned flags);

/* Do the same in two steps, for callers that must be in the queue before they let go of
 * something. */
void bine_lot_enqueue(struct bine_lot_waiter *waiter, unsigned flags);
int bine_lot_await(struct bine_lot_waiter *waiter, const char *verb, int64_t deadline,
                   unsigned flags);
/* Called with the bucket's lock held. */
void bine_lot_enqueue_locked(struct bine_lot_bucket *bucket, struct bine_lot_waiter *waiter,
                             unsigned flags);
/* Leaves the queue without having waited. Returns false if it is too late, because the waiter has
 * been woken. Then the caller must call bine_lot_await. */
bool bine_lot_leave(struct bine_lot_waiter *waiter);

/* ---- waking: any thread --------------------------------------------------------------------- */

struct bine_lot_bucket {
    atomic_uint lock;
    atomic_uint waiters; /* how many are queued in this bucket, for all addresses */
    /* a waker could not get the lock and wants all waiters of this bucket balanced */
    atomic_bool again;
    struct bine_lot_waiter *first, *last;
    struct bine_lot_record *records;
} __attribute__((aligned(64)));

enum {
    BINE_LOT_BUCKET_BITS = 9
};

extern struct bine_lot_bucket bine_lot_buckets[1 << BINE_LOT_BUCKET_BITS];

static inline struct bine_lot_bucket *bine_lot_bucket_of(const void *address)
{
    /* Fibonacci hashing: the golden ratio spreads addresses that differ in only a few bits. */
    uint64_t hash = (uint64_t)(uintptr_t)address * UINT64_C(0x9E3779B97F4A7C15);
    return &bine_lot_buckets[hash >> (64 - BINE_LOT_BUCKET_BITS)];
}

/*
 * May there be a waiter at this address? The caller asks after it has released the object. False is
 * the common answer and costs a few instructions. The waiter queues up, then tries once more. The
 * releaser releases, then looks. So one of the two sees the other. On x86-64 the release is a
 * locked instruction, which orders it. Elsewhere that takes a fence.
 */
static inline bool bine_lot_waited(const void *address)
{
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
    atomic_signal_fence(memory_order_seq_cst);
    return atomic_load_explicit(&bine_lot_bucket_of(address)->waiters, memory_order_relaxed) != 0;
#else
    /* Adding 0 is a fence that ThreadSanitizer understands. */
    return atomic_fetch_add(&bine_lot_bucket_of(address)->waiters, 0) != 0;
#endif
}

/* Acquires for as many waiters of this address as possible, in order, and wakes them.
 * Async-signal-safe. */
void bine_lot_balance(const void *address);

/* Wakes up to `count` waiters of this address, without asking their `acquire`. Returns how many. */
size_t bine_lot_wake(const void *address, size_t count);

/* Does the same for waiters with bits (futexes). Async-signal-safe. If the queue cannot be had,
 * returns 0, and the `acquire` of all waiters of the bucket is asked later. */
size_t bine_lot_wake_bits(const void *address, size_t count, uint32_t bits);

/* Arms the first waiter of this address that can be armed. Returns false if there is none. */
bool bine_lot_arm(const void *address, struct bine_lot_futex *futex);

/* Is a waiter queued at this address for which `matches` holds (NULL: any waiter)? */
bool bine_lot_queued(const void *address, bool (*matches)(const struct bine_lot_waiter *waiter));

/* ---- records -------------------------------------------------------------------------------- */

struct bine_lot_record {
    struct bine_lot_record *next;
    const void *address;
    const void *owner; /* bine_lot_self of the owner, only to be compared */
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

/* The bucket's lock, for code that looks at records. */
struct bine_lot_bucket *bine_lot_lock(const void *address);
void bine_lot_unlock(struct bine_lot_bucket *bucket);

/* All are called with the bucket's lock held. bine_lot_add returns NULL if there is no memory. */
struct bine_lot_record *bine_lot_find(struct bine_lot_bucket *bucket, const void *address,
                                      enum bine_lot_record_kind kind);
struct bine_lot_record *bine_lot_add(struct bine_lot_bucket *bucket, const void *address,
                                     enum bine_lot_record_kind kind);
void bine_lot_remove(struct bine_lot_bucket *bucket, struct bine_lot_record *record);

/* The kernel's id of this thread, cached. */
pid_t bine_lot_thread(void);
/* Does that number belong to a greenlet of the waiter's OS thread, or to the OS thread itself? For
 * a greenlet with a thread of its own it differs from the waiter's. */
bool bine_lot_on_thread_of(const struct bine_lot_waiter *waiter, pid_t thread);

/* Returns what runs now: the current greenlet, or the thread if it has no hub. */
const void *bine_lot_self(void);

#endif
