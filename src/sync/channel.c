/*
 * The channel. Invariants: receivers wait only while the buffer is empty and no sender waits.
 * Senders wait only while the buffer is full and no receiver waits. So a caller deals with the
 * first waiter of the other side, and never has to look further.
 */
#include "channel.h"

static bool channel_ready(const struct bine_waitable *object)
{
    const struct bine_channel *channel = (const struct bine_channel *)object;
    return channel->ring.count > 0 || !bine_waiters_empty(&channel->senders) || channel->closed;
}

static void channel_forked(struct bine_object *object)
{
    struct bine_channel *channel = (struct bine_channel *)object;
    channel->senders = channel->receivers = (struct bine_waiters){NULL, NULL};
}

const struct bine_object_class bine_channel_class = {
    {"channel", channel_ready, bine_object_external, bine_object_hub}, channel_forked, NULL};

bine_channel *bine_channel_new_with(const bine_channel_options *options)
{
    static const bine_channel_options defaults;
    if (!options)
        options = &defaults;
    if (BINE_RESERVED_USED(options)) {
        errno = EINVAL;
        return NULL;
    }
    struct bine_channel *channel =
        bine_object_new(sizeof *channel, &bine_channel_class, options->flags);
    if (!channel)
        return NULL;
    channel->buffer = options->buffer;
    channel->producers = options->producers;
    channel->discard = options->discard;
    if (channel->buffer > 0 && bine_ring_grow(&channel->ring, channel->buffer) != 0) {
        bine_object_free(&channel->object);
        errno = ENOMEM;
        return NULL;
    }
    return channel;
}

bine_channel *bine_channel_new(size_t buffer, unsigned flags)
{
    return bine_channel_new_with(&(bine_channel_options){.buffer = buffer, .flags = flags});
}

int bine_channel_free(bine_channel *channel)
{
    if (!channel)
        return 0;
    int error = bine_object_check_free(channel);
    if (error)
        return bine_result(error);
    if (!bine_object_orphan(channel) &&
        (!bine_waiters_empty(&channel->senders) || !bine_waiters_empty(&channel->receivers)))
        return bine_result(EBUSY);
    if (!bine_object_orphan(channel) && !bine_waiters_empty(&channel->object.waitable.watchers))
        return bine_result(EBUSY);
    channel->closed = true; /* a discard that sends has no end */
    while (channel->discard && channel->ring.count > 0)
        channel->discard(bine_ring_pop_first(&channel->ring));
    void *slots = channel->ring.slots;
    error = bine_object_free(&channel->object);
    if (!error)
        free(slots);
    return bine_result(error);
}

/* How it is attempted: in the hot paths, which give up (ASK_AGAIN, nothing done) where a party
 * waits first; with all that may be; for a party. */
enum manner {
    QUICKLY,
    FULLY,
    AS_PARTY
};

enum {
    ASK_AGAIN = -1
};

static inline __attribute__((always_inline)) struct bine_taker *claim(struct bine_waiters *queue,
                                                                      enum manner manner,
                                                                      struct bine_party *party,
                                                                      bool *again)
{
    if (manner == QUICKLY)
        return bine_taker_claim_quickly(queue, again);
    *again = false;
    return manner == AS_PARTY ? bine_party_claim(queue, party) : bine_taker_claim(queue);
}

static inline __attribute__((always_inline)) int attempt_send(struct bine_channel *channel,
                                                              void *item, enum manner manner,
                                                              struct bine_party *party)
{
    if (channel->closed)
        return bine_party_agrees(party) ? EPIPE : EAGAIN;
    bool again;
    struct bine_taker *receiver = claim(&channel->receivers, manner, party, &again);
    if (__builtin_expect(receiver != NULL, 1)) {
        receiver->item = item;
        return 0;
    }
    if (__builtin_expect(again, 0))
        return ASK_AGAIN;
    if (channel->ring.count == channel->buffer || !bine_party_agrees(party))
        return EAGAIN;
    bine_ring_push(&channel->ring, item);
    bine_object_notify(&channel->object);
    return 0;
}

