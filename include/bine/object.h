/*
 * The synchronisation objects (event, async result, semaphore, lock, condition, barrier, queue,
 * channel, pool ...) have these rules in common.
 *
 *  - An object belongs to the thread that made it. The greenlets of that thread use it without
 *    locks or atomics. From any other thread every call fails with EPERM, unless the object was
 *    made with BINE_SHARED.
 *  - A shared object may be used from any thread. Another thread sends its request as a message,
 *    and the object's own thread does the work when it next looks at its messages. It keeps the
 *    order in which one thread sent its requests.
 *
 *      - Setting an event or a result, releasing a semaphore and bine_queue_put_nowait only send
 *        the message and return at once. They are for threads that do not wait, for links and for
 *        posted functions.
 *      - All other calls wait for the outcome. A greenlet of the object's thread makes the same
 *        call, in the same queues and with the same rules, while the caller parks on its own hub.
 *        The hub is made if there is none. So these calls switch, also those that say "Switches:
 *        no". With timeout 0 they do not wait for the object, but they wait for the answer. They
 *        may also fail with ENOMEM, EAGAIN (no hub could be made), ESRCH (the object's thread has
 *        ended) and, where parking is not allowed, EDEADLK. A kill does not cut short a call that
 *        locks, releases, closes or sets.
 *      - The calls that only look (bine_queue_size ...) are for the object's own thread, except
 *        those of which the comment says that any thread may call them. Making and freeing an
 *        object and bine_pool_imap are for its own thread, too.
 *
 *  - Waiters are served first come, first served. The greenlet that provides an item, a permit or a
 *    lock hands it to the first waiter. A waiter that was killed or timed out before is passed
 *    over, so nothing is lost. A waiter that was served first keeps what it was given, and the kill
 *    strikes at its next wait.
 *  - `timeout` is in nanoseconds. When it has passed, the call fails with ETIMEDOUT and has changed
 *    nothing. With 0 the call does not wait: it fails with ETIMEDOUT at once if it would have to.
 *    After many such calls in a row the other greenlets run first, so that a loop that only tries
 *    does not keep them from providing what it waits for; the call may then fail with ECANCELED,
 *    too. BINE_FOREVER sets no limit. A negative timeout fails with EINVAL.
 *  - A comment that ends with "Waits." describes a call that can fail with EINVAL (the object is
 *    NULL, the timeout is negative), EPERM (the object is another thread's), ETIMEDOUT, ECANCELED,
 *    and EDEADLK as base.h says. The comment names only the further errors. The call switches only
 *    when it has to wait, or has tried in vain many times.
 *  - Freeing an object that greenlets wait for fails with EBUSY and leaves the object as it was.
 *    Freeing NULL succeeds. A shared object may be freed once no other thread will call it any
 *    more. The messages that other threads sent before are dealt with.
 *  - An object outlives its thread. From then on calls of a shared object fail with ESRCH and calls
 *    of another one with EPERM, on every thread. Any thread may free it, whether or not a greenlet
 *    waited for it or had locked it.
 *  - bine_wait, bine_iwait and bine_choose accept all of them. "It is ready when ..." below says
 *    what they wait for.
 */
#ifndef BINE_OBJECT_H
#define BINE_OBJECT_H

#include "base.h"

/* A flag for constructors: other threads will use this object. Waiting for it is then never taken
 * for a deadlock, since another thread may end the wait. Constructors fail with EINVAL for any
 * other bit. */
#define BINE_SHARED 1u

#endif
