/* What of signals belongs to the greenlet: SIGPIPE's disposition and the mask (hazard 9); and
 * waiting for signals. */
#include <bine.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "patch/common.h"

static volatile sig_atomic_t count;
static char order[32];
static int ends[2];

static void count_it(int number)
{
    count++;
}

static void install(int number, void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigemptyset(&action.sa_mask);
    CHECK_EQ(sigaction(number, &action, NULL), 0);
}

static void open_pipe(void)
{
    CHECK_EQ(pipe(ends), 0);
}

/* ---- SIGPIPE --------------------------------------------------------------------------------- */

/* What libcurl does around a transfer. */
static void *write_ignoring(void *arg)
{
    struct sigaction before, ignore = {.sa_handler = SIG_IGN};
    sigemptyset(&ignore.sa_mask);
    CHECK_EQ(sigaction(SIGPIPE, NULL, &before), 0);
    CHECK(before.sa_handler == SIG_DFL);
    CHECK_EQ(sigaction(SIGPIPE, &ignore, NULL), 0);
    CHECK_OK(bine_sleep((intptr_t)arg * BINE_MS));
    struct sigaction now;
    CHECK_EQ(sigaction(SIGPIPE, NULL, &now), 0);
    CHECK(now.sa_handler == SIG_IGN);
    CHECK_ERROR(write(ends[1], "x", 1), EPIPE);
    CHECK_EQ(sigaction(SIGPIPE, &before, NULL), 0);
    return NULL;
}

TEST(hazard_09_what_sigpipe_does_belongs_to_the_greenlet)
{
    CHECK_EQ((void *)signal(SIGPIPE, SIG_DFL) == (void *)SIG_ERR, false);
    CHECK_OK(bine_patch_all());
    open_pipe();
    CHECK_EQ(close(ends[0]), 0);
    /* The first to begin is the first to restore, in the middle of the second. */
    bine_greenlet *both[] = {bine_spawn(write_ignoring, (void *)5),
                             bine_spawn(write_ignoring, (void *)15)};
    CHECK_OK(bine_joinall(both, 2, BINE_FOREVER));
    struct sigaction now;
    CHECK_EQ(((__typeof__(sigaction) *)bine_original("sigaction"))(SIGPIPE, NULL, &now), 0);
    CHECK(now.sa_handler == SIG_DFL);
    CHECK_EQ(close(ends[1]), 0);
    CHECK_OK(bine_unpatch_all());
}

static void *ignore_and_wait(void *arg)
{
    signal(SIGPIPE, SIG_IGN);
    bine_sleep(BINE_FOREVER);
    return NULL;
}

static void *write_by_default(void *arg)
{
    (void)!write(ends[1], "x", 1);
    return NULL;
}

TEST(hazard_09_another_greenlets_setting_does_not_save_this_one, .signal = SIGPIPE)
{
    signal(SIGPIPE, SIG_DFL);
    CHECK_OK(bine_patch_all());
    open_pipe();
    CHECK_EQ(close(ends[0]), 0);
    CHECK_OK(bine_go(ignore_and_wait, NULL));
    CHECK_OK(bine_sleep(0));
    bine_join(bine_spawn(write_by_default, NULL), NULL, BINE_FOREVER);
}

static void *write_handled(void *arg)
{
    CHECK_ERROR(write(ends[1], "x", 1), EPIPE);
    return NULL;
}

TEST(hazard_09_the_roots_setting_is_the_processs)
{
    CHECK_OK(bine_patch_all());
    open_pipe();
    CHECK_EQ(close(ends[0]), 0);
    bine_greenlet *other = bine_spawn(ignore_and_wait, NULL);
    CHECK_OK(bine_sleep(0));
    install(SIGPIPE, count_it, 0);
    CHECK_OK(bine_join(bine_spawn(write_handled, NULL), NULL, BINE_FOREVER));
    CHECK_EQ(count, 1);
    struct sigaction now;
    CHECK_EQ(sigaction(SIGPIPE, NULL, &now), 0);
    CHECK(now.sa_handler == count_it);
    CHECK_OK(bine_kill(other));
    CHECK_OK(bine_join(other, NULL, BINE_FOREVER));
    CHECK_EQ(sigaction(SIGPIPE, NULL, &now), 0);
    CHECK(now.sa_handler == count_it);
    CHECK_ERROR(write(ends[1], "x", 1), EPIPE);
    CHECK_EQ(count, 2);
    CHECK_EQ(close(ends[1]), 0);
    CHECK_OK(bine_unpatch_all());
}

/* ---- masks ----------------------------------------------------------------------------------- */

static bool is_blocked(int number)
{
    sigset_t mask;
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, NULL, &mask), 0);
    return sigismember(&mask, number) == 1;
}

static bool kernel_blocks(int number)
{
    sigset_t mask;
    CHECK_EQ(
        ((__typeof__(pthread_sigmask) *)bine_original("pthread_sigmask"))(SIG_BLOCK, NULL, &mask),
        0);
    return sigismember(&mask, number) == 1;
}

