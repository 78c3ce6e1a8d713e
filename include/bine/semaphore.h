/*
 * Semaphore: a number of permits. A greenlet that acquires takes one permit, and waits if there is
 * none. A release gives one back, straight to the greenlet that has waited longest. A bounded
 * semaphore refuses more permits than it began with, which catches a release too many. A semaphore
 * with one permit is a lock that any greenlet may release.
 */
#ifndef BINE_SEMAPHORE_H
#define BINE_SEMAPHORE_H

#include <stdbool.h>

#include "object.h"

BINE_BEGIN

typedef struct bine_semaphore bine_semaphore;

/* Make a semaphore with `permits` (0 ... INT_MAX) permits. flags: 0 or BINE_SHARED. Fails with
 * EINVAL, ENOMEM, or EAGAIN (no hub could be made). Free it with bine_semaphore_free.
 * Switches: no. */
BINE_API bine_semaphore *bine_semaphore_new(unsigned permits, unsigned flags);
/* Make a bounded one, which never has more than `permits`. `permits` must not be 0. Otherwise it
 * works as bine_semaphore_new does. */
BINE_API bine_semaphore *bine_semaphore_new_bounded(unsigned permits, unsigned flags);
/* Free the semaphore. Returns 0, or -1 with EBUSY (greenlets wait for it) or EPERM.
 * Switches: no. */
BINE_API int bine_semaphore_free(bine_semaphore *semaphore);

/* Take a permit. Returns 0 or -1. It is ready when a permit is there. Waits. */
BINE_API int bine_semaphore_acquire(bine_semaphore *semaphore, int64_t timeout);
/* Take a permit if there is one. Returns 0, or -1 with EAGAIN (there is none), EINVAL or EPERM.
 * Switches: no. */
BINE_API int bine_semaphore_try_acquire(bine_semaphore *semaphore);
/* Give one permit. If the semaphore is shared, any thread may call it; another thread only sends a
 * message. Returns 0, or -1 with EINVAL, EPERM, EOVERFLOW, or ESRCH (the semaphore's thread has
 * ended). EOVERFLOW means that a bounded semaphore has all its permits, or that there are INT_MAX
 * permits. Another thread does not get EOVERFLOW: such a permit is dropped. Switches: no. */
BINE_API int bine_semaphore_release(bine_semaphore *semaphore);

/* Returns the number of permits that are there now, 0 for NULL. Call it on the semaphore's own
 * thread. Switches: no. */
BINE_API unsigned bine_semaphore_permits(const bine_semaphore *semaphore);
/* Returns true if there is no permit, and for NULL. Call it on the semaphore's own thread.
 * Switches: no. */
BINE_API bool bine_semaphore_locked(const bine_semaphore *semaphore);

BINE_END

#endif
