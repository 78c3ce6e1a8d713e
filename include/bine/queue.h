/*
 * Queue: some greenlets put items into it, and others take them out in order of arrival, last in
 * first out, or by priority. A queue may be bounded. It counts unfinished tasks, so that a greenlet
 * can wait until all of them are done.
 *
 * An item is a pointer; NULL is an item like any other. A greenlet that puts an item gives it away,
 * and the greenlet that gets it owns it.
 */
#ifndef BINE_QUEUE_H
#define BINE_QUEUE_H

#include <stdbool.h>
#include <sys/types.h>

#include "object.h"

BINE_BEGIN

typedef struct bine_queue_object bine_queue;

enum bine_queue_order {
    BINE_FIFO,
    BINE_LIFO,
    BINE_PRIORITY, /* the item that compares smallest; equal ones in order of arrival */
};

typedef struct bine_queue_options {
    size_t capacity;             /* The largest number of items. 0 means no bound. */
    enum bine_queue_order order; /* BINE_FIFO if it is 0 */
    unsigned flags;              /* 0 or BINE_SHARED */
    /* For BINE_PRIORITY: returns < 0 if a comes before b, > 0 if it comes after b, 0 if they are
     * equal. It may not switch. NULL compares the pointers' values as intptr_t, so that small
     * integers can be items. */
    int (*compare)(const void *a, const void *b);
    /* Called with each item that no greenlet will get (shutdown, free). It may be NULL. */
    void (*discard)(void *item);
    uintptr_t reserved[4]; /* 0; more fields may be added here */
} bine_queue_options;

/* Make a first-in first-out queue of at most `capacity` items (0 means no bound). flags: 0 or
 * BINE_SHARED. Fails with EINVAL, ENOMEM, or EAGAIN (no hub could be made). Free it with
 * bine_queue_free. Switches: no. */
BINE_API bine_queue *bine_queue_new(size_t capacity, unsigned flags);
/* Does the same with options, which are copied. NULL means all defaults. Switches: no. */
BINE_API bine_queue *bine_queue_new_with(const bine_queue_options *options);
/* Free the queue and discard the items that are left. Returns 0, or -1 with EBUSY (greenlets wait
 * for it) or EPERM. Switches: no. */
BINE_API int bine_queue_free(bine_queue *queue);

/* Put an item, and wait for room. If the call fails, the item stays the caller's. Returns 0, or -1,
 * also with EPIPE (the queue is shut down) or ENOMEM. Waits. */
BINE_API int bine_queue_put(bine_queue *queue, void *item, int64_t timeout);
/* Does the same without waiting. If the queue is shared, any thread may call it; another thread
 * only sends a message. Returns 0, or -1 with EAGAIN (the queue is full), EPIPE, ENOMEM, EINVAL,
 * EPERM, or ESRCH (the queue's thread has ended). An item from another thread may still be
 * discarded if a shutdown overtakes it. Switches: no. */
BINE_API int bine_queue_put_nowait(bine_queue *queue, void *item);

/* Take the next item into *item, and wait for one. Returns 0, or -1, also with EPIPE (the queue
 * is shut down and empty). The queue is ready when an item is there, or when it is shut down.
 * Waits. */
BINE_API int bine_queue_get(bine_queue *queue, void **item, int64_t timeout);
/* Does the same without waiting. Returns 0, or -1 with EAGAIN (the queue is empty), EPIPE, EINVAL
 * or EPERM. Switches: no. */
BINE_API int bine_queue_get_nowait(bine_queue *queue, void **item);
/* Wait for an item, store it in *item, and leave it in the queue. Returns and fails as
 * bine_queue_get. Waits. */
BINE_API int bine_queue_peek(bine_queue *queue, void **item, int64_t timeout);

/* bine_queue_size returns the number of items that are there now. bine_queue_capacity returns the
 * bound, 0 if there is none. bine_queue_full returns true if the queue is at its bound. They return
 * 0 and false for NULL. They are for the queue's own thread. They never switch. */
BINE_API size_t bine_queue_size(const bine_queue *queue);
BINE_API size_t bine_queue_capacity(const bine_queue *queue);
BINE_API bool bine_queue_full(const bine_queue *queue);

/* Each item that was put is an unfinished task until a greenlet calls bine_queue_task_done for it.
 * That call returns 0, or -1 with EINVAL (also if no task is unfinished) or EPERM.
 * bine_queue_unfinished returns how many there are. Switches: no. */
BINE_API int bine_queue_task_done(bine_queue *queue);
BINE_API size_t bine_queue_unfinished(const bine_queue *queue);
/* Wait until no task is unfinished. Returns 0 or -1. Waits. */
BINE_API int bine_queue_join(bine_queue *queue, int64_t timeout);

/* Shut the queue down. From now on puts fail with EPIPE, also those that wait. Gets take the items
 * that are there, then fail with EPIPE. With `immediate` the items that are there are discarded and
 * count as done. A second shutdown is no error. Returns 0, or -1 with EINVAL or EPERM.
 * Switches: no. */
BINE_API int bine_queue_shutdown(bine_queue *queue, bool immediate);

BINE_END

#endif
