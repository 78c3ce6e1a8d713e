/* What POSIX says of threads, asked of greenlets with threads of their own: locks, clocks,
 * processes, contexts. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "common.h"

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

/* ---- locks ----------------------------------------------------------------------------------- */

static pthread_mutex_t mutex;

static void *lock_and_leave(void *arg)
{
    CHECK_EQ(pthread_mutex_lock(&mutex), 0);
    usleep(1000);
    return arg;
}

static void *expect_death(void *arg)
{
    CHECK_EQ(pthread_mutex_lock(&mutex), EOWNERDEAD);
    CHECK_EQ(pthread_mutex_consistent(&mutex), 0);
    CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
    return arg;
}

TEST(a_robust_mutex_tells_that_its_owner_has_ended)
{
    patch();
    pthread_mutexattr_t attributes;
    CHECK_EQ(pthread_mutexattr_init(&attributes), 0);
    CHECK_EQ(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST), 0);
    CHECK_EQ(pthread_mutex_init(&mutex, &attributes), 0);
    pthread_t owner = make(lock_and_leave, NULL), waiter = make(expect_death, NULL);
    join_thread(owner);
    join_thread(waiter);
    join_thread(make(lock_and_leave, NULL));
    join_thread(make(expect_death, NULL));
    CHECK_EQ(pthread_mutex_lock(&mutex), 0);
    CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
    CHECK_EQ(pthread_mutex_destroy(&mutex), 0);
}

static void *fail_to_lock(void *arg)
{
    CHECK_EQ(pthread_mutex_trylock(&mutex), EBUSY);
    CHECK_EQ(pthread_mutex_unlock(&mutex), EPERM);
    struct timespec until;
    CHECK_OK(clock_gettime(CLOCK_MONOTONIC, &until));
    CHECK_EQ(pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &until), ETIMEDOUT);
    return arg;
}

TEST(owners_are_told_apart)
{
    patch();
    pthread_mutexattr_t attributes;
    CHECK_EQ(pthread_mutexattr_init(&attributes), 0);
    CHECK_EQ(pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK), 0);
    CHECK_EQ(pthread_mutex_init(&mutex, &attributes), 0);
    CHECK_EQ(pthread_mutex_lock(&mutex), 0);
    CHECK_EQ(pthread_mutex_lock(&mutex), EDEADLK);
    join_thread(make(fail_to_lock, NULL));
    CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
}

static pthread_spinlock_t spin;
static int spun;

static void *spin_often(void *arg)
{
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(pthread_spin_lock(&spin), 0);
        int before = spun;
        sched_yield();
        spun = before + 1;
        CHECK_EQ(pthread_spin_unlock(&spin), 0);
    }
    return arg;
}

TEST(spin_locks_let_the_owner_run)
{
    patch();
    CHECK_EQ(pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE), 0);
    pthread_t all[4];
    for (int i = 0; i < 4; i++)
        all[i] = make(spin_often, NULL);
    for (int i = 0; i < 4; i++)
        join_thread(all[i]);
    CHECK_EQ(spun, 80);
}

static pthread_barrier_t barrier;

static void *meet(void *arg)
{
    int result = pthread_barrier_wait(&barrier);
    CHECK(result == 0 || result == PTHREAD_BARRIER_SERIAL_THREAD);
    *(atomic_int *)arg += result == PTHREAD_BARRIER_SERIAL_THREAD;
    return NULL;
}

TEST(one_thread_of_a_barrier_is_told)
{
    patch();
    atomic_int told = 0;
    pthread_t all[5];
    CHECK_EQ(pthread_barrier_init(&barrier, NULL, 5), 0);
    for (int i = 0; i < 5; i++)
        all[i] = make(meet, &told);
    for (int i = 0; i < 5; i++)
        join_thread(all[i]);
    CHECK_EQ(told, 1);
    CHECK_EQ(pthread_barrier_destroy(&barrier), 0);
}

