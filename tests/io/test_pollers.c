/* What every poller must do: readiness, deadlines, cancelling, forgetting, waking, fork, many descriptors, healing. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bine.h>

#include "core/libc.h"
#include "core/park.h"
#include "harness.h"
#include "io/descriptor.h"
#include "io/poller.h"
#include "io/poller_common.h"

#ifdef RUNG
/* Built once more for each: io_uring as older kernels have it. */
__attribute__((constructor)) static void choose_rung(void)
{
    bine_poller_uring_rung = RUNG;
}
#endif

static struct bine_poller *poller(void)
{
    struct bine_poller *p = bine_poller_of(bine_hub_get());
    CHECK(p != NULL);
    return p;
}

static bool is(const char *name)
{
    return strcmp(poller()->class->name, name) == 0;
}

static int64_t wait_until(int fd, uint32_t events, int64_t deadline)
{
    struct bine_operation operation = {.kind = BINE_OP_POLL, .fd = fd, .events = events};
    return bine_operation_run(bine_hub_get(), &operation, "poll fd", deadline, 0);
}

static int64_t wait_for(int fd, uint32_t events)
{
    return wait_until(fd, events, INT64_MAX);
}

/* A greenlet that waits: for readiness, or to receive if `buffer` is set. */
struct waiter {
    int fd;
    uint32_t events;
    char *buffer;
    size_t size;
    int64_t result;
    bool ended;
};

static void *run_waiter(void *argument)
{
    struct waiter *waiter = argument;
    struct bine_operation operation = {.kind = BINE_OP_POLL, .fd = waiter->fd, .events = waiter->events};
    if (waiter->buffer) {
        operation.kind = BINE_OP_RECV;
        operation.buffer = waiter->buffer;
        operation.size = waiter->size;
    }
    waiter->result = bine_operation_run(bine_hub_get(), &operation, "test fd", INT64_MAX, 0);
    waiter->ended = true;
    return NULL;
}

static bine_greenlet *spawn(struct waiter *waiter)
{
    bine_greenlet *g = bine_spawn(run_waiter, waiter);
    CHECK(g != NULL);
    return g;
}

/* Let others run until so many operations have been begun (under simulation nobody says who runs first). */
static void until_pending(size_t count)
{
    while (poller()->pending < count)
        CHECK_OK(bine_sleep(0));
}

static void put(int fd, const void *data, size_t size)
{
    CHECK_EQ(bine_libc.write(fd, data, size), (ssize_t)size);
}

static void make_pair(int pair[2])
{
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    bine_descriptor_fresh(pair[0], BINE_FD_SOCKET, 0);
    bine_descriptor_fresh(pair[1], BINE_FD_SOCKET, 0);
}

/* What a hooked close does. */
static void shut(int fd)
{
    poller()->class->forget(poller(), fd);
    bine_descriptor_fresh(fd, BINE_FD_UNKNOWN, 0);
    bine_libc.close(fd);
}

/* ---- readiness ---- */

TEST(what_is_there_already_ends_the_wait)
{
    int pair[2];
    make_pair(pair);
    put(pair[1], "x", 1);
    CHECK_EQ(wait_for(pair[0], POLLIN), POLLIN);
    CHECK_EQ(wait_for(pair[0], POLLIN | POLLOUT), POLLIN | POLLOUT);
    CHECK_EQ(wait_for(pair[0], POLLOUT), POLLOUT);
    /* Nobody has read it: it still is. */
    CHECK_EQ(wait_for(pair[0], POLLIN), POLLIN);
    shut(pair[0]);
    shut(pair[1]);
}

static void *write_later(void *fd)
{
    CHECK_OK(bine_sleep(2 * BINE_MS));
    put((int)(intptr_t)fd, "y", 1);
    return NULL;
}

TEST(what_comes_later_ends_the_wait)
{
    int pair[2];
    make_pair(pair);
    for (int i = 0; i < 50; i++) {
        char byte;
        bine_detach(bine_spawn(write_later, (void *)(intptr_t)pair[1]));
        CHECK_EQ(wait_for(pair[0], POLLIN), POLLIN);
        CHECK_EQ(bine_libc.read(pair[0], &byte, 1), 1);
        if (poller()->class->drained)
            poller()->class->drained(poller(), pair[0], POLLIN, false);
    }
    shut(pair[0]);
    shut(pair[1]);
}

