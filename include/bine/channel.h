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
/* Items left in the buffer are dropped. -1: EBUSY (greenlets wait at it), EPERM. Switches: no. */
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
/* For the channel's own thread. Switches: no. */
BINE_API bool bine_channel_closed(const bine_channel *channel);

/* Items in the buffer; greenlets that wait to send, to receive. For the channel's own thread. They never switch. */
BINE_API size_t bine_channel_size(const bine_channel *channel);
BINE_API bool bine_channel_has_sender(const bine_channel *channel);
BINE_API bool bine_channel_has_receiver(const bine_channel *channel);

BINE_END

#endif