static void *wait_by_clocks(void *arg)
{
    static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC};
    pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
    sem_t never;
    CHECK_OK(sem_init(&never, 0, 0));
    for (int i = 0; i < 2; i++) {
        pthread_condattr_t attributes;
        pthread_cond_t changed;
        struct timespec until;
        CHECK_EQ(pthread_condattr_init(&attributes), 0);
        CHECK_EQ(pthread_condattr_setclock(&attributes, clocks[i]), 0);
        CHECK_EQ(pthread_cond_init(&changed, &attributes), 0);
        CHECK_OK(clock_gettime(clocks[i], &until));
        CHECK_EQ(pthread_mutex_lock(&own), 0);
        CHECK_EQ(pthread_cond_timedwait(&changed, &own, &until), ETIMEDOUT);
        CHECK_EQ(pthread_cond_clockwait(&changed, &own, clocks[i], &until), ETIMEDOUT);
        CHECK_EQ(pthread_mutex_unlock(&own), 0);
        CHECK_EQ(pthread_cond_destroy(&changed), 0);
        CHECK_ERROR(sem_clockwait(&never, clocks[i], &until), ETIMEDOUT);
    }
    return arg;
}

TEST(waits_end_by_each_clock)
{
    patch();
    join_thread(make(wait_by_clocks, NULL));
}

/* ---- processes ------------------------------------------------------------------------------- */

static void *exec_in_child(void *arg)
{
    pid_t child = fork();
    CHECK_NE(child, -1);
    if (child == 0) {
        execl("/bin/sh", "sh", "-c", "exit 5", NULL);
        _exit(1);
    }
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 5);
    CHECK_EQ(WEXITSTATUS(system("exit 6")), 6);
    return arg;
}

TEST(a_thread_starts_programs)
{
    patch();
    join_thread(make(exec_in_child, NULL));
}

static char order[8];

static void prepare(void)
{
    strcat(order, "p");
}

static void in_parent(void)
{
    strcat(order, "P");
}

static void in_child(void)
{
    strcat(order, "C");
}

static void *give(void *arg)
{
    return arg;
}

static void *fork_once(void *arg)
{
    pthread_t self = pthread_self();
    pid_t child = fork();
    CHECK_NE(child, -1);
    if (child == 0) {
        bool good = strcmp(order, "pC") == 0 && pthread_equal(self, pthread_self());
        /* The child makes threads of its own. */
        good = good && join_thread(make(give, order)) == order;
        _exit(good ? 0 : 1);
    }
    CHECK_STRING(order, "pP");
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    return arg;
}

TEST(handlers_of_fork_run_around_a_threads_fork)
{
    patch();
    CHECK_EQ(pthread_atfork(prepare, in_parent, in_child), 0);
    join_thread(make(fork_once, NULL));
}

static void *write_later(void *arg)
{
    usleep(1000);
    CHECK_EQ(write(*(int *)arg, "later", 5), 5);
    return NULL;
}

TEST(threads_go_on_when_main_has_called_pthread_exit)
{
    patch();
    int ends[2];
    char text[8] = "";
    CHECK_OK(pipe(ends));
    pid_t child = fork();
    CHECK_NE(child, -1);
    if (child == 0) {
        pthread_detach(make(write_later, &ends[1]));
        pthread_exit(NULL);
    }
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    CHECK_EQ(read(ends[0], text, 5), 5);
    CHECK_STRING(text, "later");
    close(ends[0]), close(ends[1]);
}

struct shared {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int turn;
};

static void *play(void *arg)
{
    struct shared *shared = arg;
    CHECK_EQ(pthread_mutex_lock(&shared->mutex), 0);
    for (int i = 0; i < 20; i++) {
        while (shared->turn != 0)
            CHECK_EQ(pthread_cond_wait(&shared->changed, &shared->mutex), 0);
        shared->turn = 1;
        CHECK_EQ(pthread_cond_broadcast(&shared->changed), 0);
    }
    CHECK_EQ(pthread_mutex_unlock(&shared->mutex), 0);
    return NULL;
}

