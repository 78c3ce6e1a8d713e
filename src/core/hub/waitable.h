/*
 * Waiters and the objects that they wait for. Every object that bine_wait accepts begins with a
 * bine_waitable. Every waiter is a record on the waiting greenlet's stack (or in the iteration),
 * linked into one queue, first in, first out.
 *
 * All of this belongs to one hub, without locks and atomics. Other threads use the hub's messages
 * (message.h).
 */
#ifndef BINE_CORE_HUB_WAITABLE_H
#define BINE_CORE_HUB_WAITABLE_H

#include <stdbool.h>
#include <stddef.h>

struct bine_greenlet;
struct bine_hub;
struct bine_waiter;

struct bine_waiters {
    struct bine_waiter *first, *last;
};

struct bine_waiter {
    struct bine_waiter *next, *previous;
    struct bine_waiters *queue;     /* the queue that it is linked into, NULL if it is in none */
    struct bine_greenlet *greenlet; /* the greenlet to wake */
    /* Called instead of waking the greenlet, if not NULL. May not park. */
    void (*notify)(struct bine_waiter *waiter);
    void *item; /* free for the object: the item of a hand-off, a count ... */
};

/* Prepares a waiter that is about to be pushed. The push sets the rest. */
static inline void bine_waiter_init(struct bine_waiter *waiter, struct bine_greenlet *greenlet)
{
    waiter->greenlet = greenlet;
    waiter->notify = NULL;
}

static inline bool bine_waiters_empty(const struct bine_waiters *queue)
{
    return queue->first == NULL;
}

static inline void bine_waiters_push(struct bine_waiters *queue, struct bine_waiter *waiter)
{
    waiter->queue = queue;
    waiter->next = NULL;
    waiter->previous = queue->last;
    if (queue->last)
        queue->last->next = waiter;
    else
        queue->first = waiter;
    queue->last = waiter;
}

/* Unlinks a waiter. Does nothing if it is in no queue. */
static inline void bine_waiters_remove(struct bine_waiter *waiter)
{
    struct bine_waiters *queue = waiter->queue;
    if (!queue)
        return;
    if (waiter->previous)
        waiter->previous->next = waiter->next;
    else
        queue->first = waiter->next;
    if (waiter->next)
        waiter->next->previous = waiter->previous;
    else
        queue->last = waiter->previous;
    waiter->queue = NULL;
}

/* Unlinks `waiter`, the first of the queue. */
static inline void bine_waiters_drop_first(struct bine_waiters *queue, struct bine_waiter *waiter)
{
    queue->first = waiter->next;
    if (waiter->next)
        waiter->next->previous = NULL;
    else
        queue->last = NULL;
    waiter->queue = NULL;
}

static inline struct bine_waiter *bine_waiters_pop(struct bine_waiters *queue)
{
    struct bine_waiter *waiter = queue->first;
    if (waiter)
        bine_waiters_drop_first(queue, waiter);
    return waiter;
}

struct bine_waitable;

struct bine_waitable_class {
    const char *name;                                  /* for dumps and error checks */
    bool (*ready)(const struct bine_waitable *object); /* would an operation on it not block? */
    /* May another thread make it ready? Then waiting for it is BINE_PARK_EXTERNAL. NULL means
     * no. */
    bool (*external)(const struct bine_waitable *object);
    /* The hub that it belongs to. NULL: its waiters have made sure that it is their own. */
    struct bine_hub *(*hub)(const struct bine_waitable *object);
};

/* The first member of every waitable object. */
struct bine_waitable {
    const struct bine_waitable_class *class;
    /* greenlets that wait for it to become ready, without taking anything */
    struct bine_waiters watchers;
};

/* Does it belong to another hub? Then this thread may not touch its watchers. */
static inline bool bine_waitable_foreign(const struct bine_waitable *object,
                                         const struct bine_hub *hub)
{
    return object->class->hub && object->class->hub(object) != hub;
}

/* Takes every watcher off the queue and wakes it (or calls its notify). Called when the object has
 * become ready. */
void bine_waitable_notify(struct bine_waitable *object);

/* Wakes one waiter that has been popped from its queue. */
void bine_waiter_wake(struct bine_waiter *waiter);

#endif
