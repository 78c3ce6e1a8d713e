/*
 * What the synchronisation objects have in common: event, async result, semaphore, lock, condition, barrier,
 * queue, channel, pool ...
 *
 *  - An object belongs to the thread that made it; its greenlets use it without locks or atomics. From any
 *    other thread every call fails with EPERM, but for those that say "any thread if shared": they work when
 *    the object was made with BINE_SHARED, and take effect when its thread next looks at its messages, in the
 *    order in which one thread made them.
 *  - Waiters are served first come, first served, and what they wait for (an item, a permit, a lock) is handed to
 *    them by whoever provides it. A waiter that was killed or timed out before is passed over, so nothing is
 *    lost; one that was served first gets what it was given, and the kill strikes at its next wait.
 *  - `timeout` is in nanoseconds. When it passes the call fails with ETIMEDOUT and has changed nothing. 0: do
 *    not wait, fail with ETIMEDOUT at once if waiting would be needed. BINE_FOREVER: no limit. Negative: EINVAL.
 *  - Every call that says "waits" can fail with EINVAL (NULL object, negative timeout), EPERM (another thread's
 *    object), ETIMEDOUT, ECANCELED, EDEADLK as base.h says; the comments below name only what comes in
 *    addition. It switches only when it has to wait.
 *  - Freeing an object that greenlets wait for fails with EBUSY and leaves it as it was. Freeing NULL is a
 *    success. A shared object may be freed once no other thread will call it any more; what they have sent before is
 *    dealt with.
 *  - bine_wait, bine_iwait and bine_choose accept them all; "ready" below says what they wait for.
 */
#ifndef BINE_OBJECT_H
#define BINE_OBJECT_H

#include "base.h"

/* For the `flags` of constructors: other threads will signal this object. Waiting for it is then never taken for
 * a deadlock, since another thread may end the wait. Constructors fail with EINVAL for any other bit. */
#define BINE_SHARED 1u

#endif