static inline __attribute__((always_inline)) int attempt_receive(struct bine_channel *channel,
                                                                 void **item, enum manner manner,
                                                                 struct bine_party *party)
{
    struct bine_taker *sender;
    bool again;
    if (channel->ring.count > 0) {
        if (manner == QUICKLY && !bine_waiters_empty(&channel->senders))
            return ASK_AGAIN;
        if (!bine_party_agrees(party))
            return EAGAIN;
        *item = bine_ring_pop_first(&channel->ring);
        sender = manner == QUICKLY ? NULL : bine_taker_claim(&channel->senders);
        if (sender)
            bine_ring_push(&channel->ring, sender->item);
        return 0;
    }
    sender = claim(&channel->senders, manner, party, &again);
    if (sender) {
        *item = sender->item;
        return 0;
    }
    if (__builtin_expect(again, 0))
        return ASK_AGAIN;
    return channel->closed && bine_party_agrees(party) ? EPIPE : EAGAIN;
}

static __attribute__((noinline)) int send_fully(struct bine_channel *channel, void *item)
{
    return attempt_send(channel, item, FULLY, NULL);
}

static __attribute__((noinline)) int receive_fully(struct bine_channel *channel, void **item)
{
    return attempt_receive(channel, item, FULLY, NULL);
}

int bine_channel_attempt_send(struct bine_channel *channel, void *item)
{
    int error = attempt_send(channel, item, QUICKLY, NULL);
    return __builtin_expect(error == ASK_AGAIN, 0) ? send_fully(channel, item) : error;
}

int bine_channel_attempt_receive(struct bine_channel *channel, void **item)
{
    int error = attempt_receive(channel, item, QUICKLY, NULL);
    return __builtin_expect(error == ASK_AGAIN, 0) ? receive_fully(channel, item) : error;
}

int bine_channel_send_as(struct bine_channel *channel, void *item, struct bine_party *party)
{
    return attempt_send(channel, item, AS_PARTY, party);
}

int bine_channel_receive_as(struct bine_channel *channel, void **item, struct bine_party *party)
{
    return attempt_receive(channel, item, AS_PARTY, party);
}

/* Either side's wait (see bine_taker_wait_inlined): `received` is NULL for a sender. */
BINE_WAIT_BODY int bine_channel_wait_body(struct bine_channel *channel, void *item, void **received,
                                          int64_t timeout);
BINE_WAIT_BODY int bine_channel_wait_body(struct bine_channel *channel, void *item, void **received,
                                          int64_t timeout)
{
    if (!received && timeout > 0)
        bine_object_notify(&channel->object);
    struct bine_taker taker;
    taker.item = item;
    int error = bine_taker_wait_inlined(
        &channel->object, received ? &channel->receivers : &channel->senders, &taker,
        received ? "receive from channel" : "send to channel", timeout);
    if (__builtin_expect(error != 0, 0))
        return bine_result(error);
    if (received)
        *received = taker.item;
    return 0;
}

BINE_WAIT_BY_JUMP(int channel_wait(struct bine_channel *channel, void *item, void **received,
                                   int64_t timeout),
                  bine_channel_wait_body, (channel, item, received, timeout))

static int send_there(struct bine_errand *errand)
{
    return bine_outcome(bine_channel_send(errand->object, errand->item, errand->timeout));
}

BINE_ELSEWHERE int send_elsewhere(struct bine_channel *channel, void *item, int64_t timeout)
{
    return bine_object_elsewhere(
        bine_object_check(channel),
        &(struct bine_errand){send_there, "send to channel", channel, item, .timeout = timeout});
}

static __attribute__((noinline)) int send_slowly(struct bine_channel *channel, void *item,
                                                 int64_t timeout)
{
    int error = send_fully(channel, item);
    return error == EAGAIN ? channel_wait(channel, item, NULL, timeout) : bine_result(error);
}

