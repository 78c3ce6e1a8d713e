/* The simulator: one seed, one run; other seeds, other runs; and everything that may happen does
 * happen. */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bine.h>

#include "core/schedule/park.h"
#include "harness.h"
#include "io/descriptor/descriptor.h"
#include "io/poller/poller.h"
#include "libc/libc.h"

enum {
    PAIRS = 8,
    ROUNDS = 20
};

static int pairs[PAIRS][2];
static uint64_t trace; /* hash of who did what when, in virtual time */
static int64_t begin;

static void note(uint64_t what)
{
    uint64_t when = (uint64_t)(bine_hub_now(bine_hub_get()) - begin);
    trace = (trace ^ what) * 0x100000001b3u;
    trace = (trace ^ when) * 0x100000001b3u;
}

static void *reader(void *index)
{
    int fd = pairs[(intptr_t)index][0];
    char buffer[16];
    size_t total = 0;
    while (total < ROUNDS * 10) {
        struct bine_operation operation = {.kind = BINE_OP_POLL, .fd = fd, .events = POLLIN};
        if (bine_operation_run(bine_hub_get(), &operation, "poll fd", INT64_MAX, 0) <= 0)
            continue;
        ssize_t got = bine_libc.recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
        CHECK_GT(got, 0);
        total += (size_t)got;
        note((uint64_t)(intptr_t)index << 8 | (uint64_t)got);
    }
    return NULL;
}

static void *writer(void *index)
{
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_OK(bine_sleep((i * 7 + (int)(intptr_t)index) % 5 * BINE_MS));
        CHECK_EQ(bine_libc.send(pairs[(intptr_t)index][1], "0123456789", 10, 0), 10);
        note((uint64_t)(intptr_t)index);
    }
    return NULL;
}

static uint64_t run_with(uint64_t seed)
{
    bine_greenlet *all[2 * PAIRS];
    CHECK(bine_poller_simulate(bine_hub_get(), seed) != NULL);
    trace = 0xcbf29ce484222325u;
    begin = bine_hub_now(bine_hub_get());
    for (int i = 0; i < PAIRS; i++) {
        CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]));
        bine_descriptor_fresh(pairs[i][0], BINE_FD_SOCKET, 0);
        all[2 * i] = bine_spawn(reader, (void *)(intptr_t)i);
        all[2 * i + 1] = bine_spawn(writer, (void *)(intptr_t)i);
    }
    CHECK_OK(bine_joinall(all, 2 * PAIRS, BINE_FOREVER));
    for (int i = 0; i < PAIRS; i++) {
        close(pairs[i][0]);
        close(pairs[i][1]);
    }
    return trace;
}

TEST(the_same_seed_gives_the_same_run)
{
    uint64_t first[20];
    for (int seed = 0; seed < 20; seed++)
        first[seed] = run_with((uint64_t)seed);
    for (int seed = 0; seed < 20; seed++)
        CHECK_EQ(run_with((uint64_t)seed), first[seed]);
}

TEST(other_seeds_give_other_runs)
{
    uint64_t first[20];
    int different = 0;
    for (int seed = 0; seed < 20; seed++) {
        first[seed] = run_with((uint64_t)seed);
        different += seed > 0 && first[seed] != first[seed - 1];
    }
    CHECK_EQ(different, 19);
}

TEST(virtual_days_pass_in_no_time)
{
    CHECK(bine_poller_simulate(bine_hub_get(), 1) != NULL);
    int ends[2];
    CHECK_OK(pipe2(ends, O_CLOEXEC));
    int64_t real = harness_now(), virtual = bine_hub_now(bine_hub_get());
    for (int i = 0; i < 100; i++) {
        struct bine_operation operation = {.kind = BINE_OP_POLL, .fd = ends[0], .events = POLLIN};
        int64_t deadline = bine_hub_deadline(bine_hub_get(), 3600 * BINE_SECOND);
        CHECK_EQ(bine_operation_run(bine_hub_get(), &operation, "poll fd", deadline, 0),
                 BINE_OPERATION_CUT_BY(ETIME));
        CHECK_OK(bine_sleep(3600 * BINE_SECOND));
    }
    CHECK_GE(bine_hub_now(bine_hub_get()) - virtual, 200 * 3600 * BINE_SECOND);
    CHECK_LT(harness_now() - real, 15 * BINE_SECOND);
    close(ends[0]);
    close(ends[1]);
}

