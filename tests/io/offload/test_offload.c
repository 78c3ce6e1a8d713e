/* The offload pool: growth, bound, idle end, cancelling, thread creation that fails, fork, hubs
 * that end. */
#include "harness.h"

#include <bine.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "io/offload/offload.h"
#include "libc/libc.h"

/* A job that blocks its thread until the test opens the gate. */
struct gate {
    sem_t open;
    atomic_int entered;
    atomic_int left;
};

static void gate_init(struct gate *gate)
{
    sem_init(&gate->open, 0, 0);
    gate->entered = gate->left = 0;
}

static void *pass(void *arg)
{
    struct gate *gate = arg;
    gate->entered++;
    while (sem_wait(&gate->open) != 0)
        ;
    gate->left++;
    return gate;
}

static void await_entered(struct gate *gate, int count)
{
    while (gate->entered < count)
        CHECK_OK(bine_sleep(BINE_MS));
}

static void *offload_pass(void *gate)
{
    void *value = NULL;
    if (bine_offload(pass, gate, &value) != 0)
        bine_fail(errno);
    return value;
}

static void *add_one(void *arg)
{
    errno = ENOTTY;
    return (char *)arg + 1;
}

static void *leave_errno(void *arg)
{
    return arg;
}

TEST(value_and_errno_come_back)
{
    CHECK_EQ(bine_offload_threads(), 0);
    void *value = NULL;
    errno = 0;
    CHECK_NE(bine_getcurrent(), NULL);
    CHECK_EQ(bine_offload(add_one, (void *)41, &value), 0);
    CHECK_EQ(errno, ENOTTY);
    CHECK_EQ(value, (void *)42);
    CHECK_EQ(bine_offload_threads(), 1);
    errno = EXDEV;
    CHECK_EQ(bine_offload(leave_errno, NULL, NULL), 0);
    CHECK_EQ(errno, EXDEV);
}

TEST(one_call_after_the_other_needs_one_thread)
{
    CHECK_NE(bine_getcurrent(), NULL);
    for (int i = 0; i < 1000; i++)
        CHECK_OK(bine_offload(leave_errno, NULL, NULL));
    CHECK_EQ(bine_offload_threads(), 1);
}

TEST(no_function_is_an_error)
{
    CHECK_ERROR(bine_offload(NULL, NULL, NULL), EINVAL);
    CHECK_NE(bine_getcurrent(), NULL);
    CHECK_ERROR(bine_offload(NULL, NULL, NULL), EINVAL);
    CHECK_EQ(bine_offload_threads(), 0);
}

static void *thread_id(void *unused)
{
    return (void *)syscall(SYS_gettid);
}

static void *offload_without_hub(void *unused)
{
    void *value = NULL;
    CHECK_OK(bine_offload(thread_id, NULL, &value));
    CHECK_EQ(value, (void *)syscall(SYS_gettid));
    CHECK_EQ(bine_offload_threads(), 0);
    return NULL;
}

TEST(a_thread_without_a_hub_runs_it_in_place)
{
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, offload_without_hub, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
}

TEST(it_runs_on_another_thread)
{
    void *value = NULL;
    CHECK_NE(bine_getcurrent(), NULL);
    CHECK_OK(bine_offload(thread_id, NULL, &value));
    CHECK_NE(value, (void *)syscall(SYS_gettid));
}

static void *blocked_signals(void *arg)
{
    pthread_sigmask(SIG_SETMASK, NULL, arg);
    return NULL;
}

TEST(pool_threads_block_signals)
{
    sigset_t mask, mine;
    sigemptyset(&mask);
    CHECK_NE(bine_getcurrent(), NULL);
    CHECK_OK(bine_offload(blocked_signals, &mask, NULL));
    for (int signal = 1; signal < 32; signal++) {
        bool fault = signal == SIGSEGV || signal == SIGBUS || signal == SIGFPE ||
                     signal == SIGILL || signal == SIGTRAP || signal == SIGSYS;
        if (signal != SIGKILL && signal != SIGSTOP)
            CHECK_EQ(sigismember(&mask, signal), !fault);
    }
    pthread_sigmask(SIG_SETMASK, NULL, &mine);
    CHECK_EQ(sigismember(&mine, SIGINT), 0);
}

