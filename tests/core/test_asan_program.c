/* A program built with AddressSanitizer that links the ordinary library: the sanitizer knows which
 * stack runs. */
#include <bine.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness.h"

static volatile int never = -1;

static __attribute__((noinline)) void fail_deep(int n)
{
    volatile char room[200];
    memset((char *)room, n, sizeof room);
    if (n == 0)
        bine_fail(EIO);
    if (n == never)
        return;
    fail_deep(n - 1);
    room[0]++;
}

static void *fails(void *arg)
{
    bine_sleep(0);
    fail_deep(10);
    return arg;
}

static void *fails_at_once(void *arg)
{
    fail_deep(10);
    return arg;
}

/* Writes where frames of those that failed have been. */
static void *writes(void *arg)
{
    volatile char room[3000];
    for (unsigned i = 0; i < sizeof room; i++) {
        room[i] = (char)i;
        if (i % 100 == 0)
            bine_sleep(0);
    }
    return arg;
}

static void spawn_all_kinds(void)
{
    static bine_run *const runs[] = {writes, fails, fails_at_once};
    bine_spawn_options small = {.stack_size = 65536};
    for (int round = 0; round < 20; round++) {
        bine_greenlet *all[12];
        for (int i = 0; i < 12; i++)
            all[i] = i % 4 == 3 ? bine_spawn_with(&small, runs[i % 3], NULL)
                                : bine_spawn(runs[i % 3], NULL);
        CHECK_OK(bine_joinall(all, 12, BINE_FOREVER));
    }
}

TEST(an_ordinary_library_announces_its_switches_to_the_programs_sanitizer, .seconds = 60)
{
    char said[300];
    int fds[2], before = dup(STDERR_FILENO);
    CHECK_EQ(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    CHECK(dup2(fds[1], STDERR_FILENO) == STDERR_FILENO);
    close(fds[1]);
    spawn_all_kinds();
    ssize_t n = read(fds[0], said, sizeof said - 1);
    CHECK(dup2(before, STDERR_FILENO) == STDERR_FILENO);
    close(before);
    said[n > 0 ? n : 0] = '\0';
    CHECK_STRING(said, "");
    close(fds[0]);
}

static void *overflows(void *arg)
{
    volatile char room[8] = {0};
    volatile int index = 8;
    bine_sleep(0);
    room[index] = 1;
    return room[0] ? arg : NULL;
}

/* The sanitizer aborts, if it is told to: so the test sees the signal. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "abort_on_error=1:detect_leaks=0:disable_coredump=1";
}

TEST(and_a_real_overflow_in_a_greenlet_is_found, .signal = 6)
{
    CHECK_OK(bine_join(bine_spawn(overflows, NULL), NULL, BINE_FOREVER));
}