/* What one seed does to 64 bytes that are received in whatever pieces come. */
struct figures {
    int whole, pieces, stale, late_success, cancelled;
};

static void *kill_it(void *g)
{
    CHECK_OK(bine_sleep(0));
    bine_kill(g);
    return NULL;
}

static int pair[2];
static struct figures figures;

static void *receive_all(void *argument)
{
    char data[64];
    size_t total = 0;
    (void)argument;
    while (total < sizeof data) {
        struct bine_operation operation = {.kind = BINE_OP_RECV,
                                           .fd = pair[0],
                                           .buffer = data + total,
                                           .size = sizeof data - total};
        int64_t got = bine_operation_run(bine_hub_get(), &operation, "recv fd", INT64_MAX, 0);
        if (got == -EAGAIN) {
            figures.stale++;
            continue;
        }
        if (got == BINE_OPERATION_CUT_BY(ECANCELED)) {
            figures.cancelled++;
            break;
        }
        CHECK_GT(got, 0);
        if (bine_killed(bine_getcurrent()))
            figures.late_success++;
        if (got == sizeof data)
            figures.whole++;
        else
            figures.pieces++;
        total += (size_t)got;
    }
    /* Not a byte is lost, not one comes twice. */
    for (size_t i = 0; i < total; i++)
        CHECK_EQ(data[i], (char)i);
    char rest[64];
    ssize_t left = bine_libc.recv(pair[0], rest, sizeof rest, MSG_DONTWAIT);
    CHECK_EQ(total + (left > 0 ? (size_t)left : 0), sizeof data);
    return NULL;
}

TEST(every_misfortune_happens)
{
    char data[64];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)i;
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    bine_descriptor_fresh(pair[0], BINE_FD_SOCKET, 0);
    for (uint64_t seed = 1; seed < 400; seed += 2) {
        CHECK(bine_poller_simulate(bine_hub_get(), seed) != NULL);
        bine_greenlet *all[2] = {bine_spawn(receive_all, NULL), NULL};
        while (!bine_started(all[0]))
            CHECK_OK(bine_sleep(0));
        CHECK_EQ(bine_libc.send(pair[1], data, sizeof data, 0), (ssize_t)sizeof data);
        if (seed % 4 == 1)
            all[1] = bine_spawn(kill_it, all[0]);
        CHECK_OK(bine_joinall(all, 2, BINE_FOREVER));
    }
    CHECK_GT(figures.whole, 0);
    CHECK_GT(figures.pieces, 0);
    CHECK_GT(figures.stale, 0);
    CHECK_GT(figures.late_success, 0);
    CHECK_GT(figures.cancelled, 0);
    close(pair[0]);
    close(pair[1]);
}

TEST(a_message_is_never_cut_in_two)
{
    char data[64] = "datagram", got[64];
    CHECK_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
    bine_descriptor_fresh(pair[0], BINE_FD_SOCKET, 0);
    for (uint64_t seed = 1; seed < 100; seed += 2) {
        CHECK(bine_poller_simulate(bine_hub_get(), seed) != NULL);
        CHECK_EQ(bine_libc.send(pair[1], data, sizeof data, 0), (ssize_t)sizeof data);
        int64_t result;
        do {
            struct bine_operation operation = {
                .kind = BINE_OP_RECV, .fd = pair[0], .buffer = got, .size = sizeof got};
            result = bine_operation_run(bine_hub_get(), &operation, "recv fd", INT64_MAX, 0);
        } while (result == -EAGAIN);
        CHECK_EQ(result, (int64_t)sizeof got);
        CHECK_MEMORY(got, data, sizeof data);
    }
    close(pair[0]);
    close(pair[1]);
}

TEST(another_process_can_be_waited_for_in_real_time)
{
    CHECK(bine_poller_simulate(bine_hub_get(), 1) != NULL);
    int ends[2];
    CHECK_OK(pipe2(ends, O_CLOEXEC));
    pid_t child = fork();
    CHECK_GE(child, 0);
    if (child == 0) {
        usleep(30000);
        _exit(write(ends[1], "x", 1) == 1 ? 0 : 1);
    }
    struct bine_operation operation = {.kind = BINE_OP_POLL, .fd = ends[0], .events = POLLIN};
    CHECK_EQ(bine_operation_run(bine_hub_get(), &operation, "poll fd", INT64_MAX, 0), POLLIN);
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    close(ends[0]);
    close(ends[1]);
}
