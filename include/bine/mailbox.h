/*
 * Mailbox: a bounded queue between threads. Any greenlet of any thread sends, the greenlets of the thread that
 * made it receive. Sending costs no system call as long as the receivers' thread is awake: wake-ups are
 * batched.
 */
#ifndef BINE_MAILBOX_H
#define BINE_MAILBOX_H

#include <stdbool.h>

#include "object.h"

BINE_BEGIN

typedef struct bine_mailbox bine_mailbox;

/* A mailbox of the calling thread with room for `capacity` items, 1 ... 2^30, rounded up to a power of two of
 * at least 2. NULL: EINVAL, ENOMEM, EAGAIN (no hub). Free with bine_mailbox_free. Switches: no. */
BINE_API bine_mailbox *bine_mailbox_new(size_t capacity);

typedef struct bine_mailbox_options {
    size_t capacity;             /* as of bine_mailbox_new */
    void (*discard)(void *item); /* called with each item that is left when the mailbox is freed, by the call that
                                    frees it; may be NULL. It may not switch. */
} bine_mailbox_options;

/* The same with options. EINVAL also for NULL. Switches: no. */
BINE_API bine_mailbox *bine_mailbox_new_with(const bine_mailbox_options *options);
/* Free it, once nobody will send any more; items left in it are discarded. Its own thread, or any once that has
 * ended. -1: EBUSY (greenlets wait to send or receive), EPERM. Switches: no. */
BINE_API int bine_mailbox_free(bine_mailbox *mailbox);

/* Send an item, waiting for room. Items of one sender arrive in order. Any thread. Returns 0, or -1 and the
 * item stays the caller's: EINVAL, ETIMEDOUT, ECANCELED, EPIPE (closed), ESRCH (the receivers' thread has ended; what was sent
 * before lies in the mailbox until it is freed), EDEADLK (in a link or a posted function), EAGAIN or ENOMEM
 * (the calling thread has no hub and none could be made). Switches: when it has to wait. */
BINE_API int bine_mailbox_send(bine_mailbox *mailbox, void *item, int64_t timeout);
/* The same without waiting; needs no hub. Any thread. -1: EAGAIN (full), EINVAL, EPIPE (closed), ESRCH. Switches: no. */
BINE_API int bine_mailbox_send_nowait(bine_mailbox *mailbox, void *item);
/* Receive an item into *item. On the mailbox's own thread. Returns 0 or -1: also EPIPE (closed, and all that was sent
 * has been received). Waits. Ready: a receive would not wait. */
BINE_API int bine_mailbox_receive(bine_mailbox *mailbox, void **item, int64_t timeout);

/* No more sends: they fail with EPIPE, also those that wait. All that was sent before, by sends that returned 0, can
 * still be received; then receives fail with EPIPE. Closing twice is no error. Any thread; needs no hub. Returns 0, or
 * -1: EINVAL, ESRCH (the receivers' thread has ended). Switches: no. */
BINE_API int bine_mailbox_close(bine_mailbox *mailbox);
/* NULL counts as closed. Any thread. Switches: no. */
BINE_API bool bine_mailbox_closed(const bine_mailbox *mailbox);

BINE_END

#endif
