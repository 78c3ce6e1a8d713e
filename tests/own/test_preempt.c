/* bine_preempt_start: threads that compute and call nothing let others run. */
#include <bine/preempt.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"

static void begin(void)
{
    needs_own_threads();
    CHECK_OK(bine_patch_all());
    CHECK_OK(bine_patch_own_threads("*"));
    CHECK_OK(bine_preempt_start(2 * BINE_MS));
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

static atomic_bool stop, running;
static atomic_int turn;

static void *spin(void *arg)
{
    long rounds = 0;
    atomic_store(&running, true);
    while (!atomic_load_explicit(&stop, memory_order_relaxed))
        rounds++;
    (void)arg;
    return (void *)rounds;
}

static int ends[2];

static void *echo(void *arg)
{
    char byte;
    (void)arg;
    while (read(ends[0], &byte, 1) == 1)
        CHECK_EQ(write(ends[0], &byte, 1), 1);
    return NULL;
}

TEST(a_thread_that_spins_does_not_stop_an_echo)
{
    begin();
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    pthread_t echoing = make(echo, NULL), spinning = make(spin, NULL);
    for (char i = 0; i < 10; i++) {
        char byte = 0;
        CHECK_EQ(write(ends[1], &i, 1), 1);
        CHECK_EQ(read(ends[1], &byte, 1), 1);
        CHECK_EQ(byte, i);
    }
    CHECK(atomic_load(&running));
    atomic_store(&stop, true);
    CHECK(join_thread(spinning));
    CHECK_OK(close(ends[1]));
    join_thread(echoing);
    CHECK_OK(close(ends[0]));
    CHECK_EQ(harness_threads(), 1);
}

static void *take_turns(void *arg)
{
    int id = (int)(intptr_t)arg;
    for (int i = 0; i < 10; i++) {
        while (atomic_load(&turn) != id)
            ;
        atomic_store(&turn, (id + 1) % 3);
    }
    return NULL;
}

TEST(threads_that_spin_for_each_other)
{
    begin();
    pthread_t all[3];
    for (long i = 0; i < 3; i++)
        all[i] = make(take_turns, (void *)i);
    for (int i = 0; i < 3; i++)
        join_thread(all[i]);
}

/* ---- what is interrupted goes on as it was --------------------------------------------------- */

static atomic_int computing;

/* Much in registers of all kinds, from one call of nothing to the next. */
static __attribute__((noinline)) double compute(unsigned seed, long *integer)
{
    double a[8], sum = 0;
    long double x = seed;
    long n = seed;
    errno = (int)seed;
    for (int i = 0; i < 8; i++)
        a[i] = seed + i;
    for (long round = 0; round < 3000000; round++) {
        for (int i = 0; i < 8; i++)
            a[i] = a[i] * 0.999 + (double)((round ^ i) & 15);
        x = x * 0.5L + (long double)(round & 7);
        n = n * 6364136223846793005L + 1442695040888963407L;
    }
    for (int i = 0; i < 8; i++)
        sum += a[i];
    CHECK_EQ(errno, (int)seed);
    *integer = n;
    return sum + (double)x;
}

static void *compute_often(void *arg)
{
    unsigned seed = (unsigned)(intptr_t)arg;
    long integer, first_integer;
    double first = compute(seed, &first_integer);
    for (int i = 0; i < 6; i++) {
        CHECK(compute(seed, &integer) == first);
        CHECK_EQ(integer, first_integer);
    }
    atomic_fetch_sub(&computing, 1);
    return NULL;
}

TEST(registers_and_errno_are_kept)
{
    begin();
    pthread_t all[4];
    bine_hub_figures before, after;
    atomic_store(&computing, 4);
    for (long i = 0; i < 4; i++)
        all[i] = make(compute_often, (void *)(i + 3));
    CHECK_OK(bine_hub_read_figures(&before, sizeof before));
    for (int i = 0; i < 4; i++)
        join_thread(all[i]);
    CHECK_OK(bine_hub_read_figures(&after, sizeof after));
    /* Four threads that call nothing take no more than some ten switches to begin and end. */
    CHECK_GT(after.switches - before.switches, (uint64_t)20);
}

static void *spin_blocking_all(void *arg)
{
    sigset_t all, now;
    sigfillset(&all);
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, &all, NULL), 0);
    spin(arg);
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, NULL, &now), 0);
    CHECK_EQ(sigismember(&now, SIGUSR1), 1);
    CHECK_EQ(sigismember(&now, SIGTERM), 1);
    return NULL;
}

