/* Pollers and the world around them: closed and reused descriptors, other threads, signals,
 * fork. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#include "pollers.h"

/* ---- closing ---- */

TEST(hazard_15_forgetting_a_descriptor_ends_its_waits_with_EBADF)
{
    int pair[2];
    char buffer[8];
    make_pair(pair);
    bool receives = bine_poller_supports(poller(), BINE_OP_RECV);
    struct waiter waiters[3] = {
        {.fd = pair[0], .events = POLLIN},
        {.fd = pair[0], .events = POLLPRI},
        {.fd = pair[0], .buffer = buffer, .size = sizeof buffer, .events = POLLIN}};
    if (!receives)
        waiters[2].buffer = NULL;
    for (int submitted = 0; submitted < 2; submitted++) {
        bine_greenlet *all[3];
        for (int i = 0; i < 3; i++)
            all[i] = spawn(&waiters[i]);
        until_pending(3);
        if (submitted)
            CHECK_OK(bine_sleep(2 * BINE_MS));
        poller()->class->forget(poller(), pair[0]);
        CHECK_OK(bine_joinall(all, 3, BINE_FOREVER));
        for (int i = 0; i < 3; i++)
            CHECK_EQ(waiters[i].result, -EBADF);
    }
    CHECK_EQ(poller()->pending, 0u);
    shut(pair[0]);
    shut(pair[1]);
}

TEST(hazard_15_a_reused_number_waits_for_the_new_file)
{
    for (int round = 0; round < 20; round++) {
        int first[2], second[2];
        make_pair(first);
        struct waiter waiter = {.fd = first[0], .events = POLLIN};
        bine_greenlet *g = spawn(&waiter);
        until_pending(1);
        if (round % 2)
            CHECK_OK(bine_sleep(BINE_MS));
        int number = first[0];
        int copy = dup(first[0]); /* the old file lives on under another number */
        atomic_store(&bine_descriptor_of(number)->shared, round % 4 < 2);
        shut(number);
        CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
        CHECK_EQ(waiter.result, -EBADF);
        make_pair(second);
        CHECK_EQ(second[0], number);
        put(first[1], "old", 3);
        CHECK_EQ(wait_until(number, POLLIN, bine_hub_now(bine_hub_get()) + 2 * BINE_MS),
                 BINE_OPERATION_CUT_BY(ETIME));
        put(second[1], "new", 3);
        CHECK_EQ(wait_for(number, POLLIN), POLLIN);
        close(copy);
        shut(first[1]);
        shut(second[0]);
        shut(second[1]);
    }
}

/* ---- healing ---- */

static void heal(bool by_hand, bool reuse, bool receive)
{
    int pair[2], other[2];
    char buffer[8];
    if (receive && !bine_poller_supports(poller(), BINE_OP_RECV))
        return;
    make_pair(pair);
    make_pair(other);
    struct waiter waiter = {
        .fd = pair[0], .events = POLLIN, .buffer = receive ? buffer : NULL, .size = sizeof buffer};
    bine_greenlet *g = spawn(&waiter);
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK(!waiter.ended);
    CHECK_OK(bine_libc.close(pair[0])); /* as libc does inside fclose */
    if (reuse) {
        CHECK_EQ(bine_libc.dup2(other[0], pair[0]), pair[0]);
        put(other[1], "x", 1);
    }
    if (by_hand && !is("sim")) { /* whose turns see it by themselves */
        CHECK_EQ(bine_poller_recheck(poller(), 0), 0u);
        CHECK_EQ(bine_poller_recheck(poller(), 10), 1u);
    }
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER)); /* the test's time limit is the check */
    if (!reuse)
        CHECK_EQ(waiter.result, -EBADF);
    else if (!receive)
        CHECK_EQ(waiter.result, POLLIN);
    else if (!is("sim"))
        CHECK_EQ(waiter.result, -EAGAIN);
    if (reuse) {
        /* Whoever waits for the new file does not have to be healed again. */
        if (!receive)
            CHECK_EQ(wait_for(pair[0], POLLIN), POLLIN);
        shut(pair[0]);
    }
    shut(pair[1]);
    shut(other[0]);
    shut(other[1]);
}