TEST(room_to_write_ends_the_wait)
{
    int ends[2];
    char block[65536] = {0};
    CHECK_OK(pipe2(ends, O_CLOEXEC));
    while (wait_until(ends[1], POLLOUT, bine_hub_now(bine_hub_get()) + 2 * BINE_MS) > 0)
        put(ends[1], block, 4096);
    struct waiter waiter = {.fd = ends[1], .events = POLLOUT};
    bine_greenlet *g = spawn(&waiter);
    CHECK_OK(bine_sleep(2 * BINE_MS));
    CHECK(!waiter.ended);
    CHECK_GT(bine_libc.read(ends[0], block, sizeof block), 0);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(waiter.result, POLLOUT);
    shut(ends[0]);
    shut(ends[1]);
}

TEST(a_hang_up_ends_every_wait)
{
    int pair[2];
    make_pair(pair);
    struct waiter waiters[2] = {{.fd = pair[0], .events = POLLIN}, {.fd = pair[0], .events = POLLPRI}};
    bine_greenlet *all[2] = {spawn(&waiters[0]), spawn(&waiters[1])};
    CHECK_OK(bine_sleep(2 * BINE_MS));
    shut(pair[1]);
    CHECK_OK(bine_joinall(all, 2, BINE_FOREVER));
    CHECK_EQ(waiters[0].result, POLLIN | POLLHUP);
    CHECK_EQ(waiters[1].result, POLLHUP);
    CHECK_EQ(wait_for(pair[0], POLLIN) & POLLHUP, POLLHUP);
    shut(pair[0]);
}

TEST(the_end_of_a_stream_can_be_waited_for_again_and_again)
{
    int pair[2];
    char byte;
    make_pair(pair);
    CHECK_OK(shutdown(pair[1], SHUT_WR));
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(wait_for(pair[0], POLLIN | POLLRDHUP), POLLIN | POLLRDHUP);
        CHECK_EQ(bine_libc.recv(pair[0], &byte, 1, 0), 0);
        if (poller()->class->drained)
            poller()->class->drained(poller(), pair[0], POLLIN, false);
    }
    shut(pair[0]);
    shut(pair[1]);
}

TEST(hazard_15_many_waiters_on_one_descriptor)
{
    int pair[2];
    make_pair(pair);
    struct waiter waiters[5];
    bine_greenlet *all[5];
    for (int i = 0; i < 5; i++) {
        waiters[i] = (struct waiter){.fd = pair[0], .events = i < 4 ? POLLIN : POLLPRI};
        all[i] = spawn(&waiters[i]);
    }
    CHECK_OK(bine_sleep(2 * BINE_MS));
    put(pair[1], "x", 1);
    CHECK_OK(bine_joinall(all, 4, BINE_FOREVER));
    for (int i = 0; i < 4; i++)
        CHECK_EQ(waiters[i].result, POLLIN);
    CHECK(!waiters[4].ended);
    CHECK_OK(bine_kill(all[4]));
    CHECK_OK(bine_join(all[4], NULL, BINE_FOREVER));
    CHECK_EQ(waiters[4].result, -ECANCELED);
    shut(pair[0]);
    shut(pair[1]);
}

TEST(news_that_a_killed_waiter_got_are_not_lost)
{
    int pair[2];
    make_pair(pair);
    struct waiter waiter = {.fd = pair[0], .events = POLLIN};
    bine_greenlet *g = spawn(&waiter);
    until_pending(1);
    CHECK_OK(bine_sleep(BINE_MS));
    put(pair[1], "x", 1);
    CHECK_OK(bine_kill(g));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(wait_for(pair[0], POLLIN), POLLIN);
    shut(pair[0]);
    shut(pair[1]);
}

TEST(a_number_that_is_no_descriptor_is_EBADF)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    shut(fd);
    CHECK_EQ(wait_for(fd, POLLIN), -EBADF);
    CHECK_EQ(wait_for(-1, POLLIN), -EBADF);
    CHECK_EQ(wait_for(INT32_MAX, POLLIN) < 0, true);
}

TEST(a_regular_file_is_always_ready)
{
    FILE *file = tmpfile();
    int64_t result = wait_for(fileno(file), POLLIN);
    if (result != POLLIN)
        CHECK_EQ(result, -EPERM);
    fclose(file);
}

/* ---- deadlines ---- */

TEST(hazard_27_a_wait_never_ends_before_its_deadline)
{
    int ends[2];
    CHECK_OK(pipe2(ends, O_CLOEXEC));
    struct bine_hub *hub = bine_hub_get();
    poller();
    static const int64_t durations[] = {1, 999, 1001, 123456, 999999, 1000001, 1500000, 3999999, 7654321};
    for (size_t i = 0; i < sizeof durations / sizeof *durations; i++) {
        int64_t deadline = bine_hub_now(hub) + durations[i];
        CHECK_EQ(wait_until(ends[0], POLLIN, deadline), -ETIME);
        CHECK_GE(bine_hub_now(hub), deadline);
    }
    shut(ends[0]);
    shut(ends[1]);
}

