/*
 * Condition: greenlets that hold a lock wait for a change that another greenlet, holding the same lock, announces.
 */
#ifndef BINE_CONDITION_H
#define BINE_CONDITION_H

#include "lock.h"

BINE_BEGIN

typedef struct bine_condition bine_condition;

/* A condition on `lock` (borrowed, must outlive it), or on a lock of its own if that is NULL. flags: 0 or
 * BINE_SHARED, which its own lock is then too. NULL: EINVAL (also: shared on a lock that is not), EPERM (a lock
 * of another thread), ENOMEM, EAGAIN. Switches: no. */
BINE_API bine_condition *bine_condition_new(bine_rlock *lock, unsigned flags);
/* -1: EBUSY (greenlets wait for it, or its own lock is held), EPERM. Switches: no. */
BINE_API int bine_condition_free(bine_condition *condition);

/* Its lock: borrowed. NULL: EINVAL. Any thread. */
BINE_API bine_rlock *bine_condition_lock(bine_condition *condition);

/* Release the lock (however often it was taken), wait to be notified, take the lock again as often. The lock is
 * held again however the call ends, so waiting for it obeys neither kill nor timeout. No spurious wake-ups.
 * Returns 0, or -1: also EPERM (the caller does not hold the lock). Waits. For bine_wait a condition is never
 * ready. */
BINE_API int bine_condition_wait(bine_condition *condition, int64_t timeout);
/* Wait until predicate(arg) is true, which is asked with the lock held, by the calling greenlet. Returns and fails as
 * bine_condition_wait; `timeout` is for the whole. */
BINE_API int bine_condition_wait_for(bine_condition *condition, bool (*predicate)(void *arg), void *arg,
                                     int64_t timeout);
/* Wake the n greenlets that have waited longest, or all. They queue for the lock instead of running for it all at once.
 * -1: EINVAL, EPERM (the caller does not hold the lock). Switches: no. */
BINE_API int bine_condition_notify(bine_condition *condition, size_t n);
BINE_API int bine_condition_notify_all(bine_condition *condition);

BINE_END

#endif