TEST(hazard_15_a_close_behind_our_back_is_noticed)
{
    for (int i = 0; i < 8; i++)
        heal(true, i & 2, i & 4);
}

TEST(hazard_05_a_close_behind_our_back_is_noticed_unasked)
{
    for (int i = 0; i < 4; i++)
        heal(false, i & 1, i & 2);
}

TEST(a_recheck_leaves_healthy_waits_alone)
{
    int pair[2];
    char buffer[8];
    make_pair(pair);
    struct waiter waiters[200];
    bine_greenlet *all[200];
    bool receives = bine_poller_supports(poller(), BINE_OP_RECV);
    for (int i = 0; i < 200; i++) {
        waiters[i] = (struct waiter){.fd = pair[0], .events = POLLIN};
        if (i % 2 && receives)
            waiters[i].buffer = buffer, waiters[i].size = 1;
        all[i] = spawn(&waiters[i]);
    }
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_EQ(bine_poller_recheck(poller(), 7), 0u);
    CHECK_EQ(bine_poller_recheck(poller(), 1000), 0u);
    CHECK_OK(bine_sleep(BINE_MS));
    for (int i = 0; i < 200; i++)
        CHECK(!waiters[i].ended);
    CHECK_EQ(poller()->pending, 200u);
    CHECK_OK(bine_killall(all, 200, BINE_FOREVER));
    CHECK_OK(bine_joinall(all, 200, BINE_FOREVER));
    CHECK_EQ(poller()->pending, 0u);
    shut(pair[0]);
    shut(pair[1]);
}

/* ---- threads, signals, fork ---- */

struct posts {
    struct bine_hub *hub;
    int fd, delivered;
};

static void posted(void *argument)
{
    struct posts *posts = argument;
    posts->delivered++;
    if (posts->delivered == 500)
        put(posts->fd, "x", 1);
}

static void *post_many(void *argument)
{
    struct posts *posts = argument;
    for (int i = 0; i < 500; i++) {
        CHECK_OK(bine_post(posts->hub, posted, posts));
        if (i % 10 == 0)
            usleep(100);
    }
    return NULL;
}

TEST(another_thread_wakes_a_hub_that_waits)
{
    int pair[2];
    make_pair(pair);
    struct posts posts = {.hub = bine_hub_get(), .fd = pair[1]};
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, post_many, &posts), 0);
    CHECK_EQ(wait_for(pair[0], POLLIN), POLLIN);
    CHECK_EQ(posts.delivered, 500);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    shut(pair[0]);
    shut(pair[1]);
}

enum {
    CROWD = 40
};

static void *put_outside(void *fd)
{
    usleep(3000);
    put((int)(intptr_t)fd, "y", 1);
    return NULL;
}

static void set(void *event)
{
    CHECK_OK(bine_event_set(event));
}

static void *post_later(void *arg)
{
    void **hub_and_event = arg;
    usleep(3000);
    CHECK_OK(bine_post(hub_and_event[0], set, hub_and_event[1]));
    return NULL;
}

static void *receive(void *fd)
{
    char byte;
    CHECK_EQ(bine_recv((int)(intptr_t)fd, &byte, 1, 0), 1);
    return NULL;
}

/* A poller may wait for as many events as came at once the last time, but must not insist: then
 * only a re-check of operations that have been waiting for long would end this. On a machine that
 * stands still for so long that happens by itself, so once in five is enough. */