/* What libpq does around a write. */
static void *block_for_a_while(void *arg)
{
    sigset_t set, before;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    CHECK(!is_blocked(SIGUSR1));
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, &before), 0);
    CHECK(is_blocked(SIGUSR1) && kernel_blocks(SIGUSR1));
    CHECK_OK(bine_sleep((intptr_t)arg * BINE_MS));
    CHECK(is_blocked(SIGUSR1) && kernel_blocks(SIGUSR1));
    int had = count;
    CHECK_EQ(raise(SIGUSR1), 0);
    CHECK_EQ(count, had);
    CHECK_EQ(sigtimedwait(&set, NULL, &(struct timespec){0, 0}), SIGUSR1);
    CHECK_EQ(sigprocmask(SIG_SETMASK, &before, NULL), 0);
    CHECK(!is_blocked(SIGUSR1) && !kernel_blocks(SIGUSR1));
    return NULL;
}

static void *not_blocked_here(void *arg)
{
    for (int i = 0; i < 10; i++) {
        CHECK(!is_blocked(SIGUSR1));
        CHECK(!kernel_blocks(SIGUSR1));
        CHECK_OK(bine_sleep(2 * BINE_MS));
    }
    return NULL;
}

TEST(hazard_09_the_signal_mask_belongs_to_the_greenlet)
{
    CHECK_OK(bine_patch_all());
    install(SIGUSR1, count_it, 0);
    bine_greenlet *all[] = {bine_spawn(block_for_a_while, (void *)5),
                            bine_spawn(block_for_a_while, (void *)12),
                            bine_spawn(not_blocked_here, NULL)};
    CHECK_OK(bine_joinall(all, 3, BINE_FOREVER));
    CHECK(!is_blocked(SIGUSR1) && !kernel_blocks(SIGUSR1));
    CHECK_OK(bine_unpatch_all());
}

static void *end_blocked(void *arg)
{
    sigset_t set;
    sigfillset(&set);
    CHECK_EQ(pthread_sigmask(SIG_SETMASK, &set, NULL), 0);
    CHECK_OK(bine_sleep(0));
    CHECK(kernel_blocks(SIGTERM));
    return NULL;
}

TEST(a_mask_ends_with_its_greenlet)
{
    CHECK_OK(bine_patch_all());
    CHECK_OK(bine_join(bine_spawn(end_blocked, NULL), NULL, BINE_FOREVER));
    CHECK(!kernel_blocks(SIGTERM));
    CHECK_OK(bine_unpatch_all());
}

TEST(the_roots_mask_is_the_threads)
{
    CHECK_OK(bine_patch_all());
    install(SIGUSR1, count_it, 0);
    bine_greenlet *g = bine_spawn(end_blocked, NULL);
    CHECK_OK(bine_sleep(0));
    sigset_t set, old;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, &old), 0);
    CHECK_EQ(sigismember(&old, SIGTERM), 0);
    CHECK(kernel_blocks(SIGUSR2));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK(kernel_blocks(SIGUSR2));
    CHECK(!kernel_blocks(SIGTERM));
    CHECK_EQ(pthread_sigmask(SIG_UNBLOCK, &set, NULL), 0);
    CHECK(!kernel_blocks(SIGUSR2));
    CHECK_OK(bine_unpatch_all());
}

/* ---- waiting for signals --------------------------------------------------------------------- */

static volatile bool not_yet; /* the waiter still has something to do that no signal may disturb */

static sigset_t usr1(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    return set;
}

static void *wait_by_sigwait(void *arg)
{
    sigset_t set = usr1();
    int number = 0;
    strcat(order, "a");
    CHECK_EQ(sigwait(&set, &number), 0);
    CHECK_EQ(number, SIGUSR1);
    strcat(order, "c");
    return NULL;
}

static void *wait_by_sigwaitinfo(void *arg)
{
    sigset_t set = usr1();
    siginfo_t info;
    strcat(order, "a");
    CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR1);
    CHECK_EQ(info.si_pid, getpid());
    strcat(order, "c");
    return NULL;
}

static void *wait_by_sigtimedwait(void *arg)
{
    sigset_t set = usr1();
    strcat(order, "a");
    not_yet = true;
    CHECK_ERROR(sigtimedwait(&set, NULL, &(struct timespec){.tv_nsec = -1}), EINVAL);
    CHECK_ERROR(sigtimedwait(&set, NULL, &(struct timespec){.tv_nsec = BINE_MS}), EAGAIN);
    not_yet = false;
    CHECK_EQ(sigtimedwait(&set, NULL, &(struct timespec){.tv_sec = 100}), SIGUSR1);
    strcat(order, "c");
    return NULL;
}

static void *send_signal_later(void *arg)
{
    do
        CHECK_OK(bine_sleep(10 * BINE_MS));
    while (not_yet);
    strcat(order, "b");
    CHECK_EQ(kill(getpid(), SIGUSR1), 0);
    return NULL;
}

