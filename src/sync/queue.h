/* What choices need of a queue. */
#ifndef BINE_SYNC_QUEUE_H
#define BINE_SYNC_QUEUE_H

#include <bine/queue.h>

#include "object.h"
#include "party.h"
#include "ring_heap.h"

struct bine_queue_object {
    struct bine_object object;
    struct bine_waiters getters; /* not empty only while the queue is empty */
    struct bine_waiters putters; /* not empty only while the queue is full */
    struct bine_waiters joiners;
    size_t capacity; /* SIZE_MAX: unbounded */
    size_t unfinished;
    enum bine_queue_order order;
    atomic_bool shut; /* other threads look at it */
    struct bine_ring ring;
    struct bine_heap heap; /* BINE_PRIORITY */
    void (*discard)(void *item);
};

extern const struct bine_object_class bine_queue_class;

/* The kind of a taker in `getters`. */
enum {
    BINE_QUEUE_GET,
    BINE_QUEUE_PEEK
};

/* Each tries without waiting. Returns 0, EAGAIN, EPIPE, and for put ENOMEM. */
int bine_queue_attempt_put(struct bine_queue_object *queue, void *item);
int bine_queue_attempt_get(struct bine_queue_object *queue, void **item);
/* Do the same for a party. Every result but EAGAIN decides the party. */
int bine_queue_put_as(struct bine_queue_object *queue, void *item, struct bine_party *party);
int bine_queue_get_as(struct bine_queue_object *queue, void **item, struct bine_party *party);

#endif
