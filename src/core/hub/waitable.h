/*
 * Waiters and what they wait on. Every object that bine_wait accepts begins with a bine_waitable; every
 * waiter is a record on the waiting greenlet's stack (or in the iteration), linked into one queue, FIFO.
 *
 * All of this belongs to one hub: no locks, no atomics. Other threads go through hub messages (message.h).
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
    struct bine_waiters *queue;     /* the queue it is linked into, NULL when in none */
    struct bine_greenlet *greenlet; /* whom to wake */
    /* Called instead of waking the greenlet, if not NULL. It may not park. */
    void (*notify)(struct bine_waiter *waiter);
    void *item; /* free for the object: hand-off of an item, a count ... */
};

/* A waiter that is about to be pushed, which sets the rest. */
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

/* Unlink a waiter; nothing happens if it is in no queue. */
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

/* Unlink `waiter`, the first of the queue. */
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
    /* May another thread make it ready? Then waiting for it is BINE_PARK_EXTERNAL. NULL: no. */
    bool (*external)(const struct bine_waitable *object);
    /* To which hub does it belong? NULL: whoever waits for it has made sure. */
    struct bine_hub *(*hub)(const struct bine_waitable *object);
};

/* The first member of every waitable object. */
struct bine_waitable {
    const struct bine_waitable_class *class;
    struct bine_waiters watchers; /* those who wait for it to become ready, without taking anything */
};

/* Is it another hub's, so that its watchers are not ours to touch? */
static inline bool bine_waitable_foreign(const struct bine_waitable *object, const struct bine_hub *hub)
{
    return object->class->hub && object->class->hub(object) != hub;
}

/* Take every watcher off the queue and wake it (or call its notify). Call when the object became ready. */
void bine_waitable_notify(struct bine_waitable *object);

/* Wake one waiter that has been popped from its queue. */
void bine_waiter_wake(struct bine_waiter *waiter);

#endif
