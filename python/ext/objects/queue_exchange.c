/*
 * Putting and getting. A queue belongs to no thread: the GIL guards it, and a thread that waits
 * depends on nobody but the one that puts or gets.
 *
 * A putter hands its item to the first getter that waits; a getter lets the first putter's item in.
 * So no getter finds that its item was taken by somebody else, and no putter that its room is gone.
 * A putter of a PriorityQueue is given the room only, and puts the item itself: comparing items may
 * raise an exception, which is the putter's.
 */
#include <errno.h>

#include "libc/container_of.h"
#include "queue_parts.h"
#include "wait/park.h"
#include "wait/sleeper.h"
#include "wait/timeout.h"

enum kind {
    GETTER,
    LOOKER,
    PUTTER,
    JOINER
};

/* One that waits in a queue, on its greenlet's stack. */
struct taker {
    struct bine_py_sleeper sleeper; /* first */
    enum kind kind;
    bool shut;      /* it was served, but with this: the queue is shut down */
    PyObject *item; /* a getter's and a looker's, once served: owned. A putter's: borrowed */
};

static bool queue_ready(const struct bine_waitable *waitable)
{
    const Queue *self = BINE_CONTAINER_OF(waitable, Queue, waitable);
    return bine_py_items_count(&self->items) > 0 || self->shut;
}

const struct bine_waitable_class bine_queue_waitable_class = {"queue", queue_ready, NULL, NULL};

bool bine_queue_has_room(const Queue *self)
{
    return bine_py_items_count(&self->items) + self->granted < self->capacity;
}

static struct taker *claim(struct bine_waiters *queue)
{
    return (struct taker *)bine_py_claim(queue);
}

/* Give the item to the first that waits for one. Those who only look are shown it on the way. There
 * is room to give it back. */
static bool hand_over(Queue *self, PyObject *item)
{
    struct taker *taker;
    while ((taker = claim(&self->getters))) {
        Py_INCREF(item);
        taker->item = item;
        if (taker->kind == LOOKER)
            continue;
        self->lent++;
        return true;
    }
    return false;
}

/* There may be room: the putters that wait first have it. */
static void let_putters_in(Queue *self)
{
    struct taker *putter;
    while (!bine_waiters_empty(&self->putters) && bine_queue_has_room(self)) {
        if (self->items.kind == BINE_PY_PRIORITY) {
            if (claim(&self->putters))
                self->granted++;
            continue;
        }
        if (bine_py_items_reserve(&self->items, self->lent + 1) != 0 ||
            !(putter = claim(&self->putters)))
            return;
        self->unfinished++;
        bine_py_items_push(&self->items, putter->item);
    }
}

/* A taker was served, but its call raises an exception, or its thread has ended. An item that was
 * put stays so. */
static void queue_exchange_give_back(struct bine_py_sleeper *sleeper)
{
    struct taker *taker = (struct taker *)sleeper;
    Queue *self = (Queue *)sleeper->object;
    PyObject *item = taker->item;
    if (taker->shut)
        return;
    if (taker->kind == PUTTER && self->items.kind == BINE_PY_PRIORITY) {
        self->granted--;
        let_putters_in(self);
    } else if (taker->kind == GETTER) {
        self->lent--;
        if (!hand_over(self, item)) {
            bine_py_items_give_back(&self->items, item);
            bine_waitable_notify(&self->waitable);
            return;
        }
    }
    if (taker->kind == GETTER || taker->kind == LOOKER)
        Py_DECREF(item);
}

/* Wait in the queue until served. As bine_py_take_from. */
static int wait_in(Queue *self, struct bine_waiters *queue, struct taker *taker, const char *verb,
                   int64_t deadline, PyObject *timeout)
{
    struct bine_carrier *carrier = bine_carrier_current();
    if (!carrier)
        return -1;
    bine_py_sleeper_begin(&taker->sleeper, carrier);
    taker->sleeper.object = (PyObject *)self;
    taker->sleeper.give_back = queue_exchange_give_back;
    return bine_py_timeout_waited(timeout,
                                  bine_py_take_from(queue, &taker->sleeper, verb, self, deadline));
}

/* Nothing was there in time. */
static void raise_late(PyObject *error, PyObject *timeout)
{
    if (PyObject_TypeCheck(timeout, &bine_Timeout_Type))
        bine_py_raise_timeout(timeout);
    else
        PyErr_SetNone(error);
}

/* ---- putting --------------------------------------------------------------------------------- */

