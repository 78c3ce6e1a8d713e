/* What condition.c needs of a recursive lock: its parts, and taking part in its queue. */
#ifndef BINE_SYNC_RLOCK_H
#define BINE_SYNC_RLOCK_H

#include <bine/lock.h>

#include "object.h"
#include "party.h"

struct bine_rlock {
    struct bine_object object;
    struct bine_waiters waiters; /* a taker's `item` is the depth that it wants to hold */
    /* A reference, so that its address names nobody else meanwhile; one of another thread keeps it itself. NULL: free. */
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
 * On an errand for the greenlet of another thread that owns the lock: the greenlet that carries it out holds it meanwhile
 * (0, or EPERM if the caller is not the owner), and gives it back.
 */
int bine_rlock_borrow(struct bine_rlock *lock, const struct bine_errand *errand);
void bine_rlock_return(struct bine_rlock *lock, const struct bine_errand *errand);

extern const struct bine_object_class bine_rlock_class;

/*
 * Acquire without waiting for a party's greenlet, which may be another thread's: that then keeps a reference to itself if *first says that it
 * did not own the lock before. 0, EAGAIN (also where it owns it UINT_MAX times); the party is decided by 0.
 */
int bine_rlock_acquire_as(struct bine_rlock *lock, bool *first, struct bine_party *party);

/* The current greenlet becomes the owner, `depth` times. The lock is free. */
void bine_rlock_take(struct bine_rlock *lock, struct bine_greenlet *g, unsigned depth);
/* Hand a lock that is held to the next waiter, or leave it free. */
void bine_rlock_pass(struct bine_rlock *lock);
/* Lock it `depth` times, whatever happens to the greenlet meanwhile. The lock is not its own. */
void bine_rlock_take_firmly(struct bine_rlock *lock, unsigned depth);

#endif