TEST(a_thread_and_another_process_share_a_condition)
{
    patch();
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    pthread_mutexattr_t of_mutex;
    pthread_condattr_t of_condition;
    CHECK_EQ(pthread_mutexattr_init(&of_mutex), 0);
    CHECK_EQ(pthread_mutexattr_setpshared(&of_mutex, PTHREAD_PROCESS_SHARED), 0);
    CHECK_EQ(pthread_condattr_init(&of_condition), 0);
    CHECK_EQ(pthread_condattr_setpshared(&of_condition, PTHREAD_PROCESS_SHARED), 0);
    CHECK_EQ(pthread_mutex_init(&shared->mutex, &of_mutex), 0);
    CHECK_EQ(pthread_cond_init(&shared->changed, &of_condition), 0);
    pid_t child = fork();
    CHECK_NE(child, -1);
    if (child == 0) {
        pthread_mutex_lock(&shared->mutex);
        for (int i = 0; i < 20; i++) {
            while (shared->turn != 1)
                pthread_cond_wait(&shared->changed, &shared->mutex);
            shared->turn = 0;
            pthread_cond_broadcast(&shared->changed);
        }
        pthread_mutex_unlock(&shared->mutex);
        _exit(0);
    }
    join_thread(make(play, shared));
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    CHECK_OK(munmap(shared, sizeof *shared));
}

/* ---- what a thread is asked about ------------------------------------------------------------ */

static void *ask(void *arg)
{
    pthread_t self = pthread_self();
    clockid_t clock;
    struct timespec used;
    cpu_set_t set;
    struct sched_param parameters;
    int policy;
    CHECK_EQ(pthread_getcpuclockid(self, &clock), 0);
    CHECK_OK(clock_gettime(clock, &used));
    CHECK_OK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used));
    CHECK_EQ(pthread_getaffinity_np(self, sizeof set, &set), 0);
    CHECK_EQ(pthread_setaffinity_np(self, sizeof set, &set), 0);
    CHECK_EQ(pthread_getschedparam(self, &policy, &parameters), 0);
    CHECK_EQ(pthread_setschedparam(self, policy, &parameters), 0);
    CHECK_GE(sched_getcpu(), 0);
    return arg;
}

TEST(a_thread_asks_about_itself)
{
    patch();
    join_thread(make(ask, NULL));
}

static char stacks[2][16384];

static void *set_stack(void *arg)
{
    stack_t wanted = {.ss_sp = arg, .ss_size = sizeof stacks[0]}, now;
    CHECK_OK(sigaltstack(NULL, &now));
    CHECK_EQ(now.ss_flags, SS_DISABLE);
    CHECK_OK(sigaltstack(&wanted, NULL));
    usleep(1000);
    CHECK_OK(sigaltstack(NULL, &now));
    CHECK(now.ss_sp == arg);
    CHECK_EQ(now.ss_size, sizeof stacks[0]);
    return NULL;
}

TEST(each_thread_has_an_alternate_stack_of_its_own)
{
    patch();
    pthread_t all[2];
    for (int i = 0; i < 2; i++)
        all[i] = make(set_stack, stacks[i]);
    for (int i = 0; i < 2; i++)
        join_thread(all[i]);
}

static ucontext_t inside, outside;
static int visited;

static void visit(void)
{
    visited++;
    usleep(100); /* on the stack of the context */
    swapcontext(&inside, &outside);
    visited++;
}

static void *use_contexts(void *arg)
{
    CHECK_OK(getcontext(&inside));
    inside.uc_stack.ss_sp = arg;
    inside.uc_stack.ss_size = 65536;
    inside.uc_link = &outside;
    makecontext(&inside, visit, 0);
    CHECK_OK(swapcontext(&outside, &inside));
    CHECK_EQ(visited, 1);
    CHECK_OK(swapcontext(&outside, &inside));
    CHECK_EQ(visited, 2);
    return NULL;
}

TEST(a_thread_has_contexts_of_its_own)
{
    patch();
    void *stack = malloc(65536);
    CHECK(stack);
    join_thread(make(use_contexts, stack));
    free(stack);
}

TEST(what_cannot_be_made_is_refused_as_by_libc)
{
    patch();
    pthread_attr_t attributes;
    pthread_t thread;
    CHECK_EQ(pthread_attr_init(&attributes), 0);
    CHECK_EQ(pthread_attr_setstacksize(&attributes, (size_t)1 << 46), 0);
    CHECK_EQ(pthread_create(&thread, &attributes, give, NULL), EAGAIN);
    CHECK_EQ(pthread_attr_setstacksize(&attributes, 1 << 20), 0);
    CHECK_EQ(pthread_create(&thread, &attributes, give, &mutex), 0);
    CHECK(join_thread(thread) == &mutex);
}
