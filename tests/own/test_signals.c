/* Signals of threads that are greenlets with threads of their own. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common.h"

static volatile sig_atomic_t handled, last_number;
static pthread_t handled_by;
static __thread int mine;
static volatile int mine_seen;
static siginfo_t last_info;

static void handler(int number)
{
    handled++;
    last_number = number;
    handled_by = pthread_self();
    mine_seen = mine;
}

static void info_handler(int number, siginfo_t *info, void *context)
{
    CHECK(context);
    last_info = *info;
    handler(number);
}

static void install(int number, int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    if (flags & SA_SIGINFO)
        action.sa_sigaction = info_handler;
    CHECK_OK(sigaction(number, &action, NULL));
}

static void patch(void)
{
    needs_own_threads();
    CHECK_OK(bine_patch_all());
    CHECK_OK(bine_patch_own_threads("*"));
}

static pthread_t make(void *(*run)(void *), void *arg)
{
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, run, arg), 0);
    return thread;
}

static void *join_thread(pthread_t thread)
{
    void *value;
    CHECK_EQ(pthread_join(thread, &value), 0);
    return value;
}

static void set_mask(int how, int number)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    CHECK_EQ(pthread_sigmask(how, &set, NULL), 0);
}

static bool blocks(int number)
{
    sigset_t set;
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, NULL, &set), 0);
    return sigismember(&set, number) == 1;
}

/* ---- pthread_kill ---------------------------------------------------------------------------- */

static int ends[2];

/* Returns the errno of a read that a signal is to end, or what was read. */
static void *read_once(void *arg)
{
    char byte;
    mine = 77;
    ssize_t n = read(ends[0], &byte, 1);
    (void)arg;
    return (void *)(intptr_t)(n < 0 ? errno : byte);
}

TEST(a_signal_ends_the_read_of_the_thread_that_it_is_sent_to)
{
    patch();
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    install(SIGUSR1, 0);
    pthread_t thread = make(read_once, NULL);
    usleep(1000);
    CHECK_EQ(pthread_kill(thread, SIGUSR1), 0);
    CHECK_EQ((intptr_t)join_thread(thread), EINTR);
    CHECK_EQ(handled, 1);
    CHECK(pthread_equal(handled_by, thread));
    CHECK_EQ(mine_seen, 77);
    close(ends[0]), close(ends[1]);
}

