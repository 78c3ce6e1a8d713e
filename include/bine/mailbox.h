/*
 * Mailbox: a bounded queue between threads. Any greenlet of any thread sends. The greenlets of the
 * thread that made the mailbox receive. A send costs no system call as long as the receivers'
 * thread is awake, since wake-ups are batched.
 */
#ifndef BINE_MAILBOX_H
#define BINE_MAILBOX_H

#include <stdbool.h>

#include "object.h"

BINE_BEGIN

typedef struct bine_mailbox bine_mailbox;

/* Make a mailbox of the calling thread with room for `capacity` items, 1 ... 2^30, rounded up to a
 * power of two of at least 2. Fails with EINVAL, ENOMEM, or EAGAIN (no hub could be made). Free it
 * with bine_mailbox_free. Switches: no. */
BINE_API bine_mailbox *bine_mailbox_new(size_t capacity);

typedef struct bine_mailbox_options {
    size_t capacity; /* as for bine_mailbox_new */
    /* Called with each item that is left when the mailbox is freed, by the call that frees it. It
     * may be NULL. It may not switch. */
    void (*discard)(void *item);
    uintptr_t reserved[4]; /* 0; more fields may be added here */
} bine_mailbox_options;

/* Does the same with options. Fails with EINVAL also if `options` is NULL. Switches: no. */
BINE_API bine_mailbox *bine_mailbox_new_with(const bine_mailbox_options *options);
/* Free the mailbox, once no thread will send any more. Items left in it are discarded. The
 * mailbox's own thread may call it, and any thread once that one has ended. Returns 0, or -1 with
 * EBUSY (greenlets wait to send or receive) or EPERM. Switches: no. */
BINE_API int bine_mailbox_free(bine_mailbox *mailbox);

/*
 * Send an item, and wait for room. Items of one sender arrive in order. Any thread may call it.
 * Returns 0. Otherwise the item stays the caller's, and the call returns -1 with:
 *
 *  - EINVAL, ETIMEDOUT, ECANCELED
 *  - EPIPE: the mailbox is closed
 *  - ESRCH: the receivers' thread has ended; the items sent before lie in the mailbox until it is
 *    freed
 *  - EDEADLK: the caller is a link or a posted function
 *  - EAGAIN, ENOMEM: the calling thread has no hub, and none could be made
 *
 * Switches: when it has to wait.
 */
BINE_API int bine_mailbox_send(bine_mailbox *mailbox, void *item, int64_t timeout);
/* Does the same without waiting. It needs no hub. Any thread may call it. Returns 0, or -1 with
 * EAGAIN (the mailbox is full), EINVAL, EPIPE (it is closed), or ESRCH. Switches: no. */
BINE_API int bine_mailbox_send_nowait(bine_mailbox *mailbox, void *item);
/* Receive an item into *item. Call it on the mailbox's own thread. Returns 0, or -1, also with
 * EPIPE (the mailbox is closed, and all that was sent has been received). The mailbox is ready when
 * a receive would not wait. Waits. */
BINE_API int bine_mailbox_receive(bine_mailbox *mailbox, void **item, int64_t timeout);

/* Close the mailbox. Sends fail with EPIPE from now on, also those that wait. Items of earlier
 * sends that returned 0 can still be received; after the last of them receives fail with EPIPE.
 * Closing twice is no error. Any thread may call it, and it needs no hub. Returns 0, or -1 with
 * EINVAL, or ESRCH (the receivers' thread has ended). Switches: no. */
BINE_API int bine_mailbox_close(bine_mailbox *mailbox);
/* Returns true if the mailbox is closed, and for NULL. Any thread may call it. Switches: no. */
BINE_API bool bine_mailbox_closed(const bine_mailbox *mailbox);

BINE_END

#endif
