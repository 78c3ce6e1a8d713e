/*
 * The mailbox: a ring that many threads write and one reads, after D. Vyukov's bounded queue. Each
 * cell carries a number that says which sender or receiver may use it next. So a sender needs one
 * compare-and-swap and a receiver none.
 *
 * How the receivers' thread is woken. `bell` is IDLE while no receiver waits, and SET while one
 * does. The sender that finds it SET makes it RUNG and sends the mailbox's one message. The
 * delivery serves the receivers that wait and makes `bell` IDLE, or SET again. So while the thread
 * is busy senders send no message.
 *
 * How senders are woken. A sender that finds the ring full queues up (under a spin lock, for a few
 * instructions), looks once more, and parks in its own thread. Each item that is received sends one
 * of them its message. That sender then tries again.
 *
 * Ends of threads. When the owner's thread ends its inbox is closed. Senders look at it before they
 * wait, and those in the queue are woken. A sender whose own thread ends leaves the queue there.
 * Its message is sent under the lock, so that it is not on its way to a stack that is gone.
 *
 * Closing. A sender takes its place in the ring by a compare-and-swap of `tail`, which fails once
 * `tail` says SHUT. So the items that were sent are those below the tail as it was then. Receivers
 * are told EPIPE when the head has come there. If a sender has its place but has not stored its
 * item yet, the receiver waits for the item.
 */
#include "mailbox.h"

#include "libc/carrier.h"
#include "libc/libc.h"
#include "libc/spin.h"
#include "object.h"

enum {
    IDLE,
    SET,
    RUNG
};

/* Of `tail`: nothing is sent any more. In the same word as the position, so that what was sent
 * before is known exactly. */
#define SHUT (SIZE_MAX / 2 + 1)

enum pushed {
    PUSHED,
    FULL,
    REFUSED
};

struct cell {
    atomic_size_t turn; /* == position: free for that send; == position + 1: holds its item */
    void *item;
};

/* A sender that waits for room, on its own stack. */
struct sender {
    struct bine_message message; /* first */
    struct bine_mailbox *mailbox;
    struct sender *next, *previous;           /* in the mailbox's queue */
    struct sender *next_here, *previous_here; /* all of this thread */
    struct bine_greenlet *greenlet;
    bool queued; /* under the lock: its message has not been sent */
    bool woken;  /* on its own thread: the message has arrived */
};

struct bine_mailbox {
    struct bine_object object;
    struct bine_waiters receivers;
    struct cell *cells;
    size_t mask;
    size_t head; /* next to receive; the owner's only */
    struct bine_message message;
    atomic_int bell;
    bool freed;        /* while its message was on the way: its delivery frees the memory */
    atomic_bool ended; /* its thread has ended: then it is SHUT, too */
    void (*discard)(void *item);

    /* What senders write, away from what the owner writes. */
    char padding[64];
    atomic_size_t tail; /* next to send, and SHUT */
    char more_padding[64];
    atomic_size_t senders_waiting;
    struct bine_spin lock;
    struct sender *first, *last;
};

/* ---- the ring -------------------------------------------------------------------------------- */

static enum pushed ring_push(struct bine_mailbox *mailbox, void *item)
{
    size_t position = atomic_load_explicit(&mailbox->tail, memory_order_relaxed);
    for (;;) {
        struct cell *cell = &mailbox->cells[position & mailbox->mask];
        size_t turn = atomic_load(&cell->turn);
        ptrdiff_t ahead = (ptrdiff_t)(turn - position);
        if (ahead == 0) {
            if (!atomic_compare_exchange_weak_explicit(&mailbox->tail, &position, position + 1,
                                                       memory_order_relaxed, memory_order_relaxed))
                continue;
            cell->item = item;
            BINE_STORE_THEN_LOOK(&cell->turn, position + 1); /* at the bell */
            return PUSHED;
        }
        if (position & SHUT) /* no cell's turn ever comes to that */
            return REFUSED;
        if (ahead < 0)
            return FULL; /* the item of one round ago is still there */
        position = atomic_load_explicit(&mailbox->tail, memory_order_relaxed);
    }
}

