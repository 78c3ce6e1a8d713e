/*
 * Queues, channels, semaphores and choosing among them against a reference model, with random
 * programs: thousands of seeds.
 *
 * The model is the rules said in the plainest way: lists of waiters, looked through from the front.
 * Workers tell the model what they are about to do, do it, and compare. Since greenlets of one
 * thread take turns, and kills happen at a known moment, the model knows exactly who gets what; any
 * lost wake-up, lost item or overtaking is a difference. BINE_TEST_SEEDS=n runs n seeds.
 */
#include <bine.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness.h"
#include "io/poller/poller.h"

/* With BINE_POLLER=sim:SEED the hub runs ready greenlets in random order, once the poller is
 * there. */
static void open_poller(void)
{
    CHECK(bine_poller_of(bine_hub_get()) != NULL);
}

static uint64_t random_state;

static unsigned random_below(unsigned n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state >> 11) % n;
}

/* ---- the model ------------------------------------------------------------------------------- */

enum {
    WORKERS = 7,
    ROUNDS = 24,
    CHOICES = 4,
    PLACES = 64
};
enum verb {
    PUT,
    GET,
    PEEK,
    SEND,
    RECEIVE,
    ACQUIRE
};
enum state {
    AT_EASE,
    WAITING,
    SERVED,
    CANCELLED
};

struct wish {
    enum verb verb;
    intptr_t item;
};

struct model_waiter {
    enum state state;
    int which; /* the wish that was served */
    intptr_t item;
    int error;
};

struct place {
    struct model_waiter *waiter;
    int which;
    struct wish wish;
};

struct list {
    struct place places[PLACES];
    int n;
};

static struct list getters, putters, senders, receivers, acquirers;
static intptr_t stored[PLACES], buffered[PLACES];
static int stored_n, buffered_n, capacity, buffer, permits;
static enum bine_queue_order order;

/* The first in the list that still waits becomes served. */
static bool serve(struct list *list, struct place *place)
{
    while (list->n > 0) {
        *place = list->places[0];
        memmove(list->places, list->places + 1, --list->n * sizeof *list->places);
        if (place->waiter->state == WAITING) {
            place->waiter->state = SERVED;
            place->waiter->which = place->which;
            return true;
        }
    }
    return false;
}

/* Does somebody still wait in the list with this wish? */
static bool anybody(const struct list *list, enum verb verb)
{
    for (int i = 0; i < list->n; i++)
        if (list->places[i].waiter->state == WAITING && list->places[i].wish.verb == verb)
            return true;
    return false;
}

static void store(intptr_t item)
{
    int at = stored_n++;
    if (order == BINE_LIFO)
        at = 0;
    while (order == BINE_PRIORITY && at > 0 && stored[at - 1] > item)
        at--;
    memmove(stored + at + 1, stored + at, (stored_n - 1 - at) * sizeof *stored);
    stored[at] = item;
}

static intptr_t shift(intptr_t *items, int *n)
{
    intptr_t first = items[0];
    memmove(items, items + 1, --*n * sizeof *items);
    return first;
}

static bool model_put(intptr_t item)
{
    struct place place;
    while (serve(&getters, &place)) {
        place.waiter->item = item;
        if (place.wish.verb == GET)
            return true;
    }
    if (stored_n == capacity)
        return false;
    store(item);
    return true;
}

static bool model_get(intptr_t *item)
{
    struct place place;
    if (stored_n == 0)
        return false;
    *item = shift(stored, &stored_n);
    if (serve(&putters, &place))
        store(place.wish.item);
    return true;
}

static bool model_send(intptr_t item)
{
    struct place place;
    if (serve(&receivers, &place)) {
        place.waiter->item = item;
        return true;
    }
    if (buffered_n == buffer)
        return false;
    buffered[buffered_n++] = item;
    return true;
}

static bool model_receive(intptr_t *item)
{
    struct place place;
    bool there = buffered_n > 0, sender;
    if (there)
        *item = shift(buffered, &buffered_n);
    sender = serve(&senders, &place);
    if (sender && there)
        buffered[buffered_n++] = place.wish.item;
    else if (sender)
        *item = place.wish.item;
    return there || sender;
}

static bool model_attempt(struct wish *wish)
{
    switch (wish->verb) {
    case PUT:
        return model_put(wish->item);
    case GET:
        return model_get(&wish->item);
    case PEEK:
        wish->item = stored[0];
        return stored_n > 0;
    case SEND:
        return model_send(wish->item);
    case RECEIVE:
        return model_receive(&wish->item);
    case ACQUIRE:
        if (permits == 0)
            return false;
        permits--;
        return true;
    }
    return false;
}

