/* What condition.c needs of a recursive lock: its parts, and taking part in its queue. */
#ifndef BINE_SYNC_RLOCK_H
#define BINE_SYNC_RLOCK_H

#include <bine/lock.h>

#include "object.h"

struct bine_rlock {
    struct bine_object object;
    struct bine_queue waiters;   /* a taker's `item` is the depth that it wants to hold */
    struct bine_greenlet *owner; /* a reference, so that its address names nobody else meanwhile; NULL: free */
    unsigned depth;
};

/* The current greenlet becomes the owner, `depth` times. The lock is free. */
void bine_rlock_take(struct bine_rlock *lock, struct bine_greenlet *g, unsigned depth);
/* Hand a lock that is held to the next waiter, or leave it free. */
void bine_rlock_pass(struct bine_rlock *lock);
/* Lock it `depth` times, whatever happens to the greenlet meanwhile. The lock is not its own. */
void bine_rlock_take_firmly(struct bine_rlock *lock, unsigned depth);

#endif
