/* What condition.c needs of a recursive lock: its parts, and a way into its queue. */
#ifndef BINE_SYNC_RLOCK_H
#define BINE_SYNC_RLOCK_H

#include <bine/lock.h>

#include "object.h"
#include "party.h"

struct bine_rlock {
    struct bine_object object;
    struct bine_waiters waiters; /* a taker's `item` is the depth that it wants to hold */
    /* A reference, so that no other greenlet has the address meanwhile. An owner of another thread
     * keeps the reference itself. NULL: the lock is free. */
    _Atomic(struct bine_greenlet *) owner;
    unsigned depth;
};

static inline struct bine_greenlet *bine_rlock_owner(const struct bine_rlock *lock)
{
    return atomic_load_explicit(&lock->owner, memory_order_relaxed);
}

static inline void bine_rlock_set_owner(struct bine_rlock *lock, struct bine_greenlet *g)
{
    atomic_store_explicit(&lock->owner, g, memory_order_relaxed);
}

/*
 * For an errand of another thread's greenlet that owns the lock. The greenlet that carries the
 * errand out holds the lock meanwhile, and then gives it back. bine_rlock_borrow returns 0, or
 * EPERM if the caller is not the owner.
 */
int bine_rlock_borrow(struct bine_rlock *lock, const struct bine_errand *errand);
void bine_rlock_return(struct bine_rlock *lock, const struct bine_errand *errand);

extern const struct bine_object_class bine_rlock_class;

/*
 * Acquires the lock without waiting for a party's greenlet, which may be another thread's. That
 * greenlet then keeps a reference to itself if *first says that it did not own the lock before.
 * Returns 0, which decides the party, or EAGAIN (also if it owns the lock UINT_MAX times).
 */
int bine_rlock_acquire_as(struct bine_rlock *lock, bool *first, struct bine_party *party);

/* Makes the current greenlet the owner, `depth` times. The lock is free. */
void bine_rlock_take(struct bine_rlock *lock, struct bine_greenlet *g, unsigned depth);
/* Hands a lock that is held to the next waiter, or leaves it free. */
void bine_rlock_pass(struct bine_rlock *lock);
/* Locks it `depth` times, whatever happens to the greenlet meanwhile. The greenlet does not own the
 * lock. */
void bine_rlock_take_firmly(struct bine_rlock *lock, unsigned depth);

#endif
