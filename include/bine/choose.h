/*
 * Choose: wait for several operations and do exactly one of them, the first that can be done (Go's
 * select). The operations may be of any mixture: objects of the calling thread, shared ones
 * (BINE_SHARED) of other threads, greenlets, descriptors, timers. A signal is an event (signal.h).
 * This is the loop of a worker on its own thread:
 *
 *      for (;;) {
 *          bine_choice choices[] = {{.operation = BINE_CHOOSE_READY, .object = stop},
 *                                   {.operation = BINE_CHOOSE_RECEIVE, .object = jobs}};
 *          if (bine_choose_first(choices, 2, BINE_FOREVER) != 1 || choices[1].error)
 *              break;
 *          do_job(choices[1].item);
 *      }
 */
#ifndef BINE_CHOOSE_H
#define BINE_CHOOSE_H

#include "channel.h"
#include "lock.h"
#include "mailbox.h"
#include "queue.h"
#include "semaphore.h"

BINE_BEGIN

enum bine_choice_operation {
    BINE_CHOOSE_SEND, /* bine_channel_send(object, item) */
    /* bine_channel_receive(object, &item), or bine_mailbox_receive of a mailbox of this thread */
    BINE_CHOOSE_RECEIVE,
    BINE_CHOOSE_PUT,     /* bine_queue_put(object, item) */
    BINE_CHOOSE_GET,     /* bine_queue_get(object, &item) */
    BINE_CHOOSE_ACQUIRE, /* bine_semaphore_acquire(object), or bine_rlock_acquire(object) */
    /* object is ready, which may be of any kind that bine_wait accepts; nothing is taken */
    BINE_CHOOSE_READY,
    /* bine_join(object, &item). It takes the reference. `error` is the greenlet's. */
    BINE_CHOOSE_JOIN,
    /* The descriptor in *(int *)object can be read, or has an error or an end to report. Nothing is
     * taken. A file that cannot be waited for is always ready. */
    BINE_CHOOSE_READABLE,
    BINE_CHOOSE_WRITABLE, /* the same for writing */
    BINE_CHOOSE_TIMER,    /* the moment in *(int64_t *)object, of bine_deadline, has come */
};

typedef struct bine_choice {
    enum bine_choice_operation operation;
    void *object; /* with NULL this choice is never taken */
    void *item;   /* the item to send or put; or the place where the received item is stored */
    /* Set in the choice that was taken. 0 means that the operation was done. Otherwise it was done
     * in vain: EPIPE (closed, shut down), ESRCH (the object's thread has ended), or EBADF (no
     * descriptor, or closed meanwhile). */
    int error;
} bine_choice;

/*
 * Do one of the n operations. If several can be done at once, one of them is drawn, so that an
 * operation that can always be done starves no other. Greenlets that wait at an object are served
 * in the order in which they came, choosers among the others. The operation is done once, and the
 * others are not done at all. If a kill or a timeout ends the wait first, all objects stay as they
 * were.
 *
 * Objects of other threads are asked by a message, one thread after the other. The call returns
 * when all of these threads have let go, so that the objects may be freed then, whatever was
 * chosen. A thread that does not look at its messages for a while holds the call up for as long, as
 * it holds up every call of a shared object.
 *
 * Returns the index, with `error` and `item` filled in. Otherwise returns -1, and no operation was
 * done, with:
 *
 *  - EINVAL: an operation is unknown, or an object is of another kind
 *  - EPERM: an object belongs to another thread and is not shared, or a mailbox is another thread's
 *  - ENOMEM
 *  - ETIMEDOUT: the timeout has passed; with timeout 0 this is the "default" case
 *  - ECANCELED
 *  - EDEADLK: as base.h says; the current greenlet is to be joined; or the caller is a link or a
 *    posted function and names objects of other threads
 *  - EMFILE and the like: no poller could be opened for a descriptor
 *
 * With n 0 it only waits. Switches: when it has to wait, and always if objects of other threads are
 * asked.
 */
BINE_API ssize_t bine_choose(bine_choice *choices, size_t n, int64_t timeout);

/* Does the same by priority: if several operations can be done at once, the first of them in the
 * array is done. Use it for "stop before anything else". Objects of other threads are asked when
 * the call comes to them in the array, before it tries what stands behind them. Returns, fails and
 * switches as bine_choose does. */
BINE_API ssize_t bine_choose_first(bine_choice *choices, size_t n, int64_t timeout);

BINE_END

#endif
