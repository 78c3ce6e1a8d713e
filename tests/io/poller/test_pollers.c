/* What every poller must do: readiness, deadlines, cancelling, many at once. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include "io/poller/poller_common.h"
#include "pollers.h"

#ifdef RUNG
/* Built once more for each: io_uring as older kernels have it. */
__attribute__((constructor)) static void choose_rung(void)
{
    bine_poller_uring_rung = RUNG;
}
#endif

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

TEST(what_comes_later_ends_the_wait)
{
    int pair[2];
    make_pair(pair);
    for (int i = 0; i < 50; i++) {
        char byte;
        CHECK_OK(bine_go(write_later, (void *)(intptr_t)pair[1]));
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
    CHECK_OK(fcntl(ends[1], F_SETFL, O_NONBLOCK));
    while (bine_libc.write(ends[1], block, 4096) > 0)
        continue;
    CHECK_OK(fcntl(ends[1], F_SETFL, 0));
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
    struct waiter waiters[2] = {{.fd = pair[0], .events = POLLIN},
                                {.fd = pair[0], .events = POLLPRI}};
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
    CHECK_EQ(waiters[4].result, BINE_OPERATION_CUT_BY(ECANCELED));
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
    static const int64_t durations[] = {1,       999,     1001,    123456, 999999,
                                        1000001, 1500000, 3999999, 7654321};
    for (size_t i = 0; i < sizeof durations / sizeof *durations; i++) {
        int64_t deadline = bine_hub_now(hub) + durations[i];
        CHECK_EQ(wait_until(ends[0], POLLIN, deadline), BINE_OPERATION_CUT_BY(ETIME));
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
    CHECK_EQ(wait_for(ends[0], POLLIN), BINE_OPERATION_CUT_BY(ETIMEDOUT));
    CHECK_EQ(wait_for(ends[0], POLLIN), BINE_OPERATION_CUT_BY(ETIMEDOUT));
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
        CHECK_EQ(waiter.result, BINE_OPERATION_CUT_BY(ECANCELED));
    CHECK_MEMORY(buffer, "abcd", got);
    ssize_t left = bine_libc.recv(pair[0], rest, sizeof rest, MSG_DONTWAIT);
    CHECK_EQ((left > 0 ? (size_t)left : 0) + got, 4u);
    CHECK_MEMORY(rest, &"abcd"[got], 4 - got);
    shut(pair[0]);
    shut(pair[1]);
    return got > 0;
}

TEST(hazard_24_a_cancelled_recv_that_succeeded_keeps_its_bytes)
{
    if (!bine_poller_supports(poller(), BINE_OP_RECV))
        SKIP("this poller does not receive");
    int succeeded = 0;
    for (int round = 0; round < 200; round++)
        succeeded += cancel_and_look(round);
    CHECK_GT(succeeded, 0); /* or this has tested nothing */
}

TEST(hazard_24_a_wait_returns_only_when_the_kernel_has_let_go)
{
    if (!bine_poller_supports(poller(), BINE_OP_RECV))
        SKIP("this poller does not receive");
    int pair[2];
    char buffer[64];
    make_pair(pair);
    for (int round = 0; round < 100; round++) {
        memset(buffer, 0, sizeof buffer);
        struct bine_operation operation = {
            .kind = BINE_OP_RECV, .fd = pair[0], .buffer = buffer, .size = sizeof buffer};
        int64_t deadline = bine_hub_now(bine_hub_get()) + (round % 5) * 100 * BINE_US;
        CHECK_EQ(bine_operation_run(bine_hub_get(), &operation, "recv fd", deadline, 0),
                 BINE_OPERATION_CUT_BY(ETIME));
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
    CHECK_OK(bine_go(run_waiter, waiter));
    CHECK_OK(bine_sleep(2 * BINE_MS));
    return NULL; /* the hub ends with the operation in flight */
}

TEST(hazard_24_a_hub_that_ends_takes_its_buffers_back_first)
{
    int pair[2];
    make_pair(pair);
    struct waiter waiter = {.fd = pair[0], .buffer = late_buffer, .size = sizeof late_buffer};
    if (!bine_poller_supports(poller(), BINE_OP_RECV))
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
            CHECK_EQ(waiters[i].result, round == 0 ? POLLIN : BINE_OPERATION_CUT_BY(ECANCELED));
        if (round == 0)
            CHECK_EQ(bine_libc.read(fd, &one, sizeof one), 8);
        if (poller()->class->drained)
            poller()->class->drained(poller(), fd, POLLIN, false);
    }
    free(waiters);
    free(all);
    shut(fd);
}