TEST(waiting_for_a_signal_lets_others_run)
{
    static bine_run *const ways[] = {wait_by_sigwait, wait_by_sigwaitinfo, wait_by_sigtimedwait};
    CHECK_OK(bine_patch_all());
    sigset_t set = usr1();
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    for (int i = 0; i < 3; i++) {
        order[0] = '\0';
        bine_greenlet *both[] = {bine_spawn(ways[i], NULL), bine_spawn(send_signal_later, NULL)};
        CHECK_OK(bine_joinall(both, 2, BINE_FOREVER));
        CHECK_STRING(order, "abc");
    }
    CHECK_OK(bine_unpatch_all());
}

static void *wait_for_mine(void *arg)
{
    sigset_t set = usr1();
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    return wait_by_sigwait(arg);
}

/* Blocked by the waiting greenlet alone: while it waits the others must not take the signal away
 * from it. */
TEST(a_signal_that_only_the_waiting_greenlet_blocks_reaches_it)
{
    CHECK_OK(bine_patch_all());
    bine_greenlet *both[] = {bine_spawn(wait_for_mine, NULL), bine_spawn(send_signal_later, NULL)};
    CHECK_OK(bine_joinall(both, 2, BINE_FOREVER));
    CHECK_STRING(order, "abc");
    CHECK(!kernel_blocks(SIGUSR1));
    CHECK_OK(bine_unpatch_all());
}

TEST(killing_ends_a_wait_for_signals)
{
    CHECK_OK(bine_patch_all());
    bine_timeout scope;
    sigset_t set = usr1();
    int number;
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    CHECK_OK(bine_timeout_begin(&scope, BINE_MS));
    CHECK_EQ(sigwait(&set, &number), ETIMEDOUT);
    CHECK_ERROR(pause(), ETIMEDOUT);
    CHECK_EQ(bine_timeout_end(&scope), 1);
    CHECK_OK(bine_unpatch_all());
}

static void *pause_here(void *arg)
{
    strcat(order, "a");
    CHECK_ERROR(pause(), EINTR);
    strcat(order, "c");
    return NULL;
}

static void *suspend_here(void *arg)
{
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    CHECK_EQ(pthread_sigmask(SIG_SETMASK, &all, NULL), 0);
    strcat(order, "a");
    CHECK_ERROR(sigsuspend(&none), EINTR);
    strcat(order, "c");
    CHECK(is_blocked(SIGUSR1));
    return NULL;
}

TEST(pausing_lets_others_run_and_ends_with_a_handler)
{
    static bine_run *const ways[] = {pause_here, suspend_here};
    CHECK_OK(bine_patch_all());
    install(SIGUSR1, count_it, SA_RESTART);
    for (int i = 0; i < 2; i++) {
        order[0] = '\0';
        CHECK_EQ(raise(SIGUSR1), 0); /* before the call: does not count */
        bine_greenlet *both[] = {bine_spawn(ways[i], NULL), bine_spawn(send_signal_later, NULL)};
        CHECK_OK(bine_joinall(both, 2, BINE_FOREVER));
        CHECK_STRING(order, "abc");
        CHECK_EQ(count, 2 * (i + 1));
    }
    CHECK_OK(bine_unpatch_all());
}

/* ---- fork ------------------------------------------------------------------------------------ */

static void *wait_for_ever(void *arg)
{
    sigset_t set = usr1();
    int number;
    signal(SIGPIPE, SIG_IGN);
    CHECK_EQ(sigwait(&set, &number), ECANCELED);
    return NULL;
}

static int in_child(void)
{
    struct sigaction now;
    if (kernel_blocks(SIGUSR1)) /* held for a greenlet that is not here */
        return 1;
    /* What the greenlet that forked had set. */
    if (sigaction(SIGPIPE, NULL, &now) != 0 || now.sa_handler != SIG_IGN)
        return 2;
    if (!kernel_blocks(SIGTERM) || !is_blocked(SIGTERM))
        return 3;
    if (usleep(1000) != 0)
        return 4;
    return 0;
}

static void *fork_here(void *arg)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    signal(SIGPIPE, SIG_IGN);
    CHECK(kernel_blocks(SIGUSR1));
    pid_t child = fork();
    if (child == 0)
        _exit(in_child());
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    return NULL;
}

TEST(hazard_25_the_child_of_fork_has_the_signals_of_the_greenlet_that_forked)
{
    CHECK_OK(bine_patch_all());
    bine_greenlet *waiting = bine_spawn(wait_for_ever, NULL);
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_OK(bine_join(bine_spawn(fork_here, NULL), NULL, BINE_FOREVER));
    CHECK_OK(bine_kill(waiting));
    CHECK_OK(bine_join(waiting, NULL, BINE_FOREVER));
    CHECK(!kernel_blocks(SIGUSR1));
    CHECK_OK(bine_unpatch_all());
}
