/*
 * How other threads signal a shared object: they leave what they have to say with the object (a count, a list
 * of items) and send its one message to the hub, unless it is on its way already. So a burst of signals costs
 * the hub one message and one wake-up.
 */
#ifndef BINE_SYNC_REMOTE_H
#define BINE_SYNC_REMOTE_H

#include "object.h"

struct bine_remote_item {
    struct bine_remote_item *next;
    void *item;
    int kind; /* the object's own, >= 0 */
};

struct bine_remote {
    struct bine_message message;
    struct bine_object *object;               /* NULL: freed meanwhile; whoever takes the message frees this */
    atomic_bool sent;                         /* the message is on its way */
    atomic_ulong count;                       /* the object's own: releases, a set */
    atomic_size_t taken;                      /* the object's own: room that is taken or promised */
    _Atomic(struct bine_remote_item *) items; /* newest first */
};

bool bine_remote_attach(struct bine_object *object);
void bine_remote_detach(struct bine_object *object);
void bine_remote_forked(struct bine_object *object);

/* On another thread: is the object one that it may signal? 0, EINVAL or EPERM. */
static inline int bine_remote_check(const struct bine_object *object)
{
    return object->remote ? 0 : EPERM;
}

/* Say that there is something to take. 0 or ESRCH. */
int bine_remote_send(struct bine_object *object);
/* Leave an item, and say so. 0, ENOMEM or ESRCH. */
int bine_remote_put(struct bine_object *object, void *item, int kind);
/* Take all items, oldest first; the caller frees each. */
struct bine_remote_item *bine_remote_take(struct bine_object *object);

#endif
