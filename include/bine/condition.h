/*
 * Condition: greenlets that hold a lock wait for a change. Another greenlet that holds the same
 * lock announces it.
 */
#ifndef BINE_CONDITION_H
#define BINE_CONDITION_H

#include "lock.h"

BINE_BEGIN

typedef struct bine_condition bine_condition;

/* Make a condition on `lock`, which is borrowed and must outlive the condition. If `lock` is NULL,
 * the condition gets a lock of its own. flags: 0 or BINE_SHARED; a lock of its own is then shared,
 * too. Fails with EINVAL (also for a shared condition on a lock that is not shared), EPERM (the
 * lock is of another thread), ENOMEM or EAGAIN (no hub could be made). Free it with
 * bine_condition_free. Switches: no. */
BINE_API bine_condition *bine_condition_new(bine_rlock *lock, unsigned flags);
/* Free the condition. Returns 0, or -1 with EBUSY (greenlets wait for it, or its own lock is held)
 * or EPERM. Switches: no. */
BINE_API int bine_condition_free(bine_condition *condition);

/* Returns the condition's lock, borrowed. Fails with EINVAL. Any thread may call it.
 * Switches: no. */
BINE_API bine_rlock *bine_condition_lock(bine_condition *condition);

/* Release the lock, however often the caller has taken it, wait to be notified, and take the lock
 * again as often. The caller holds the lock again however the call ends, so neither a kill nor a
 * timeout ends the wait for the lock. There are no spurious wake-ups. Returns 0, or -1, also with
 * EPERM (the caller does not hold the lock). For bine_wait a condition is never ready. Waits. */
BINE_API int bine_condition_wait(bine_condition *condition, int64_t timeout);
/* Wait until predicate(arg) is true. The calling greenlet calls the predicate while it holds the
 * lock. Returns and fails as bine_condition_wait. `timeout` is for the whole call. Waits. */
BINE_API int bine_condition_wait_for(bine_condition *condition, bool (*predicate)(void *arg),
                                     void *arg, int64_t timeout);
/* Wake the n greenlets that have waited longest, or all. They queue for the lock instead of all
 * running for it at once. Returns 0, or -1 with EINVAL, or EPERM (the caller does not hold the
 * lock). Switches: no. */
BINE_API int bine_condition_notify(bine_condition *condition, size_t n);
BINE_API int bine_condition_notify_all(bine_condition *condition);

BINE_END

#endif