TEST(a_read_continues_after_a_handler_that_restarts_calls)
{
    patch();
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    install(SIGUSR1, SA_RESTART);
    pthread_t thread = make(read_once, NULL);
    usleep(1000);
    CHECK_EQ(pthread_kill(thread, SIGUSR1), 0);
    usleep(1000);
    CHECK_EQ(handled, 1);
    CHECK(pthread_equal(handled_by, thread));
    CHECK_EQ(write(ends[1], "x", 1), 1);
    CHECK_EQ((intptr_t)join_thread(thread), 'x');
    close(ends[0]), close(ends[1]);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void *lock_it(void *arg)
{
    CHECK_EQ(pthread_mutex_lock(&mutex), 0);
    CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
    return arg;
}

/* Neither ends nor waits: the handler runs while the thread waits on. */
TEST(a_handler_runs_in_a_thread_that_waits_for_a_mutex)
{
    patch();
    install(SIGUSR1, 0);
    CHECK_EQ(pthread_mutex_lock(&mutex), 0);
    pthread_t thread = make(lock_it, &mutex);
    usleep(1000);
    CHECK_EQ(pthread_kill(thread, SIGUSR1), 0);
    CHECK_EQ(handled, 1);
    CHECK(pthread_equal(handled_by, thread));
    CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
    CHECK(join_thread(thread) == &mutex);
}

static void *kill_the_main_thread(void *arg)
{
    CHECK_EQ(pthread_kill(*(pthread_t *)arg, SIGUSR1), 0);
    CHECK_EQ(handled, 1);
    return NULL;
}

TEST(a_thread_interrupts_the_main_thread)
{
    patch();
    install(SIGUSR1, 0);
    pthread_t self = pthread_self(), thread = make(kill_the_main_thread, &self);
    CHECK_ERROR(nanosleep(&(struct timespec){1000, 0}, NULL), EINTR);
    CHECK_EQ(handled, 1);
    CHECK(pthread_equal(handled_by, self));
    join_thread(thread);
}

static void *kill_itself(void *arg)
{
    mine = 5;
    CHECK_OK(raise(SIGUSR1));
    CHECK_EQ(handled, 1);
    CHECK_EQ(pthread_kill(pthread_self(), SIGUSR1), 0);
    CHECK_EQ(handled, 2);
    CHECK(pthread_equal(handled_by, pthread_self()));
    CHECK_EQ(mine_seen, 5);
    return arg;
}

static void *sleep_for_ever(void *arg)
{
    *(int *)arg = nanosleep(&(struct timespec){1000, 0}, NULL) < 0 ? errno : 0;
    return NULL;
}

/* The other thread's sleep is not ended. */
TEST(a_thread_sends_itself_a_signal)
{
    patch();
    install(SIGUSR1, 0);
    int result = -1;
    pthread_t other = make(sleep_for_ever, &result);
    join_thread(make(kill_itself, NULL));
    CHECK_EQ(result, -1);
    CHECK_EQ(pthread_cancel(other), 0);
    CHECK(join_thread(other) == PTHREAD_CANCELED);
}

static sigjmp_buf back;

static void leave(int number)
{
    handled++;
    siglongjmp(back, number);
}

static void *raise_and_leave(void *arg)
{
    for (volatile int i = 0; i < 3; i++)
        if (sigsetjmp(back, 1) == 0) {
            raise(SIGUSR1);
            FAIL("raise returned");
        }
    CHECK_EQ(handled, 3);
    CHECK(!blocks(SIGUSR1));
    CHECK_OK(usleep(1000));
    return arg;
}

TEST(a_handler_of_a_threads_own_signal_may_be_left)
{
    patch();
    struct sigaction action = {.sa_handler = leave};
    CHECK_OK(sigaction(SIGUSR1, &action, NULL));
    join_thread(make(raise_and_leave, NULL));
}

TEST(pthread_kill_checks_its_arguments)
{
    patch();
    pthread_t thread = make(lock_it, NULL);
    CHECK_EQ(pthread_kill(thread, 0), 0);
    CHECK_EQ(pthread_kill(thread, -1), EINVAL);
    CHECK_EQ(pthread_kill(thread, 1000), EINVAL);
    CHECK_EQ(pthread_kill(thread, SIGURG), 0);
    CHECK_OK(signal(SIGUSR1, SIG_IGN) == SIG_ERR ? -1 : 0);
    CHECK_EQ(pthread_kill(thread, SIGUSR1), 0);
    join_thread(thread);
    CHECK_EQ(pthread_kill(pthread_self(), 0), 0);
}

static void *forward(void *arg)
{
    (void)arg;
    return NULL;
}

static pthread_t forward_to;

static void forwarding_handler(int number)
{
    if (pthread_equal(pthread_self(), forward_to))
        handler(number);
    else
        CHECK_EQ(pthread_kill(forward_to, number), 0);
}

/* As programs do whose handler must run in one thread. */
TEST(a_handler_passes_its_signal_on_to_another_thread)
{
    patch();
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    struct sigaction action = {.sa_handler = forwarding_handler};
    CHECK_OK(sigaction(SIGUSR1, &action, NULL));
    join_thread(make(forward, NULL));
    forward_to = make(read_once, NULL);
    usleep(1000);
    CHECK_OK(kill(getpid(), SIGUSR1));
    CHECK_EQ((intptr_t)join_thread(forward_to), EINTR);
    CHECK_EQ(handled, 1);
    CHECK(pthread_equal(handled_by, forward_to));
    close(ends[0]), close(ends[1]);
}

/* ---- blocked signals ------------------------------------------------------------------------- */

static void *unblock_later(void *arg)
{
    set_mask(SIG_BLOCK, SIGUSR1);
    *(int *)arg = 1;
    usleep(2000);
    CHECK_EQ(handled, 0);
    sigset_t pending;
    CHECK_OK(sigpending(&pending));
    CHECK_EQ(sigismember(&pending, SIGUSR1), 1);
    set_mask(SIG_UNBLOCK, SIGUSR1);
    CHECK_EQ(handled, 1);
    CHECK_OK(sigpending(&pending));
    CHECK_EQ(sigismember(&pending, SIGUSR1), 0);
    return NULL;
}

TEST(a_blocked_signal_waits_until_its_thread_unblocks_it)
{
    patch();
    install(SIGUSR1, 0);
    int blocked = 0;
    pthread_t thread = make(unblock_later, &blocked);
    while (!blocked)
        usleep(100);
    CHECK_EQ(pthread_kill(thread, SIGUSR1), 0);
    CHECK_EQ(pthread_kill(thread, SIGUSR1), 0);
    sigset_t pending;
    CHECK_OK(sigpending(&pending));
    CHECK_EQ(sigismember(&pending, SIGUSR1), 0);
    join_thread(thread);
    CHECK_EQ(handled, 1);
    CHECK(pthread_equal(handled_by, thread));
}

static void *raise_blocked(void *arg)
{
    set_mask(SIG_BLOCK, SIGUSR1);
    CHECK_OK(raise(SIGUSR1));
    usleep(1000);
    CHECK_EQ(handled, 0);
    set_mask(SIG_UNBLOCK, SIGUSR1);
    CHECK_EQ(handled, 1);
    return arg;
}

TEST(a_thread_raises_what_it_blocks)
{
    patch();
    install(SIGUSR1, 0);
    join_thread(make(raise_blocked, NULL));
}

/* The kernel's, for the thread that runs. */
static bool kernel_blocks(int number)
{
    uint64_t bits;
    CHECK_OK(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &bits, sizeof bits));
    return bits >> (number - 1) & 1;
}

