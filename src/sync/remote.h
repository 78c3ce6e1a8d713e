/*
 * How other threads signal a shared object. They leave what they have to tell with the object (a
 * count, a list of items), and send its one message to the hub unless it is on its way already. So
 * a burst of signals costs the hub one message and one wake-up.
 */
#ifndef BINE_SYNC_REMOTE_H
#define BINE_SYNC_REMOTE_H

#include "object.h"

struct bine_remote_item {
    struct bine_remote_item *next;
    void *item;
    int kind; /* belongs to the object, >= 0 */
};

struct bine_remote {
    struct bine_message message;
    /* NULL: it was freed meanwhile; the receiver of the message frees this */
    struct bine_object *object;
    atomic_bool sent;                         /* the message is on its way */
    atomic_ulong count;                       /* belongs to the object: releases, a set */
    atomic_size_t taken;                      /* belongs to the object: room taken or promised */
    _Atomic(struct bine_remote_item *) items; /* newest first */
};

bool bine_remote_attach(struct bine_object *object);
void bine_remote_detach(struct bine_object *object);
void bine_remote_forked(struct bine_object *object);

/* Called on another thread: may it signal the object? Returns 0, EINVAL or EPERM. */
static inline int bine_remote_check(const struct bine_object *object)
{
    return object->remote ? 0 : EPERM;
}

/* Tells the hub that there is something to take. Returns 0 or ESRCH. */
int bine_remote_send(struct bine_object *object);
/* Leaves an item, and tells the hub. Returns 0, ENOMEM or ESRCH. */
int bine_remote_put(struct bine_object *object, void *item, int kind);
/* Takes all items, the oldest first. The caller frees each. */
struct bine_remote_item *bine_remote_take(struct bine_object *object);

#endif