TEST(a_single_event_after_many_at_once_is_not_waited_for_in_vain)
{
    bine_greenlet *all[CROWD];
    int pairs[CROWD][2], prompt[2] = {0, 0};
    for (int i = 0; i < CROWD; i++)
        make_pair(pairs[i]);
    for (int round = 0; round < 10 && !(prompt[0] && prompt[1]); round++) {
        int left = CROWD / 2;
        for (int i = 0; i < CROWD; i++)
            all[i] = bine_spawn(receive, (void *)(intptr_t)pairs[i][0]);
        until_pending(CROWD);
        for (int i = 0; i < CROWD / 2; i++)
            put(pairs[i][1], "x", 1);
        CHECK_OK(bine_joinall(all, CROWD / 2, BINE_FOREVER));
        pthread_t other;
        if (round % 2 == 0) { /* one of those who are left */
            CHECK_EQ(pthread_create(&other, NULL, put_outside, (void *)(intptr_t)pairs[left][1]),
                     0);
            CHECK_OK(bine_join(all[left++], NULL, BINE_FOREVER));
        } else { /* another thread */
            bine_event *done = bine_event_new(0);
            void *hub_and_event[] = {bine_hub_get(), done};
            CHECK_EQ(pthread_create(&other, NULL, post_later, hub_and_event), 0);
            CHECK_OK(bine_event_wait(done, BINE_FOREVER));
            bine_event_free(done);
        }
        prompt[round % 2] += bine_hub_now(bine_hub_get()) < poller()->recheck_at;
        CHECK_EQ(pthread_join(other, NULL), 0);
        for (int i = left; i < CROWD; i++)
            put(pairs[i][1], "x", 1);
        CHECK_OK(bine_joinall(all + left, (size_t)(CROWD - left), BINE_FOREVER));
    }
    if (!is("sim")) { /* whose clock jumps to the re-check while the thread sleeps */
        CHECK_GT(prompt[0], 0);
        CHECK_GT(prompt[1], 0);
    }
    for (int i = 0; i < CROWD; i++) {
        shut(pairs[i][0]);
        shut(pairs[i][1]);
    }
}

static void *wait_in_thread(void *argument)
{
    struct waiter *waiter = argument;
    waiter->result = wait_for(waiter->fd, waiter->events);
    return NULL;
}

TEST(hubs_of_several_threads_wait_for_one_descriptor)
{
    int fd = eventfd(0, EFD_CLOEXEC);
    pthread_t threads[3];
    struct waiter waiters[3];
    for (int i = 0; i < 3; i++) {
        waiters[i] = (struct waiter){.fd = fd, .events = POLLIN};
        CHECK_EQ(pthread_create(&threads[i], NULL, wait_in_thread, &waiters[i]), 0);
    }
    CHECK_OK(bine_sleep(2 * BINE_MS));
    uint64_t one = 1;
    put(fd, &one, sizeof one);
    CHECK_EQ(wait_for(fd, POLLIN), POLLIN);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
        CHECK_EQ(waiters[i].result, POLLIN);
    }
    shut(fd);
}

static void handler(int number)
{
    (void)number;
}

struct signaller {
    pthread_t target;
    atomic_bool stop;
};

static void *signal_often(void *argument)
{
    struct signaller *signaller = argument;
    while (!atomic_load(&signaller->stop)) {
        usleep(3000);
        pthread_kill(signaller->target, SIGUSR1);
    }
    return NULL;
}

TEST(a_signal_interrupts_a_wait_of_the_root)
{
    int ends[2];
    CHECK_OK(pipe2(ends, O_CLOEXEC));
    struct sigaction action = {.sa_handler = handler};
    CHECK_OK(sigaction(SIGUSR1, &action, NULL));
    struct signaller signaller = {.target = pthread_self()};
    pthread_t thread;
    poller();
    CHECK_EQ(pthread_create(&thread, NULL, signal_often, &signaller), 0);
    for (int i = 0; i < 10; i++) {
        struct bine_operation operation = {.kind = BINE_OP_POLL, .fd = ends[0], .events = POLLIN};
        int64_t result =
            bine_operation_run(bine_hub_get(), &operation, "poll fd", INT64_MAX, BINE_PARK_SIGNALS);
        CHECK_EQ(result, BINE_OPERATION_CUT_BY(EINTR));
    }
    atomic_store(&signaller.stop, true);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    shut(ends[0]);
    shut(ends[1]);
}

