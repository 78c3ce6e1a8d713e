/* The offload pool: calls that may wait for ever, and how they are cut short. */
#include "harness.h"

#include <bine.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "io/offload/offload.h"
#include "libc/libc.h"

static atomic_int called;

static void *count_call(void *unused)
{
    called++;
    return NULL;
}

struct reader {
    struct bine_offload_job job;
    int fd;
    ssize_t result;
    char byte;
};

static atomic_int readers_begun, bytes_read;

static void run_reader(struct bine_offload_job *job)
{
    struct reader *reader = (struct reader *)job;
    readers_begun++;
    do
        reader->result = read(reader->fd, &reader->byte, 1);
    while (reader->result < 0 && errno == EINTR && !job->interrupted);
}

static void *read_in_pool(void *fd)
{
    struct reader reader = {.job = {.run = run_reader, .lingers = true, .interruptible = true},
                            .fd = (int)(intptr_t)fd};
    int error = bine_offload_firm(bine_offload_hub(), &reader.job, "test", 0);
    bytes_read += reader.result == 1;
    if (reader.result != 1) {
        CHECK_NE(error, 0);
        bine_fail(error);
    }
    return NULL;
}

TEST(calls_that_linger_leave_room_for_others)
{
    setenv("BINE_OFFLOAD_THREADS", "1", 1);
    int ends[2];
    CHECK_OK(pipe(ends));
    enum {
        COUNT = 5
    };
    bine_greenlet *all[COUNT];
    for (int i = 0; i < COUNT; i++)
        CHECK_NE(all[i] = bine_spawn(read_in_pool, (void *)(intptr_t)ends[0]), NULL);
    while (readers_begun < COUNT)
        CHECK_OK(bine_sleep(BINE_MS));
    CHECK_OK(bine_offload(count_call, NULL, NULL));
    CHECK_EQ(called, 1);
    CHECK_EQ(write(ends[1], "12345", COUNT), COUNT);
    CHECK_OK(bine_joinall(all, COUNT, BINE_FOREVER));
    close(ends[0]);
    close(ends[1]);
}

TEST(an_interruptible_call_ends_when_its_caller_is_killed)
{
    int ends[2];
    CHECK_OK(pipe(ends));
    bine_greenlet *victim = bine_spawn(read_in_pool, (void *)(intptr_t)ends[0]);
    while (readers_begun < 1)
        CHECK_OK(bine_sleep(BINE_MS));
    CHECK_OK(bine_sleep(5 * BINE_MS));
    CHECK_OK(bine_kill(victim));
    CHECK_OK(bine_joinall_with(&victim, 1, BINE_FOREVER, 0, 0));
    CHECK_EQ(bine_error(victim), ECANCELED);
    bine_detach(victim);
    CHECK_EQ(bytes_read, 0);
    CHECK_EQ(bine_offload_threads(), 1);
    /* The thread serves on. */
    CHECK_EQ(write(ends[1], "x", 1), 1);
    bine_greenlet *happy = bine_spawn(read_in_pool, (void *)(intptr_t)ends[0]);
    CHECK_OK(bine_join(happy, NULL, BINE_FOREVER));
    CHECK_EQ(bytes_read, 1);
    CHECK_EQ(bine_offload_threads(), 1);
    close(ends[0]);
    close(ends[1]);
}

static void *kill_at_random(void *unused)
{
    int ends[2], bytes_written = 0;
    CHECK_OK(pipe(ends));
    CHECK_OK(fcntl(ends[0], F_SETPIPE_SZ, 4096));
    for (int i = 0; i < 200; i++) {
        bine_greenlet *g = bine_spawn(read_in_pool, (void *)(intptr_t)ends[0]);
        CHECK_OK(bine_sleep(0));
        if (i % 2)
            bytes_written += (int)write(ends[1], "x", 1);
        if (i % 3)
            CHECK_OK(bine_sleep(i % 7 * 20 * BINE_US));
        CHECK_OK(bine_kill(g));
        CHECK_OK(bine_joinall_with(&g, 1, BINE_FOREVER, 0, 0));
        bine_detach(g);
        CHECK_OK(bine_offload(count_call, NULL, NULL));
    }
    /* Nothing is lost: what was read has been delivered. */
    close(ends[1]);
    char rest[256];
    CHECK_EQ(bytes_read + read(ends[0], rest, sizeof rest), bytes_written);
    close(ends[0]);
    return NULL;
}

TEST(interrupting_races_with_the_end_harmlessly)
{
    CHECK_NE(bine_getcurrent(), NULL);
    kill_at_random(NULL);
    CHECK_EQ(called, 200);
    while (bine_offload_queued() > 0)
        CHECK_OK(bine_sleep(BINE_MS));
}

static void *abandon_reader(void *fd)
{
    CHECK_OK(bine_go(read_in_pool, fd));
    while (readers_begun < 1)
        CHECK_OK(bine_sleep(BINE_MS));
    return NULL;
}

TEST(a_thread_that_ends_interrupts_what_can_be,
     .leaves = "a thread that ends with parked greenlets is the subject")
{
    int ends[2];
    CHECK_OK(pipe(ends));
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, abandon_reader, (void *)(intptr_t)ends[0]), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0); /* nobody writes */
}
