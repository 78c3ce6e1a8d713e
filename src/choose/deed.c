/* The kinds of deeds. See deed.h. */
#include "deed.h"

#include <poll.h>

#include "libc/libc.h"
#include "sync/channel.h"
#include "sync/mailbox.h"
#include "sync/queue.h"
#include "sync/rlock.h"
#include "sync/semaphore.h"

#define ITEM (&deed->taker.taker.item)

/* ---- objects that give or take something ----------------------------------------------------- */

static int try_send(struct bine_deed *deed)
{
    return bine_channel_send_as(deed->object, *ITEM, deed->taker.party);
}

static int try_receive(struct bine_deed *deed)
{
    return bine_channel_receive_as(deed->object, ITEM, deed->taker.party);
}

static int try_put(struct bine_deed *deed)
{
    return bine_queue_put_as(deed->object, *ITEM, deed->taker.party);
}

static int try_get(struct bine_deed *deed)
{
    return bine_queue_get_as(deed->object, ITEM, deed->taker.party);
}

static int take_mail(struct bine_deed *deed)
{
    return bine_mailbox_receive_as(deed->object, ITEM, deed->taker.party);
}

static int try_acquire(struct bine_deed *deed)
{
    return bine_semaphore_acquire_as(deed->object, deed->taker.party);
}

static int try_lock(struct bine_deed *deed)
{
    return bine_rlock_acquire_as(deed->object, &deed->first, deed->taker.party);
}

static struct bine_waiters *senders(void *channel)
{
    return &((struct bine_channel *)channel)->senders;
}

static struct bine_waiters *receivers(void *channel)
{
    return &((struct bine_channel *)channel)->receivers;
}

static struct bine_waiters *putters(void *queue)
{
    return &((struct bine_queue_object *)queue)->putters;
}

static struct bine_waiters *getters(void *queue)
{
    return &((struct bine_queue_object *)queue)->getters;
}

static struct bine_waiters *mail_receivers(void *mailbox)
{
    return bine_mailbox_receivers(mailbox);
}

static struct bine_waiters *acquirers(void *semaphore)
{
    return bine_semaphore_waiters(semaphore);
}

static struct bine_waiters *lockers(void *rlock)
{
    return &((struct bine_rlock *)rlock)->waiters;
}

static const struct bine_deed_kind sending = {try_send, senders, NULL},
                                   receiving = {try_receive, receivers, NULL},
                                   putting = {try_put, putters, NULL},
                                   getting = {try_get, getters, NULL},
                                   taking_mail = {take_mail, mail_receivers, NULL},
                                   acquiring = {try_acquire, acquirers, NULL},
                                   locking = {try_lock, lockers, NULL};

/* ---- objects that become ready --------------------------------------------------------------- */

static int deed_look(struct bine_deed *deed)
{
    const struct bine_waitable *object = deed->object;
    return object->class->ready(object) && bine_party_decide(deed->taker.party) ? 0 : EAGAIN;
}

static struct bine_waiters *watchers(void *waitable)
{
    return &((struct bine_waitable *)waitable)->watchers;
}

/* As bine_join: the reference is taken. */
static void joined(struct bine_deed *deed)
{
    struct bine_greenlet *g = deed->object;
    deed->taker.taker.error = bine_error(g);
    deed->taker.taker.item = bine_value(g);
    bine_detach(g);
}

static const struct bine_deed_kind looking = {deed_look, watchers, NULL},
                                   joining = {deed_look, watchers, joined};

/* ---- descriptors and timers ------------------------------------------------------------------ */

/* 0: not ready. */
static int ready_bits(int fd, short events)
{
    struct pollfd look = {.fd = fd, .events = events};
    int saved = errno, found = bine_libc.poll(&look, 1, 0);
    errno = saved;
    return found > 0 ? look.revents : 0;
}

static int attempt_descriptor(struct bine_deed *deed, short events)
{
    int bits = deed->fd < 0 ? POLLNVAL : ready_bits(deed->fd, events);
    if (!bits || !bine_party_decide(deed->taker.party))
        return EAGAIN;
    return bits & POLLNVAL ? EBADF : 0;
}

static int read_descriptor(struct bine_deed *deed)
{
    return attempt_descriptor(deed, POLLIN);
}

static int write_descriptor(struct bine_deed *deed)
{
    return attempt_descriptor(deed, POLLOUT);
}

static int deed_await(struct bine_deed *deed)
{
    int64_t now = bine_hub_now(bine_hub_of_thread);
    return now >= deed->deadline && bine_party_decide(deed->taker.party) ? 0 : EAGAIN;
}

static const struct bine_deed_kind reading = {read_descriptor, NULL, NULL},
                                   writing = {write_descriptor, NULL, NULL},
                                   awaiting = {deed_await, NULL, NULL};

static int watch_descriptor(struct bine_deed *deed);

static void deed_serve(struct bine_deed *deed, int error)
{
    deed->taker.taker.error = error;
    deed->taker.party->served(&deed->taker);
}