static void model_release(void)
{
    struct place place;
    if (!serve(&acquirers, &place))
        permits++;
}

static struct list *list_of(enum verb verb)
{
    struct list *lists[] = {&putters, &getters, &getters, &senders, &receivers, &acquirers};
    return lists[verb];
}

static void model_wait(struct model_waiter *waiter, const struct wish *wishes, int n)
{
    waiter->state = WAITING;
    for (int i = 0; i < n; i++) {
        struct list *list = list_of(wishes[i].verb);
        CHECK_LT(list->n, PLACES);
        list->places[list->n++] = (struct place){waiter, i, wishes[i]};
    }
}

/* Places of those who no longer wait would pile up. */
static void model_tidy(struct model_waiter *waiter)
{
    struct list *lists[] = {&getters, &putters, &senders, &receivers, &acquirers};
    for (int i = 0; i < 5; i++) {
        int kept = 0;
        for (int k = 0; k < lists[i]->n; k++)
            if (lists[i]->places[k].waiter != waiter)
                lists[i]->places[kept++] = lists[i]->places[k];
        lists[i]->n = kept;
    }
    waiter->state = AT_EASE;
}

/* ---- the real thing -------------------------------------------------------------------------- */

static bine_queue *queue;
static bine_channel *channel;
static bine_semaphore *semaphore;
static unsigned seed;
static bool as_parties; /* choices go the long way (src/choose/choosing.h) */
static uint64_t steps;  /* grows with whatever any greenlet does */

static int do_one(struct wish *wish, int64_t timeout)
{
    void *item = (void *)wish->item;
    int failed = 0;
    switch (wish->verb) {
    case PUT:
        failed = bine_queue_put(queue, item, timeout);
        break;
    case GET:
        failed = bine_queue_get(queue, &item, timeout);
        break;
    case PEEK:
        failed = bine_queue_peek(queue, &item, timeout);
        break;
    case SEND:
        failed = bine_channel_send(channel, item, timeout);
        break;
    case RECEIVE:
        failed = bine_channel_receive(channel, &item, timeout);
        break;
    case ACQUIRE:
        failed = bine_semaphore_acquire(semaphore, timeout);
        break;
    }
    wish->item = (intptr_t)item;
    return failed ? -errno : 0;
}

static int do_one_of(struct wish *wishes, int n, int64_t timeout, bool in_order)
{
    static const enum bine_choice_operation operations[] = {
        BINE_CHOOSE_PUT,  BINE_CHOOSE_GET,     0,
        BINE_CHOOSE_SEND, BINE_CHOOSE_RECEIVE, BINE_CHOOSE_ACQUIRE};
    void *objects[] = {queue, queue, NULL, channel, channel, semaphore};
    bine_choice choices[CHOICES + 1];
    int64_t never = BINE_FOREVER;
    for (int i = 0; i < n; i++)
        choices[i] = (bine_choice){operations[wishes[i].verb], objects[wishes[i].verb],
                                   (void *)wishes[i].item, 0};
    if (as_parties)
        choices[n++] = (bine_choice){BINE_CHOOSE_TIMER, &never, NULL, 0};
    ssize_t taken = in_order ? bine_choose_first(choices, (size_t)n, timeout)
                             : bine_choose(choices, (size_t)n, timeout);
    if (taken < 0)
        return -errno;
    wishes[taken].item = (intptr_t)choices[taken].item;
    return (int)taken;
}

/* Can any of them be done now? Asked without doing it. */
static bool can_any(const struct wish *wishes, int n)
{
    for (int i = 0; i < n; i++) {
        bool can = false;
        switch (wishes[i].verb) {
        case PUT:
            can = stored_n < capacity || anybody(&getters, GET);
            break;
        case GET:
        case PEEK:
            can = stored_n > 0;
            break;
        case SEND:
            can = buffered_n < buffer || anybody(&receivers, RECEIVE);
            break;
        case RECEIVE:
            can = buffered_n > 0 || anybody(&senders, SEND);
            break;
        case ACQUIRE:
            can = permits > 0;
            break;
        }
        if (can)
            return true;
    }
    return false;
}

static struct wish random_wish(bool choosing)
{
    static intptr_t next_item;
    struct wish wish = {random_below(ACQUIRE + 1), 0};
    if (choosing && wish.verb == PEEK)
        wish.verb = GET;
    /* Priorities must not be in order of arrival. */
    if (wish.verb == PUT || wish.verb == SEND)
        wish.item = (++next_item * 7919) % 100003;
    return wish;
}