TEST(a_scope_around_a_wait_ends_it)
{
    int ends[2];
    CHECK_OK(pipe2(ends, O_CLOEXEC));
    bine_timeout scope;
    CHECK_OK(bine_timeout_begin(&scope, 2 * BINE_MS));
    CHECK_EQ(wait_for(ends[0], POLLIN), -ETIMEDOUT);
    CHECK_EQ(wait_for(ends[0], POLLIN), -ETIMEDOUT);
    CHECK_EQ(bine_timeout_end(&scope), 1);
    put(ends[1], "x", 1);
    CHECK_EQ(wait_for(ends[0], POLLIN), POLLIN);
    shut(ends[0]);
    shut(ends[1]);
}

/* ---- cancelling ---- */

/* Bytes end up in exactly one place: delivered to the receiver, or still in the socket. */
static bool cancel_and_look(int round)
{
    int pair[2];
    char buffer[4] = {0}, rest[4];
    make_pair(pair);
    struct waiter waiter = {.fd = pair[0], .buffer = buffer, .size = sizeof buffer};
    bine_greenlet *g = spawn(&waiter);
    until_pending(1);
    if (round % 3 == 0)
        CHECK_OK(bine_sleep(BINE_MS)); /* submitted and waiting, and not only begun */
    if (round % 4 == 1)
        CHECK_OK(bine_kill(g));
    put(pair[1], "abcd", 4);
    CHECK_OK(bine_kill(g));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    size_t got = waiter.result > 0 ? (size_t)waiter.result : 0;
    if (!got)
        CHECK_EQ(waiter.result, -ECANCELED);
    CHECK_MEMORY(buffer, "abcd", got);
    ssize_t left = bine_libc.recv(pair[0], rest, sizeof rest, MSG_DONTWAIT);
    CHECK_EQ((left > 0 ? (size_t)left : 0) + got, 4u);
    CHECK_MEMORY(rest, "abcd" + got, 4 - got);
    shut(pair[0]);
    shut(pair[1]);
    return got > 0;
}

TEST(hazard_24_a_cancelled_recv_that_succeeded_keeps_its_bytes)
{
    if (!poller()->class->supports(poller(), BINE_OP_RECV))
        SKIP("this poller does not receive");
    int succeeded = 0;
    for (int round = 0; round < 200; round++)
        succeeded += cancel_and_look(round);
    CHECK_GT(succeeded, 0); /* or this has tested nothing */
}

TEST(hazard_24_a_wait_returns_only_when_the_kernel_has_let_go)
{
    if (!poller()->class->supports(poller(), BINE_OP_RECV))
        SKIP("this poller does not receive");
    int pair[2];
    char buffer[64];
    make_pair(pair);
    for (int round = 0; round < 100; round++) {
        memset(buffer, 0, sizeof buffer);
        struct bine_operation operation = {
            .kind = BINE_OP_RECV, .fd = pair[0], .buffer = buffer, .size = sizeof buffer};
        int64_t deadline = bine_hub_now(bine_hub_get()) + (round % 5) * 100 * BINE_US;
        CHECK_EQ(bine_operation_run(bine_hub_get(), &operation, "recv fd", deadline, 0), -ETIME);
        put(pair[1], "late", 4);
        CHECK_OK(bine_sleep(0));
        CHECK_EQ(buffer[0], 0);
        CHECK_EQ(bine_libc.recv(pair[0], buffer, sizeof buffer, MSG_DONTWAIT), 4);
    }
    shut(pair[0]);
    shut(pair[1]);
}

static char late_buffer[64];

static void *thread_with_receiver(void *argument)
{
    struct waiter *waiter = argument;
    bine_detach(bine_spawn(run_waiter, waiter));
    CHECK_OK(bine_sleep(2 * BINE_MS));
    return NULL; /* the hub ends with the operation in flight */
}

TEST(hazard_24_a_hub_that_ends_takes_its_buffers_back_first)
{
    int pair[2];
    make_pair(pair);
    struct waiter waiter = {.fd = pair[0], .buffer = late_buffer, .size = sizeof late_buffer};
    if (!poller()->class->supports(poller(), BINE_OP_RECV))
        SKIP("this poller does not receive");
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, thread_with_receiver, &waiter), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    put(pair[1], "late", 4);
    CHECK_OK(bine_sleep(5 * BINE_MS));
    CHECK_EQ(late_buffer[0], 0);
    CHECK_EQ(bine_libc.recv(pair[0], late_buffer, sizeof late_buffer, MSG_DONTWAIT), 4);
    shut(pair[0]);
    shut(pair[1]);
}

