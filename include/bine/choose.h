/*
 * Choose: wait for several operations and do exactly one of them, whichever can be done first (Go's select). They may be
 * of any mixture: objects of the calling thread, shared ones (BINE_SHARED) of other threads, greenlets, descriptors,
 * timers. A signal is an event (signal.h). The loop of a worker on its own thread:
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
    BINE_CHOOSE_SEND,     /* bine_channel_send(object, item) */
    BINE_CHOOSE_RECEIVE,  /* bine_channel_receive(object, &item), or bine_mailbox_receive of a mailbox of this thread */
    BINE_CHOOSE_PUT,      /* bine_queue_put(object, item) */
    BINE_CHOOSE_GET,      /* bine_queue_get(object, &item) */
    BINE_CHOOSE_ACQUIRE,  /* bine_semaphore_acquire(object), or bine_rlock_acquire(object) */
    BINE_CHOOSE_READY,    /* object, of any kind that bine_wait accepts, is ready; nothing is taken */
    BINE_CHOOSE_JOIN,     /* bine_join(object, &item): takes the reference; error: the greenlet's */
    BINE_CHOOSE_READABLE, /* the descriptor in *(int *)object can be read, or has an error or an end to tell; nothing
                             is taken. A file that cannot be waited for is always ready. */
    BINE_CHOOSE_WRITABLE, /* the same for writing */
    BINE_CHOOSE_TIMER,    /* the moment in *(int64_t *)object, of bine_deadline, has come */
};

typedef struct bine_choice {
    enum bine_choice_operation operation;
    void *object; /* NULL: this choice is never taken */
    void *item;   /* what to send or put; or where what was received or got is stored */
    int error;    /* out, of the choice taken: 0, or the operation was done in vain: EPIPE (closed, shut down), ESRCH
                     (the object's thread has ended), EBADF (no descriptor, or closed meanwhile) */
} bine_choice;

/*
 * Do one of the n operations. If several can be done at once one of them is drawn, so that one that can always be done
 * starves no other. Who waits at an object is served in the order in which they came, choosers among the others. The
 * operation is done once; the others are not done at all, and whatever ends the choice before (kill, timeout) leaves
 * all as it was.
 *
 * Objects of other threads are asked by a message, one thread after the other, and the call returns when all of them have
 * let go: whatever was chosen, the objects may be freed then. A thread that does not look at its messages for a while
 * holds the call up for as long, as every call of a shared object.
 *
 * Returns the index, with `error` and `item` filled in; or -1 and none was done: EINVAL (unknown operation, object of
 * another kind), EPERM (an object of another thread that is not shared, a mailbox of another thread), ENOMEM, ETIMEDOUT
 * (timeout; with 0 this is the "default" case), ECANCELED, EDEADLK (also: the current greenlet is to be joined; objects
 * of other threads in a link or a posted function), EMFILE and the like (no poller could be opened for a descriptor).
 * With n 0 it only waits. Switches: when it has to wait, and always if objects of other threads are asked.
 */
BINE_API ssize_t bine_choose(bine_choice *choices, size_t n, int64_t timeout);

/* The same by priority: if several can be done at once it is the first of them in the array. For "stop before
 * anything else". Objects of other threads are asked in their turn, before what comes behind them is tried. */
BINE_API ssize_t bine_choose_first(bine_choice *choices, size_t n, int64_t timeout);

BINE_END

#endif