TEST(a_thread_that_blocks_all_signals_lets_others_run)
{
    begin();
    pthread_t thread = make(spin_blocking_all, NULL);
    while (!atomic_load(&running))
        usleep(100);
    sigset_t now;
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, NULL, &now), 0);
    CHECK_EQ(sigismember(&now, SIGUSR1), 0);
    atomic_store(&stop, true);
    join_thread(thread);
}

/* ---- locks ----------------------------------------------------------------------------------- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static volatile int inside, entered;

static void *compute_locked(void *arg)
{
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(pthread_mutex_lock(&mutex), 0);
        CHECK_EQ(inside, 0);
        inside = 1;
        for (volatile long n = 0; n < 5000000; n++)
            ;
        inside = 0;
        entered++;
        CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
    }
    return arg;
}

TEST(a_mutex_that_is_held_stays_held)
{
    begin();
    pthread_t all[4];
    for (int i = 0; i < 4; i++)
        all[i] = make(compute_locked, NULL);
    for (int i = 0; i < 4; i++)
        join_thread(all[i]);
    CHECK_EQ(entered, 16);
}

static void *allocate(void *arg)
{
    unsigned seed = (unsigned)(intptr_t)arg;
    char *kept[64] = {NULL};
    char text[64];
    for (long i = 0; i < 300000; i++) {
        int at = (int)(rand_r(&seed) % 64);
        size_t size = rand_r(&seed) % 500 + 8;
        if (kept[at])
            CHECK_EQ(kept[at][0], (char)at);
        free(kept[at]);
        kept[at] = malloc(size);
        CHECK(kept[at]);
        memset(kept[at], at, size);
        if (i % 16 == 0)
            snprintf(text, sizeof text, "%d %g", at, (double)size);
        for (volatile int n = 0; n < 100; n++)
            ;
    }
    for (int i = 0; i < 64; i++)
        free(kept[i]);
    return NULL;
}

TEST(code_that_allocates_all_the_time)
{
    begin();
    pthread_t all[4];
    for (long i = 0; i < 4; i++)
        all[i] = make(allocate, (void *)(i + 1));
    for (int i = 0; i < 4; i++)
        join_thread(all[i]);
}

/* ---- cancellation, fork, bad input ----------------------------------------------------------- */

static int cleaned;

static void clean(void *arg)
{
    cleaned++;
    (void)arg;
}

static void *spin_asynchronously(void *arg)
{
    CHECK_EQ(pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL), 0);
    /* The compiler must not know that it calls nothing, or it makes no handler for it. */
    void *(*volatile run)(void *) = spin;
    pthread_cleanup_push(clean, NULL);
    run(arg);
    FAIL("not cancelled");
    pthread_cleanup_pop(0);
    return NULL;
}

TEST(asynchronous_cancellation_ends_a_thread_that_spins)
{
    begin();
    pthread_t thread = make(spin_asynchronously, NULL);
    while (!atomic_load(&running))
        usleep(100);
    CHECK_EQ(pthread_cancel(thread), 0);
    CHECK(join_thread(thread) == PTHREAD_CANCELED);
    CHECK_EQ(cleaned, 1);
}

static void *stop_it(void *arg)
{
    atomic_store(&stop, true);
    return arg;
}

TEST(the_child_of_a_fork_is_interrupted_as_well)
{
    begin();
    pid_t child = fork();
    CHECK_NE(child, -1);
    if (child == 0) {
        pthread_t thread = make(stop_it, NULL);
        spin(NULL); /* the root */
        pthread_join(thread, NULL);
        _exit(7);
    }
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 7);
}

static volatile sig_atomic_t handled;

static void handler(int number)
{
    handled = number;
}

TEST(a_program_has_its_own_handler_of_the_signal)
{
    begin();
    struct sigaction action = {.sa_handler = handler}, old;
    CHECK_OK(sigaction(SIGSTKFLT, &action, &old));
    CHECK(old.sa_handler == SIG_DFL);
    CHECK_OK(raise(SIGSTKFLT));
    CHECK_EQ(handled, SIGSTKFLT);
    pthread_t thread = make(spin, NULL);
    while (!atomic_load(&running))
        usleep(100);
    atomic_store(&stop, true);
    join_thread(thread);
    bine_preempt_stop();
    CHECK_OK(sigaction(SIGSTKFLT, NULL, &old));
    CHECK(old.sa_handler == handler);
}

TEST(preemption_is_stopped_and_started)
{
    begin();
    bine_preempt_stop();
    bine_preempt_stop();
    CHECK_ERROR(bine_preempt_start(0), EINVAL);
    CHECK_OK(bine_preempt_start(BINE_MS));
    CHECK_OK(bine_preempt_start(5 * BINE_MS));
    pthread_t thread = make(spin, NULL);
    while (!atomic_load(&running))
        usleep(100);
    atomic_store(&stop, true);
    join_thread(thread);
}
