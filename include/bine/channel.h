/*
 * Channel: hands items from one greenlet to another. Without a buffer sender and receiver meet: a send returns
 * when the item has been received. With a buffer sends return as long as there is room in it.
 *
 * Made with BINE_SHARED it connects greenlets of several threads (object.h says how); where many items cross between
 * threads a mailbox is faster, since its senders do not wait for an answer.
 */
#ifndef BINE_CHANNEL_H
#define BINE_CHANNEL_H

#include <stdbool.h>

#include "object.h"

BINE_BEGIN

typedef struct bine_channel bine_channel;

/* A channel with room for `buffer` items (0: none). flags: 0 or BINE_SHARED. NULL: EINVAL, ENOMEM, EAGAIN (no
 * hub). Free with bine_channel_free. Switches: no. */
BINE_API bine_channel *bine_channel_new(size_t buffer, unsigned flags);

typedef struct bine_channel_options {
    size_t buffer;               /* as of bine_channel_new, and so */
    unsigned flags;              /* these */
    size_t producers;            /* see bine_channel_producer_done; 0: nobody is counted */
    void (*discard)(void *item); /* called with each item that is left in the buffer when the channel is freed, by the
                                    call that frees it; may be NULL. It may not switch. */
} bine_channel_options;

/* The same with options (NULL: all defaults). Switches: no. */
BINE_API bine_channel *bine_channel_new_with(const bine_channel_options *options);
/* Items left in the buffer are discarded. -1: EBUSY (greenlets wait at it), EPERM. Switches: no. */
BINE_API int bine_channel_free(bine_channel *channel);

/* Send an item. Returns 0 when it was received, or is in the buffer; or -1 and the item stays the caller's:
 * also EPIPE (closed). Waits. */
BINE_API int bine_channel_send(bine_channel *channel, void *item, int64_t timeout);
/* Receive an item into *item. Returns 0, or -1: also EPIPE (closed, and nothing is left). Waits. Ready: a
 * receive would not wait. */
BINE_API int bine_channel_receive(bine_channel *channel, void **item, int64_t timeout);

/* No more sends: those who wait to send or receive get EPIPE; what is in the buffer can still be received.
 * Closing twice is no error. -1: EINVAL, EPERM. Switches: no. */
BINE_API int bine_channel_close(bine_channel *channel);

/*
 * The channel is closed by the last of its producers: count them when it is made, or before they begin, and have each say
 * when it is done. Who closes a channel outright need not count.
 *
 * Returns 0, or -1: EINVAL (NULL; done: none is left), EPERM, add also EPIPE (closed) and EOVERFLOW. Switches: no.
 */
BINE_API int bine_channel_add_producers(bine_channel *channel, size_t count);
BINE_API int bine_channel_producer_done(bine_channel *channel);

/* For the channel's own thread. Switches: no. */
BINE_API bool bine_channel_closed(const bine_channel *channel);

/* Items in the buffer; greenlets that wait to send, to receive. For the channel's own thread. They never switch. */
BINE_API size_t bine_channel_size(const bine_channel *channel);
BINE_API bool bine_channel_has_sender(const bine_channel *channel);
BINE_API bool bine_channel_has_receiver(const bine_channel *channel);

BINE_END

#endif
