/*
 * Waiting for any of several things: greenlets, events, semaphores, queues, any waitable object.
 *
 * Waiting only observes: it takes no reference, no permit and no item. An object is "ready" when an
 * operation on it would not block: a greenlet has ended, an event is set, a semaphore can be acquired,
 * a queue has an item.
 *
 * Greenlets and shared objects (BINE_SHARED) of other threads can be among them. Whether these are ready their
 * own threads say, so it takes a moment, and a wait with timeout 0 does not see them; and ending the wait waits
 * until those threads have let go of them, whatever happens to the caller.
 */
#ifndef BINE_WAIT_H
#define BINE_WAIT_H

#include <sys/types.h>

#include "base.h"

BINE_BEGIN

/*
 * Wait until `count` of the n objects are ready (count 0 or > n: all). Stores those that became ready in
 * ready[] (room for n entries, may be NULL) in the order in which they did. n 0 waits until no other greenlet
 * of this thread is left. Returns how many are ready; fewer than count when `timeout` passed (that is no error,
 * as in gevent); or -1: EINVAL, EPERM (an object of another thread that is not shared), ENOMEM, ECANCELED,
 * ETIMEDOUT (a scope), EDEADLK. Switches: maybe.
 */
BINE_API ssize_t bine_wait(void *const *objects, size_t n, void **ready, size_t count, int64_t timeout);

typedef struct bine_iwait bine_iwait;

/* Iterate over n objects as they become ready. The objects must outlive the iteration. Returns NULL:
 * EINVAL, EPERM (an object of another thread that is not shared), ENOMEM. Free with bine_iwait_end. */
BINE_API bine_iwait *bine_iwait_begin(void *const *objects, size_t n);
/* The next object that is ready, or NULL with errno 0 when all have been returned, ETIMEDOUT when `timeout`
 * or a scope passed, ECANCELED, EDEADLK, EINVAL, EPERM (another thread's iteration). Switches: maybe. */
BINE_API void *bine_iwait_next(bine_iwait *iteration, int64_t timeout);
/* NULL is ignored. Any thread; another one's iteration is ended by that thread. Not in links and posted
 * functions if it, or objects in it, are of other threads. Switches: only then. */
BINE_API void bine_iwait_end(bine_iwait *iteration);

BINE_END

#endif
