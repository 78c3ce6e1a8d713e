/*
 * Waiting by syscall(SYS_futex): greenlets park, threads wait in the kernel, and each wakes the
 * other. Results and errors are the kernel's.
 */
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/filter.h"
#include "libc/kernel.h"
#include "libc/libc.h"
#include "locks.h"

#define futex(word, operation, value, ...) syscall(SYS_futex, word, operation, value, ##__VA_ARGS__)

enum {
    PRIVATE = FUTEX_PRIVATE_FLAG
};

static bine_greenlet *beat;
static struct ticker ticker;

static void begin(void)
{
    CHECK_OK(bine_patch_all());
    beat = bine_spawn(tick, &ticker);
}

static void end(void)
{
    atomic_store(&ticker.stop, true);
    CHECK_OK(bine_join(beat, NULL, BINE_FOREVER));
}

static void *value_of(bine_greenlet *g)
{
    void *value;
    CHECK_OK(bine_join(g, &value, BINE_FOREVER));
    return value;
}

/* ---- a mutex as Rust's standard library has it ----------------------------------------------- */

static atomic_uint mutex;
static int inside, rounds_done;

static void lock(void)
{
    unsigned free = 0;
    if (atomic_compare_exchange_strong(&mutex, &free, 1))
        return;
    while (atomic_exchange(&mutex, 2) != 0)
        futex(&mutex, FUTEX_WAIT | PRIVATE, 2, NULL);
}

static void unlock(void)
{
    if (atomic_exchange(&mutex, 0) == 2)
        futex(&mutex, FUTEX_WAKE | PRIVATE, 1);
}

static void *use_mutex(void *rounds)
{
    for (int i = 0; i < (int)(intptr_t)rounds; i++) {
        lock();
        CHECK_EQ(inside++, 0);
        poll(NULL, 0, 1);
        inside--;
        rounds_done++;
        unlock();
    }
    return NULL;
}

TEST(hazard_54_a_mutex_made_of_futex_between_greenlets)
{
    begin();
    bine_greenlet *all[4];
    for (int i = 0; i < 4; i++)
        all[i] = bine_spawn(use_mutex, (void *)5);
    for (int i = 0; i < 4; i++)
        value_of(all[i]);
    CHECK_EQ(rounds_done, 20);
    CHECK_EQ(atomic_load(&mutex), 0u);
    end();
}

static void *use_mutex_in_hub(void *rounds)
{
    bine_greenlet *all[3];
    for (int i = 0; i < 3; i++)
        all[i] = bine_spawn(use_mutex, rounds);
    CHECK_OK(bine_joinall(all, 3, BINE_FOREVER));
    return NULL;
}

TEST(hazard_54_a_mutex_made_of_futex_between_hubs_and_threads, .seconds = 60)
{
    begin();
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        threads[i] = real_thread(i < 2 ? use_mutex_in_hub : use_mutex, (void *)10);
    use_mutex_in_hub((void *)10);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    CHECK_EQ(rounds_done, 3 * 3 * 10 + 2 * 10);
    CHECK_EQ(atomic_load(&mutex), 0u);
    end();
}

/* ---- who wakes whom -------------------------------------------------------------------------- */

static uint32_t word, other_word;
static int woken;

static void *wait_private(void *unused)
{
    CHECK_EQ(futex(&word, FUTEX_WAIT | PRIVATE, 0, NULL), 0);
    woken++;
    return unused;
}

static void *wake_later(void *count)
{
    bine_libc.usleep(20000);
    __atomic_store_n(&word, 1, __ATOMIC_RELEASE);
    return (void *)futex(&word, FUTEX_WAKE | PRIVATE, (int)(intptr_t)count);
}

TEST(hazard_54_a_thread_wakes_greenlets)
{
    begin();
    bine_greenlet *all[3];
    for (int i = 0; i < 3; i++)
        all[i] = bine_spawn(wait_private, NULL);
    pthread_t thread = real_thread(wake_later, (void *)INT_MAX);
    for (int i = 0; i < 3; i++)
        value_of(all[i]);
    void *count;
    CHECK_EQ(pthread_join(thread, &count), 0);
    CHECK_EQ((intptr_t)count, 3);
    CHECK_GE(atomic_load(&ticker.ticks), SOME_TICKS);
    end();
}

static atomic_int thread_waits;

static void *wait_as_thread(void *unused)
{
    (void)unused;
    atomic_store(&thread_waits, (int)syscall(SYS_gettid));
    return (void *)futex(&word, FUTEX_WAIT | PRIVATE, 0, NULL);
}

