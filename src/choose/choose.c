/*
 * bine_choose. The short path serves choices among channels, queues, semaphores and objects that
 * become ready, all of this thread's hub. There one greenlet waits in the queues of several objects
 * at once. The first claim unparks it, so every other claim of it fails: exactly one operation
 * happens. The takers are one array, which lies on the stack when it is small. All other choices
 * take the long path (choosing.h).
 */
#include <bine/choose.h>
#include <stdlib.h>

#include "choosing.h"
#include "libc/carrier.h"
#include "libc/free.h"
#include "sync/channel.h"
#include "sync/queue.h"
#include "sync/semaphore.h"

enum {
    ON_STACK = 8
};

static const struct bine_object_class *class_of(const bine_choice *choice)
{
    switch (choice->operation) {
    case BINE_CHOOSE_SEND:
    case BINE_CHOOSE_RECEIVE:
        return &bine_channel_class;
    case BINE_CHOOSE_PUT:
    case BINE_CHOOSE_GET:
        return &bine_queue_class;
    case BINE_CHOOSE_ACQUIRE:
        return &bine_semaphore_class;
    default:
        return NULL;
    }
}

/* Can it go the short way? */
static bool is_near(const bine_choice *choice)
{
    if ((unsigned)choice->operation > BINE_CHOOSE_READY)
        return false;
    if (!choice->object)
        return true;
    if (choice->operation == BINE_CHOOSE_READY)
        return !bine_waitable_foreign(choice->object, bine_hub_of_thread);
    const struct bine_object *object = choice->object;
    return object->waitable.class == &class_of(choice)->waitable && bine_object_here(object);
}

/* Do it now: 0, EAGAIN, or how it failed. */
static int choose_attempt(bine_choice *choice)
{
    switch (choice->operation) {
    case BINE_CHOOSE_SEND:
        return bine_channel_attempt_send(choice->object, choice->item);
    case BINE_CHOOSE_RECEIVE:
        return bine_channel_attempt_receive(choice->object, &choice->item);
    case BINE_CHOOSE_PUT:
        return bine_queue_attempt_put(choice->object, choice->item);
    case BINE_CHOOSE_GET:
        return bine_queue_attempt_get(choice->object, &choice->item);
    case BINE_CHOOSE_ACQUIRE:
        return bine_semaphore_attempt(choice->object);
    default:
        break;
    }
    const struct bine_waitable *object = choice->object;
    return object->class->ready(object) ? 0 : EAGAIN;
}

static struct bine_waiters *queue_of(bine_choice *choice)
{
    switch (choice->operation) {
    case BINE_CHOOSE_SEND:
        return &((struct bine_channel *)choice->object)->senders;
    case BINE_CHOOSE_RECEIVE:
        return &((struct bine_channel *)choice->object)->receivers;
    case BINE_CHOOSE_PUT:
        return &((struct bine_queue_object *)choice->object)->putters;
    case BINE_CHOOSE_GET:
        return &((struct bine_queue_object *)choice->object)->getters;
    case BINE_CHOOSE_ACQUIRE:
        return bine_semaphore_waiters(choice->object);
    default:
        break;
    }
    return &((struct bine_waitable *)choice->object)->watchers;
}

/* A watched object became ready. */
static void watched(struct bine_waiter *waiter)
{
    if (bine_unpark(waiter->greenlet))
        ((struct bine_taker *)waiter)->error = 0;
}

/* Queue up everywhere. Returns the flags for the park. */
static unsigned queue_up(bine_choice *choices, struct bine_taker *takers, size_t n,
                         struct bine_greenlet *current)
{
    unsigned flags = 0;
    for (size_t i = 0; i < n; i++) {
        takers[i] = (struct bine_taker){
            .waiter.greenlet = current, .item = choices[i].item, .error = BINE_UNSERVED};
        if (!choices[i].object)
            continue;
        if (choices[i].operation == BINE_CHOOSE_READY) {
            struct bine_waitable *object = choices[i].object;
            if (object->class->external && object->class->external(object))
                flags |= BINE_PARK_EXTERNAL;
            takers[i].waiter.notify = watched;
        } else {
            struct bine_object *object = choices[i].object;
            if (object->remote)
                flags |= BINE_PARK_EXTERNAL;
            if (choices[i].operation == BINE_CHOOSE_SEND)
                bine_object_notify(object);
        }
        bine_waiters_push(queue_of(&choices[i]), &takers[i].waiter);
    }
    return flags;
}