int bine_channel_send(bine_channel *channel, void *item, int64_t timeout)
{
    if (__builtin_expect(!bine_object_here(channel) || timeout < 0, 0))
        return send_elsewhere(channel, item, timeout);
    int error = attempt_send(channel, item, QUICKLY, NULL);
    if (__builtin_expect(error == ASK_AGAIN, 0))
        return send_slowly(channel, item, timeout);
    return error == EAGAIN ? channel_wait(channel, item, NULL, timeout) : bine_result(error);
}

static int receive_there(struct bine_errand *errand)
{
    return bine_outcome(bine_channel_receive(errand->object, &errand->item, errand->timeout));
}

BINE_ELSEWHERE int receive_elsewhere(struct bine_channel *channel, void **item, int64_t timeout)
{
    return bine_object_elsewhere_item(
        item ? bine_object_check(channel) : EINVAL,
        (struct bine_errand){receive_there, "receive from channel", channel, .timeout = timeout},
        item);
}

static __attribute__((noinline)) int receive_slowly(struct bine_channel *channel, void **item,
                                                    int64_t timeout)
{
    int error = receive_fully(channel, item);
    return error == EAGAIN ? channel_wait(channel, NULL, item, timeout) : bine_result(error);
}

int bine_channel_receive(bine_channel *channel, void **item, int64_t timeout)
{
    if (__builtin_expect(!bine_object_here(channel) || timeout < 0 || !item, 0))
        return receive_elsewhere(channel, item, timeout);
    int error = attempt_receive(channel, item, QUICKLY, NULL);
    if (__builtin_expect(error == ASK_AGAIN, 0))
        return receive_slowly(channel, item, timeout);
    return error == EAGAIN ? channel_wait(channel, NULL, item, timeout) : bine_result(error);
}

static int close_there(struct bine_errand *errand)
{
    return bine_outcome(bine_channel_close(errand->object));
}

int bine_channel_close(bine_channel *channel)
{
    int error = bine_object_check(channel);
    if (error)
        return bine_object_elsewhere(error,
                                     &(struct bine_errand){close_there, "close channel", channel,
                                                           .timeout = BINE_FOREVER, .firm = true});
    channel->closed = true;
    bine_taker_claim_all(&channel->senders, EPIPE);
    bine_taker_claim_all(&channel->receivers, EPIPE);
    bine_object_notify(&channel->object);
    return 0;
}

static int add_producers_there(struct bine_errand *errand)
{
    return bine_outcome(bine_channel_add_producers(errand->object, errand->number));
}

int bine_channel_add_producers(bine_channel *channel, size_t count)
{
    int error = bine_object_check(channel);
    if (error)
        return bine_object_elsewhere(
            error, &(struct bine_errand){add_producers_there, "add producers", channel,
                                         .number = count, .timeout = BINE_FOREVER, .firm = true});
    if (channel->closed)
        return bine_result(EPIPE);
    if (count > SIZE_MAX - channel->producers)
        return bine_result(EOVERFLOW);
    channel->producers += count;
    return 0;
}

static int producer_done_there(struct bine_errand *errand)
{
    return bine_outcome(bine_channel_producer_done(errand->object));
}

int bine_channel_producer_done(bine_channel *channel)
{
    int error = bine_object_check(channel);
    if (error)
        return bine_object_elsewhere(
            error, &(struct bine_errand){producer_done_there, "say that a producer is done",
                                         channel, .timeout = BINE_FOREVER, .firm = true});
    if (channel->producers == 0)
        return bine_result(EINVAL);
    return --channel->producers == 0 ? bine_channel_close(channel) : 0;
}

bool bine_channel_closed(const bine_channel *channel)
{
    return !channel || channel->closed;
}

size_t bine_channel_size(const bine_channel *channel)
{
    return channel ? channel->ring.count : 0;
}

bool bine_channel_has_sender(const bine_channel *channel)
{
    return channel && !bine_waiters_empty(&channel->senders);
}

bool bine_channel_has_receiver(const bine_channel *channel)
{
    return channel && !bine_waiters_empty(&channel->receivers);
}
