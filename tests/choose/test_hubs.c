/* Choices among objects of several hubs: what each operation does there, mixed ones, closes, kills,
 * ends of threads, frees. Fit for TSan. */
#include <bine.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "sync/channel.h"

enum {
    JOBS = 400,
    WORKERS = 3
};

static bine_channel *jobs, *results;
static bine_queue *queue;
static bine_semaphore *permits;
static bine_rlock *lock;
static bine_event *stop, *ready;
static bine_greenlet *greenlet;

/* ---- the loop of a worker -------------------------------------------------------------------- */

static atomic_int done[JOBS];

static void *stop_after(void *duration)
{
    CHECK_OK(bine_sleep((intptr_t)duration));
    CHECK_OK(bine_event_set(stop));
    return NULL;
}

/* Next job of another hub's channel or queue, or an event of one's own. */
static void *work(void *arg)
{
    bine_event *own = bine_event_new(0);
    int64_t never = BINE_FOREVER;
    for (;;) {
        bine_choice choices[] = {{BINE_CHOOSE_READY, own, NULL, 0},
                                 {BINE_CHOOSE_RECEIVE, jobs, NULL, 0},
                                 {BINE_CHOOSE_GET, queue, NULL, 0},
                                 {BINE_CHOOSE_TIMER, &never, NULL, 0}};
        ssize_t taken = bine_choose(choices, 4, BINE_FOREVER);
        CHECK(taken == 1 || taken == 2);
        if (choices[taken].error) {
            CHECK_EQ(choices[taken].error, EPIPE);
            break;
        }
        atomic_fetch_add(&done[(intptr_t)choices[taken].item], 1);
    }
    CHECK_OK(bine_event_free(own));
    return arg;
}

static void *give_jobs(void *arg)
{
    for (intptr_t i = 0; i < JOBS; i++)
        if (i % 2)
            CHECK_OK(bine_channel_send(jobs, (void *)i, BINE_FOREVER));
        else
            CHECK_OK(bine_queue_put(queue, (void *)i, BINE_FOREVER));
    return arg;
}

TEST(next_job_of_another_hub_or_an_event_of_ones_own)
{
    jobs = bine_channel_new(0, BINE_SHARED);
    queue = bine_queue_new(2, BINE_SHARED);
    bine_workers *workers = bine_workers_start(WORKERS, work, NULL);
    give_jobs(NULL);
    while (bine_queue_size(queue) > 0)
        CHECK_OK(bine_sleep(BINE_MS));
    CHECK_OK(bine_channel_close(jobs));
    CHECK_OK(bine_workers_join(workers, BINE_FOREVER));
    for (int i = 0; i < JOBS; i++)
        CHECK_EQ(atomic_load(&done[i]), 1);
    CHECK_OK(bine_channel_free(jobs));
    CHECK_OK(bine_queue_free(queue));
}

static void *work_until_stopped(void *arg)
{
    stop = bine_event_new(0);
    bine_greenlet *g = bine_spawn(stop_after, (void *)(3 * BINE_MS));
    bine_choice choices[] = {{BINE_CHOOSE_READY, stop, NULL, 0},
                             {BINE_CHOOSE_RECEIVE, jobs, NULL, 0}};
    ssize_t taken;
    while ((taken = bine_choose_first(choices, 2, BINE_FOREVER)) == 1)
        CHECK_EQ(choices[1].error, 0);
    CHECK_EQ(taken, 0);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_OK(bine_event_free(stop));
    return arg;
}

TEST(an_event_of_ones_own_ends_the_wait_and_takes_no_job)
{
    jobs = bine_channel_new(0, BINE_SHARED);
    CHECK_OK(bine_workers_run(1, work_until_stopped, NULL));
    CHECK(!bine_channel_has_receiver(jobs)); /* it has let go */
    CHECK_ERROR(bine_channel_send(jobs, NULL, 0), ETIMEDOUT);
    CHECK_OK(bine_channel_free(jobs));
}

/* ---- each operation there -------------------------------------------------------------------- */

static void *give_five(void *arg)
{
    return (void *)5;
}

