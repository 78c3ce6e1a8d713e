/* How objects are made, freed and waited for, common to all synchronisation objects. See
 * object.h. */
#include "object.h"

#include "libc/carrier.h"
#include "libc/layout.h"
#include "remote.h"

BINE_LAYOUT(object_rows) = {BINE_FIELD("object", struct bine_object, next),
                            BINE_FIELD("object", struct bine_object, previous)};

/* Every object of this thread, so that the child of a fork can forget waiters whose stacks are
 * gone. */
static BINE_CARRIED struct bine_object *all_objects_;
#define all_objects BINE_OF_CARRIER(all_objects_)

/* In the child only the greenlet that forked lives on, and it waits for nothing. */
static void objects_forked(struct bine_hub *hub)
{
    for (struct bine_object *object = all_objects; object; object = object->next) {
        const struct bine_object_class *class =
            (const struct bine_object_class *)object->waitable.class;
        object->waitable.watchers = (struct bine_waiters){NULL, NULL};
        if (class->forked)
            class->forked(object);
        if (object->remote)
            bine_remote_forked(object);
    }
}

/* Objects that were not freed stay, for the threads that share them, and to be freed by another
 * one. Until then the record of the hub is theirs: a thread that got it would take them for its
 * own. */
static void objects_ended(struct bine_hub *hub)
{
    for (struct bine_object *object = all_objects, *next; object; object = next) {
        next = object->next;
        const struct bine_object_class *class =
            (const struct bine_object_class *)object->waitable.class;
        object->next = object->previous = NULL;
        object->orphan = true;
        while (bine_waiters_pop(&object->waitable.watchers))
            continue;
        bine_hub_hold(hub);
        if (class->ended)
            class->ended(object);
    }
    all_objects = NULL;
}

static void object_register_hooks(void)
{
    static atomic_bool registered;
    if (atomic_load(&registered))
        return;
    bine_hub_on_fork(objects_forked);
    bine_hub_on_end(objects_ended);
    atomic_store(&registered, true); /* last, so that no thread continues without them */
}

int bine_result_failed(int error)
{
    errno = error;
    return -1;
}

bool bine_object_external(const struct bine_waitable *object)
{
    return ((const struct bine_object *)object)->external;
}

struct bine_hub *bine_object_hub(const struct bine_waitable *object)
{
    return ((const struct bine_object *)object)->hub;
}

void *bine_object_new(size_t size, const struct bine_object_class *class, unsigned flags)
{
    if (flags & ~BINE_SHARED) {
        errno = EINVAL;
        return NULL;
    }
    struct bine_hub *hub = bine_hub_get();
    if (!hub)
        return NULL;
    if (bine_inbox_closed(&hub->inbox)) { /* in a link, or a destructor, while the thread ends */
        errno = ESRCH;
        return NULL;
    }
    struct bine_object *object = calloc(1, size);
    if (!object)
        return NULL;
    object->waitable.class = &class->waitable;
    object->hub = hub;
    if ((flags & BINE_SHARED) && !bine_remote_attach(object)) {
        free(object);
        errno = ENOMEM;
        return NULL;
    }
    object->external = object->remote != NULL;
    object_register_hooks();
    object->next = all_objects;
    if (all_objects)
        all_objects->previous = object;
    all_objects = object;
    return object;
}

int bine_object_elsewhere(int error, struct bine_errand *errand)
{
    struct bine_object *object = errand->object;
    if (error == EPERM && object->remote)
        error = errand->timeout < 0 ? EINVAL : bine_errand(object->hub, errand);
    else if (!error)
        error = EINVAL;
    return bine_result(error);
}

int bine_object_elsewhere_item(int error, struct bine_errand errand, void **item)
{
    int failed = bine_object_elsewhere(error, &errand);
    if (!failed && item)
        *item = errand.item;
    return failed;
}

void bine_object_unlink(struct bine_object *object)
{
    if (object->orphan) {
        bine_hub_let_go(object->hub);
        return;
    }
    if (object->previous)
        object->previous->next = object->next;
    else
        all_objects = object->next;
    if (object->next)
        object->next->previous = object->previous;
}

int bine_object_free(struct bine_object *object)
{
    if (!bine_object_orphan(object) && !bine_waiters_empty(&object->waitable.watchers))
        return EBUSY;
    if (object->remote)
        bine_remote_detach(object);
    bine_object_unlink(object);
    free(object);
    return 0;
}

void bine_taker_claim_all(struct bine_waiters *queue, int error)
{
    struct bine_taker *taker;
    while ((taker = bine_taker_claim(queue)))
        taker->error = error;
}

int bine_taker_cut_short(struct bine_taker *taker, int error)
{
    bine_waiters_remove(&taker->waiter);
    /* Only a claim of its taker unparks a greenlet that waits here. If anything else does, it is an
     * interruption. */
    return error == ETIME ? ETIMEDOUT : error ? error : EINTR;
}

int bine_taker_wait_until(struct bine_object *object, struct bine_waiters *queue,
                          struct bine_taker *taker, const char *verb, int64_t deadline,
                          unsigned flags)
{
    if (object->external)
        flags |= BINE_PARK_EXTERNAL;
    bine_taker_enqueue(object->hub->current, queue, taker);
    return bine_taker_outcome(taker,
                              bine_park(object->hub, verb, (uintptr_t)object, deadline, flags));
}

int bine_taker_wait(struct bine_object *object, struct bine_waiters *queue,
                    struct bine_taker *taker, const char *verb, int64_t timeout)
{
    return bine_taker_wait_inlined(object, queue, taker, verb, timeout);
}

int bine_taker_wait_slowly(struct bine_object *object, struct bine_waiters *queue,
                           struct bine_taker *taker, const char *verb, int64_t timeout)
{
    if (timeout <= 0)
        return timeout == 0 ? bine_streak_refused(bine_hub_of_thread, ETIMEDOUT) : EINVAL;
    return bine_taker_wait_until(object, queue, taker, verb, bine_object_deadline(object, timeout),
                                 0);
}

void bine_taker_wait_firmly(struct bine_object *object, struct bine_waiters *queue,
                            struct bine_taker *taker, const char *verb)
{
    int64_t deadline = INT64_MAX;
    do {
        int error = bine_taker_wait_until(object, queue, taker, verb, deadline, BINE_PARK_FIRM);
        /* This is the root, and nothing is left that could serve it. That has been reported. It can
         * only wait. */
        if (error == EDEADLK)
            deadline = bine_hub_deadline(object->hub, BINE_SECOND);
        else if (error == ETIMEDOUT)
            deadline = INT64_MAX;
    } while (taker->error == BINE_UNSERVED);
}
