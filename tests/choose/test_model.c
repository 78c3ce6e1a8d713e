/*
 * Random choices of many greenlets in several threads, over objects of all of them: with kills,
 * time limits and closes nothing is lost, nothing comes twice, and what one sender sent to one
 * object comes in its order. BINE_TEST_SEEDS=n runs n seeds.
 *
 * Choices of one hub as parties, step by step against a model: ../sync/test_model.c. Here the
 * threads run freely, so what is checked is what holds however they do: each item that a choice
 * says was sent is received once, all others never; each permit that was had is had once.
 */
#include <bine.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness.h"
#include "io/poller/poller.h"

enum {
    HUBS = 3,
    GREENLETS = 5,
    ROUNDS = 24,
    MOST = 5,
    WORKERS = HUBS * GREENLETS,
    CHANNELS = HUBS,
    OBJECTS = 2 * HUBS, /* that items go through: the channels, then the queues */
    ITEMS = WORKERS * OBJECTS * ROUNDS
};

/* One hub's objects, which it makes, and frees when all have done with them. */
static struct home {
    bine_channel *channel;
    bine_queue *queue;
    bine_semaphore *semaphore;
    bine_greenlet *greenlets[GREENLETS];
} homes[HUBS];

static unsigned seed;
static atomic_uchar sent[ITEMS], received[ITEMS];
static atomic_int permits, made, finished;
static bool closes;

struct worker {
    uint64_t random;
    int number;
    int next[OBJECTS];          /* of the items that it sends to each */
    int last[OBJECTS][WORKERS]; /* that it had from each worker by each */
    int pipe[2];
    bine_event *own;
    bool killed;
};

static unsigned below(uint64_t *random, unsigned n)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return (unsigned)(*random >> 11) % n;
}

static int64_t some_time(uint64_t *random)
{
    unsigned kind = below(random, 4);
    return kind == 0 ? 0 : kind == 1 ? BINE_FOREVER : (int64_t)below(random, 300) * BINE_US;
}

/* Items are numbered by sender, object and turn. */
static int item_of(const struct worker *worker, int object, int turn)
{
    return (worker->number * OBJECTS + object) * ROUNDS + turn;
}

static void take(struct worker *worker, int object, intptr_t item)
{
    int turn = (int)item % ROUNDS, through = (int)item / ROUNDS % OBJECTS,
        from = (int)item / ROUNDS / OBJECTS;
    if (through != object)
        FAIL("seed %u: item %ld of object %d came by %d", seed, (long)item, through, object);
    if (worker && worker->last[object][from] >= turn)
        FAIL("seed %u: of worker %d by object %d: item %d after %d", seed, from, object, turn,
             worker->last[object][from]);
    if (worker)
        worker->last[object][from] = turn;
    if (atomic_fetch_add(&received[item], 1) != 0)
        FAIL("seed %u: item %ld came twice", seed, (long)item);
}

/* A choice with what is needed to account for it. */
struct wish {
    int object; /* that an item goes through; -1: another one's */
    int item;   /* to send; -1: none */
    bine_semaphore *semaphore;
};

static bine_choice random_choice(struct worker *worker, struct wish *wish, int64_t *moment)
{
    int home = (int)below(&worker->random, HUBS);
    bine_choice choice = {BINE_CHOOSE_READY, NULL, NULL, 0};
    *wish = (struct wish){-1, -1, NULL};
    switch (below(&worker->random, 12)) {
    case 0:
    case 1:
    case 2:
        wish->object = home;
        choice = (bine_choice){BINE_CHOOSE_RECEIVE, homes[home].channel, NULL, 0};
        break;
    case 3:
    case 4:
        wish->object = CHANNELS + home;
        choice = (bine_choice){BINE_CHOOSE_GET, homes[home].queue, NULL, 0};
        break;
    case 5:
    case 6:
    case 7:
        wish->object = home;
        choice = (bine_choice){BINE_CHOOSE_SEND, homes[home].channel, NULL, 0};
        break;
    case 8:
        wish->object = CHANNELS + home;
        choice = (bine_choice){BINE_CHOOSE_PUT, homes[home].queue, NULL, 0};
        break;
    case 9:
        wish->semaphore = homes[home].semaphore;
        choice = (bine_choice){BINE_CHOOSE_ACQUIRE, wish->semaphore, NULL, 0};
        break;
    case 10:
        choice = (bine_choice){BINE_CHOOSE_READABLE, &worker->pipe[0], NULL, 0};
        break;
    default:
        *moment = bine_deadline((int64_t)below(&worker->random, 400) * BINE_US);
        choice = (bine_choice){BINE_CHOOSE_TIMER, moment, NULL, 0};
    }
    if (choice.operation == BINE_CHOOSE_SEND || choice.operation == BINE_CHOOSE_PUT) {
        if (worker->next[wish->object] == ROUNDS)
            return (bine_choice){BINE_CHOOSE_READY, worker->own, NULL, 0};
        wish->item = item_of(worker, wish->object, worker->next[wish->object]);
        choice.item = (void *)(intptr_t)wish->item;
    }
    return choice;
}

