/*
 * What the synchronisation objects have in common: event, async result, semaphore, lock, condition, barrier,
 * queue, channel, pool ...
 *
 *  - An object belongs to the thread that made it; its greenlets use it without locks or atomics. From any
 *    other thread every call fails with EPERM, unless the object was made with BINE_SHARED.
 *  - A shared object is used from any thread. What another thread asks for is done by the object's own, when that
 *    next looks at its messages, in the order in which one thread asked:
 *      - Setting an event or a result, releasing a semaphore and bine_queue_put_nowait only leave word and return at
 *        once. They are for threads that do not wait, links and posted functions.
 *      - All other calls wait for the outcome: a greenlet of the object's thread does the same call, in the
 *        same queues and with the same rules, while the caller parks on its own hub (which is made if it has
 *        none). So they switch, also those that say "Switches: no", and those with timeout 0, which do not wait
 *        for the object but for the answer. They add ENOMEM, EAGAIN (no hub could be made), ESRCH (the object's
 *        thread has ended) and, where parking is not allowed, EDEADLK. What locks, releases, closes or sets is
 *        not cut short by a kill.
 *      - The calls that only look (bine_queue_size ...) are for the object's own thread, but for those that say "any
 *        thread". So are making and freeing it, and bine_pool_imap.
 *  - Waiters are served first come, first served, and what they wait for (an item, a permit, a lock) is handed to
 *    them by whoever provides it. A waiter that was killed or timed out before is passed over, so nothing is
 *    lost; one that was served first gets what it was given, and the kill strikes at its next wait.
 *  - `timeout` is in nanoseconds. When it passes the call fails with ETIMEDOUT and has changed nothing. 0: do
 *    not wait, fail with ETIMEDOUT at once if waiting would be needed; after many such calls in a row the
 *    others run first, so that a loop that only tries does not keep them from what it waits for (ECANCELED
 *    then, too). BINE_FOREVER: no limit. Negative: EINVAL.
 *  - Every call that says "waits" can fail with EINVAL (NULL object, negative timeout), EPERM (another thread's
 *    object), ETIMEDOUT, ECANCELED, EDEADLK as base.h says; the comments below name only what comes in
 *    addition. It switches only when it has to wait, or has tried in vain many times.
 *  - Freeing an object that greenlets wait for fails with EBUSY and leaves it as it was. Freeing NULL is a
 *    success. A shared object may be freed once no other thread will call it any more; what they have sent before is
 *    dealt with.
 *  - An object outlives its thread. From then on calls of a shared one fail with ESRCH and calls of another one
 *    with EPERM, on every thread; any thread may free it, whoever waited for it or had it locked.
 *  - bine_wait, bine_iwait and bine_choose accept them all; "ready" below says what they wait for.
 */
#ifndef BINE_OBJECT_H
#define BINE_OBJECT_H

#include "base.h"

/* For the `flags` of constructors: other threads will use this object. Waiting for it is then never taken for
 * a deadlock, since another thread may end the wait. Constructors fail with EINVAL for any other bit. */
#define BINE_SHARED 1u

#endif
