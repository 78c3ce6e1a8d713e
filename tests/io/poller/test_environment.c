/* Which environment the runtime listens to. */
#include <bine.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/stack/stack.h"
#include "harness.h"
#include "io/poller/poller.h"

enum {
    SOMEBODY = 65534 /* a user that is not root */
};

static void *nothing(void *arg)
{
    return arg;
}

/* Set-user-ID programs are run by a user who is not to say how they work. */
TEST(what_a_set_user_id_program_sees, .only_by_name = true)
{
    CHECK(bine_poller_of(bine_hub_get()) != NULL);
    CHECK_OK(bine_join(bine_spawn(nothing, NULL), NULL, BINE_FOREVER));
    pthread_attr_t attributes;
    size_t size = 0;
    CHECK_EQ(pthread_attr_init(&attributes), 0);
    CHECK_EQ(pthread_attr_getstacksize(&attributes, &size), 0);
    CHECK_EQ(pthread_attr_destroy(&attributes), 0);
    printf("secure %lu poller %s guard %s stacks of threads %s\n", getauxval(AT_SECURE),
           bine_poller_why(), bine_guard_name(),
           bine_stacks_thread_size() == size ? "libc's" : "BINE_STACK_SIZE");
    char *wanted[] = {"BINE_POLLER", "BINE_GUARD", "BINE_STACK_SIZE", "BINE_OFFLOAD_THREADS"};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        CHECK(getenv(wanted[i]) != NULL);
}

/* A copy of this very program that belongs to somebody else and runs as such. */
static void copy_program(const char *path)
{
    char buffer[65536];
    ssize_t got;
    int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
    CHECK(from >= 0 && to >= 0);
    while ((got = read(from, buffer, sizeof buffer)) > 0)
        CHECK_EQ(write(to, buffer, (size_t)got), got);
    CHECK_OK(fchown(to, SOMEBODY, SOMEBODY));
    CHECK_OK(fchmod(to, 04755));
    close(from);
    close(to);
}

static void run_program(const char *path, char *said, size_t size)
{
    int ends[2];
    CHECK_OK(pipe2(ends, O_CLOEXEC));
    pid_t child = fork();
    CHECK_OK(child);
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        setenv("BINE_POLLER", "epoll", 1);
        setenv("BINE_GUARD", "mprotect", 1);
        setenv("BINE_STACK_SIZE", "1M", 1);
        setenv("BINE_OFFLOAD_THREADS", "1", 1);
        execl(path, path, "what_a_set_user_id_program_sees", NULL);
        _exit(127);
    }
    close(ends[1]);
    size_t got = 0;
    ssize_t more;
    while (got < size - 1 && (more = read(ends[0], said + got, size - 1 - got)) > 0)
        got += (size_t)more;
    said[got] = '\0';
    close(ends[0]);
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
}

TEST(hazard_86_a_set_user_id_program_does_not_listen_to_the_environment)
{
    if (geteuid() != 0)
        SKIP("needs root, to give a program to another user");
    harness_not_under_address_sanitizer("its leak checker may not look at a set-user-ID program");
    harness_not_under_valgrind("it runs no set-user-ID program");
    harness_not_under_emulator("it does not tell programs that they are set-user-ID");
    char directory[] = "/tmp/bine-test-XXXXXX", path[64], said[4096];
    CHECK(mkdtemp(directory) != NULL);
    snprintf(path, sizeof path, "%s/program", directory);
    copy_program(path);
    CHECK_OK(chmod(directory, 0755));
    run_program(path, said, sizeof said);
    unlink(path);
    rmdir(directory);
    if (strstr(said, "secure 0"))
        SKIP("the temporary folder is mounted nosuid");
    if (!strstr(said, "secure 1") || strstr(said, "BINE_POLLER") ||
        strstr(said, "guard mprotect") || strstr(said, "BINE_STACK_SIZE") ||
        !strstr(said, "# 1 passed"))
        FAIL("the program says: %s", said);
}

TEST(an_ordinary_program_listens_to_the_environment)
{
    setenv("BINE_POLLER", "epoll", 1);
    CHECK(bine_poller_of(bine_hub_get()) != NULL);
    CHECK_STRING(bine_poller_why(), "BINE_POLLER=epoll");
}