static void account(struct worker *worker, const bine_choice *choice, const struct wish *wish)
{
    if (choice->error) {
        if (choice->error != EPIPE || !closes || wish->object < 0 || wish->object >= CHANNELS)
            FAIL("seed %u: operation %d failed with %s", seed, choice->operation,
                 strerror(choice->error));
        return;
    }
    if (wish->item >= 0)
        atomic_fetch_add(&sent[wish->item], 1);
    else if (wish->object >= 0)
        take(worker, wish->object, (intptr_t)choice->item);
    if (wish->semaphore) {
        CHECK_GE(atomic_fetch_sub(&permits, 1), 1);
        if (below(&worker->random, 2))
            CHECK_OK(bine_sleep((int64_t)below(&worker->random, 50) * BINE_US) == 0 ||
                             errno == ECANCELED
                         ? 0
                         : -1);
        atomic_fetch_add(&permits, 1);
        CHECK_OK(bine_semaphore_release(wish->semaphore));
    }
}

static void choose_once(struct worker *worker)
{
    bine_choice choices[MOST];
    struct wish wishes[MOST];
    int64_t moments[MOST];
    size_t n = 1 + below(&worker->random, MOST);
    for (size_t i = 0; i < n; i++) {
        choices[i] = random_choice(worker, &wishes[i], &moments[i]);
        /* The same item twice in one choice would be one item that is sent at most once, so it is
         * left in. */
    }
    int64_t timeout = some_time(&worker->random);
    ssize_t taken = below(&worker->random, 2) ? bine_choose(choices, n, timeout)
                                              : bine_choose_first(choices, n, timeout);
    /* An item that was offered is not offered again, whether it was taken or not: what comes after
     * has another number. */
    bool offered[OBJECTS] = {false};
    for (size_t i = 0; i < n; i++)
        if (wishes[i].item >= 0)
            offered[wishes[i].object] = true;
    for (int object = 0; object < OBJECTS; object++)
        worker->next[object] += offered[object];
    if (taken >= 0) {
        CHECK_LT(taken, (ssize_t)n);
        account(worker, &choices[taken], &wishes[taken]);
    } else if (errno == ECANCELED) {
        worker->killed = true;
    } else if (errno != ETIMEDOUT || timeout == BINE_FOREVER) {
        FAIL("seed %u: the choice failed with %s", seed, strerror(errno));
    }
}

static void *choose_often(void *arg)
{
    struct worker *worker = arg;
    for (int round = 0; round < ROUNDS && !worker->killed; round++) {
        choose_once(worker);
        if (below(&worker->random, 4) == 0)
            bine_sleep(0);
    }
    return NULL;
}

static void begin_worker(struct worker *worker, int number)
{
    *worker = (struct worker){.random = (seed * UINT64_C(0x9E3779B97F4A7C15) + 1) ^
                                        ((uint64_t)number << 32),
                              .number = number};
    memset(worker->last, -1, sizeof worker->last);
    CHECK_EQ(pipe(worker->pipe), 0);
    worker->own = bine_event_new(0);
}