/* Why it refuses. */
static int refusal(const struct bine_mailbox *mailbox)
{
    return atomic_load(&mailbox->ended) ? ESRCH : EPIPE;
}

static bool ring_has_item(const struct bine_mailbox *mailbox)
{
    return atomic_load(&mailbox->cells[mailbox->head & mailbox->mask].turn) == mailbox->head + 1;
}

static void *ring_pop(struct bine_mailbox *mailbox)
{
    struct cell *cell = &mailbox->cells[mailbox->head & mailbox->mask];
    void *item = cell->item;
    /* for senders that wait */
    BINE_STORE_THEN_LOOK(&cell->turn, mailbox->head + mailbox->mask + 1);
    mailbox->head++;
    return item;
}

/* Is it closed, and everything received? */
static bool drained(const struct bine_mailbox *mailbox)
{
    return atomic_load(&mailbox->tail) == (mailbox->head | SHUT);
}

/* ---- senders that wait ----------------------------------------------------------------------- */

/* Senders of this thread, between begin_sender and end_sender. */
static BINE_CARRIED struct sender *senders_here_;
#define senders_here BINE_OF_CARRIER(senders_here_)

/* Does no thread receive any more? Also in the child of a fork, where the owner's thread does not
 * exist. The record of its hub stays the mailbox's as long as the mailbox lives. */
static bool abandoned(const struct bine_mailbox *mailbox)
{
    return atomic_load(&mailbox->object.hub->inbox.first) == BINE_INBOX_CLOSED;
}

static void enqueue(struct bine_mailbox *mailbox, struct sender *sender)
{
    bine_spin_lock(&mailbox->lock);
    sender->next = NULL;
    sender->previous = mailbox->last;
    if (mailbox->last)
        mailbox->last->next = sender;
    else
        mailbox->first = sender;
    mailbox->last = sender;
    sender->queued = true;
    atomic_fetch_add(&mailbox->senders_waiting, 1);
    bine_spin_unlock(&mailbox->lock);
}

/* Under the lock. */
static void unlink_sender(struct bine_mailbox *mailbox, struct sender *sender)
{
    if (sender->previous)
        sender->previous->next = sender->next;
    else
        mailbox->first = sender->next;
    if (sender->next)
        sender->next->previous = sender->previous;
    else
        mailbox->last = sender->previous;
    sender->queued = false;
    atomic_fetch_sub(&mailbox->senders_waiting, 1);
}

/* Leaves the queue. Returns false if another thread has taken the sender out already: its message
 * is on the way. */
static bool mailbox_leave(struct bine_mailbox *mailbox, struct sender *sender)
{
    bine_spin_lock(&mailbox->lock);
    bool was_queued = sender->queued;
    if (was_queued)
        unlink_sender(mailbox, sender);
    bine_spin_unlock(&mailbox->lock);
    return was_queued;
}

/* There is room: wakes the first sender that waits for it. Passes over a sender whose thread is
 * ending. */
static void wake_sender(struct bine_mailbox *mailbox)
{
    int error;
    do {
        if (atomic_load(&mailbox->senders_waiting) == 0)
            return;
        bine_spin_lock(&mailbox->lock);
        struct sender *sender = mailbox->first;
        if (sender)
            unlink_sender(mailbox, sender);
        error = sender ? bine_hub_send(sender->greenlet->hub, &sender->message) : 0;
        bine_spin_unlock(&mailbox->lock);
    } while (error);
}

static void sender_woken(struct bine_message *message)
{
    struct sender *sender = (struct sender *)message;
    sender->woken = true;
    bine_unpark(sender->greenlet);
}

/* Its thread ends. The room is for the next. */
static void sender_not_woken(struct bine_message *message)
{
    wake_sender(((struct sender *)message)->mailbox);
}

static void begin_sender(struct sender *sender)
{
    sender->previous_here = NULL;
    sender->next_here = senders_here;
    if (senders_here)
        senders_here->previous_here = sender;
    senders_here = sender;
}

static void end_sender(struct sender *sender)
{
    if (sender->previous_here)
        sender->previous_here->next_here = sender->next_here;
    else
        senders_here = sender->next_here;
    if (sender->next_here)
        sender->next_here->previous_here = sender->previous_here;
}

