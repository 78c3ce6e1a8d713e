/*
 * Waits that any OS thread may end.
 *
 * Objects of Python are used from all threads of the interpreter. The GIL guards what they keep,
 * their queues of waiters among it. Only the greenlet that is woken belongs to one hub: another
 * thread sends that hub a message.
 */
#include "sleeper.h"

#include <errno.h>
#include <pthread.h>

#include "base/error.h"
#include "carrier/carry.h"
#include "carrier/pending.h"
#include "libc/container_of.h"
#include "park.h"

/* All sleepers of all threads. The GIL guards it. */
static struct bine_py_sleeper *sleepers;

static void sleeper_arrived(struct bine_message *message)
{
    struct bine_py_sleeper *sleeper = (struct bine_py_sleeper *)message;
    atomic_store(&sleeper->sent, false);
    bine_unpark(sleeper->carrier->g);
}

void bine_py_sleeper_begin(struct bine_py_sleeper *sleeper, struct bine_carrier *carrier)
{
    *sleeper = (struct bine_py_sleeper){.message.deliver = sleeper_arrived,
                                        .carrier = carrier,
                                        .hub = carrier->g->hub,
                                        .next = sleepers};
    if (sleepers)
        sleepers->previous = sleeper;
    sleepers = sleeper;
    sleeper->linked = true;
}

static void unlink_sleeper(struct bine_py_sleeper *sleeper)
{
    if (!sleeper->linked)
        return;
    sleeper->linked = false;
    if (sleeper->previous)
        sleeper->previous->next = sleeper->next;
    else
        sleepers = sleeper->next;
    if (sleeper->next)
        sleeper->next->previous = sleeper->previous;
}

void bine_py_sleeper_end(struct bine_py_sleeper *sleeper)
{
    bine_waiters_remove(&sleeper->waiter);
    unlink_sleeper(sleeper);
    /* The message on its way is on this stack. */
    while (atomic_load(&sleeper->sent)) {
        sleeper->carrier->waiting++;
        bine_park(sleeper->hub, "message of another thread", 0, INT64_MAX,
                  BINE_PARK_FIRM | BINE_PARK_EXTERNAL);
        sleeper->carrier->waiting--;
    }
}

bool bine_py_wake(struct bine_py_sleeper *sleeper)
{
    if (sleeper->hub == bine_hub_of_thread) {
        bine_unpark(sleeper->carrier->g);
        return true;
    }
    if (atomic_exchange(&sleeper->sent, true))
        return true;
    if (bine_hub_send(sleeper->hub, &sleeper->message) == 0)
        return true;
    /* Its thread is ending. */
    atomic_store(&sleeper->sent, false);
    return false;
}

#define SLEEPER_OF(w) BINE_CONTAINER_OF(w, struct bine_py_sleeper, waiter)

static void wake_watcher(struct bine_waiter *waiter)
{
    bine_py_wake(SLEEPER_OF(waiter));
}

struct bine_py_sleeper *bine_py_claim(struct bine_waiters *queue)
{
    struct bine_waiter *waiter;
    while ((waiter = bine_waiters_pop(queue))) {
        struct bine_py_sleeper *sleeper = SLEEPER_OF(waiter);
        if (bine_py_wake(sleeper)) {
            sleeper->served = true;
            return sleeper;
        }
    }
    return NULL;
}

/* What bine_park returned becomes what bine_py_park returns. */
static int outcome(struct bine_py_sleeper *sleeper, int error)
{
    if (error == 0 || error == ETIME || sleeper->served) {
        /* It was served first, or its time was up. What was thrown, or is due, is raised at the
         * next wait. */
        if (__builtin_expect(bine_carrier_pending(sleeper->carrier), 0))
            bine_pending_poke(sleeper->carrier);
        return error == ETIME && !sleeper->served ? ETIME : 0;
    }
    return bine_py_park_failed(sleeper->carrier, error);
}

int bine_py_sleep_in(struct bine_waiters *queue, struct bine_py_sleeper *sleeper, const char *verb,
                     uintptr_t object, int64_t deadline)
{
    struct bine_carrier *carrier = sleeper->carrier;
    if (bine_carrier_pending(carrier) && bine_pending_raise() < 0)
        return -1;
    if (queue && !sleeper->waiter.queue) {
        sleeper->waiter.notify = wake_watcher;
        bine_waiters_push(queue, &sleeper->waiter);
    }
    carrier->waiting++;
    int error = bine_park(sleeper->hub, verb, object, deadline, BINE_PARK_SIGNALS);
    carrier->waiting--;
    return outcome(sleeper, error);
}

int bine_py_take_from(struct bine_waiters *queue, struct bine_py_sleeper *sleeper, const char *verb,
                      void *object, int64_t deadline)
{
    int error;
    do {
        error = bine_py_sleep_in(queue, sleeper, verb, (uintptr_t)object, deadline);
    } while (!sleeper->served && (error == 0 || error == EINTR));
    bine_py_sleeper_end(sleeper);
    if (!sleeper->served)
        return error;
    if (error >= 0)
        return 0;
    /* It was served while a signal handler of Python's raised: not to be kept. */
    if (sleeper->give_back)
        sleeper->give_back(sleeper);
    return -1;
}

int bine_py_watch(struct bine_waitable *waitable, const char *verb, int64_t deadline)
{
    if (waitable->class->ready(waitable))
        return 1;
    if (deadline == 0)
        return bine_py_refused() < 0 ? -1 : waitable->class->ready(waitable);
    struct bine_carrier *carrier = bine_carrier_current();
    if (!carrier)
        return -1;
    struct bine_py_sleeper sleeper;
    int error;
    bine_py_sleeper_begin(&sleeper, carrier);
    do {
        error =
            bine_py_sleep_in(&waitable->watchers, &sleeper, verb, (uintptr_t)waitable, deadline);
    } while ((error == 0 || error == EINTR) && !waitable->class->ready(waitable));
    bine_py_sleeper_end(&sleeper);
    return error < 0 ? -1 : error != ETIME || waitable->class->ready(waitable);
}

/* The sleepers of a hub (NULL: of all) will never run again, and their stacks go. What they were
 * given goes on to the next. */
static void sleepers_forget(const struct bine_hub *hub)
{
    struct bine_py_sleeper *served = NULL, **last = &served;
    for (struct bine_py_sleeper *sleeper = sleepers, *next; sleeper; sleeper = next) {
        next = sleeper->next;
        if (hub && sleeper->hub != hub)
            continue;
        bine_waiters_remove(&sleeper->waiter);
        if (sleeper->noted)
            *sleeper->noted = NULL;
        unlink_sleeper(sleeper);
        if (sleeper->served && sleeper->give_back) {
            *last = sleeper;
            last = &sleeper->next;
        }
    }
    *last = NULL;
    /* The youngest gives back first: what was given first is in front then. */
    for (; served; served = served->next)
        served->give_back(served);
}

/* The hub ends: its sleepers never run again. GIL held. */
static void sleepers_end(struct bine_hub *hub)
{
    sleepers_forget(hub);
}

static void sleepers_forked(void)
{
    sleepers_forget(NULL);
}

int bine_sleepers_init(void)
{
    bine_carriers_on_end(sleepers_end);
    int error = pthread_atfork(NULL, NULL, sleepers_forked);
    if (error)
        bine_py_error(error);
    return error ? -1 : 0;
}