/* 1: it is put; 0: it must wait for room; -1: an exception. `granted`: there is a place for it. */
static int try_give(Queue *self, PyObject *item, bool granted)
{
    int done = 0;
    while (!done) {
        if (self->shut) {
            PyErr_SetNone(bine_queue_shut_error);
            return -1;
        }
        if (bine_py_items_reserve(&self->items, self->lent + 1) != 0) {
            PyErr_NoMemory();
            return -1;
        }
        if (!bine_waiters_empty(&self->getters) && hand_over(self, item)) {
            self->unfinished++;
            return 1;
        }
        if (!granted && !bine_queue_has_room(self))
            return 0;
        done = bine_py_items_push(&self->items, item);
    }
    if (done < 0)
        return -1;
    self->unfinished++;
    bine_waitable_notify(&self->waitable);
    return 1;
}

int bine_queue_give(Queue *self, PyObject *item, int64_t deadline, PyObject *timeout)
{
    int result = try_give(self, item, false);
    if (result)
        return result < 0 ? -1 : 0;
    if (deadline == 0) {
        if (bine_py_refused() >= 0)
            raise_late(bine_queue_full_error, timeout);
        return -1;
    }
    struct taker putter = {.kind = PUTTER, .item = item};
    result = wait_in(self, &self->putters, &putter, "put to queue", deadline, timeout);
    if (result == ETIME)
        raise_late(bine_queue_full_error, timeout);
    else if (result == 0 && putter.shut)
        PyErr_SetNone(bine_queue_shut_error);
    if (result || putter.shut)
        return -1;
    if (self->items.kind == BINE_PY_PRIORITY) {
        result = try_give(self, item, true);
        self->granted--;
        let_putters_in(self); /* the item may have gone to a getter, or nowhere */
    }
    return result < 0 ? -1 : 0;
}

/* ---- getting --------------------------------------------------------------------------------- */

/* 1: *item was taken or looked at; 0: it must wait; -1: an exception. */
static int try_take(Queue *self, enum bine_queue_taking taking, PyObject **item)
{
    int done = 0;
    while (!done && bine_py_items_count(&self->items) > 0) {
        if (taking == BINE_QUEUE_TAKE) {
            done = bine_py_items_pop(&self->items, item);
        } else {
            *item = bine_py_items_next(&self->items);
            Py_INCREF(*item);
            return 1;
        }
    }
    if (done < 0)
        return -1;
    if (!done && self->capacity == 0) {
        struct taker *putter = claim(&self->putters);
        if (putter) {
            Py_INCREF(putter->item);
            *item = putter->item;
            return 1;
        }
    }
    if (!done && self->shut)
        PyErr_SetNone(bine_queue_shut_error);
    if (!done)
        return self->shut ? -1 : 0;
    if (__builtin_expect(!bine_waiters_empty(&self->putters), 0))
        let_putters_in(self);
    if (bine_py_items_count(&self->items) == 0 && self->lent == 0)
        bine_py_items_shrink(&self->items);
    return 1;
}

PyObject *bine_queue_take(Queue *self, enum bine_queue_taking taking, int64_t deadline,
                          PyObject *timeout)
{
    PyObject *item;
    int result = try_take(self, taking, &item);
    if (result)
        return result < 0 ? NULL : item;
    if (deadline == 0) {
        if (bine_py_refused() >= 0)
            raise_late(bine_queue_empty_error, timeout);
        return NULL;
    }
    struct taker waiter = {.kind = taking == BINE_QUEUE_TAKE ? GETTER : LOOKER};
    result = wait_in(self, &self->getters, &waiter, "get from queue", deadline, timeout);
    if (result == ETIME)
        raise_late(bine_queue_empty_error, timeout);
    else if (result == 0 && waiter.shut)
        PyErr_SetNone(bine_queue_shut_error);
    if (result || waiter.shut)
        return NULL;
    if (waiter.kind == GETTER)
        self->lent--;
    return waiter.item;
}

/* ---- tasks, and the end ---------------------------------------------------------------------- */

int bine_queue_wait_for_tasks(Queue *self, int64_t deadline, PyObject *timeout)
{
    if (self->unfinished == 0)
        return 1;
    if (deadline == 0)
        return bine_py_refused() < 0 ? -1 : self->unfinished == 0;
    struct taker joiner = {.kind = JOINER};
    int result = wait_in(self, &self->joiners, &joiner, "join queue", deadline, timeout);
    return result < 0 ? -1 : result == 0;
}

bool bine_queue_done(Queue *self)
{
    if (self->unfinished == 0)
        return false;
    if (--self->unfinished == 0)
        while (claim(&self->joiners))
            ;
    return true;
}

static void turn_away(struct bine_waiters *queue)
{
    struct taker *taker;
    while ((taker = claim(queue)))
        taker->shut = true;
}

void bine_queue_shut(Queue *self, bool drop)
{
    self->shut = true;
    turn_away(&self->putters);
    if (drop) {
        size_t count = bine_py_items_count(&self->items);
        bine_py_items_clear(&self->items);
        while (count-- > 0 && bine_queue_done(self))
            ;
    }
    if (bine_py_items_count(&self->items) == 0)
        turn_away(&self->getters);
    bine_waitable_notify(&self->waitable);
}
