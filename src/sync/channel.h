/* What choices need of a channel. */
#ifndef BINE_SYNC_CHANNEL_H
#define BINE_SYNC_CHANNEL_H

#include <bine/channel.h>

#include "object.h"
#include "party.h"
#include "ring_heap.h"

struct bine_channel {
    struct bine_object object;
    struct bine_waiters senders, receivers; /* at most one of the two has waiters */
    struct bine_ring ring;
    size_t buffer;
    bool closed;
    size_t producers; /* producers that have not said that they are done */
    void (*discard)(void *item);
};

extern const struct bine_object_class bine_channel_class;

/* Each tries without waiting. Returns 0, EAGAIN or EPIPE. */
int bine_channel_attempt_send(struct bine_channel *channel, void *item);
int bine_channel_attempt_receive(struct bine_channel *channel, void **item);
/* Do the same for a party. Every result but EAGAIN decides the party. */
int bine_channel_send_as(struct bine_channel *channel, void *item, struct bine_party *party);
int bine_channel_receive_as(struct bine_channel *channel, void **item, struct bine_party *party);

#endif
