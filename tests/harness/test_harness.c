/* The harness itself: a harness that cannot fail is worth nothing. */
#include "harness.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "newer.h"

/* Run this very program on the patterns of the broken tests below, and keep what it prints. */
static char output[16384];

static int run_broken(const char *name)
{
    char self[512];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    CHECK_GT(length, 0);
    self[length] = '\0';
    char command[1024];
    const char *wrapper = getenv("BINE_TEST_WRAPPER"); /* an emulator, say */
    snprintf(command, sizeof command, "%s '%s' '%s' 2>&1", wrapper ? wrapper : "", self, name);
    FILE *pipe = popen(command, "r");
    CHECK(pipe != NULL);
    size_t used = fread(output, 1, sizeof output - 1, pipe);
    output[used] = '\0';
    int status = pclose(pipe);
    CHECK(WIFEXITED(status));
    return WEXITSTATUS(status);
}

TEST(comparisons_hold_for_all_kinds)
{
    CHECK_EQ(1 + 1, 2);
    CHECK_NE((size_t)1, 2u);
    CHECK_LT(1.5, 2.5);
    CHECK_GE('b', 'a');
    CHECK_EQ((void *)output, (void *)&output[0]);
    CHECK_STRING("abc", "abc");
    CHECK_MEMORY("abc", "abc", 4);
    CHECK_ERROR(close(-1), EBADF);
    CHECK_ERROR(fopen("/no/such/file", "r"), ENOENT);
    CHECK_OK(harness_now());
    CHECK_GE(harness_threads(), 1u);
    CHECK_GE(harness_descriptors(), 3u);
    CHECK_GT(harness_memory(), 0u);
}

TEST(a_failed_check_shows_both_sides_and_errno)
{
    CHECK_EQ(run_broken("broken_check"), 1);
    CHECK(strstr(output, "FAIL broken_check: test_harness.c:"));
    CHECK(strstr(output, "two + two == 5: 4 and 5 (errno 2: No such file or directory)"));
    CHECK(strstr(output, "# 0 passed, 1 failed, 0 skipped"));
}

TEST(zero_is_no_error_of_a_call_that_returns_a_number)
{
    CHECK_EQ(run_broken("broken_error"), 1);
    CHECK(strstr(output, "FAIL broken_error: test_harness.c:"));
    CHECK(strstr(output, "returned 0 with errno 0, wanted "));
    CHECK(strstr(output, strerrorname_np(EBADF)));
}

TEST(a_crash_is_a_failure)
{
    CHECK_EQ(run_broken("broken_crash"), 1);
    CHECK(strstr(output, "FAIL broken_crash: killed by signal 6"));
}

TEST(leaving_early_is_a_failure)
{
    CHECK_EQ(run_broken("broken_exit"), 1);
    CHECK(strstr(output, "FAIL broken_exit: exit status 0 in mid-test"));
}

TEST(a_hanging_test_is_killed)
{
    CHECK_EQ(run_broken("broken_hang"), 1);
    CHECK(strstr(output, "FAIL broken_hang: still running after"));
}

TEST(a_leaked_descriptor_is_a_failure)
{
    CHECK_EQ(run_broken("broken_leak"), 1);
    CHECK(strstr(output, "FAIL broken_leak: "));
    CHECK(strstr(output, "was left open: /dev/null"));
}

TEST(skipped_tests_are_counted_apart)
{
    CHECK_EQ(run_broken("broken_skip"), 0);
    CHECK(strstr(output, "skip broken_skip: because 7"));
    CHECK(strstr(output, "# 0 passed, 0 failed, 1 skipped"));
}

TEST(the_expected_signal_is_no_failure, .signal = SIGABRT)
{
    abort();
}

TEST(no_test_at_all_is_a_failure)
{
    CHECK_EQ(run_broken("no_such_test"), 1);
}

TEST(io_uring_can_be_refused)
{
    harness_refuse_uring();
    char parameters[256] = {0};
    if (syscall(SYS_io_uring_setup, 1, parameters) == -1 && errno == ENOSYS)
        SKIP("this kernel has no io_uring to refuse");
    CHECK_ERROR(syscall(SYS_io_uring_setup, 1, parameters), EPERM);
}

/* What follows must fail, and is run by the tests above alone. */

TEST(broken_check, .only_by_name = true)
{
    int two = 2;
    errno = ENOENT;
    CHECK_EQ(two + two, 5);
}

TEST(broken_error, .only_by_name = true)
{
    CHECK_ERROR(access("/", F_OK), EBADF);
}

TEST(broken_crash, .only_by_name = true)
{
    abort();
}

TEST(broken_exit, .only_by_name = true)
{
    exit(0);
}

TEST(broken_hang, .only_by_name = true, .seconds = 1)
{
    for (;;)
        pause();
}

TEST(broken_leak, .only_by_name = true)
{
    CHECK_OK(open("/dev/null", O_RDONLY));
}

TEST(broken_skip, .only_by_name = true)
{
    SKIP("because %d", 7);
}
