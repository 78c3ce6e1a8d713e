/*
 * Choose: wait for several operations and do exactly one of them, whichever can be done first (Go's select).
 */
#ifndef BINE_CHOOSE_H
#define BINE_CHOOSE_H

#include "channel.h"
#include "queue.h"
#include "semaphore.h"

BINE_BEGIN

enum bine_choice_operation {
    BINE_CHOOSE_SEND,    /* bine_channel_send(object, item) */
    BINE_CHOOSE_RECEIVE, /* bine_channel_receive(object, &item) */
    BINE_CHOOSE_PUT,     /* bine_queue_put(object, item) */
    BINE_CHOOSE_GET,     /* bine_queue_get(object, &item) */
    BINE_CHOOSE_ACQUIRE, /* bine_semaphore_acquire(object) */
    BINE_CHOOSE_READY,   /* object, of any kind that bine_wait accepts, is ready; nothing is taken */
};

typedef struct bine_choice {
    enum bine_choice_operation operation;
    void *object; /* NULL: this choice is never taken */
    void *item;   /* what to send or put; or where what was received or got is stored */
    int error;    /* out, of the choice taken: 0, or EPIPE (closed, shut down) */
} bine_choice;

/*
 * Do one of the n operations. If several can be done at once one of them is drawn, so that one that can always be done
 * starves no other. Returns its index, with its `error` and
 * `item` filled in; or -1 and none was done: EINVAL (unknown operation, object of another kind), EPERM (an
 * object of another thread), ENOMEM, ETIMEDOUT (timeout; with 0 this is the "default" case), ECANCELED,
 * EDEADLK. With n 0 it only waits. Switches: when it has to wait.
 */
BINE_API ssize_t bine_choose(bine_choice *choices, size_t n, int64_t timeout);

/* The same by priority: if several can be done at once it is the first of them in the array. For "stop before
 * anything else". */
BINE_API ssize_t bine_choose_first(bine_choice *choices, size_t n, int64_t timeout);

BINE_END

#endif