TEST(hazard_25_parent_and_child_go_on_apart_after_fork)
{
    int pair[2];
    make_pair(pair);
    struct waiter waiter = {.fd = pair[0], .events = POLLIN};
    bine_greenlet *g = spawn(&waiter);
    CHECK_OK(bine_sleep(BINE_MS));
    for (int i = 0; i < 3; i++) {
        pid_t child = fork();
        CHECK_GE(child, 0);
        if (child == 0) {
            int own[2];
            if (poller()->pending != 0 || pipe2(own, O_CLOEXEC) < 0)
                _exit(1);
            CHECK_OK(bine_go(write_later, (void *)(intptr_t)own[1]));
            if (wait_for(own[0], POLLIN) != POLLIN)
                _exit(2);
            if (wait_until(pair[0], POLLIN, bine_hub_now(bine_hub_get()) + BINE_MS) !=
                BINE_OPERATION_CUT_BY(ETIME))
                _exit(3);
            if (waiter.ended)
                _exit(4);
            _exit(0);
        }
        int status;
        CHECK_EQ(waitpid(child, &status, 0), child);
        CHECK(WIFEXITED(status));
        CHECK_EQ(WEXITSTATUS(status), 0);
        CHECK_OK(bine_sleep(BINE_MS));
        CHECK(!waiter.ended);
    }
    put(pair[1], "x", 1);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(waiter.result, POLLIN);
    shut(pair[0]);
    shut(pair[1]);
}

static atomic_int opened;

static void *wait_for_byte(void *fd)
{
    poller();
    opened++;
    CHECK_EQ(wait_for((int)(intptr_t)fd, POLLIN), POLLIN);
    return NULL;
}

TEST(hazard_25_a_child_keeps_nothing_of_other_threads_pollers)
{
    int pair[2];
    make_pair(pair);
    size_t before = harness_descriptors();
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, wait_for_byte, (void *)(intptr_t)pair[0]), 0);
    /* Each opens an eventfd and a ring or an epoll set; the simulator has no such thing. */
    const char *choice = getenv("BINE_POLLER");
    size_t each = choice && strncmp(choice, "sim", 3) == 0 ? 1 : 2;
    while (opened < 3)
        usleep(1000);
    CHECK_EQ(harness_descriptors(), before + 3 * each);
    for (int own = 0; own < 2; own++) {
        pid_t child = fork(); /* without a poller of one's own, then with */
        CHECK_GE(child, 0);
        if (child == 0)
            _exit(harness_descriptors() == before ? 0 : 1);
        int status;
        CHECK_EQ(waitpid(child, &status, 0), child);
        CHECK(WIFEXITED(status));
        CHECK_EQ(WEXITSTATUS(status), 0);
        poller();
    }
    put(pair[1], "x", 1);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    shut(pair[0]);
    shut(pair[1]);
}

/* ---- the end of a thread ---- */

struct told {
    struct bine_operation operation; /* first */
    int times;
};

static void tell(struct bine_operation *operation)
{
    ((struct told *)operation)->times++;
}

struct unended {
    int fd;
    struct told cancelled, pending, waiters;
};

static void begin(struct told *told, int fd, struct bine_greenlet *waiter)
{
    told->operation = (struct bine_operation){
        .kind = BINE_OP_POLL, .fd = fd, .events = POLLIN, .done = tell, .waiter = waiter};
    CHECK_EQ(poller()->class->start(poller(), &told->operation), 0);
}

static void *waits_on(void *argument)
{
    struct unended *unended = argument;
    begin(&unended->waiters, unended->fd, bine_hub_get()->current);
    return (void *)(intptr_t)bine_park(bine_hub_get(), "test", 0, INT64_MAX, 0);
}

static void *ends_with_operations(void *argument)
{
    struct unended *unended = argument;
    begin(&unended->pending, unended->fd, NULL);
    begin(&unended->cancelled, unended->fd, NULL);
    CHECK_OK(bine_go(waits_on, unended));
    until_pending(3);
    CHECK_OK(bine_sleep(BINE_MS));
    poller()->class->cancel(poller(), &unended->cancelled.operation);
    return NULL;
}

TEST(owners_are_told_that_a_thread_ends_and_waiters_are_not)
{
    int pair[2];
    pthread_t thread;
    make_pair(pair);
    struct unended unended = {.fd = pair[0]};
    CHECK_EQ(pthread_create(&thread, NULL, ends_with_operations, &unended), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(unended.pending.times, 1);
    CHECK(unended.pending.operation.result == BINE_OPERATION_ORPHANED);
    CHECK_EQ(unended.cancelled.times, 1); /* by then it may have ended, or not */
    CHECK_EQ(unended.waiters.times, 0);
    shut(pair[0]);
    shut(pair[1]);
}
