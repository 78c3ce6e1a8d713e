/*
 * Semaphore: a number of permits. Acquire takes one, waiting for it if there is none; release gives one back, straight
 * to the greenlet that has waited longest. A bounded semaphore refuses more permits than it began with, which
 * catches a release too many. With one permit it is a lock that anybody may release.
 */
#ifndef BINE_SEMAPHORE_H
#define BINE_SEMAPHORE_H

#include <stdbool.h>

#include "object.h"

BINE_BEGIN

typedef struct bine_semaphore bine_semaphore;

/* A semaphore with `permits` (0 ... INT_MAX) permits. flags: 0 or BINE_SHARED. NULL: EINVAL, ENOMEM, EAGAIN (no hub).
 * Free with bine_semaphore_free. Switches: no. */
BINE_API bine_semaphore *bine_semaphore_new(unsigned permits, unsigned flags);
/* The same, bounded: never more than `permits`, which must not be 0. */
BINE_API bine_semaphore *bine_semaphore_new_bounded(unsigned permits, unsigned flags);
/* -1: EBUSY (greenlets wait for it), EPERM. Switches: no. */
BINE_API int bine_semaphore_free(bine_semaphore *semaphore);

/* Take a permit. Returns 0 or -1. Waits. Ready: a permit is there. */
BINE_API int bine_semaphore_acquire(bine_semaphore *semaphore, int64_t timeout);
/* Take a permit if there is one. -1: EAGAIN (none), EINVAL, EPERM. Switches: no. */
BINE_API int bine_semaphore_try_acquire(bine_semaphore *semaphore);
/* Give one permit. Any thread if shared, where it leaves word and returns. Returns 0, or -1: EINVAL, EPERM,
 * EOVERFLOW (bounded and all permits are there, or INT_MAX permits; not told to other threads, where such a
 * permit is dropped), ESRCH (its thread has ended). Switches: no. */
BINE_API int bine_semaphore_release(bine_semaphore *semaphore);

/* Permits that are there now. 0 for NULL. For its own thread. Switches: no. */
BINE_API unsigned bine_semaphore_permits(const bine_semaphore *semaphore);
/* Is there none? True for NULL. For its own thread. Switches: no. */
BINE_API bool bine_semaphore_locked(const bine_semaphore *semaphore);

BINE_END

#endif
