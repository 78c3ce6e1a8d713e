/* POSIX semaphores for greenlets: order, times, signal handlers, other processes. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/filter.h"
#include "libc/kernel.h"
#include "locks.h"
#include "locks/posix.h"

static sem_t semaphore;
static char order[64];
static int order_length;

static void *take(void *letter)
{
    CHECK_OK(bine_sem_wait(&semaphore));
    order[order_length++] = (char)(intptr_t)letter;
    return NULL;
}

TEST(permits_go_to_waiters_in_order_and_nobody_steals_them)
{
    sem_init(&semaphore, 0, 0);
    bine_greenlet *all[3];
    for (int i = 0; i < 3; i++)
        all[i] = bine_spawn(take, (void *)(intptr_t)('a' + i));
    bine_sleep(0);
    CHECK_OK(bine_sem_post(&semaphore));
    CHECK_ERROR(sem_trywait(&semaphore), EAGAIN);
    int value;
    sem_getvalue(&semaphore, &value);
    CHECK_EQ(value, 0);
    CHECK_OK(bine_sem_post(&semaphore));
    CHECK_OK(bine_sem_post(&semaphore));
    CHECK_OK(bine_sem_post(&semaphore));
    sem_getvalue(&semaphore, &value);
    CHECK_EQ(value, 1);
    CHECK_OK(bine_joinall(all, 3, BINE_FOREVER));
    CHECK_STRING(order, "abc");
    errno = 0;
    CHECK_OK(bine_sem_wait(&semaphore));
    CHECK_EQ(errno, 0);
}

TEST(timed_waits_time_out_and_check_their_arguments_first)
{
    bine_getcurrent();
    sem_init(&semaphore, 0, 1);
    struct timespec wrong = {0, BINE_SECOND}, past = {0, 0};
    CHECK_ERROR(bine_sem_timedwait(&semaphore, &wrong), EINVAL);
    CHECK_OK(bine_sem_timedwait(&semaphore, &past));
    CHECK_ERROR(bine_sem_timedwait(&semaphore, &past), ETIMEDOUT);
    struct timespec soon = from_now(CLOCK_REALTIME, 10 * BINE_MS);
    CHECK_ERROR(bine_sem_timedwait(&semaphore, &soon), ETIMEDOUT);
    soon = from_now(CLOCK_MONOTONIC, 10 * BINE_MS);
    int64_t start = harness_now();
    CHECK_ERROR(bine_sem_clockwait(&semaphore, CLOCK_MONOTONIC, &soon), ETIMEDOUT);
    CHECK_GE(harness_now() - start, 9 * BINE_MS);
    CHECK_ERROR(bine_sem_clockwait(&semaphore, CLOCK_PROCESS_CPUTIME_ID, &soon), EINVAL);
}

static void *wait_and_tell(void *arg)
{
    return (void *)(intptr_t)(bine_sem_wait(&semaphore) == 0 ? 0 : errno);
}

TEST(a_killed_waiter_gives_up_and_takes_no_permit)
{
    sem_init(&semaphore, 0, 0);
    bine_greenlet *killed = bine_spawn(wait_and_tell, NULL),
                  *other = bine_spawn(wait_and_tell, NULL);
    bine_sleep(0);
    CHECK_OK(bine_kill(killed));
    /* The killed one is still first in the queue: it wins, and the next gets nothing. */
    CHECK_OK(bine_sem_post(&semaphore));
    bine_sleep(0);
    CHECK(bine_dead(killed));
    CHECK_OK(bine_sem_post(&semaphore));
    void *value;
    CHECK_OK(bine_join(other, &value, BINE_FOREVER));
    CHECK_EQ((intptr_t)value, 0);
    int left;
    sem_getvalue(&semaphore, &left);
    CHECK_OK(bine_join(killed, &value, BINE_FOREVER));
    /* Either it was cancelled and its permit is still there, or it got one: none is lost. */
    CHECK_EQ((intptr_t)value == 0 ? left : left - 1, 0);
}

/* ---- signal handlers ------------------------------------------------------------------------- */

static void post_from_handler(int signal)
{
    bine_sem_post(&semaphore);
}

