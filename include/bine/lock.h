/*
 * Locks whose owner is a greenlet: RLock (recursive), RWLock (many readers or one writer), and the Barrier, where n
 * greenlets wait for each other.
 *
 * Made with BINE_SHARED they serve greenlets of several threads (object.h says how). A greenlet that ends with
 * a lock held leaves it held, as a thread does.
 */
#ifndef BINE_LOCK_H
#define BINE_LOCK_H

#include <stdbool.h>

#include "object.h"

BINE_BEGIN

/* ---- rlock ------------------------------------------------------------------------------------ */

typedef struct bine_rlock bine_rlock;

/* A recursive lock, free. flags: 0 or BINE_SHARED. NULL: EINVAL, ENOMEM, EAGAIN (no hub). Switches: no. */
BINE_API bine_rlock *bine_rlock_new(unsigned flags);
/* -1: EBUSY (held, or waited for), EPERM. Switches: no. */
BINE_API int bine_rlock_free(bine_rlock *lock);

/* Lock; its owner may lock it again and must release as often. Returns 0, or -1: also EAGAIN (locked UINT_MAX times).
 * Waits. Ready: free. */
BINE_API int bine_rlock_acquire(bine_rlock *lock, int64_t timeout);
/* Release once; the last release hands the lock to the greenlet that has waited longest. -1: EINVAL, EPERM (the
 * caller is not the owner). Switches: no. */
BINE_API int bine_rlock_release(bine_rlock *lock);
/* Does somebody hold it? Does the caller? False for NULL. Any thread. They never switch. */
BINE_API bool bine_rlock_locked(const bine_rlock *lock);
BINE_API bool bine_rlock_owned(const bine_rlock *lock);

/* ---- rwlock ----------------------------------------------------------------------------------- */

typedef struct bine_rwlock bine_rwlock;

/* As bine_rlock_new and bine_rlock_free. */
BINE_API bine_rwlock *bine_rwlock_new(unsigned flags);
BINE_API int bine_rwlock_free(bine_rwlock *lock);

/* Lock for reading, together with other readers. Strictly first come, first served: a reader waits behind a
 * writer that waits, so writers do not starve, and a greenlet must not lock for reading twice. Returns 0, or
 * -1: also EDEADLK (the caller is the writer), EAGAIN (UINT_MAX readers). Waits. Ready: can be locked for
 * reading. */
BINE_API int bine_rwlock_read_acquire(bine_rwlock *lock, int64_t timeout);
/* -1: EINVAL, EPERM (nobody reads). Switches: no. */
BINE_API int bine_rwlock_read_release(bine_rwlock *lock);
/* Lock for writing, alone. Returns 0, or -1: also EDEADLK (the caller is the writer). Waits. */
BINE_API int bine_rwlock_write_acquire(bine_rwlock *lock, int64_t timeout);
/* -1: EINVAL, EPERM (the caller is not the writer). Switches: no. */
BINE_API int bine_rwlock_write_release(bine_rwlock *lock);
/* How many read now; does somebody write? For the lock's own thread. They never switch. */
BINE_API unsigned bine_rwlock_readers(const bine_rwlock *lock);
BINE_API bool bine_rwlock_written(const bine_rwlock *lock);

/* ---- barrier ---------------------------------------------------------------------------------- */

typedef struct bine_barrier bine_barrier;

/* A barrier for `parties` (1 ... INT_MAX) greenlets. flags: 0 or BINE_SHARED. NULL: EINVAL, ENOMEM, EAGAIN.
 * Switches: no. */
BINE_API bine_barrier *bine_barrier_new(unsigned parties, unsigned flags);
/* -1: EBUSY (greenlets wait at it), EPERM. Switches: no. */
BINE_API int bine_barrier_free(bine_barrier *barrier);

/* Wait until `parties` greenlets have come here. Returns the caller's place in the order of arrival, 0 ...
 * parties - 1 (one of them can be told to do what is needed once), or -1: also EPIPE, the barrier is broken. It
 * breaks when one of the waiting greenlets times out or is killed (that one gets ETIMEDOUT or ECANCELED, the
 * others EPIPE), and by abort; it then stays broken until reset. Waits. Ready: the next to come passes without
 * waiting. */
BINE_API int bine_barrier_wait(bine_barrier *barrier, int64_t timeout);
/* Break it: those who wait, and who come later, get EPIPE. -1: EINVAL, EPERM. Switches: no. */
BINE_API int bine_barrier_abort(bine_barrier *barrier);
/* Make it as new; those who wait get EPIPE. -1: EINVAL, EPERM. Switches: no. */
BINE_API int bine_barrier_reset(bine_barrier *barrier);
/* How many wait now; is it broken? For the barrier's own thread. They never switch. */
BINE_API unsigned bine_barrier_waiting(const bine_barrier *barrier);
BINE_API bool bine_barrier_broken(const bine_barrier *barrier);

BINE_END

#endif
