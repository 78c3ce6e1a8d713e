/* A patched process ends cleanly, whatever calls libc on the way out (hazard 14). */
#include <bine.h>
#include <sys/wait.h>
#include <unistd.h>

#include "patch/common.h"

static void late_calls(void)
{
    char byte;
    int pair[2];
    usleep(1000);
    if (pipe(pair) == 0) {
        if (write(pair[1], "x", 1) != 1 || read(pair[0], &byte, 1) != 1)
            _exit(3);
        close(pair[0]);
        close(pair[1]);
    }
    (void)dlopen("libdoes-not-exist.so", RTLD_NOW);
    (void)dlsym(RTLD_DEFAULT, "read");
}

__attribute__((destructor)) static void after_everything(void)
{
    late_calls();
}

static void *park_for_ever(void *arg)
{
    bine_sleep(BINE_FOREVER);
    return NULL;
}

static void *exit_here(void *arg)
{
    exit(7);
}

static int status_of(void (*child)(void))
{
    pid_t pid = fork();
    CHECK_GE(pid, 0);
    if (pid == 0) {
        child();
        _exit(9);
    }
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status))
        FAIL("the child died of signal %d", WTERMSIG(status));
    return WEXITSTATUS(status);
}

static void exit_patched(void)
{
    atexit(late_calls);
    bine_patch_all();
    exit(5);
}

static void exit_with_greenlets(void)
{
    atexit(late_calls);
    bine_patch_all();
    for (int i = 0; i < 10; i++)
        CHECK_OK(bine_go(park_for_ever, NULL));
    bine_sleep(0);
    exit(6);
}

static void exit_from_greenlet(void)
{
    atexit(late_calls);
    bine_patch_all();
    bine_greenlet *g = bine_spawn(exit_here, NULL);
    bine_join(g, NULL, BINE_FOREVER);
}

static void exit_unpatched(void)
{
    atexit(late_calls);
    bine_patch_all();
    bine_unpatch_all();
    exit(8);
}

TEST(hazard_14_exit_while_patched)
{
    CHECK_EQ(status_of(exit_patched), 5);
}

TEST(hazard_14_exit_with_parked_greenlets)
{
    CHECK_EQ(status_of(exit_with_greenlets), 6);
}

TEST(hazard_14_exit_from_a_greenlet)
{
    CHECK_EQ(status_of(exit_from_greenlet), 7);
}

TEST(hazard_14_exit_after_unpatching)
{
    CHECK_EQ(status_of(exit_unpatched), 8);
}