TEST(hazard_54_a_greenlet_wakes_a_thread_and_a_greenlet)
{
    begin();
    pthread_t thread = real_thread(wait_as_thread, NULL);
    bine_greenlet *g = bine_spawn(wait_private, NULL);
    while (!atomic_load(&thread_waits))
        CHECK_OK(bine_sleep(BINE_MS));
    CHECK_OK(bine_sleep(50 * BINE_MS));
    __atomic_store_n(&word, 1, __ATOMIC_RELEASE);
    CHECK_EQ(futex(&word, FUTEX_WAKE | PRIVATE, 5), 2);
    void *result = (void *)-1;
    CHECK_EQ(pthread_join(thread, &result), 0);
    CHECK_EQ((intptr_t)result, 0);
    value_of(g);
    CHECK_EQ(futex(&word, FUTEX_WAKE | PRIVATE, 5), 0);
    end();
}

TEST(hazard_54_one_at_a_time_in_the_order_of_their_coming)
{
    begin();
    bine_greenlet *all[3];
    for (int i = 0; i < 3; i++)
        all[i] = bine_spawn(wait_private, NULL);
    CHECK_OK(bine_sleep(BINE_MS));
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(futex(&word, FUTEX_WAKE | PRIVATE, 1), 1);
        value_of(all[i]);
        CHECK_EQ(woken, i + 1);
    }
    end();
}

static void *wait_for_bits(void *bits)
{
    CHECK_EQ(futex(&word, FUTEX_WAIT_BITSET | PRIVATE, 0, NULL, NULL, (unsigned)(uintptr_t)bits),
             0);
    return bits;
}

TEST(hazard_54_bits)
{
    begin();
    bine_greenlet *one = bine_spawn(wait_for_bits, (void *)1),
                  *two = bine_spawn(wait_for_bits, (void *)2);
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET | PRIVATE, 5, NULL, NULL, 4), 0);
    CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET | PRIVATE, 5, NULL, NULL, 2), 1);
    value_of(two);
    CHECK(!bine_dead(one));
    CHECK_EQ(futex(&word, FUTEX_WAKE | PRIVATE, 5), 1);
    value_of(one);
    end();
}

TEST(hazard_54_moving_waiters_to_another_word)
{
    begin();
    bine_greenlet *all[3];
    for (int i = 0; i < 3; i++)
        all[i] = bine_spawn(wait_private, NULL);
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_EQ(futex(&word, FUTEX_CMP_REQUEUE | PRIVATE, 1, 1L, &other_word, 7), -1);
    CHECK_EQ(errno, EAGAIN);
    /* Waiters that are moved wake up, which a waiter has to bear at any time. */
    CHECK_EQ(futex(&word, FUTEX_CMP_REQUEUE | PRIVATE, 1, (long)INT_MAX, &other_word, 0), 3);
    for (int i = 0; i < 3; i++)
        value_of(all[i]);
    end();
}

/* ---- results as the kernel's ----------------------------------------------------------------- */

static struct timespec now_and(clockid_t clock, int64_t nanoseconds)
{
    struct timespec time;
    clock_gettime(clock, &time);
    int64_t all = time.tv_sec * BINE_SECOND + time.tv_nsec + nanoseconds;
    return (struct timespec){all / BINE_SECOND, all % BINE_SECOND};
}

struct outcome {
    long result;
    int error;
    bool least; /* it took as long as asked for */
};

static struct outcome try_wait(int operation, unsigned value, struct timespec *time, unsigned bits)
{
    struct timespec before = now_and(CLOCK_MONOTONIC, 0);
    errno = 77;
    struct outcome outcome = {.result = futex(&word, operation, value, time, NULL, bits)};
    outcome.error = errno;
    struct timespec after = now_and(CLOCK_MONOTONIC, 0);
    outcome.least = (after.tv_sec - before.tv_sec) * BINE_SECOND + after.tv_nsec - before.tv_nsec >=
                    5 * BINE_MS;
    return outcome;
}

enum {
    CASES = 10
};