static ssize_t choose_wait_for_one(struct bine_hub *hub, bine_choice *choices,
                                   struct bine_taker *takers, size_t n, int64_t timeout)
{
    int64_t deadline = timeout == BINE_FOREVER ? INT64_MAX : bine_hub_deadline(hub, timeout);
    ssize_t taken = -1;
    int error;
    do {
        unsigned flags = queue_up(choices, takers, n, hub->current);
        error = bine_park(hub, "choose among", n, deadline, flags);
        for (size_t i = 0; i < n; i++) {
            bine_waiters_remove(&takers[i].waiter);
            if (takers[i].error != BINE_UNSERVED)
                taken = (ssize_t)i;
        }
    } while (error == 0 && taken < 0);
    if (taken < 0) {
        errno = error == ETIME ? ETIMEDOUT : error;
        return -1;
    }
    choices[taken].error = takers[taken].error;
    if (choices[taken].operation == BINE_CHOOSE_RECEIVE ||
        choices[taken].operation == BINE_CHOOSE_GET)
        if (!takers[taken].error)
            choices[taken].item = takers[taken].item;
    return taken;
}

/* A number below n. Not the same one for each chooser: several that take turns would each see a
 * part of a rotation only. */
static size_t draw(struct bine_hub *hub, size_t n)
{
    static BINE_CARRIED uint32_t state_ = 2463534242;
    uint32_t state = BINE_OF_CARRIER(state_);
    if (hub->simulated)
        return hub->driver->random(hub->driver) % n;
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    BINE_OF_CARRIER(state_) = state;
    return ((uint64_t)state * n) >> 32;
}

/* Try them once round, from `start` on, upwards or downwards. The index of the one that was done,
 * or n. *error: ENOMEM. */
static size_t attempt_any(bine_choice *choices, size_t n, size_t start, bool down, int *error)
{
    for (size_t k = 0, i = start; k < n; k++) {
        int outcome = choices[i].object ? choose_attempt(&choices[i]) : EAGAIN;
        if (outcome != EAGAIN) {
            choices[i].error = outcome;
            *error = outcome == ENOMEM ? ENOMEM : 0;
            return i;
        }
        if (down)
            i = i == 0 ? n - 1 : i - 1;
        else
            i = i + 1 == n ? 0 : i + 1;
    }
    return n;
}

static ssize_t choose(bine_choice *choices, size_t n, int64_t timeout, bool in_order)
{
    struct bine_hub *hub = bine_hub_get();
    if (!hub)
        return -1;
    int error = 0;
    if (timeout < 0 || (!choices && n > 0))
        return bine_result(EINVAL);
    /* Up or down, so that of any two that can be done each is as likely as the other. */
    size_t drawn = in_order || n < 2 ? 0 : draw(hub, 2 * n);
    for (size_t i = 0; i < n; i++)
        if (!is_near(&choices[i]))
            return bine_choosing_run(hub, choices, n, timeout, drawn / 2, drawn & 1, in_order);

    size_t done = attempt_any(choices, n, drawn / 2, drawn & 1, &error);
    if (error)
        return bine_result(error);
    if (done < n)
        return (ssize_t)done;
    if (timeout == 0)
        return bine_result(bine_streak_refused(hub, ETIMEDOUT));

    struct bine_taker few[ON_STACK], *takers = few;
    if (n > ON_STACK && !(takers = malloc(n * sizeof *takers)))
        return -1;
    ssize_t taken = choose_wait_for_one(hub, choices, takers, n, timeout);
    if (takers != few)
        bine_free(takers);
    return taken;
}

ssize_t bine_choose(bine_choice *choices, size_t n, int64_t timeout)
{
    return choose(choices, n, timeout, false);
}

ssize_t bine_choose_first(bine_choice *choices, size_t n, int64_t timeout)
{
    return choose(choices, n, timeout, true);
}