static void *do_each(void *arg)
{
    bine_choice choices[] = {
        {BINE_CHOOSE_SEND, results, (void *)3, 0},   {BINE_CHOOSE_RECEIVE, jobs, NULL, 0},
        {BINE_CHOOSE_PUT, queue, (void *)4, 0},      {BINE_CHOOSE_GET, queue, NULL, 0},
        {BINE_CHOOSE_ACQUIRE, permits, NULL, 0},     {BINE_CHOOSE_ACQUIRE, lock, NULL, 0},
        {BINE_CHOOSE_ACQUIRE, lock, NULL, 0},        {BINE_CHOOSE_READY, ready, NULL, 0},
        {BINE_CHOOSE_JOIN, greenlet, (void *)99, 0},
    };
    enum {
        N = sizeof choices / sizeof *choices
    };
    for (int i = 0; i < N; i++) {
        CHECK_EQ(bine_choose(&choices[i], 1, arg ? 0 : BINE_FOREVER), 0);
        CHECK_EQ(choices[i].error, 0);
    }
    CHECK_EQ(choices[1].item, (void *)2);
    CHECK_EQ(choices[3].item, (void *)4);
    CHECK_EQ(choices[8].item, (void *)5);
    CHECK(bine_rlock_owned(lock));
    CHECK_OK(bine_rlock_release(lock));
    CHECK(bine_rlock_owned(lock));
    CHECK_OK(bine_rlock_release(lock));
    CHECK(!bine_rlock_locked(lock));
    choices[0].item = NULL;
    CHECK_ERROR(bine_choose(&choices[1], 1, 0), ETIMEDOUT);
    CHECK_ERROR(bine_choose(&choices[3], 2, 0), ETIMEDOUT);
    CHECK_ERROR(bine_choose(&choices[3], 2, BINE_MS), ETIMEDOUT);
    return NULL;
}

static void make_all(void)
{
    jobs = bine_channel_new(1, BINE_SHARED);
    results = bine_channel_new(1, BINE_SHARED);
    queue = bine_queue_new(1, BINE_SHARED);
    permits = bine_semaphore_new(0, BINE_SHARED);
    lock = bine_rlock_new(BINE_SHARED);
    ready = bine_event_new(BINE_SHARED);
    greenlet = bine_spawn(give_five, NULL);
}

static void free_all(void)
{
    CHECK_OK(bine_channel_free(jobs));
    CHECK_OK(bine_channel_free(results));
    CHECK_OK(bine_queue_free(queue));
    CHECK_OK(bine_semaphore_free(permits));
    CHECK_OK(bine_rlock_free(lock));
    CHECK_OK(bine_event_free(ready));
}

TEST(each_operation_is_done_at_once_in_the_hub_of_its_object)
{
    make_all();
    void *item;
    CHECK_OK(bine_sleep(0));
    CHECK_OK(bine_channel_send(jobs, (void *)2, 0));
    CHECK_OK(bine_semaphore_release(permits));
    CHECK_OK(bine_event_set(ready));
    CHECK_OK(bine_workers_run(1, do_each, (void *)1));
    CHECK_OK(bine_channel_receive(results, &item, 0));
    CHECK_EQ(item, (void *)3);
    free_all();
}

static void *complete_each(void *arg)
{
    void *item;
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_OK(bine_channel_receive(results, &item, BINE_FOREVER));
    CHECK_EQ(item, NULL);
    CHECK_OK(bine_channel_receive(results, &item, BINE_FOREVER));
    CHECK_EQ(item, (void *)3);
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_OK(bine_channel_send(jobs, (void *)2, BINE_FOREVER));
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_OK(bine_queue_get(queue, &item, BINE_FOREVER)); /* the one that was there */
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_OK(bine_semaphore_release(permits));
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_OK(bine_rlock_release(lock));
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_OK(bine_event_set(ready));
    return arg;
}

static void *lock_and_complete(void *arg)
{
    CHECK_OK(bine_rlock_acquire(lock, BINE_FOREVER));
    return complete_each(arg);
}

TEST(each_operation_is_waited_for_in_the_hub_of_its_object)
{
    make_all();
    CHECK_OK(bine_channel_send(results, NULL, 0));
    CHECK_OK(bine_queue_put(queue, NULL, 0));
    bine_greenlet *g = bine_spawn(lock_and_complete, NULL);
    CHECK_OK(bine_sleep(0));
    CHECK_OK(bine_workers_run(1, do_each, NULL));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    free_all();
}

/* ---- ends ------------------------------------------------------------------------------------ */

static atomic_int begun;

