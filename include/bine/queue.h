/*
 * Queue: items put in by some greenlets and taken out by others, in order of arrival, last in first out, or by
 * priority; bounded or not; with a count of unfinished tasks, so that one can wait until all of them are done.
 *
 * An item is a pointer; NULL is an item like any other. Who puts an item gives it away, who gets it owns it.
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
    size_t capacity;             /* items at most; 0: unbounded */
    enum bine_queue_order order; /* BINE_FIFO if left 0 */
    unsigned flags;              /* 0 or BINE_SHARED */
    /* BINE_PRIORITY: < 0 if a comes before b, > 0 if after, 0 if equal. May not switch. NULL: by the pointers'
     * values as intptr_t, so that small integers can be items. */
    int (*compare)(const void *a, const void *b);
    void (*discard)(void *item); /* what becomes of items that nobody will get (shutdown, free); may be NULL */
} bine_queue_options;

/* A first-in first-out queue of at most `capacity` items (0: unbounded). flags: 0 or BINE_SHARED. NULL: EINVAL, ENOMEM,
 * EAGAIN (no hub). Free with bine_queue_free. Switches: no. */
BINE_API bine_queue *bine_queue_new(size_t capacity, unsigned flags);
/* The same with options (NULL: all defaults). Copied. */
BINE_API bine_queue *bine_queue_new_with(const bine_queue_options *options);
/* Discards the items that are left. -1: EBUSY (greenlets wait for it), EPERM. Switches: no. */
BINE_API int bine_queue_free(bine_queue *queue);

/* Put an item, waiting for room. On failure the item stays the caller's. Returns 0, or -1: also EPIPE (shut
 * down), ENOMEM. Waits. */
BINE_API int bine_queue_put(bine_queue *queue, void *item, int64_t timeout);
/* The same without waiting. Any thread if shared, where it leaves word and returns. -1: EAGAIN (full), EPIPE
 * (from another thread: the item may still be discarded if a shutdown overtakes it), ENOMEM, EINVAL, EPERM,
 * ESRCH (its thread has ended). Switches: no. */
BINE_API int bine_queue_put_nowait(bine_queue *queue, void *item);

/* Take the next item into *item, waiting for one. Returns 0, or -1: also EPIPE (shut down and empty). Waits.
 * Ready: an item is there, or the queue is shut down. */
BINE_API int bine_queue_get(bine_queue *queue, void **item, int64_t timeout);
/* The same without waiting. -1: EAGAIN (empty), EPIPE, EINVAL, EPERM. Switches: no. */
BINE_API int bine_queue_get_nowait(bine_queue *queue, void **item);
/* Look at the next item, waiting for one, and leave it in the queue. As bine_queue_get. */
BINE_API int bine_queue_peek(bine_queue *queue, void **item, int64_t timeout);

/* Items that are there now; the bound (0: none); is it at its bound? Zero and false for NULL. For its own thread. They
 * never switch. */
BINE_API size_t bine_queue_size(const bine_queue *queue);
BINE_API size_t bine_queue_capacity(const bine_queue *queue);
BINE_API bool bine_queue_full(const bine_queue *queue);

/* Each item put is an unfinished task until somebody says it is done. -1: EINVAL (also: none is unfinished), EPERM.
 * Switches: no. */
BINE_API int bine_queue_task_done(bine_queue *queue);
BINE_API size_t bine_queue_unfinished(const bine_queue *queue);
/* Wait until no task is unfinished. Returns 0 or -1. Waits. */
BINE_API int bine_queue_join(bine_queue *queue, int64_t timeout);

/* From now on nothing can be put (EPIPE, also for those who wait to put), and gets take what is there, then
 * fail with EPIPE. `immediate`: the items that are there are discarded and count as done. Shutting down twice
 * is no error. -1: EINVAL, EPERM. Switches: no. */
BINE_API int bine_queue_shutdown(bine_queue *queue, bool immediate);

BINE_END

#endif