TEST(jobs_run_at_the_same_time_while_greenlets_run)
{
    enum {
        JOBS = 12
    };
    struct gate gate;
    gate_init(&gate);
    bine_greenlet *all[JOBS];
    for (int i = 0; i < JOBS; i++)
        CHECK_NE(all[i] = bine_spawn(offload_pass, &gate), NULL);
    /* All are inside at once, and this greenlet runs meanwhile: it is what opens the gate. */
    await_entered(&gate, JOBS);
    CHECK_EQ(bine_offload_threads(), JOBS);
    CHECK_EQ(gate.left, 0);
    for (int i = 0; i < JOBS; i++)
        sem_post(&gate.open);
    CHECK_OK(bine_joinall(all, JOBS, BINE_FOREVER));
    CHECK_EQ(gate.left, JOBS);
}

static atomic_int order_next;

static void *take_order(void *arg)
{
    *(int *)arg = order_next++;
    return NULL;
}

static void *offload_take_order(void *arg)
{
    CHECK_OK(bine_offload(take_order, arg, NULL));
    return NULL;
}

TEST(the_bound_holds_and_the_queue_is_first_come_first_served)
{
    setenv("BINE_OFFLOAD_THREADS", "1", 1);
    struct gate gate;
    gate_init(&gate);
    bine_greenlet *blocker = bine_spawn(offload_pass, &gate);
    await_entered(&gate, 1);
    enum {
        JOBS = 20
    };
    int order[JOBS];
    bine_greenlet *all[JOBS];
    for (int i = 0; i < JOBS; i++)
        CHECK_NE(all[i] = bine_spawn(offload_take_order, &order[i]), NULL);
    CHECK_OK(bine_sleep(0));
    CHECK_EQ(bine_offload_queued(), JOBS);
    CHECK_EQ(bine_offload_threads(), 1);
    sem_post(&gate.open);
    CHECK_OK(bine_joinall(all, JOBS, BINE_FOREVER));
    CHECK_OK(bine_join(blocker, NULL, BINE_FOREVER));
    for (int i = 0; i < JOBS; i++)
        CHECK_EQ(order[i], i);
    CHECK_EQ(bine_offload_threads(), 1);
}

TEST(a_nonsense_bound_is_ignored)
{
    setenv("BINE_OFFLOAD_THREADS", "0", 1);
    CHECK_NE(bine_getcurrent(), NULL);
    CHECK_OK(bine_offload(leave_errno, NULL, NULL));
    CHECK_EQ(bine_offload_threads(), 1);
}

TEST(idle_threads_end, .seconds = 30)
{
    bine_offload_set_idle(20 * BINE_MS);
    struct gate gate;
    gate_init(&gate);
    bine_greenlet *all[4];
    for (int i = 0; i < 4; i++)
        CHECK_NE(all[i] = bine_spawn(offload_pass, &gate), NULL);
    await_entered(&gate, 4);
    for (int i = 0; i < 4; i++)
        sem_post(&gate.open);
    CHECK_OK(bine_joinall(all, 4, BINE_FOREVER));
    while (bine_offload_threads() > 0)
        CHECK_OK(bine_sleep(5 * BINE_MS));
    /* ... and new ones are made when they are needed again. */
    void *value = NULL;
    CHECK_OK(bine_offload(add_one, NULL, &value));
    CHECK_EQ(value, (void *)1);
}

static atomic_int called;

static void *count_call(void *unused)
{
    called++;
    return NULL;
}

static void *offload_count(void *unused)
{
    if (bine_offload(count_call, NULL, NULL) != 0)
        bine_fail(errno);
    return NULL;
}