static void end_worker(struct worker *worker)
{
    close(worker->pipe[0]);
    close(worker->pipe[1]);
    CHECK_OK(bine_event_free(worker->own));
}

/* All threads come here before one goes on. */
static void meet(atomic_int *count)
{
    atomic_fetch_add(count, 1);
    while (atomic_load(count) < HUBS) {
        CHECK_OK(bine_sleep(0));
        usleep(10);
    }
}

static void make_home(struct home *home, uint64_t *random)
{
    home->channel = bine_channel_new(below(random, 3), BINE_SHARED);
    home->queue = bine_queue_new(1 + below(random, 3), BINE_SHARED);
    unsigned count = below(random, 3);
    home->semaphore = bine_semaphore_new(count, BINE_SHARED);
    atomic_fetch_add(&permits, (int)count);
    CHECK(home->channel && home->queue && home->semaphore);
}

/* What is left comes after what was received. */
static void empty_home(struct home *home, int number)
{
    void *item;
    while (bine_channel_receive(home->channel, &item, 0) == 0)
        take(NULL, number, (intptr_t)item);
    CHECK(errno == ETIMEDOUT || errno == EPIPE);
    while (bine_queue_get(home->queue, &item, 0) == 0)
        take(NULL, CHANNELS + number, (intptr_t)item);
    CHECK(!bine_channel_has_sender(home->channel) && !bine_channel_has_receiver(home->channel));
    CHECK_OK(bine_channel_free(home->channel));
    CHECK_OK(bine_queue_free(home->queue));
    CHECK_OK(bine_semaphore_free(home->semaphore));
}

static bool all_dead(const struct home *home)
{
    for (int i = 0; i < GREENLETS; i++)
        if (!bine_dead(home->greenlets[i]))
            return false;
    return true;
}

static void *run_hub(void *arg)
{
    int number = bine_worker();
    struct home *home = &homes[number];
    static struct worker workers[WORKERS];
    uint64_t random = (seed * UINT64_C(0x9E3779B97F4A7C15) + 1) ^ ((uint64_t)(number + 100) << 32);
    CHECK(bine_poller_of(bine_hub_get()) != NULL);
    make_home(home, &random);
    meet(&made);
    for (int i = 0; i < GREENLETS; i++) {
        begin_worker(&workers[number * GREENLETS + i], number * GREENLETS + i);
        home->greenlets[i] = bine_spawn(choose_often, &workers[number * GREENLETS + i]);
    }
    for (unsigned turns = 0; !all_dead(home); turns++) {
        CHECK_OK(bine_sleep((int64_t)below(&random, 100) * BINE_US));
        if (below(&random, 4) == 0) /* those that wait for ever are killed at last */
            CHECK_OK(bine_kill(home->greenlets[below(&random, GREENLETS)]));
        if (closes && turns == 8)
            CHECK_OK(bine_channel_close(homes[below(&random, HUBS)].channel));
    }
    CHECK_OK(bine_joinall(home->greenlets, GREENLETS, BINE_FOREVER));
    for (int i = 0; i < GREENLETS; i++)
        end_worker(&workers[number * GREENLETS + i]);
    meet(&finished);
    empty_home(home, number);
    return arg;
}

static void run_seed(void)
{
    for (int i = 0; i < ITEMS; i++) {
        atomic_store(&sent[i], 0);
        atomic_store(&received[i], 0);
    }
    atomic_store(&permits, 0);
    atomic_store(&made, 0);
    atomic_store(&finished, 0);
    closes = seed % 3 == 0;
    CHECK_OK(bine_workers_run(HUBS, run_hub, NULL));
    for (int i = 0; i < ITEMS; i++)
        if (atomic_load(&sent[i]) != atomic_load(&received[i]))
            FAIL("seed %u: item %d of object %d was sent %d times and received %d times", seed, i,
                 i / ROUNDS % OBJECTS, atomic_load(&sent[i]), atomic_load(&received[i]));
}

TEST(choices_of_several_hubs_lose_nothing_double_nothing_and_keep_the_order, .seconds = 120)
{
    unsigned n = harness_seeds(400);
    for (seed = 1; seed <= n; seed++)
        run_seed();
}