/* ---- closing ---- */

TEST(hazard_15_forgetting_a_descriptor_ends_its_waits_with_EBADF)
{
    int pair[2];
    char buffer[8];
    make_pair(pair);
    bool receives = poller()->class->supports(poller(), BINE_OP_RECV);
    struct waiter waiters[3] = {{.fd = pair[0], .events = POLLIN},
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
        CHECK_EQ(wait_until(number, POLLIN, bine_hub_now(bine_hub_get()) + 2 * BINE_MS), -ETIME);
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
    if (receive && !poller()->class->supports(poller(), BINE_OP_RECV))
        return;
    make_pair(pair);
    make_pair(other);
    struct waiter waiter = {.fd = pair[0], .events = POLLIN, .buffer = receive ? buffer : NULL, .size = sizeof buffer};
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
    bool receives = poller()->class->supports(poller(), BINE_OP_RECV);
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
        int64_t result = bine_operation_run(bine_hub_get(), &operation, "poll fd", INT64_MAX, BINE_PARK_SIGNALS);
        CHECK_EQ(result, -EINTR);
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
            bine_detach(bine_spawn(write_later, (void *)(intptr_t)own[1]));
            if (wait_for(own[0], POLLIN) != POLLIN)
                _exit(2);
            if (wait_until(pair[0], POLLIN, bine_hub_now(bine_hub_get()) + BINE_MS) != -ETIME)
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

static void *wait_for_byte(void *fd)
{
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
    while (harness_descriptors() < before + 3 * each)
        usleep(1000);
    usleep(2000);
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

/* ---- many ---- */

TEST(more_descriptors_than_1024)
{
    struct rlimit limit;
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = limit.rlim_max < 4200 ? limit.rlim_max : 4200;
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
    int count = (int)(limit.rlim_cur - 100) / 2;
    if (count < 600)
        SKIP("only %ld descriptors", (long)limit.rlim_cur);
    if (is("sim"))
        count = 600;
    struct waiter *waiters = calloc((size_t)count, sizeof *waiters);
    bine_greenlet **all = calloc((size_t)count, sizeof(bine_greenlet *));
    int *writers = calloc((size_t)count, sizeof(int));
    for (int i = 0; i < count; i++) {
        int ends[2];
        CHECK_OK(pipe2(ends, O_CLOEXEC));
        waiters[i] = (struct waiter){.fd = ends[0], .events = POLLIN};
        writers[i] = ends[1];
        all[i] = spawn(&waiters[i]);
    }
    CHECK_GT(writers[count - 1], 1024);
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_EQ(poller()->pending, (size_t)count);
    for (int i = 0; i < count; i++)
        put(writers[count - 1 - i], "x", 1);
    CHECK_OK(bine_joinall(all, (size_t)count, BINE_FOREVER));
    for (int i = 0; i < count; i++) {
        CHECK_EQ(waiters[i].result, POLLIN);
        shut(waiters[i].fd);
        shut(writers[i]);
    }
    free(waiters);
    free(all);
    free(writers);
}

TEST(ten_thousand_waits_at_once_overflow_nothing, .seconds = 60)
{
    int fd = eventfd(0, EFD_CLOEXEC);
    int count = is("sim") || harness_instrumented() ? 1000 : 10000; /* TSan has 8128 fibers */
    struct waiter *waiters = calloc((size_t)count, sizeof *waiters);
    bine_greenlet **all = calloc((size_t)count, sizeof(bine_greenlet *));
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < count; i++) {
            waiters[i] = (struct waiter){.fd = fd, .events = POLLIN};
            all[i] = spawn(&waiters[i]);
            CHECK(all[i] != NULL);
        }
        CHECK_OK(bine_sleep(BINE_MS));
        CHECK_EQ(poller()->pending, (size_t)count);
        uint64_t one = 1;
        if (round == 0)
            put(fd, &one, sizeof one);
        else
            CHECK_OK(bine_killall(all, (size_t)count, BINE_FOREVER));
        CHECK_OK(bine_joinall(all, (size_t)count, BINE_FOREVER));
        for (int i = 0; i < count; i++)
            CHECK_EQ(waiters[i].result, round == 0 ? POLLIN : -ECANCELED);
        if (round == 0)
            CHECK_EQ(bine_libc.read(fd, &one, sizeof one), 8);
        if (poller()->class->drained)
            poller()->class->drained(poller(), fd, POLLIN, false);
    }
    free(waiters);
    free(all);
    shut(fd);
}