TEST(killed_while_queued_it_never_runs)
{
    setenv("BINE_OFFLOAD_THREADS", "1", 1);
    struct gate gate;
    gate_init(&gate);
    bine_greenlet *blocker = bine_spawn(offload_pass, &gate);
    await_entered(&gate, 1);
    bine_greenlet *before = bine_spawn(offload_count, NULL);
    bine_greenlet *victim = bine_spawn(offload_count, NULL);
    bine_greenlet *after = bine_spawn(offload_count, NULL);
    CHECK_OK(bine_sleep(0));
    CHECK_EQ(bine_offload_queued(), 3);
    CHECK_OK(bine_kill(victim));
    CHECK_OK(bine_joinall_with(&victim, 1, BINE_FOREVER, 0, 0));
    CHECK_EQ(bine_error(victim), ECANCELED);
    CHECK_EQ(bine_offload_queued(), 2);
    bine_detach(victim);
    sem_post(&gate.open);
    bine_greenlet *rest[] = {blocker, before, after};
    CHECK_OK(bine_joinall(rest, 3, BINE_FOREVER));
    CHECK_EQ(called, 2);
}

TEST(a_scope_that_expires_while_queued_cancels)
{
    setenv("BINE_OFFLOAD_THREADS", "1", 1);
    struct gate gate;
    gate_init(&gate);
    bine_greenlet *blocker = bine_spawn(offload_pass, &gate);
    await_entered(&gate, 1);
    bine_timeout scope;
    CHECK_OK(bine_timeout_begin(&scope, 10 * BINE_MS));
    CHECK_ERROR(bine_offload(count_call, NULL, NULL), ETIMEDOUT);
    CHECK_EQ(bine_timeout_end(&scope), 1);
    sem_post(&gate.open);
    CHECK_OK(bine_join(blocker, NULL, BINE_FOREVER));
    CHECK_EQ(called, 0);
}

static void *killed_while_running(void *gate)
{
    void *value = NULL;
    CHECK_OK(bine_offload(pass, gate, &value));
    CHECK_EQ(value, gate);
    CHECK_ERROR(bine_sleep(0), ECANCELED);
    CHECK_ERROR(bine_offload(count_call, NULL, NULL), ECANCELED);
    return NULL;
}

TEST(killed_while_it_runs_waits_for_the_end)
{
    struct gate gate;
    gate_init(&gate);
    bine_greenlet *victim = bine_spawn(killed_while_running, &gate);
    await_entered(&gate, 1);
    CHECK_OK(bine_kill(victim));
    CHECK_ERROR(bine_join(victim, NULL, 20 * BINE_MS), ETIMEDOUT);
    sem_post(&gate.open);
    CHECK_OK(bine_join(victim, NULL, BINE_FOREVER));
    CHECK_EQ(gate.left, 1);
    CHECK_EQ(called, 0);
}

struct owned {
    struct bine_offload_job job;
    struct gate *gate;
};

static atomic_int discarded;

static void run_owned(struct bine_offload_job *job)
{
    pass(((struct owned *)job)->gate);
}

static void discard_owned(struct bine_offload_job *job)
{
    free(job);
    discarded++;
}

static void *offload_owned(void *gate)
{
    struct owned *owned = calloc(1, sizeof *owned);
    owned->job.run = run_owned;
    owned->gate = gate;
    int error =
        bine_offload_detached(bine_offload_hub(), &owned->job, discard_owned, "test", 0, INT64_MAX);
    if (error)
        bine_fail(error);
    free(owned);
    return NULL;
}