static void descriptor_ready(void *arg, int64_t result)
{
    struct bine_deed *deed = arg;
    deed->watch = NULL;
    if (result != 0) {
        if (bine_party_decide(deed->taker.party))
            deed_serve(deed, result < 0 ? (int)-result : 0);
        return;
    }
    /* It may be ready. */
    int error = deed->kind->attempt(deed);
    if (error != EAGAIN)
        deed_serve(deed, error);
    else if ((error = watch_descriptor(deed)) && bine_party_decide(deed->taker.party))
        deed_serve(deed, error);
}

static int watch_descriptor(struct bine_deed *deed)
{
    uint32_t events = deed->kind == &reading ? POLLIN : POLLOUT;
    int error =
        bine_watch(bine_hub_of_thread, deed->fd, events, descriptor_ready, deed, &deed->watch);
    if (error != EPERM && error != EBADF)
        return error;
    /* A file that is always ready, or none. */
    deed->watch = NULL;
    if (bine_party_decide(deed->taker.party))
        deed_serve(deed, error == EBADF ? EBADF : 0);
    return 0;
}

/* ---- all ------------------------------------------------------------------------------------- */

static const struct bine_deed_kind *kind_at(const struct bine_object *object,
                                            enum bine_choice_operation operation)
{
    const struct bine_waitable_class *class = object->waitable.class;
    bool channel = class == &bine_channel_class.waitable,
         queue = class == &bine_queue_class.waitable;
    switch (operation) {
    case BINE_CHOOSE_SEND:
        return channel ? &sending : NULL;
    case BINE_CHOOSE_RECEIVE:
        return channel ? &receiving : class == &bine_mailbox_class.waitable ? &taking_mail : NULL;
    case BINE_CHOOSE_PUT:
        return queue ? &putting : NULL;
    case BINE_CHOOSE_GET:
        return queue ? &getting : NULL;
    case BINE_CHOOSE_ACQUIRE:
        if (class == &bine_semaphore_class.waitable)
            return &acquiring;
        return class == &bine_rlock_class.waitable ? &locking : NULL;
    case BINE_CHOOSE_READY:
        return &looking;
    case BINE_CHOOSE_JOIN:
        return class == &bine_greenlet_class ? &joining : NULL;
    default:
        return NULL;
    }
}

/* An object of one of Bine's types. */
static int init_at(struct bine_deed *deed, const bine_choice *choice, struct bine_hub *hub,
                   struct bine_hub **owner)
{
    const struct bine_waitable *object = choice->object;
    deed->kind = kind_at(choice->object, choice->operation);
    if (!deed->kind)
        return EINVAL;
    if (deed->kind == &joining && choice->object == hub->current)
        return EDEADLK;
    if (!bine_waitable_foreign(object, hub))
        return 0;
    *owner = object->class->hub(object);
    if (object->class == &bine_greenlet_class)
        return 0;
    if (deed->kind == &looking)
        return object->class->external && object->class->external(object) ? 0 : EPERM;
    return ((const struct bine_object *)choice->object)->remote ? 0 : EPERM;
}

int bine_deed_init(struct bine_deed *deed, const bine_choice *choice, struct bine_hub *hub,
                   struct bine_hub **owner)
{
    deed->object = choice->object;
    deed->taker.taker.item = choice->item;
    *owner = hub;
    switch (choice->operation) {
    case BINE_CHOOSE_READABLE:
    case BINE_CHOOSE_WRITABLE:
        deed->kind = choice->operation == BINE_CHOOSE_READABLE ? &reading : &writing;
        deed->fd = *(const int *)choice->object;
        deed->watch = NULL;
        return 0;
    case BINE_CHOOSE_TIMER:
        deed->kind = &awaiting;
        deed->deadline = *(const int64_t *)choice->object;
        return 0;
    default:
        return init_at(deed, choice, hub, owner);
    }
}

bool bine_deed_is_timer(const struct bine_deed *deed)
{
    return deed->kind == &awaiting;
}

bool bine_deed_failed(const struct bine_deed *deed)
{
    return deed->taker.taker.error == ENOMEM && (deed->kind == &putting || !deed->kind->queue);
}

bool bine_deed_external(const struct bine_deed *deed)
{
    if (!deed->kind->queue)
        return deed->kind != &awaiting;
    const struct bine_waitable *object = deed->object;
    return object->class->external && object->class->external(object);
}

int bine_deed_wait(struct bine_deed *deed)
{
    if (!deed->kind->queue)
        return deed->kind == &awaiting ? 0 : watch_descriptor(deed);
    if (deed->kind == &sending)
        bine_object_notify(deed->object);
    if (deed->kind == &locking)
        deed->first = true; /* it waits because another one owns it */
    bine_waiters_push(deed->kind->queue(deed->object), &deed->taker.taker.waiter);
    return 0;
}

void bine_deed_unlink(struct bine_deed *deed)
{
    bine_waiters_remove(&deed->taker.taker.waiter);
    if ((deed->kind == &reading || deed->kind == &writing) && deed->watch) {
        bine_unwatch(deed->watch);
        deed->watch = NULL;
    }
}

void bine_deed_arrive(struct bine_deed *deed, struct bine_hub *hub)
{
    if (deed->kind == &locking && !deed->taker.taker.error && deed->first &&
        bine_waitable_foreign(deed->object, hub))
        bine_ref(hub->current);
}