/* The thread ends, and so do the stacks of its senders. */
static void mailbox_thread_ended(struct bine_hub *hub)
{
    (void)hub;
    for (struct sender *sender = senders_here; sender; sender = sender->next_here)
        mailbox_leave(sender->mailbox, sender);
    senders_here = NULL;
}

/* In the child only the greenlet that forked lives on, which sends nothing. */
static void thread_forked(struct bine_hub *hub)
{
    (void)hub;
    senders_here = NULL;
}

/* ---- the bell -------------------------------------------------------------------------------- */

static void ring_bell(struct bine_mailbox *mailbox)
{
    int set = SET;
    if (atomic_load(&mailbox->bell) == SET &&
        atomic_compare_exchange_strong(&mailbox->bell, &set, RUNG))
        bine_hub_send(mailbox->object.hub, &mailbox->message);
}

/* Gives the items that are there to the receivers that wait. While one still waits the bell stays
 * set. */
static void mailbox_serve(struct bine_mailbox *mailbox)
{
    for (;;) {
        while (ring_has_item(mailbox)) {
            struct bine_taker *receiver = bine_taker_claim(&mailbox->receivers);
            if (!receiver)
                break;
            receiver->item = ring_pop(mailbox);
            wake_sender(mailbox);
        }
        if (drained(mailbox))
            bine_taker_claim_all(&mailbox->receivers, EPIPE);
        if (bine_waiters_empty(&mailbox->receivers) &&
            bine_waiters_empty(&mailbox->object.waitable.watchers))
            return;
        int idle = IDLE;
        atomic_compare_exchange_strong(&mailbox->bell, &idle, SET);
        /* Sequentially consistent with the sender, which stores the item and then looks at the
         * bell; and with the closer. */
        if (!ring_has_item(mailbox) && !drained(mailbox))
            return;
        bine_object_notify(&mailbox->object);
        if (bine_waiters_empty(&mailbox->receivers))
            return;
    }
}

static void bell_delivered(struct bine_message *message)
{
    struct bine_mailbox *mailbox =
        (struct bine_mailbox *)((char *)message - offsetof(struct bine_mailbox, message));
    if (mailbox->freed) {
        free(mailbox);
        return;
    }
    BINE_STORE_THEN_LOOK(&mailbox->bell, IDLE);
    mailbox_serve(mailbox);
}

/* The thread ends while the message is under way. */
static void bell_dropped(struct bine_message *message)
{
    struct bine_mailbox *mailbox =
        (struct bine_mailbox *)((char *)message - offsetof(struct bine_mailbox, message));
    if (mailbox->freed)
        free(mailbox);
}

/* ---- the object ------------------------------------------------------------------------------ */

static bool mailbox_ready(const struct bine_waitable *object)
{
    struct bine_mailbox *mailbox = (struct bine_mailbox *)object;
    if (ring_has_item(mailbox))
        return true;
    /* The caller is about to wait: the next sender must ring. */
    int idle = IDLE;
    atomic_compare_exchange_strong(&mailbox->bell, &idle, SET);
    return ring_has_item(mailbox) || drained(mailbox);
}

static bool mailbox_external(const struct bine_waitable *object)
{
    return true;
}

static void mailbox_forked(struct bine_object *object)
{
    struct bine_mailbox *mailbox = (struct bine_mailbox *)object;
    mailbox->receivers = (struct bine_waiters){NULL, NULL};
    atomic_store(&mailbox->bell, IDLE);
    bine_spin_unlock(&mailbox->lock);
    mailbox->first = mailbox->last = NULL;
    atomic_store(&mailbox->senders_waiting, 0);
}

/* Its thread ends, and the inbox is closed already. From now on no sender queues up. */
static void mailbox_ended(struct bine_object *object)
{
    struct bine_mailbox *mailbox = (struct bine_mailbox *)object;
    atomic_store(&mailbox->ended, true);
    atomic_fetch_or(&mailbox->tail, SHUT);
    while (atomic_load(&mailbox->senders_waiting) > 0)
        wake_sender(mailbox);
}