TEST(a_detached_job_lets_its_killed_caller_go)
{
    struct gate gate;
    gate_init(&gate);
    bine_greenlet *victim = bine_spawn(offload_owned, &gate);
    await_entered(&gate, 1);
    CHECK_OK(bine_kill(victim));
    CHECK_OK(bine_joinall_with(&victim, 1, BINE_FOREVER, 0, 0)); /* the gate is still shut */
    CHECK_EQ(bine_error(victim), ECANCELED);
    bine_detach(victim);
    CHECK_EQ(discarded, 0);
    sem_post(&gate.open);
    while (discarded == 0)
        CHECK_OK(bine_sleep(BINE_MS));
    bine_greenlet *happy = bine_spawn(offload_owned, &gate);
    sem_post(&gate.open);
    CHECK_OK(bine_join(happy, NULL, BINE_FOREVER));
    CHECK_EQ(discarded, 1);
}

static int refuse_thread(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                         void *arg)
{
    return EAGAIN;
}

TEST(without_any_thread_it_runs_in_place)
{
    bine_libc.pthread_create = refuse_thread;
    CHECK_NE(bine_getcurrent(), NULL);
    for (int i = 0; i < 3; i++) {
        void *value = NULL;
        CHECK_OK(bine_offload(thread_id, NULL, &value));
        CHECK_EQ(value, (void *)syscall(SYS_gettid));
    }
    CHECK_EQ(bine_offload_threads(), 0);
    CHECK_EQ(bine_offload_queued(), 0);
}

TEST(when_no_more_threads_are_made_those_that_exist_serve)
{
    struct gate gate;
    gate_init(&gate);
    bine_greenlet *blocker = bine_spawn(offload_pass, &gate);
    await_entered(&gate, 1);
    bine_libc.pthread_create = refuse_thread;
    bine_greenlet *all[5];
    for (int i = 0; i < 5; i++)
        CHECK_NE(all[i] = bine_spawn(offload_count, NULL), NULL);
    CHECK_OK(bine_sleep(0));
    CHECK_EQ(bine_offload_queued(), 5);
    CHECK_EQ(bine_offload_threads(), 1);
    sem_post(&gate.open);
    CHECK_OK(bine_joinall(all, 5, BINE_FOREVER));
    CHECK_OK(bine_join(blocker, NULL, BINE_FOREVER));
    CHECK_EQ(called, 5);
}

TEST(after_fork_the_child_has_a_pool_of_its_own)
{
    harness_not_under_emulator("a child of a process with threads cannot make threads there");
    struct gate gate;
    gate_init(&gate);
    bine_greenlet *blocker = bine_spawn(offload_pass, &gate);
    await_entered(&gate, 1);
    pid_t child = fork();
    CHECK_OK(child);
    if (child == 0) {
        void *value = NULL;
        bool well = bine_offload_threads() == 0 && bine_offload(add_one, (void *)1, &value) == 0 &&
                    value == (void *)2 && bine_offload_threads() == 1;
        _exit(well ? 7 : 8);
    }
    int status;
    while (waitpid(child, &status, WNOHANG) == 0)
        CHECK_OK(bine_sleep(BINE_MS));
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 7);
    sem_post(&gate.open);
    CHECK_OK(bine_join(blocker, NULL, BINE_FOREVER));
}

static void *many(void *unused)
{
    enum {
        GREENLETS = 50
    };
    bine_greenlet *all[GREENLETS];
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < GREENLETS; i++)
            CHECK_NE(all[i] = bine_spawn(offload_count, NULL), NULL);
        CHECK_OK(bine_joinall(all, GREENLETS, BINE_FOREVER));
    }
    return NULL;
}

TEST(several_hubs_share_the_pool)
{
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, many, NULL), 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    CHECK_EQ(called, 4 * 4 * 50);
    CHECK_LE(bine_offload_threads(), 64);
}

static void *abandon(void *gate)
{
    CHECK_OK(bine_go(offload_pass, gate));
    CHECK_OK(bine_go(offload_owned, gate));
    await_entered(gate, 2);
    return NULL; /* the thread ends with both parked */
}

static void *open_later(void *gate)
{
    struct timespec moment = {.tv_nsec = 50 * BINE_MS};
    nanosleep(&moment, NULL);
    sem_post(&((struct gate *)gate)->open);
    sem_post(&((struct gate *)gate)->open);
    return NULL;
}

