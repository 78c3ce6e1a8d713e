/*
 * Waiting for any of several things: greenlets, events, semaphores, queues, any waitable object.
 *
 * A wait only observes: it takes no reference, no permit and no item. An object is "ready" when an
 * operation on it would not block: a greenlet has ended, an event is set, a semaphore can be
 * acquired, a queue has an item.
 *
 * Greenlets and shared objects (BINE_SHARED) of other threads can be among them. Their own threads
 * say whether these are ready, so the answer takes a moment, and a wait with timeout 0 does not see
 * them. At its end the wait waits until those threads have let go of the objects, whatever happens
 * to the caller.
 */
#ifndef BINE_WAIT_H
#define BINE_WAIT_H

#include <sys/types.h>

#include "base.h"

BINE_BEGIN

/* Wait until `count` of the n objects are ready. A count of 0, or one greater than n, means all.
 * Stores those that became ready in ready[] (room for n entries, may be NULL), in the order in
 * which they did. With n 0 it waits until no other greenlet of this thread is left. Returns how
 * many are ready. That is fewer than count when `timeout` (ns) has passed, which is no error, as in
 * gevent. Otherwise returns -1 with EINVAL, EPERM (an object belongs to another thread and is not
 * shared), ENOMEM, ECANCELED, ETIMEDOUT (a scope expired), or EDEADLK. Switches: maybe. */
BINE_API ssize_t bine_wait(void *const *objects, size_t n, void **ready, size_t count,
                           int64_t timeout);

typedef struct bine_iwait bine_iwait;

/* Iterate over n objects as they become ready. The objects must outlive the iteration. Returns the
 * iteration, which bine_iwait_end frees. Fails with EINVAL, EPERM (an object belongs to another
 * thread and is not shared), ENOMEM, or EAGAIN (no hub could be made). Switches: only if it fails
 * and some objects are of other threads. */
BINE_API bine_iwait *bine_iwait_begin(void *const *objects, size_t n);
/* Returns the next object that is ready. Returns NULL with errno 0 when all have been returned.
 * Otherwise returns NULL with ETIMEDOUT (`timeout` or a scope has passed), ECANCELED, EDEADLK,
 * EINVAL, or EPERM (the iteration is another thread's). Switches: maybe. */
BINE_API void *bine_iwait_next(bine_iwait *iteration, int64_t timeout);
/* End the iteration and free it. NULL is ignored. Any thread may call it; an iteration of another
 * thread is ended by that thread. Links and posted functions must not call it if the iteration, or
 * objects in it, are of other threads. It switches only in that case. */
BINE_API void bine_iwait_end(bine_iwait *iteration);

BINE_END

#endif
