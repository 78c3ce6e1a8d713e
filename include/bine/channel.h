/*
 * Channel: hands items from one greenlet to another. Without a buffer sender and receiver meet: a
 * send returns when the item has been received. With a buffer a send returns at once as long as the
 * buffer has room.
 *
 * A channel made with BINE_SHARED connects greenlets of several threads (object.h says how). Where
 * many items cross between threads a mailbox is faster, since its senders do not wait for an
 * answer.
 */
#ifndef BINE_CHANNEL_H
#define BINE_CHANNEL_H

#include <stdbool.h>

#include "object.h"

BINE_BEGIN

typedef struct bine_channel bine_channel;

/* Make a channel with room for `buffer` items (0 means no buffer). flags: 0 or BINE_SHARED. Fails
 * with EINVAL, ENOMEM, or EAGAIN (no hub could be made). Free it with bine_channel_free.
 * Switches: no. */
BINE_API bine_channel *bine_channel_new(size_t buffer, unsigned flags);

typedef struct bine_channel_options {
    size_t buffer;    /* as for bine_channel_new */
    unsigned flags;   /* as for bine_channel_new */
    size_t producers; /* See bine_channel_producer_done. 0 counts no producers. */
    /* Called with each item that is left in the buffer when the channel is freed, by the call that
     * frees it. It may be NULL. It may not switch. */
    void (*discard)(void *item);
    uintptr_t reserved[4]; /* 0; more fields may be added here */
} bine_channel_options;

/* Does the same with options. NULL means all defaults. Switches: no. */
BINE_API bine_channel *bine_channel_new_with(const bine_channel_options *options);
/* Free the channel and discard the items that are left in the buffer. Returns 0, or -1 with EBUSY
 * (greenlets wait at it) or EPERM. Switches: no. */
BINE_API int bine_channel_free(bine_channel *channel);

/* Send an item. Returns 0 when the item was received, or is in the buffer. Otherwise returns -1,
 * also with EPIPE (the channel is closed), and the item stays the caller's. Waits. */
BINE_API int bine_channel_send(bine_channel *channel, void *item, int64_t timeout);
/* Receive an item into *item. Returns 0, or -1, also with EPIPE (the channel is closed, and nothing
 * is left). The channel is ready when a receive would not wait. Waits. */
BINE_API int bine_channel_receive(bine_channel *channel, void **item, int64_t timeout);

/* Close the channel. Nothing can be sent any more. Greenlets that wait to send or to receive get
 * EPIPE. Items in the buffer can still be received. Closing twice is no error. Returns 0, or -1
 * with EINVAL or EPERM. Switches: no. */
BINE_API int bine_channel_close(bine_channel *channel);

/*
 * The last of its producers closes the channel. Count the producers when the channel is made, or
 * before they begin, and have each call bine_channel_producer_done when it is done. A program that
 * closes the channel itself need not count.
 *
 * Returns 0, or -1 with EINVAL (the channel is NULL, or for bine_channel_producer_done no producer
 * is left) or EPERM. bine_channel_add_producers also fails with EPIPE (the channel is closed) and
 * EOVERFLOW. Switches: no.
 */
BINE_API int bine_channel_add_producers(bine_channel *channel, size_t count);
BINE_API int bine_channel_producer_done(bine_channel *channel);

/* Returns true if the channel is closed. Call it on the channel's own thread. Switches: no. */
BINE_API bool bine_channel_closed(const bine_channel *channel);

/* bine_channel_size returns the number of items in the buffer. The others return true if a greenlet
 * waits to send, or to receive. They are for the channel's own thread. They never switch. */
BINE_API size_t bine_channel_size(const bine_channel *channel);
BINE_API bool bine_channel_has_sender(const bine_channel *channel);
BINE_API bool bine_channel_has_receiver(const bine_channel *channel);

BINE_END

#endif