TEST(a_thread_that_ends_waits_for_jobs_on_its_stacks,
     .leaves = "a thread that ends with parked greenlets is the subject")
{
    static struct gate gate;
    gate_init(&gate);
    pthread_t thread, opener;
    CHECK_EQ(pthread_create(&thread, NULL, abandon, &gate), 0);
    while (gate.entered < 2)
        usleep(1000);
    CHECK_EQ(pthread_create(&opener, NULL, open_later, &gate), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(pthread_join(opener, NULL), 0);
    while (gate.left < 2 || discarded < 1)
        usleep(1000);
    CHECK_EQ(discarded, 1);
}

static void *nothing_much(void *arg)
{
    return arg;
}

TEST(idle_threads_of_the_pool_hide_no_deadlock)
{
    harness_only_one_thread();
    setenv("BINE_DEADLOCK_DUMP", "0", 1);
    CHECK_OK(bine_offload(nothing_much, NULL, NULL));
    CHECK_ERROR(bine_sleep(BINE_FOREVER), EDEADLK);
}

/* ---- fork inside a job, and clocks ----------------------------------------------------------- */

/* In the child: when the job has ended and its thread has been idle, the pool has no thread. */
static void *look_at_pool(void *arg)
{
    for (int i = 0; i < 2000 && bine_offload_threads() != 0; i++)
        bine_libc.nanosleep(&(struct timespec){.tv_nsec = BINE_MS}, NULL);
    _exit(bine_offload_threads() == 0 && bine_offload_queued() == 0 ? 0 : 1);
    return arg;
}

static void *fork_in_job(void *arg)
{
    pthread_t thread;
    pid_t child = fork();
    if (child == 0) {
        if (bine_offload_threads() != 1 || pthread_create(&thread, NULL, look_at_pool, NULL) != 0)
            _exit(2);
        bine_offload_set_idle(BINE_MS);
    }
    return (void *)(intptr_t)child;
}

TEST(hazard_114_a_job_that_forks_is_counted_in_the_child)
{
    void *child;
    int status;
    CHECK(bine_hub_get() != NULL);
    CHECK_OK(bine_offload(fork_in_job, NULL, &child));
    CHECK_EQ(bine_libc.wait4((pid_t)(intptr_t)child, &status, 0, NULL), (pid_t)(intptr_t)child);
    CHECK_EQ(status, 0);
}

static int (*real_timedwait)(pthread_cond_t *condition, pthread_mutex_t *mutex,
                             const struct timespec *until);
static atomic_uint waits, waits_by_wall_clock;

static int timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
                     const struct timespec *until)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    atomic_fetch_add(&waits, 1);
    if (until->tv_sec > now.tv_sec + 1000)
        atomic_fetch_add(&waits_by_wall_clock, 1);
    return real_timedwait(condition, mutex, until);
}

static void *take_long(void *arg)
{
    bine_libc.nanosleep(&(struct timespec){.tv_nsec = 50 * BINE_MS}, NULL);
    return arg;
}

static void *have_it_run(void *arg)
{
    bine_offload(take_long, NULL, NULL);
    return arg;
}

/* Its greenlet waits for a job when it ends. */
static void *end_early(void *arg)
{
    CHECK(bine_spawn(have_it_run, NULL) != NULL);
    CHECK_OK(bine_sleep(5 * BINE_MS));
    return arg;
}

TEST(hazard_115_the_end_of_a_thread_waits_by_the_monotonic_clock)
{
    pthread_t thread;
    real_timedwait = bine_libc.pthread_cond_timedwait;
    bine_libc.pthread_cond_timedwait = timedwait;
    CHECK_EQ(pthread_create(&thread, NULL, end_early, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_GT(atomic_load(&waits), 0u);
    CHECK_EQ(atomic_load(&waits_by_wall_clock), 0u);
    bine_libc.pthread_cond_timedwait = real_timedwait;
}