const struct bine_object_class bine_mailbox_class = {
    {"mailbox", mailbox_ready, mailbox_external, bine_object_hub},
    mailbox_forked,
    NULL,
    mailbox_ended};

bine_mailbox *bine_mailbox_new(size_t capacity)
{
    return bine_mailbox_new_with(&(bine_mailbox_options){.capacity = capacity});
}

bine_mailbox *bine_mailbox_new_with(const bine_mailbox_options *options)
{
    size_t capacity = options ? options->capacity : 0;
    if (capacity == 0 || capacity > (size_t)1 << 30 || BINE_RESERVED_USED(options)) {
        errno = EINVAL;
        return NULL;
    }
    /* One cell cannot tell "holds the item of this round" from "free for the next", so there are
     * two at least. */
    size_t room = 2;
    while (room < capacity)
        room *= 2;
    bine_hub_on_end(mailbox_thread_ended);
    bine_hub_on_fork(thread_forked);
    struct bine_mailbox *mailbox = bine_object_new(sizeof *mailbox, &bine_mailbox_class, 0);
    if (!mailbox)
        return NULL;
    mailbox->cells = calloc(room, sizeof *mailbox->cells);
    if (!mailbox->cells) {
        bine_object_free(&mailbox->object);
        errno = ENOMEM;
        return NULL;
    }
    for (size_t i = 0; i < room; i++)
        atomic_init(&mailbox->cells[i].turn, i);
    mailbox->mask = room - 1;
    mailbox->discard = options->discard;
    mailbox->message = (struct bine_message){NULL, bell_delivered, bell_dropped};
    return mailbox;
}

int bine_mailbox_free(bine_mailbox *mailbox)
{
    if (!mailbox)
        return 0;
    int error = bine_object_check_free(mailbox);
    bool orphan = !error && bine_object_orphan(mailbox);
    if (!error && !orphan &&
        (!bine_waiters_empty(&mailbox->receivers) || atomic_load(&mailbox->senders_waiting) > 0 ||
         !bine_waiters_empty(&mailbox->object.waitable.watchers)))
        error = EBUSY;
    if (error)
        return bine_result(error);
    atomic_fetch_or(&mailbox->tail, SHUT); /* a discard that sends has no end */
    while (mailbox->discard && ring_has_item(mailbox))
        mailbox->discard(ring_pop(mailbox));
    free(mailbox->cells);
    if (!orphan && atomic_load(&mailbox->bell) == RUNG) {
        mailbox->freed = true;
        bine_object_unlink(&mailbox->object);
        return 0;
    }
    return bine_result(bine_object_free(&mailbox->object));
}

int bine_mailbox_send_nowait(bine_mailbox *mailbox, void *item)
{
    if (!mailbox)
        return bine_result(EINVAL);
    enum pushed pushed = ring_push(mailbox, item);
    if (pushed != PUSHED)
        return bine_result(pushed == FULL ? EAGAIN : refusal(mailbox));
    ring_bell(mailbox);
    return 0;
}

/* Wait until told that there may be room. 0: try again. */
static int wait_for_room(struct bine_mailbox *mailbox, struct bine_hub *hub, void *item,
                         int64_t deadline, bool *sent)
{
    struct sender sender = {.message = {NULL, sender_woken, sender_not_woken},
                            .mailbox = mailbox,
                            .greenlet = hub->current};
    begin_sender(&sender);
    enqueue(mailbox, &sender);
    /* The receiver and the closer make room and then look for senders. The sender does it the other
     * way round. */
    int error = abandoned(mailbox) ? ESRCH : 0;
    enum pushed pushed = error ? FULL : ring_push(mailbox, item);
    *sent = pushed == PUSHED;
    if (pushed == REFUSED)
        error = refusal(mailbox);
    if (*sent)
        ring_bell(mailbox);
    while (!*sent && !sender.woken && !error)
        error = bine_park(hub, "send to mailbox", (uintptr_t)mailbox, deadline, BINE_PARK_EXTERNAL);
    if (sender.woken && !error) {
        end_sender(&sender);
        return 0;
    }
    if (sender.woken || !mailbox_leave(mailbox, &sender)) {
        /* The message on its way is on this stack. */
        while (!sender.woken)
            bine_park(hub, "send to mailbox", (uintptr_t)mailbox, INT64_MAX,
                      BINE_PARK_FIRM | BINE_PARK_EXTERNAL);
        /* We were told of room, in the moment in which our time was up or we had used it already:
         * pass it on. */
        wake_sender(mailbox);
    }
    end_sender(&sender);
    return error == ETIME ? ETIMEDOUT : error;
}