static void *choose_jobs(void *arg)
{
    int64_t never = BINE_FOREVER;
    bine_choice choices[] = {{BINE_CHOOSE_TIMER, &never, NULL, 0},
                             {BINE_CHOOSE_RECEIVE, jobs, NULL, 0}};
    atomic_fetch_add(&begun, 1);
    ssize_t taken = bine_choose(choices, 2, BINE_FOREVER);
    return (void *)(intptr_t)(taken < 0 ? -errno : choices[taken].error);
}

static void *expect_the_end(void *arg)
{
    CHECK_EQ(choose_jobs(NULL), (void *)ESRCH);
    CHECK_EQ(choose_jobs(NULL), (void *)ESRCH); /* and from the start */
    return arg;
}

static void *own_jobs(void *arg)
{
    jobs = bine_channel_new(0, BINE_SHARED);
    CHECK_OK(bine_event_set(ready));
    while (!bine_channel_has_receiver(jobs))
        CHECK_OK(bine_sleep(BINE_MS));
    return arg;
}

TEST(a_choice_ends_when_the_thread_of_its_object_does)
{
    ready = bine_event_new(BINE_SHARED);
    bine_workers *owner = bine_workers_start(1, own_jobs, NULL);
    CHECK_OK(bine_event_wait(ready, BINE_FOREVER));
    bine_workers *other = bine_workers_start(1, expect_the_end, NULL);
    CHECK_OK(bine_workers_join(owner, BINE_FOREVER));
    CHECK_OK(bine_workers_join(other, BINE_FOREVER));
    CHECK_OK(bine_channel_free(jobs));
    CHECK_OK(bine_event_free(ready));
}

static void *leave_choosers(void *arg)
{
    for (int i = 0; i < 3; i++)
        bine_detach(bine_spawn(choose_jobs, NULL));
    while (atomic_load(&begun) < 3)
        CHECK_OK(bine_sleep(0));
    CHECK_OK(bine_sleep(BINE_MS));
    return arg;
}

TEST(choosers_that_go_with_their_thread_are_given_nothing,
     .leaves = "greenlets that end with their thread are the subject")
{
    jobs = bine_channel_new(0, BINE_SHARED);
    CHECK_OK(bine_workers_run(1, leave_choosers, NULL));
    CHECK_ERROR(bine_channel_send(jobs, NULL, 10 * BINE_MS), ETIMEDOUT);
    CHECK(!bine_channel_has_receiver(jobs));
    CHECK_OK(bine_channel_free(jobs));
}

static void *kill_a_chooser(void *arg)
{
    for (int i = 0; i < 100; i++) {
        bine_greenlet *g = bine_spawn(choose_jobs, NULL);
        CHECK_OK(bine_sleep(i % 3 * 50 * BINE_US));
        CHECK_OK(bine_kill(g));
        void *outcome;
        CHECK_OK(bine_join(g, &outcome, BINE_FOREVER));
        if (bine_killed(g) && outcome)
            CHECK(outcome == (void *)(intptr_t)-ECANCELED);
    }
    return arg;
}

TEST(a_killed_chooser_lets_go_of_the_objects)
{
    jobs = bine_channel_new(0, BINE_SHARED);
    CHECK_OK(bine_workers_run(2, kill_a_chooser, NULL));
    CHECK(!bine_channel_has_receiver(jobs));
    CHECK_ERROR(bine_channel_send(jobs, NULL, 0), ETIMEDOUT);
    CHECK_OK(bine_channel_free(jobs));
}

static void *choose_and_close(void *arg)
{
    bine_channel *own = bine_channel_new(0, 0);
    bine_choice choices[] = {{BINE_CHOOSE_RECEIVE, own, NULL, 0},
                             {BINE_CHOOSE_RECEIVE, jobs, NULL, 0}};
    CHECK_EQ(bine_choose(choices, 2, BINE_FOREVER), 1);
    CHECK_EQ(choices[1].error, EPIPE);
    CHECK_OK(bine_channel_free(own)); /* nobody waits there any more */
    return arg;
}

TEST(a_close_there_ends_the_choice)
{
    jobs = bine_channel_new(0, BINE_SHARED);
    bine_workers *workers = bine_workers_start(WORKERS, choose_and_close, NULL);
    CHECK_OK(bine_sleep(5 * BINE_MS));
    CHECK_OK(bine_channel_close(jobs));
    CHECK_OK(bine_workers_join(workers, BINE_FOREVER));
    CHECK_OK(bine_channel_free(jobs));
}

/* ---- order ----------------------------------------------------------------------------------- */