TEST(a_signal_handler_may_post)
{
    SKIP_UNDER_TSAN("it delays signals until the next call that it intercepts");
    static char stack[65536];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    CHECK_OK(sigaltstack(&alternate, NULL));
    sem_init(&semaphore, 0, 0);
    struct sigaction action = {.sa_handler = post_from_handler,
                               .sa_flags = SA_ONSTACK | SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
    for (int i = 0; i < 200; i++) {
        bine_greenlet *g = bine_spawn(wait_and_tell, NULL);
        bine_sleep(0);
        raise(SIGUSR1);
        void *value;
        CHECK_OK(bine_join(g, &value, BINE_FOREVER));
        CHECK_EQ((intptr_t)value, 0);
    }
}

TEST(who_waits_for_a_signal_handler_to_post_is_not_in_a_deadlock)
{
    SKIP_UNDER_TSAN("it delays signals until the next call that it intercepts");
    static char stack[65536];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    CHECK_OK(sigaltstack(&alternate, NULL));
    sem_init(&semaphore, 0, 0);
    struct sigaction action = {.sa_handler = post_from_handler,
                               .sa_flags = SA_ONSTACK | SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        nap(20 * BINE_MS);
        kill(parent, SIGUSR1);
        _exit(0);
    }
    bine_getcurrent();
    CHECK_OK(bine_sem_wait(&semaphore)); /* by the root */
    CHECK_EQ(waitpid(child, NULL, 0), child);
    void *value;
    bine_greenlet *g = bine_spawn(wait_and_tell, NULL);
    bine_sleep(0);
    child = fork();
    if (child == 0) {
        nap(20 * BINE_MS);
        kill(parent, SIGUSR1);
        _exit(0);
    }
    CHECK_OK(bine_join(g, &value, BINE_FOREVER));
    CHECK_EQ((intptr_t)value, 0);
    CHECK_EQ(waitpid(child, NULL, 0), child);
}

static atomic_bool storming;

static void *storm(void *target)
{
    while (atomic_load(&storming)) {
        pthread_kill(*(pthread_t *)target, SIGUSR1);
        nap(20 * BINE_US);
    }
    return NULL;
}

static void *take_many(void *count)
{
    for (int i = 0; i < *(int *)count; i++)
        CHECK_OK(bine_sem_wait(&semaphore));
    return NULL;
}

TEST(posts_from_handlers_that_interrupt_the_hub_anywhere_are_not_lost, .seconds = 60)
{
    SKIP_UNDER_TSAN("it delays signals until the next call that it intercepts");
    static char stack[65536];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    CHECK_OK(sigaltstack(&alternate, NULL));
    sem_init(&semaphore, 0, 0);
    struct sigaction action = {.sa_handler = post_from_handler,
                               .sa_flags = SA_ONSTACK | SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
    atomic_store(&storming, true);
    pthread_t self = pthread_self(), thread = real_thread(storm, &self);
    int count = 200;
    bine_greenlet *all[4];
    for (int i = 0; i < 4; i++)
        all[i] = bine_spawn(take_many, &count);
    CHECK_OK(bine_joinall(all, 4, BINE_FOREVER));
    atomic_store(&storming, false);
    pthread_join(thread, NULL);
}

/* ---- threads and processes ------------------------------------------------------------------- */

enum {
    HUBS = 2,
    GREENLETS = 5,
    ROUNDS = 300
};

static sem_t full, empty;
static atomic_int passed;

static void *consume(void *patched)
{
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_OK(patched ? bine_sem_wait(&full) : sem_wait(&full));
        atomic_fetch_add(&passed, 1);
        CHECK_OK(bine_sem_post(&empty));
    }
    return NULL;
}

static void *run_hub(void *arg)
{
    bine_greenlet *all[GREENLETS];
    for (int i = 0; i < GREENLETS; i++)
        all[i] = bine_spawn(consume, &full);
    CHECK_OK(bine_joinall(all, GREENLETS, BINE_FOREVER));
    return NULL;
}

TEST(permits_pass_between_hubs_and_threads_and_none_is_lost, .seconds = 60)
{
    sem_init(&full, 0, 0);
    sem_init(&empty, 0, 7);
    pthread_t threads[HUBS + 2];
    for (int i = 0; i < HUBS; i++)
        threads[i] = real_thread(run_hub, NULL);
    threads[HUBS] = real_thread(consume, NULL);
    threads[HUBS + 1] = real_thread(consume, &full);
    for (int i = 0; i < (HUBS * GREENLETS + 2) * ROUNDS; i++) {
        CHECK_OK(bine_sem_wait(&empty));
        CHECK_OK(bine_sem_post(&full));
    }
    for (int i = 0; i < HUBS + 2; i++)
        pthread_join(threads[i], NULL);
    CHECK_EQ(atomic_load(&passed), (HUBS * GREENLETS + 2) * ROUNDS);
}

static void wait_for_a_process(sem_t *shared)
{
    struct ticker *ticker = shared_ticker();
    pid_t child = fork();
    if (child == 0) {
        await_ticks(ticker);
        for (int i = 0; i < 3; i++)
            sem_post(shared);
        _exit(0);
    }
    bine_greenlet *g = bine_spawn(tick, ticker);
    for (int i = 0; i < 3; i++)
        CHECK_OK(bine_sem_wait(shared));
    ticker->stop = true;
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(waitpid(child, NULL, 0), child);
}

TEST(hazard_33_a_shared_semaphore_posted_by_another_process_does_not_block_the_hub)
{
    sem_t *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    CHECK_OK(sem_init(shared, 1, 0));
    wait_for_a_process(shared);
}

TEST(hazard_33_a_named_semaphore_posted_by_another_process_does_not_block_the_hub)
{
    char name[64];
    snprintf(name, sizeof name, "/bine-test-%d", (int)getpid());
    sem_t *named = sem_open(name, O_CREAT | O_EXCL, 0600, 0);
    CHECK(named != SEM_FAILED);
    sem_unlink(name);
    wait_for_a_process(named);
    sem_close(named);
}

/* ---- long waits: the futex is watched -------------------------------------------------------- */

static sem_t *shared_semaphores(int count)
{
    sem_t *all = mmap(NULL, sizeof *all * (size_t)count, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(all != MAP_FAILED);
    for (int i = 0; i < count; i++)
        CHECK_OK(sem_init(&all[i], 1, 0));
    return all;
}

TEST(hazard_33_posts_of_another_process_are_heard_at_once_also_in_long_waits, .seconds = 60)
{
    enum {
        EXCHANGES = 40
    };
    sem_t *ball = shared_semaphores(2);
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < EXCHANGES; i++) {
            sem_wait(&ball[0]);
            nap(5 * BINE_MS);
            sem_post(&ball[1]);
        }
        _exit(0);
    }
    bine_getcurrent();
    int64_t start = harness_now();
    for (int i = 0; i < EXCHANGES; i++) {
        CHECK_OK(bine_sem_post(&ball[0]));
        CHECK_OK(bine_sem_wait(&ball[1]));
    }
    /* Unheard, each would take until the next look, half a second. */
    CHECK_LT(harness_now() - start, EXCHANGES * 250 * BINE_MS);
    CHECK_EQ(waitpid(child, NULL, 0), child);
}