int bine_mailbox_send(bine_mailbox *mailbox, void *item, int64_t timeout)
{
    if (!mailbox || timeout < 0)
        return bine_result(EINVAL);
    /* Receivers that wait already come first. */
    if (atomic_load_explicit(&mailbox->senders_waiting, memory_order_relaxed) == 0 &&
        ring_push(mailbox, item) == PUSHED) {
        ring_bell(mailbox);
        return 0;
    }
    if (atomic_load(&mailbox->tail) & SHUT)
        return bine_result(refusal(mailbox));
    if (timeout == 0) {
        if (bine_mailbox_send_nowait(mailbox, item) == 0)
            return 0;
        return errno == EAGAIN ? bine_result(bine_streak_refused(bine_hub_here(), ETIMEDOUT)) : -1;
    }
    struct bine_hub *hub = bine_hub_get();
    if (!hub)
        return -1;
    if (hub->no_park)
        return bine_result(EDEADLK);
    int64_t deadline = timeout == BINE_FOREVER ? INT64_MAX : bine_hub_deadline(hub, timeout);
    for (;;) {
        bool sent;
        int error = wait_for_room(mailbox, hub, item, deadline, &sent);
        if (sent)
            return 0;
        if (!error && abandoned(mailbox))
            error = ESRCH;
        if (error)
            return bine_result(error);
        if (ring_push(mailbox, item) == PUSHED) {
            ring_bell(mailbox);
            return 0;
        }
    }
}

int bine_mailbox_close(bine_mailbox *mailbox)
{
    if (!mailbox)
        return bine_result(EINVAL);
    if (atomic_load(&mailbox->ended))
        return bine_result(ESRCH);
    atomic_fetch_or(&mailbox->tail, SHUT);
    while (atomic_load(&mailbox->senders_waiting) > 0)
        wake_sender(mailbox);
    ring_bell(mailbox);
    return 0;
}

bool bine_mailbox_closed(const bine_mailbox *mailbox)
{
    return !mailbox || atomic_load(&mailbox->tail) & SHUT;
}

/* Receives without waiting. Returns 0, EAGAIN (from then on the next sender rings) or EPIPE.
 * Receivers that wait already come first. */
static int attempt_receive(struct bine_mailbox *mailbox, void **item, struct bine_party *party)
{
    if (!bine_waiters_empty(&mailbox->receivers) || !mailbox_ready(&mailbox->object.waitable) ||
        !bine_party_agrees(party))
        return EAGAIN;
    if (!ring_has_item(mailbox))
        return EPIPE;
    *item = ring_pop(mailbox);
    wake_sender(mailbox);
    return 0;
}

int bine_mailbox_receive_as(struct bine_mailbox *mailbox, void **item, struct bine_party *party)
{
    return attempt_receive(mailbox, item, party);
}

struct bine_waiters *bine_mailbox_receivers(struct bine_mailbox *mailbox)
{
    return &mailbox->receivers;
}

int bine_mailbox_receive(bine_mailbox *mailbox, void **item, int64_t timeout)
{
    int error = bine_object_check(mailbox);
    if (error || timeout < 0 || !item)
        return bine_result(error ? error : EINVAL);
    error = attempt_receive(mailbox, item, NULL);
    if (error != EAGAIN)
        return bine_result(error);
    if (timeout == 0)
        return bine_result(bine_streak_refused(mailbox->object.hub, ETIMEDOUT));
    struct bine_taker taker;
    error =
        bine_taker_wait_until(&mailbox->object, &mailbox->receivers, &taker, "receive from mailbox",
                              bine_object_deadline(&mailbox->object, timeout), BINE_PARK_EXTERNAL);
    if (!error)
        *item = taker.item;
    return bine_result(error);
}