static struct outcome outcomes_of(int number)
{
    const int bitset = FUTEX_WAIT_BITSET;
    struct timespec short_time = {0, 5 * BINE_MS}, none = {0, 0}, wrong = {0, BINE_SECOND},
                    negative = {-1, 0};
    struct timespec soon = now_and(CLOCK_MONOTONIC, 6 * BINE_MS),
                    real_soon = now_and(CLOCK_REALTIME, 6 * BINE_MS);
    struct timespec past = now_and(CLOCK_MONOTONIC, -BINE_SECOND);
    switch (number) {
    case 0:
        return try_wait(FUTEX_WAIT | PRIVATE, 1, NULL, 0);
    case 1:
        return try_wait(FUTEX_WAIT | PRIVATE, 0, &short_time, 0);
    case 2:
        return try_wait(FUTEX_WAIT | PRIVATE, 0, &none, 0);
    case 3:
        return try_wait(FUTEX_WAIT | PRIVATE, 0, &wrong, 0);
    case 4:
        return try_wait(FUTEX_WAIT | PRIVATE, 0, &negative, 0);
    case 5:
        return try_wait(bitset | PRIVATE, 0, &soon, 1);
    case 6:
        return try_wait(bitset | PRIVATE | FUTEX_CLOCK_REALTIME, 0, &real_soon, 1);
    case 7:
        return try_wait(bitset | PRIVATE, 0, &past, 1);
    case 8:
        return try_wait(bitset | PRIVATE, 0, &soon, 0);
    default:
        return try_wait(FUTEX_WAIT, 0, &short_time, 0);
    }
}

TEST(hazard_54_results_and_errors_are_the_kernels)
{
    const bool takes_time[CASES] = {[1] = true, [5] = true, [6] = true, [9] = true};
    struct outcome kernel[CASES];
    for (int i = 0; i < CASES; i++)
        kernel[i] = outcomes_of(i);
    begin();
    for (int i = 0; i < CASES; i++) {
        struct outcome ours = outcomes_of(i);
        if (ours.result != kernel[i].result || ours.error != kernel[i].error ||
            (takes_time[i] && !ours.least))
            FAIL("case %d: %ld, errno %d, waited %d; the kernel: %ld, errno %d, waited %d", i,
                 ours.result, ours.error, (int)ours.least, kernel[i].result, kernel[i].error,
                 (int)kernel[i].least);
    }
    errno = 0;
    CHECK_EQ(syscall(SYS_futex, (char *)&word + 1, FUTEX_WAKE | PRIVATE, 1), -1);
    CHECK_EQ(errno, EINVAL);
    CHECK_EQ(syscall(SYS_futex, &word, 125, 0, NULL), -1);
    CHECK_EQ(errno, ENOSYS);
    end();
}

TEST(hazard_54_a_word_that_is_not_there_is_efault)
{
    harness_not_under_valgrind("it reports the word");
    begin();
    CHECK_ERROR(syscall(SYS_futex, NULL, FUTEX_WAIT | PRIVATE, 0, NULL), EFAULT);
    end();
}

static void note_signal(int number)
{
    (void)number;
}

/* The signal is for the main thread. */
static void *interrupt_later(void *unused)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    CHECK_EQ(bine_libc.pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    bine_libc.usleep(20000);
    kill(getpid(), SIGUSR1);
    return unused;
}