static sem_t *permits;

static void *take_or_time_out(void *arg)
{
    int got = 0;
    for (int i = 0; i < 300; i++) {
        struct timespec until = from_now(CLOCK_MONOTONIC, (i % 5) * BINE_MS);
        if (bine_sem_clockwait(permits, CLOCK_MONOTONIC, &until) == 0) {
            got++;
            CHECK_OK(bine_sem_post(permits));
        } else {
            CHECK_EQ(errno, ETIMEDOUT);
        }
        if (i % 3 == 0)
            bine_sleep(0);
    }
    return (void *)(intptr_t)got;
}

TEST(hazard_33_greenlets_that_time_out_swallow_no_wake_of_other_processes, .seconds = 60)
{
    permits = shared_semaphores(1);
    pid_t children[3];
    for (int i = 0; i < 3; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            for (int j = 0; j < 200; j++) {
                sem_wait(permits);
                nap(200 * BINE_US);
                sem_post(permits);
            }
            _exit(0);
        }
    }
    bine_greenlet *all[4];
    for (int i = 0; i < 4; i++)
        all[i] = bine_spawn(take_or_time_out, NULL);
    bine_sleep(0);
    CHECK_OK(bine_sem_post(permits)); /* the one permit */
    CHECK_OK(bine_joinall(all, 4, BINE_FOREVER));
    for (int i = 0; i < 3; i++)
        CHECK_EQ(waitpid(children[i], NULL, 0), children[i]);
    int left;
    sem_getvalue(permits, &left);
    CHECK_EQ(left, 1);
}

/* The waiter looks at the semaphore from time to time. */
static void check_heard_without_waitv(int error)
{
    harness_not_under_emulator("it passes this call on in a way of its own");
    sem_t *ball = shared_semaphores(2);
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 3; i++) {
            sem_wait(&ball[0]);
            nap(20 * BINE_MS);
            sem_post(&ball[1]);
        }
        _exit(0);
    }
    filter_fails(SYS_futex_waitv, error);
    bine_getcurrent();
    for (int i = 0; i < 3; i++) {
        CHECK_OK(bine_sem_post(&ball[0]));
        CHECK_OK(bine_sem_wait(&ball[1]));
    }
    CHECK_EQ(waitpid(child, NULL, 0), child);
}

TEST(hazard_33_posts_are_heard_in_a_kernel_without_futex_waitv)
{
    check_heard_without_waitv(ENOSYS);
}

TEST(hazard_33_posts_are_heard_where_a_filter_forbids_futex_waitv)
{
    check_heard_without_waitv(EPERM);
}
