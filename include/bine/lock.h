/*
 * Locks whose owner is a greenlet: RLock (recursive) and RWLock (many readers or one writer). This
 * header also has Barrier, where n greenlets wait for each other.
 *
 * A lock made with BINE_SHARED serves greenlets of several threads (object.h says how). A greenlet
 * that ends with a lock held leaves it held, as a thread does.
 */
#ifndef BINE_LOCK_H
#define BINE_LOCK_H

#include <stdbool.h>

#include "object.h"

BINE_BEGIN

/* ---- rlock ----------------------------------------------------------------------------------- */

typedef struct bine_rlock bine_rlock;

/* Make a recursive lock that is free. flags: 0 or BINE_SHARED. Fails with EINVAL, ENOMEM, or EAGAIN
 * (no hub could be made). Free it with bine_rlock_free. Switches: no. */
BINE_API bine_rlock *bine_rlock_new(unsigned flags);
/* Free the lock. Returns 0, or -1 with EBUSY (a greenlet holds it or waits for it) or EPERM.
 * Switches: no. */
BINE_API int bine_rlock_free(bine_rlock *lock);

/* Lock it. Its owner may lock it again, and must release it as often. Returns 0, or -1, also with
 * EAGAIN (it is locked UINT_MAX times). It is ready when it is free. Waits. */
BINE_API int bine_rlock_acquire(bine_rlock *lock, int64_t timeout);
/* Release it once. The last release hands the lock to the greenlet that has waited longest. Returns
 * 0, or -1 with EINVAL, or EPERM (the caller is not the owner). Switches: no. */
BINE_API int bine_rlock_release(bine_rlock *lock);
/* bine_rlock_locked returns true if a greenlet holds the lock, bine_rlock_owned if the caller does.
 * Both return false for NULL. Any thread may call them. They never switch. */
BINE_API bool bine_rlock_locked(const bine_rlock *lock);
BINE_API bool bine_rlock_owned(const bine_rlock *lock);

/* ---- rwlock ---------------------------------------------------------------------------------- */

typedef struct bine_rwlock bine_rwlock;

/* These work as bine_rlock_new and bine_rlock_free do. */
BINE_API bine_rwlock *bine_rwlock_new(unsigned flags);
BINE_API int bine_rwlock_free(bine_rwlock *lock);

/* Lock for reading, together with other readers. The lock is strictly first come, first served: a
 * reader waits behind a writer that waits, so writers do not starve. Therefore a greenlet must not
 * lock for reading twice. Returns 0, or -1, also with EDEADLK (the caller is the writer) or EAGAIN
 * (there are UINT_MAX readers). The lock is ready when it can be locked for reading. Waits. */
BINE_API int bine_rwlock_read_acquire(bine_rwlock *lock, int64_t timeout);
/* Release a lock for reading. Returns 0, or -1 with EINVAL, or EPERM (no greenlet reads).
 * Switches: no. */
BINE_API int bine_rwlock_read_release(bine_rwlock *lock);
/* Lock for writing, alone. Returns 0, or -1, also with EDEADLK (the caller is the writer).
 * Waits. */
BINE_API int bine_rwlock_write_acquire(bine_rwlock *lock, int64_t timeout);
/* Release the lock for writing. Returns 0, or -1 with EINVAL, or EPERM (the caller is not the
 * writer). Switches: no. */
BINE_API int bine_rwlock_write_release(bine_rwlock *lock);
/* bine_rwlock_readers returns how many greenlets read now, bine_rwlock_written returns true if one
 * writes. They are for the lock's own thread. They never switch. */
BINE_API unsigned bine_rwlock_readers(const bine_rwlock *lock);
BINE_API bool bine_rwlock_written(const bine_rwlock *lock);

/* ---- barrier --------------------------------------------------------------------------------- */

typedef struct bine_barrier bine_barrier;

/* Make a barrier for `parties` (1 ... INT_MAX) greenlets. flags: 0 or BINE_SHARED. Fails with
 * EINVAL, ENOMEM or EAGAIN (no hub could be made). Free it with bine_barrier_free. Switches: no. */
BINE_API bine_barrier *bine_barrier_new(unsigned parties, unsigned flags);
/* Free the barrier. Returns 0, or -1 with EBUSY (greenlets wait at it) or EPERM. Switches: no. */
BINE_API int bine_barrier_free(bine_barrier *barrier);

/* Wait until `parties` greenlets have come here. Returns the caller's place in the order of
 * arrival, 0 ... parties - 1, so that one of the greenlets can do what has to be done once.
 * Otherwise returns -1, also with EPIPE: the barrier is broken. The barrier breaks when one of the
 * waiting greenlets times out or is killed: that one gets ETIMEDOUT or ECANCELED, the others get
 * EPIPE. bine_barrier_abort breaks it, too. It then stays broken until it is reset. It is ready
 * when the next greenlet to come passes without waiting. Waits. */
BINE_API int bine_barrier_wait(bine_barrier *barrier, int64_t timeout);
/* Break the barrier: the greenlets that wait, and those that come later, get EPIPE. Returns 0, or
 * -1 with EINVAL or EPERM. Switches: no. */
BINE_API int bine_barrier_abort(bine_barrier *barrier);
/* Make the barrier as new. The greenlets that wait get EPIPE. Returns 0, or -1 with EINVAL or
 * EPERM. Switches: no. */
BINE_API int bine_barrier_reset(bine_barrier *barrier);
/* bine_barrier_waiting returns how many greenlets wait now, bine_barrier_broken returns true if the
 * barrier is broken. They are for the barrier's own thread. They never switch. */
BINE_API unsigned bine_barrier_waiting(const bine_barrier *barrier);
BINE_API bool bine_barrier_broken(const bine_barrier *barrier);

BINE_END

#endif