TEST(hazard_54_a_signal_ends_the_roots_wait_and_no_other)
{
    begin();
    struct sigaction action = {.sa_handler = note_signal};
    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
    bine_greenlet *g = bine_spawn(wait_private, NULL);
    CHECK_OK(bine_sleep(BINE_MS));
    pthread_t thread = real_thread(interrupt_later, NULL);
    errno = 0;
    CHECK_EQ(futex(&other_word, FUTEX_WAIT | PRIVATE, 0, NULL), -1);
    CHECK_EQ(errno, EINTR);
    CHECK_EQ(woken, 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(futex(&word, FUTEX_WAKE | PRIVATE, 1), 1);
    value_of(g);
    end();
}

static void wake_in_handler(int number)
{
    (void)number;
    int saved = errno;
    __atomic_store_n(&word, 1, __ATOMIC_SEQ_CST);
    futex(&word, FUTEX_WAKE | PRIVATE, INT_MAX);
    errno = saved;
}

static void *keep_waiting(void *rounds)
{
    for (int i = 0; i < (int)(intptr_t)rounds; i++) {
        while (__atomic_load_n(&word, __ATOMIC_SEQ_CST) == 0)
            futex(&word, FUTEX_WAIT | PRIVATE, 0, NULL);
        __atomic_store_n(&word, 0, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

/* A handler may wake, wherever it interrupts. */
TEST(hazard_54_a_signal_handler_wakes, .seconds = 60)
{
    begin();
    struct sigaction action = {.sa_handler = wake_in_handler, .sa_flags = SA_RESTART};
    CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
    struct itimerval every = {{0, 700}, {0, 700}};
    CHECK_EQ(setitimer(ITIMER_REAL, &every, NULL), 0);
    bine_greenlet *all[2] = {bine_spawn(keep_waiting, (void *)100),
                             bine_spawn(keep_waiting, (void *)100)};
    for (int i = 0; i < 2; i++)
        value_of(all[i]);
    CHECK_EQ(setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 0}}, NULL), 0);
    end();
}

/* Callers take an error that they do not know for the end: a kill strikes at the next wait. */
TEST(hazard_54_a_kill_does_not_end_the_wait)
{
    begin();
    bine_greenlet *g = bine_spawn(wait_private, NULL);
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_OK(bine_kill(g));
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK(!bine_dead(g));
    CHECK_EQ(futex(&word, FUTEX_WAKE | PRIVATE, 1), 1);
    value_of(g);
    end();
}

static void *wait_shared(void *shared)
{
    while (__atomic_load_n((uint32_t *)shared, __ATOMIC_SEQ_CST) == 0)
        futex(shared, FUTEX_WAIT, 0, NULL);
    return NULL;
}

TEST(hazard_54_another_process_wakes)
{
    uint32_t *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    begin();
    pid_t child = fork();
    if (child == 0) {
        bine_libc.usleep(100000);
        __atomic_store_n(shared, 1, __ATOMIC_SEQ_CST);
        futex(shared, FUTEX_WAKE, INT_MAX);
        _exit(0);
    }
    value_of(bine_spawn(wait_shared, shared));
    int status = -1;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    CHECK_GE(atomic_load(&ticker.ticks), SOME_TICKS);
    end();
}

static void *wait_for_either(void *unused)
{
    (void)unused;
    struct futex_waitv both[2] = {{.uaddr = (uintptr_t)&word, .flags = FUTEX_32 | PRIVATE},
                                  {.uaddr = (uintptr_t)&other_word, .flags = FUTEX_32 | PRIVATE}};
    long which = syscall(SYS_futex_waitv, both, 2, 0, NULL, CLOCK_MONOTONIC);
    return (void *)(which < 0 ? -(long)errno : which);
}

TEST(hazard_54_several_words_at_once, .leaves = "a thread of the offload pool")
{
    if (syscall(SYS_futex_waitv, NULL, 0, 0, NULL, 0) < 0 && errno == ENOSYS)
        SKIP("this kernel has no futex_waitv");
    begin();
    bine_greenlet *g = bine_spawn(wait_for_either, NULL);
    CHECK_OK(bine_sleep(50 * BINE_MS));
    CHECK_GE(atomic_load(&ticker.ticks), SOME_TICKS);
    CHECK_EQ(futex(&other_word, FUTEX_WAKE | PRIVATE, 1), 1);
    CHECK_EQ((intptr_t)value_of(g), 1);
    end();
}

static void check_waitv_fails(int error)
{
    harness_not_under_emulator("it passes this call on in a way of its own");
    harness_not_under_valgrind("it does not know the call");
    filter_fails(SYS_futex_waitv, error);
    begin();
    CHECK_EQ((intptr_t)value_of(bine_spawn(wait_for_either, NULL)), -error);
    end();
}

TEST(hazard_54_several_words_in_an_older_kernel, .leaves = "a thread of the offload pool")
{
    check_waitv_fails(ENOSYS);
}

TEST(hazard_54_several_words_where_a_filter_forbids_it, .leaves = "a thread of the offload pool")
{
    check_waitv_fails(EPERM);
}

/* ---- other calls by number ------------------------------------------------------------------- */

static void *read_by_number(void *fds)
{
    char byte = 0;
    CHECK_EQ(syscall(SYS_read, ((int *)fds)[0], &byte, 1L), 1);
    CHECK_EQ(byte, 'a');
    CHECK_EQ(syscall(SYS_recvfrom, ((int *)fds)[0], &byte, 1L, 0L, NULL, NULL), 1);
    CHECK_EQ(byte, 'b');
    struct pollfd wait = {.fd = ((int *)fds)[0], .events = POLLIN};
    sigset_t none;
    sigemptyset(&none);
    CHECK_EQ(syscall(SYS_ppoll, &wait, 1L, &(struct timespec){.tv_nsec = 10 * BINE_MS}, &none, 8L),
             0);
    CHECK_EQ(syscall(SYS_ppoll, &wait, 1L, NULL, &none, 9L), -1);
    CHECK_EQ(errno, EINVAL);
    CHECK_EQ(syscall(SYS_nanosleep, &(struct timespec){.tv_nsec = 5 * BINE_MS}, NULL), 0);
    CHECK_EQ(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0L,
                     &(struct timespec){.tv_nsec = 5 * BINE_MS}, NULL),
             0);
    CHECK_EQ(syscall(SYS_clock_nanosleep, 12345L, 0L, &(struct timespec){.tv_nsec = 1}, NULL), -1);
    CHECK_EQ(errno, EINVAL);
    return NULL;
}

