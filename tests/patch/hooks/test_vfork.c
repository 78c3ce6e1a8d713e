/* vfork's child shares the parent's memory: what it does to its descriptors must not reach the
 * parent's greenlets. */
#include <bine.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

static int pair[2];

static void *reads(void *arg)
{
    char c = 0;
    CHECK_EQ(read(pair[0], &c, 1), 1);
    CHECK_EQ(c, 'x');
    return arg;
}

static int close_all(void *arg)
{
    close(pair[0]);
    dup2(1, pair[0]);
    close(pair[1]);
    execl("/bin/true", "true", (char *)NULL);
    _exit(3);
    return arg != NULL;
}

static pid_t by_vfork(void)
{
    pid_t child = vfork();
    if (child == 0)
        close_all(NULL);
    return child;
}

static pid_t by_clone(void)
{
    static char stack[65536];
    return clone(close_all, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
}

#if defined(__x86_64__)
/* As some runtimes do: in the midst of a function, whose frame the child uses until it is another
 * program. */
static __attribute__((noinline)) pid_t by_system_call(void)
{
    long pid;
    __asm__ volatile("syscall" : "=a"(pid) : "a"(SYS_vfork) : "rcx", "r11", "memory");
    if (pid == 0)
        close_all(NULL);
    return (pid_t)pid;
}
#endif

static void check_child(pid_t (*make)(void))
{
    CHECK_OK(bine_patch_all());
    CHECK_OK(pipe(pair));
    bine_greenlet *g = bine_spawn(reads, NULL);
    bine_sleep(BINE_MS);
    for (int i = 0; i < 3; i++) {
        pid_t child = make();
        CHECK_GT(child, 0);
        int status;
        CHECK_EQ(waitpid(child, &status, 0), child);
        CHECK_EQ(status, 0);
        bine_sleep(BINE_MS);
        CHECK(!bine_dead(g));
    }
    CHECK_EQ(write(pair[1], "x", 1), 1);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    close(pair[0]);
    close(pair[1]);
    CHECK_OK(bine_unpatch_all());
}

TEST(a_vfork_child_that_closes_descriptors_wakes_nobody)
{
    check_child(by_vfork);
}

TEST(hazard_64_a_child_by_clone_that_closes_descriptors_wakes_nobody)
{
    check_child(by_clone);
}

TEST(hazard_64_nor_does_one_by_a_system_call)
{
#if defined(__x86_64__)
    check_child(by_system_call);
#else
    SKIP("not written for this machine");
#endif
}
