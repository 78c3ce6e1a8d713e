/* SIGSEGV that is no overflow goes to the handler that was there before, as the kernel would have
 * called it. */
#include <bine.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

static volatile struct {
    int runs;
    bool segv_blocked, usr1_blocked, info;
} seen;

static void look(const siginfo_t *info)
{
    sigset_t mask;
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    seen.runs++;
    seen.segv_blocked = sigismember(&mask, SIGSEGV);
    seen.usr1_blocked = sigismember(&mask, SIGUSR1);
    seen.info = info && info->si_signo == SIGSEGV;
}

static void handler(int number)
{
    (void)number;
    look(NULL);
}

static void handler_with_info(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    look(info);
}

/* The handler that the program has set before its first greenlet. */
static void begin_with(int flags, bool mask_usr1)
{
    struct sigaction action = {.sa_flags = flags};
    if (flags & SA_SIGINFO)
        action.sa_sigaction = handler_with_info;
    else
        action.sa_handler = handler;
    if (mask_usr1)
        sigaddset(&action.sa_mask, SIGUSR1);
    CHECK_OK(sigaction(SIGSEGV, &action, NULL));
    CHECK(bine_hub_get() != NULL);
}

static bool blocked_now(int number)
{
    sigset_t mask;
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    return sigismember(&mask, number);
}

TEST(hazard_113_a_chained_handler_runs_with_its_mask_and_its_information)
{
    begin_with(SA_SIGINFO, true);
    raise(SIGSEGV);
    CHECK_EQ(seen.runs, 1);
    CHECK(seen.info);
    CHECK(seen.segv_blocked);
    CHECK(seen.usr1_blocked);
    CHECK(!blocked_now(SIGUSR1) && !blocked_now(SIGSEGV));
    raise(SIGSEGV);
    CHECK_EQ(seen.runs, 2);
}

TEST(hazard_113_a_chained_handler_that_is_not_deferred)
{
    if (harness_instrumented())
        SKIP("the sanitizer calls handlers with its own mask");
    begin_with(SA_NODEFER, false);
    raise(SIGSEGV);
    CHECK_EQ(seen.runs, 1);
    CHECK(!seen.segv_blocked && !seen.usr1_blocked && !seen.info);
    CHECK(!blocked_now(SIGSEGV));
}

TEST(hazard_113_a_chained_handler_that_masks_itself_is_deferred_all_the_same)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_NODEFER};
    sigaddset(&action.sa_mask, SIGSEGV);
    CHECK_OK(sigaction(SIGSEGV, &action, NULL));
    CHECK(bine_hub_get() != NULL);
    raise(SIGSEGV);
    CHECK_EQ(seen.runs, 1);
    CHECK(seen.segv_blocked);
}

TEST(hazard_113_a_chained_handler_that_counts_once)
{
    if (harness_instrumented())
        SKIP("the sanitizer has a handler of its own");
    pid_t child = fork();
    if (child == 0) {
        begin_with((int)SA_RESETHAND, false);
        raise(SIGSEGV);
        if (seen.runs != 1)
            _exit(1);
        raise(SIGSEGV);
        _exit(2);
    }
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status));
    CHECK_EQ(WTERMSIG(status), SIGSEGV);
}

TEST(hazard_113_one_that_was_sent_is_ignored_where_it_was_ignored_before)
{
    if (harness_instrumented())
        SKIP("the sanitizer has a handler of its own");
    pid_t child = fork();
    if (child == 0) {
        signal(SIGSEGV, SIG_IGN);
        bine_hub_get();
        raise(SIGSEGV);
        _exit(7);
    }
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 7);
}

/* ---- the stack that handlers run on ---- */

TEST(hazard_93_the_alternate_signal_stack_has_a_guard_below)
{
    stack_t stack;
    int ends[2];
    CHECK_OK(sigaltstack(NULL, &stack));
    if (!(stack.ss_flags & SS_DISABLE))
        SKIP("this thread has one already");
    CHECK(bine_hub_get() != NULL);
    CHECK_OK(sigaltstack(NULL, &stack));
    CHECK(!(stack.ss_flags & SS_DISABLE));
    CHECK_OK(pipe(ends));
    CHECK_EQ(write(ends[1], stack.ss_sp, 1), 1);
    CHECK_EQ(write(ends[1], (char *)stack.ss_sp + stack.ss_size - 1, 1), 1);
    /* The kernel tells what cannot be read. */
    CHECK_ERROR(write(ends[1], (char *)stack.ss_sp - 1, 1), EFAULT);
    close(ends[0]);
    close(ends[1]);
}