#define AGREE(a, b)                                                                    \
    do {                                                                               \
        if ((a) != (b))                                                                \
            FAIL("seed %u: %s is %ld, %s is %ld", seed, #a, (long)(a), #b, (long)(b)); \
    } while (0)

static void one_operation(struct model_waiter *self)
{
    bool choosing = random_below(3) == 0, in_order = !choosing || random_below(2);
    int n = choosing ? 1 + (int)random_below(CHOICES) : 1;
    int64_t timeout = random_below(4) == 0 ? 0 : BINE_FOREVER;
    struct wish model[CHOICES], real[CHOICES];
    for (int i = 0; i < n; i++)
        real[i] = model[i] = random_wish(choosing);

    int expected = -1, drawn = -1;
    /* Any of those that can be done may be drawn; whichever it was the model does as well. */
    if (!in_order && can_any(model, n)) {
        uint64_t before = ++steps;
        drawn = do_one_of(real, n, timeout, false);
        AGREE(steps, before);
        AGREE(drawn >= 0 && can_any(&model[drawn], 1), true);
    }
    for (int i = drawn < 0 ? 0 : drawn; i < n && expected < 0; i++)
        if (model_attempt(&model[i]))
            expected = i;
    bool at_once = expected >= 0 || timeout == 0;
    if (expected < 0)
        expected = -ETIMEDOUT;
    if (!at_once)
        model_wait(self, model, n);

    uint64_t before = ++steps;
    int got = drawn >= 0 ? drawn
              : choosing ? do_one_of(real, n, timeout, in_order)
                         : do_one(&real[0], timeout);
    if (at_once) {
        AGREE(steps, before); /* it did not switch */
    } else {
        steps++;
        AGREE(self->state == SERVED || self->state == CANCELLED, true);
        expected = self->state == SERVED ? self->which : -ECANCELED;
        if (self->state == SERVED && model[expected].verb != PUT && model[expected].verb != SEND)
            model[expected].item = self->item;
        model_tidy(self);
    }
    AGREE(got, expected);
    if (got >= 0 && model[got].verb != ACQUIRE)
        AGREE(real[got].item, model[got].item);
    AGREE((long)bine_queue_size(queue), (long)stored_n);
    AGREE((long)bine_channel_size(channel), (long)buffered_n);
    AGREE((long)bine_semaphore_permits(semaphore), (long)permits);
}

static void *worker(void *arg)
{
    struct model_waiter *self = arg;
    for (int i = 0; i < ROUNDS && !bine_killed(bine_getcurrent()); i++) {
        if (random_below(3) == 0) {
            model_release();
            CHECK_OK(bine_semaphore_release(semaphore));
        }
        one_operation(self);
        for (unsigned yields = random_below(3); yields > 0; yields--)
            bine_sleep(0);
    }
    return NULL;
}

static void kill_worker(bine_greenlet *g, struct model_waiter *waiter)
{
    if (bine_dead(g))
        return;
    if (waiter->state == WAITING)
        waiter->state = CANCELLED;
    CHECK_OK(bine_kill(g));
}

static void run_seed(void)
{
    random_state = seed * 0x9E3779B97F4A7C15u + 1;
    order = random_below(3);
    capacity = 1 + (int)random_below(3);
    buffer = (int)random_below(3);
    permits = (int)random_below(3);
    stored_n = buffered_n = 0;
    getters.n = putters.n = senders.n = receivers.n = acquirers.n = 0;
    queue =
        bine_queue_new_with(&(bine_queue_options){.capacity = (size_t)capacity, .order = order});
    channel = bine_channel_new((size_t)buffer, 0);
    semaphore = bine_semaphore_new((unsigned)permits, 0);

    struct model_waiter waiters[WORKERS] = {0};
    bine_greenlet *workers[WORKERS];
    for (int i = 0; i < WORKERS; i++)
        workers[i] = bine_spawn(worker, &waiters[i]);
    for (;;) {
        uint64_t before = steps;
        bine_sleep(0);
        int alive = 0;
        for (int i = 0; i < WORKERS; i++)
            alive += !bine_dead(workers[i]);
        if (!alive)
            break;
        /* Now and then, and when all are stuck. */
        if (steps == before || random_below(8) == 0) {
            int victim = (int)random_below(WORKERS);
            kill_worker(workers[victim], &waiters[victim]);
        }
    }
    CHECK_OK(bine_joinall(workers, WORKERS, BINE_FOREVER));
    CHECK_OK(bine_queue_free(queue));
    CHECK_OK(bine_channel_free(channel));
    CHECK_OK(bine_semaphore_free(semaphore));
}

TEST(random_programs_agree_with_the_model, .seconds = 120)
{
    unsigned n = harness_seeds(4000);
    open_poller();
    for (seed = 1; seed <= n; seed++)
        run_seed();
}

TEST(random_programs_agree_with_the_model_where_choices_are_parties, .seconds = 120)
{
    unsigned n = harness_seeds(4000);
    open_poller();
    as_parties = true;
    for (seed = 1; seed <= n; seed++)
        run_seed();
}

/* ---- timeouts racing with hand-off ----------------------------------------------------------- */

enum {
    ITEMS = 40
};
static unsigned char sent[WORKERS * ITEMS], received[WORKERS * ITEMS];
static intptr_t last_received[WORKERS];
static long held;

static int64_t random_timeout(void)
{
    switch (random_below(4)) {
    case 0:
        return 0;
    case 1:
        return BINE_FOREVER;
    default:
        return random_below(40) * BINE_US;
    }
}

static void *sender(void *arg)
{
    intptr_t number = (intptr_t)arg;
    for (intptr_t i = 0; i < ITEMS; i++) {
        void *item = (void *)(number * ITEMS + i);
        int failed = random_below(2) ? bine_queue_put(queue, item, random_timeout())
                                     : bine_channel_send(channel, item, random_timeout());
        sent[number * ITEMS + i] = failed == 0;
        if (failed && errno != ETIMEDOUT)
            break;
    }
    return NULL;
}

static void take(void *item)
{
    received[(intptr_t)item]++;
}

static void *receiver(void *arg)
{
    for (;;) {
        void *item;
        int64_t timeout = random_timeout();
        int failed = random_below(2) ? bine_queue_get(queue, &item, timeout)
                                     : bine_channel_receive(channel, &item, timeout);
        if (failed == 0)
            take(item);
        else if (errno != ETIMEDOUT)
            return NULL;
        if (failed && timeout == 0)
            bine_sleep(0);
    }
}

static void *holder(void *arg)
{
    for (int i = 0; i < ITEMS; i++) {
        if (bine_semaphore_acquire(semaphore, random_timeout()) == 0) {
            held++;
            bine_sleep(random_below(2) ? 0 : (int64_t)random_below(20) * BINE_US);
            held--;
            CHECK_OK(bine_semaphore_release(semaphore));
        } else if (errno != ETIMEDOUT) {
            return NULL;
        }
    }
    return NULL;
}

static void race_timeouts(void)
{
    random_state = seed * 0x9E3779B97F4A7C15u + 1;
    memset(sent, 0, sizeof sent);
    memset(received, 0, sizeof received);
    memset(last_received, 0, sizeof last_received);
    queue = bine_queue_new(1 + random_below(3), 0);
    channel = bine_channel_new(random_below(2), 0);
    unsigned there = 1 + random_below(2);
    semaphore = bine_semaphore_new_bounded(there, 0);
    bine_greenlet *all[3 * WORKERS];
    for (intptr_t i = 0; i < WORKERS; i++) {
        all[i] = bine_spawn(sender, (void *)i);
        all[WORKERS + i] = bine_spawn(receiver, NULL);
        all[2 * WORKERS + i] = bine_spawn(holder, NULL);
    }
    for (int kills = 0; kills < 6; kills++) {
        bine_sleep((int64_t)random_below(100) * BINE_US);
        bine_kill(all[random_below(3 * WORKERS)]);
    }
    bine_sleep(BINE_MS / 2);
    /* No receiver may be left waiting while there is something to receive. */
    void *item;
    CHECK_OK(bine_killall(all, 3 * WORKERS, BINE_FOREVER));
    while (bine_queue_get(queue, &item, 0) == 0)
        take(item);
    while (bine_channel_receive(channel, &item, 0) == 0)
        take(item);
    for (int i = 0; i < WORKERS * ITEMS; i++)
        if (sent[i] != received[i])
            FAIL("seed %u: item %d was %s and received %d times", seed, i,
                 sent[i] ? "sent" : "not sent", received[i]);
    CHECK_EQ(held, 0);
    CHECK_EQ(bine_semaphore_permits(semaphore), there);
    CHECK_OK(bine_joinall(all, 3 * WORKERS, BINE_FOREVER));
    CHECK_OK(bine_queue_free(queue));
    CHECK_OK(bine_channel_free(channel));
    CHECK_OK(bine_semaphore_free(semaphore));
}

TEST(no_item_and_no_permit_is_lost_when_timeouts_race_with_hand_off, .seconds = 120)
{
    unsigned n = harness_seeds(1000);
    open_poller();
    for (seed = 1; seed <= n; seed++)
        race_timeouts();
}