static void *receive_number(void *number)
{
    int64_t never = BINE_FOREVER;
    bine_choice choices[] = {{BINE_CHOOSE_TIMER, &never, NULL, 0},
                             {BINE_CHOOSE_RECEIVE, jobs, NULL, 0}};
    CHECK_EQ(bine_choose(choices, 2, BINE_FOREVER), 1);
    CHECK_EQ(choices[1].item, number);
    return NULL;
}

static bine_hub *hubs[2];
static bine_event *parted;

static void *lend_hub(void *arg)
{
    hubs[bine_worker()] = bine_hub_get();
    CHECK_OK(bine_semaphore_release(permits));
    CHECK_OK(bine_event_wait(parted, BINE_FOREVER));
    return arg;
}

static void *call_there(void *number)
{
    CHECK_OK(bine_call(hubs[(intptr_t)number % 2], receive_number, number, NULL, BINE_FOREVER));
    return NULL;
}

static int receivers_waiting(void)
{
    int count = 0;
    for (const struct bine_waiter *waiter = jobs->receivers.first; waiter; waiter = waiter->next)
        count++;
    return count;
}

TEST(choosers_of_several_hubs_are_served_in_the_order_in_which_they_came)
{
    jobs = bine_channel_new(0, BINE_SHARED);
    permits = bine_semaphore_new(0, BINE_SHARED);
    parted = bine_event_new(BINE_SHARED);
    bine_workers *workers = bine_workers_start(2, lend_hub, NULL);
    CHECK_OK(bine_semaphore_acquire(permits, BINE_FOREVER));
    CHECK_OK(bine_semaphore_acquire(permits, BINE_FOREVER));
    bine_greenlet *all[9];
    for (intptr_t i = 0; i < 9; i++) {
        all[i] =
            i % 3 == 2 ? bine_spawn(receive_number, (void *)i) : bine_spawn(call_there, (void *)i);
        while (receivers_waiting() <= i)
            CHECK_OK(bine_sleep(BINE_MS / 10));
    }
    for (intptr_t i = 0; i < 9; i++)
        CHECK_OK(bine_channel_send(jobs, (void *)i, BINE_FOREVER));
    CHECK_OK(bine_joinall(all, 9, BINE_FOREVER));
    CHECK_OK(bine_event_set(parted));
    CHECK_OK(bine_workers_join(workers, BINE_FOREVER));
    CHECK_OK(bine_event_free(parted));
    CHECK_OK(bine_semaphore_free(permits));
    CHECK_OK(bine_channel_free(jobs));
}

/* ---- choosers that meet choosers ------------------------------------------------------------- */

enum {
    RING = 3,
    RUNNERS = 4, /* of each hub */
    TOKENS = 7,
    HOPS = 400,
    HANDS = 3 /* as many tokens can one runner hold */
};

static struct token {
    atomic_int holders, hops;
} tokens[TOKENS];

static bine_channel *ring[RING];
static atomic_int channels_made, retired, runners_left;

static void receive_token(struct token **hands, int *held, struct token *token)
{
    CHECK_EQ(atomic_fetch_add(&token->holders, 1), 0); /* nobody else has it */
    if (atomic_fetch_add(&token->hops, 1) + 1 < HOPS)
        hands[(*held)++] = token;
    else if (atomic_fetch_add(&retired, 1) + 1 == TOKENS)
        CHECK_OK(bine_event_set(parted));
}

/* Receives from its own hub's channel and sends to the next one's, whichever can be done: on both
 * sides somebody chooses. */
static void *run_in_ring(void *arg)
{
    int place = bine_worker(), held = 0;
    struct token *hands[HANDS];
    for (int i = 0; i < TOKENS; i++)
        if (i % RING == place && i / RING == (intptr_t)arg)
            receive_token(hands, &held, &tokens[i]);
    for (;;) {
        bine_choice choices[] = {
            {BINE_CHOOSE_READY, parted, NULL, 0},
            {BINE_CHOOSE_RECEIVE, held < HANDS ? ring[place] : NULL, NULL, 0},
            {BINE_CHOOSE_SEND, held > 0 ? ring[(place + 1) % RING] : NULL,
             held > 0 ? hands[held - 1] : NULL, 0},
        };
        /* The receiver holds it before the send returns. */
        if (held > 0)
            atomic_fetch_sub(&hands[held - 1]->holders, 1);
        ssize_t taken = bine_choose(choices, 3, BINE_FOREVER);
        CHECK_GE(taken, 0);
        CHECK_EQ(choices[taken].error, 0);
        if (held > 0 && taken != 2)
            CHECK_EQ(atomic_fetch_add(&hands[held - 1]->holders, 1), 0);
        if (taken == 2)
            held--;
        else if (taken == 1)
            receive_token(hands, &held, choices[1].item);
        else
            return NULL;
    }
}