static void *tell_mask(void *arg)
{
    bool before = blocks(SIGUSR1);
    CHECK_EQ(kernel_blocks(SIGUSR1), before);
    usleep((useconds_t)(intptr_t)arg);
    CHECK_EQ(blocks(SIGUSR1), before);
    CHECK_EQ(kernel_blocks(SIGUSR1), before);
    return (void *)(intptr_t)before;
}

static void *make_with_own_mask(void *arg)
{
    set_mask(SIG_BLOCK, SIGUSR1);
    return join_thread(make(tell_mask, arg));
}

TEST(a_thread_begins_with_the_mask_of_its_maker_and_keeps_it)
{
    patch();
    set_mask(SIG_BLOCK, SIGUSR1);
    pthread_t blocking = make(tell_mask, (void *)1000);
    set_mask(SIG_UNBLOCK, SIGUSR1);
    CHECK(join_thread(blocking));
    pthread_t open = make(tell_mask, (void *)1000);
    set_mask(SIG_BLOCK, SIGUSR1);
    CHECK(!join_thread(open));
    set_mask(SIG_UNBLOCK, SIGUSR1);
    CHECK(join_thread(make(make_with_own_mask, (void *)1000)));
    CHECK(!blocks(SIGUSR1));
}

static void *wait_for_signals(void *arg)
{
    sigset_t set;
    int number;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(sigwait(&set, &number), 0);
        ((int *)arg)[i] = number;
    }
    siginfo_t info;
    CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR2);
    return (void *)info.si_value.sival_ptr;
}

/* What is sent to the thread, to the process, and with a value. */
TEST(a_thread_waits_for_signals)
{
    patch();
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    int numbers[2] = {0};
    pthread_t thread = make(wait_for_signals, numbers);
    usleep(1000);
    CHECK_EQ(pthread_kill(thread, SIGUSR1), 0);
    while (!numbers[0])
        usleep(100);
    CHECK_OK(kill(getpid(), SIGUSR2));
    while (!numbers[1])
        usleep(100);
    CHECK_EQ(pthread_sigqueue(thread, SIGUSR2, (union sigval){.sival_ptr = &set}), 0);
    CHECK(join_thread(thread) == &set);
    CHECK_EQ(numbers[0], SIGUSR1);
    CHECK_EQ(numbers[1], SIGUSR2);
}

TEST(a_signal_comes_with_its_value)
{
    patch();
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    install(SIGRTMIN, SA_SIGINFO);
    pthread_t thread = make(read_once, NULL);
    usleep(1000);
    CHECK_EQ(pthread_sigqueue(thread, SIGRTMIN, (union sigval){.sival_int = 42}), 0);
    CHECK_EQ((intptr_t)join_thread(thread), EINTR);
    CHECK_EQ(last_info.si_value.sival_int, 42);
    CHECK_EQ(last_info.si_code, SI_QUEUE);
    CHECK_EQ(last_info.si_pid, getpid());
    close(ends[0]), close(ends[1]);
}

static void *suspend(void *arg)
{
    sigset_t none;
    sigemptyset(&none);
    set_mask(SIG_BLOCK, SIGUSR1);
    for (int i = 1; i <= 3; i++) {
        CHECK_ERROR(sigsuspend(&none), EINTR);
        CHECK_EQ(handled, i);
        CHECK(blocks(SIGUSR1));
        *(int *)arg = i;
    }
    return NULL;
}

TEST(sigsuspend_lets_a_threads_signals_through)
{
    patch();
    install(SIGUSR1, 0);
    int count = 0;
    pthread_t thread = make(suspend, &count);
    for (int i = 0; i < 3; i++) {
        usleep(1000);
        CHECK_EQ(pthread_kill(thread, SIGUSR1), 0);
        while (count == i)
            usleep(100);
    }
    join_thread(thread);
    CHECK(pthread_equal(handled_by, thread));
}

/* ---- default actions ------------------------------------------------------------------------- */

TEST(a_signal_without_a_handler_ends_the_process)
{
    patch();
    pid_t child = fork();
    CHECK_NE(child, -1);
    if (child == 0) {
        int result;
        pthread_t thread = make(sleep_for_ever, &result);
        usleep(100);
        pthread_kill(thread, SIGUSR1);
        _exit(0);
    }
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status));
    CHECK_EQ(WTERMSIG(status), SIGUSR1);
}