TEST(hazard_54_other_calls_by_number_let_greenlets_run)
{
    begin();
    int fds[2];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    bine_greenlet *g = bine_spawn(read_by_number, fds);
    CHECK_OK(bine_sleep(5 * BINE_MS));
    CHECK_EQ(syscall(SYS_write, fds[1], "a", 1L), 1);
    CHECK_OK(bine_sleep(5 * BINE_MS));
    CHECK_EQ(syscall(SYS_sendto, fds[1], "b", 1L, 0L, NULL, 0L), 1);
    value_of(g);
    CHECK_GE(atomic_load(&ticker.ticks), SOME_TICKS);
    CHECK_EQ(syscall(SYS_close, fds[0]), 0);
    CHECK_EQ(syscall(SYS_close, fds[0]), -1);
    CHECK_EQ(errno, EBADF);
    CHECK_EQ(close(fds[1]), 0);
    end();
}

static void *wait_by_number(void *fds)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = 7};
    int set = epoll_create1(EPOLL_CLOEXEC);
    CHECK_OK(epoll_ctl(set, EPOLL_CTL_ADD, ((int *)fds)[0], &event));
    event.data.u32 = 0;
    CHECK_EQ(
        syscall(SYS_epoll_pwait2, set, &event, 1L, &(struct timespec){.tv_nsec = -1}, NULL, 8L),
        -1);
    CHECK_EQ(errno, EINVAL);
    CHECK_EQ(syscall(SYS_epoll_pwait2, set, &event, 1L, NULL, NULL, 8L), 1);
    CHECK_EQ(event.data.u32, 7u);
    CHECK_EQ(syscall(SYS_close_range, (long)set, (long)set, 0L), 0);
    CHECK_EQ(close(set), -1);
    return NULL;
}

/* A program may know calls that its libc does not. */
TEST(hazard_54_calls_by_number_that_libc_has_not)
{
    if (syscall(SYS_epoll_pwait2, -1L, NULL, 0L, NULL, NULL, 0L) < 0 && errno == ENOSYS)
        SKIP("this kernel has no epoll_pwait2");
    begin();
    bine_libc.close_range = NULL;
    bine_libc.epoll_pwait2 = NULL;
    int fds[2];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    bine_greenlet *g = bine_spawn(wait_by_number, fds);
    CHECK_OK(bine_sleep(10 * BINE_MS));
    CHECK_EQ(write(fds[1], "a", 1), 1);
    value_of(g);
    CHECK_GE(atomic_load(&ticker.ticks), SOME_TICKS);
    close(fds[0]);
    close(fds[1]);
    end();
}

TEST(calls_that_do_not_wait_pass_with_all_six_words)
{
    begin();
    CHECK_EQ(syscall(SYS_gettid), getpid());
    CHECK_EQ(syscall(SYS_getpid), getpid());
    errno = 0;
    CHECK_EQ(syscall(-1L), -1);
    CHECK_EQ(errno, ENOSYS);
    CHECK_EQ(syscall(100000L), -1);
    CHECK_EQ(errno, ENOSYS);
    long page = sysconf(_SC_PAGESIZE);
    FILE *file = tmpfile();
    CHECK(file != NULL);
    CHECK_EQ(ftruncate(fileno(file), 2 * page), 0);
    CHECK_EQ(pwrite(fileno(file), "second", 6, page), 6);
    errno = 77;
    char *mapped = (char *)syscall(SYS_mmap, NULL, page, (long)PROT_READ, (long)MAP_PRIVATE,
                                   (long)fileno(file), page);
    CHECK(mapped != MAP_FAILED);
    CHECK_EQ(memcmp(mapped, "second", 6), 0);
    CHECK_EQ(errno, 77);
    CHECK_EQ(munmap(mapped, (size_t)page), 0);
    CHECK_EQ(fclose(file), 0);
    end();
}