static void *run_ring(void *arg)
{
    int place = bine_worker();
    ring[place] = bine_channel_new(0, BINE_SHARED);
    atomic_fetch_add(&channels_made, 1);
    while (atomic_load(&channels_made) < RING)
        CHECK_OK(bine_sleep(BINE_MS));
    bine_greenlet *all[RUNNERS];
    for (intptr_t i = 0; i < RUNNERS; i++)
        all[i] = bine_spawn(run_in_ring, (void *)i);
    CHECK_OK(bine_joinall(all, RUNNERS, BINE_FOREVER));
    atomic_fetch_add(&runners_left, 1);
    while (atomic_load(&runners_left) < RING)
        CHECK_OK(bine_sleep(BINE_MS));
    CHECK_OK(bine_channel_free(ring[place]));
    return arg;
}

TEST(choosers_of_several_hubs_pass_tokens_round_and_lose_none, .seconds = 120)
{
    parted = bine_event_new(BINE_SHARED);
    CHECK_OK(bine_workers_run(RING, run_ring, NULL));
    CHECK_EQ(atomic_load(&retired), TOKENS);
    for (int i = 0; i < TOKENS; i++)
        CHECK_EQ(atomic_load(&tokens[i].hops), HOPS);
    CHECK_OK(bine_event_free(parted));
}

/* ---- forks ----------------------------------------------------------------------------------- */

static void *choose_number(void *arg)
{
    int64_t never = BINE_FOREVER;
    bine_choice choices[] = {{BINE_CHOOSE_TIMER, &never, NULL, 0},
                             {BINE_CHOOSE_RECEIVE, jobs, NULL, 0}};
    CHECK_EQ(bine_choose(choices, 2, BINE_FOREVER), 1);
    return choices[1].item;
}

static void *lend_channel(void *arg)
{
    jobs = bine_channel_new(0, BINE_SHARED);
    CHECK_OK(bine_semaphore_release(permits));
    while (!bine_channel_has_receiver(jobs))
        CHECK_OK(bine_sleep(BINE_MS));
    CHECK_OK(bine_semaphore_release(permits));
    CHECK_OK(bine_event_wait(parted, BINE_FOREVER));
    CHECK_OK(bine_channel_send(jobs, (void *)8, BINE_FOREVER));
    CHECK_OK(bine_channel_free(jobs));
    return arg;
}

/* In the child nobody chooses: neither the greenlet that did, nor the thread whose channel it
 * was. */
static void use_child(void)
{
    int64_t soon = bine_deadline(BINE_MS);
    results = bine_channel_new(1, 0);
    bine_choice choices[] = {{BINE_CHOOSE_RECEIVE, results, NULL, 0},
                             {BINE_CHOOSE_TIMER, &soon, NULL, 0}};
    bool right =
        bine_choose(choices, 2, BINE_FOREVER) == 1 && bine_channel_send(results, NULL, 0) == 0 &&
        bine_choose_first(choices, 2, BINE_FOREVER) == 0 && bine_channel_free(results) == 0;
    _exit(right ? 0 : 1);
}

TEST(a_choice_is_the_parents_after_a_fork)
{
    permits = bine_semaphore_new(0, BINE_SHARED);
    parted = bine_event_new(BINE_SHARED);
    bine_workers *workers = bine_workers_start(1, lend_channel, NULL);
    CHECK_OK(bine_semaphore_acquire(permits, BINE_FOREVER));
    bine_greenlet *g = bine_spawn(choose_number, NULL);
    CHECK_OK(bine_semaphore_acquire(permits, BINE_FOREVER));
    pid_t child = fork();
    if (child == 0)
        use_child();
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK_OK(bine_event_set(parted));
    void *item;
    CHECK_OK(bine_join(g, &item, BINE_FOREVER));
    CHECK_EQ(item, (void *)8);
    CHECK_OK(bine_workers_join(workers, BINE_FOREVER));
    CHECK_OK(bine_event_free(parted));
    CHECK_OK(bine_semaphore_free(permits));
}
