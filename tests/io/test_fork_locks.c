/* Locks across fork: those of libc that threads of the pool hold, and those of the program. */
#include <bine.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fork.h"
#include "harness.h"
#include "io/offload/offload.h"
#include "libc/libc.h"

/* ---- forks in the middle of fork ------------------------------------------------------------- */

static atomic_int in_fork; /* 1: armed, 2: all of the runtime's locks are held, 3: go on */

/* Registered before the runtime's own handlers, so it runs after them. */
static void hold_fork(void)
{
    if (atomic_load(&in_fork) != 1)
        return;
    atomic_store(&in_fork, 2);
    while (atomic_load(&in_fork) != 3)
        bine_libc.sched_yield();
}

__attribute__((constructor(101))) static void register_first(void)
{
    pthread_atfork(hold_fork, NULL, NULL);
}

/* ---- waits ----------------------------------------------------------------------------------- */

static pthread_mutex_t mutex;
static sem_t semaphore;

static void *in_mutex(void *unused)
{
    CHECK_EQ(pthread_mutex_lock(&mutex), 0);
    CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
    return unused;
}

static void *in_semaphore(void *unused)
{
    CHECK_EQ(sem_wait(&semaphore), 0);
    return unused;
}

/* ---- the pool's threads and libc's locks ----------------------------------------------------- */

static atomic_bool stop_looking;

static void *keep_looking_up(void *unused)
{
    while (!atomic_load(&stop_looking))
        in_name(NULL);
    return unused;
}

/* A thread of the pool that is in the middle of libc's resolver must not leave its locks to the
 * child. */
TEST(hazard_60_a_child_looks_up_while_the_pool_does, .seconds = 60)
{
    harness_not_under_address_sanitizer(NOT_UNDER_ASAN);
    harness_not_under_emulator("a child of a process with threads ends in an assertion of its");
    CHECK_OK(bine_patch_all());
    bine_greenlet *all[4];
    for (int i = 0; i < 4; i++)
        all[i] = bine_spawn(keep_looking_up, NULL);
    CHECK_OK(bine_sleep(BINE_MS));
    for (int i = 0; i < 60; i++) {
        pid_t child = fork();
        CHECK_GE(child, 0);
        if (child == 0) {
            alarm(5);
            in_name(NULL);
            _exit(0);
        }
        check_child(child);
    }
    atomic_store(&stop_looking, true);
    for (int i = 0; i < 4; i++)
        join(all[i]);
}

static pthread_mutex_t lock_of_libc = PTHREAD_MUTEX_INITIALIZER; /* as it were */
static atomic_int holds_lock;

static void *hold_lock(void *microseconds)
{
    bine_libc.pthread_mutex_lock(&lock_of_libc);
    atomic_store(&holds_lock, 1);
    bine_libc.usleep((useconds_t)(intptr_t)microseconds);
    bine_libc.pthread_mutex_unlock(&lock_of_libc);
    return NULL;
}

/* As a look-up does that gets no processor. */
static void *hold_lock_at_work(void *microseconds)
{
    int64_t until = harness_now() + (intptr_t)microseconds * BINE_US;
    bine_libc.pthread_mutex_lock(&lock_of_libc);
    atomic_store(&holds_lock, 1);
    while (harness_now() < until)
        continue;
    bine_libc.pthread_mutex_unlock(&lock_of_libc);
    return NULL;
}

static void *(*hold)(void *microseconds) = hold_lock;

static void *hold_on_pool(void *microseconds)
{
    CHECK_OK(bine_offload_locking(hold, microseconds, NULL));
    return NULL;
}

static int lock_in_child(intptr_t microseconds)
{
    CHECK_OK(bine_patch_all());
    bine_greenlet *g = bine_spawn(hold_on_pool, (void *)microseconds);
    while (!atomic_load(&holds_lock))
        CHECK_OK(bine_sleep(BINE_MS));
    pid_t child = fork();
    if (child == 0)
        _exit(bine_libc.pthread_mutex_trylock(&lock_of_libc));
    int status = -1;
    CHECK_EQ(waitpid(child, &status, 0), child);
    join(g);
    live(); /* the pool works as before */
    return WEXITSTATUS(status);
}

TEST(hazard_60_a_fork_lets_look_ups_end)
{
    CHECK_EQ(lock_in_child(50000), 0);
}

TEST(hazard_60_a_fork_waits_for_a_look_up_that_had_no_processor)
{
    hold = hold_lock_at_work;
    CHECK_EQ(lock_in_child(700000), 0);
}

TEST(hazard_60_a_fork_does_not_wait_for_long)
{
    CHECK_EQ(lock_in_child(2000000), EBUSY);
}

/* ---- locks across fork ----------------------------------------------------------------------- */

static void *post_in_fork(void *posted)
{
    while (atomic_load(&in_fork) != 2)
        bine_libc.sched_yield();
    CHECK_EQ(sem_post(posted), 0);
    CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
    atomic_store(&in_fork, 3);
    return NULL;
}

static void *lock_as_thread(void *unused)
{
    CHECK_EQ(pthread_mutex_lock(&mutex), 0);
    atomic_store(&in_fork, 1);
    post_in_fork(&semaphore);
    return unused;
}

/* What another thread releases while the parking lot is closed for a fork reaches its greenlet. */
TEST(hazard_101_released_during_a_fork)
{
    CHECK_OK(bine_patch_all());
    CHECK_EQ(sem_init(&semaphore, 0, 0), 0);
    pthread_mutex_init(&mutex, NULL);
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, lock_as_thread, NULL), 0);
    while (atomic_load(&in_fork) != 1)
        bine_libc.sched_yield();
    bine_greenlet *all[2] = {bine_spawn(in_semaphore, NULL), bine_spawn(in_mutex, NULL)};
    CHECK_OK(bine_sleep(BINE_MS));
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    check_child(child);
    for (int i = 0; i < 2; i++)
        CHECK_OK(bine_join(all[i], NULL, 5 * BINE_SECOND));
    CHECK_EQ(pthread_join(thread, NULL), 0);
    sem_destroy(&semaphore);
}

static void *hold_and_wait(void *event)
{
    CHECK_EQ(pthread_mutex_lock(&mutex), 0);
    CHECK_OK(bine_event_wait(event, BINE_FOREVER));
    CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
    return NULL;
}

/* A lock that a parked greenlet holds stays locked in the child, as a thread's would. */
TEST(fork_while_a_parked_greenlet_holds_a_lock)
{
    CHECK_OK(bine_patch_all());
    pthread_mutex_init(&mutex, NULL);
    bine_event *event = bine_event_new(0);
    bine_greenlet *holder = bine_spawn(hold_and_wait, event), *waiter = bine_spawn(in_mutex, NULL);
    CHECK_OK(bine_sleep(BINE_MS));
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        live();
        struct timespec soon;
        clock_gettime(CLOCK_REALTIME, &soon);
        _exit(pthread_mutex_timedlock(&mutex, &soon) == ETIMEDOUT ? 0 : 1);
    }
    check_child(child);
    bine_event_set(event);
    join(holder);
    join(waiter);
    bine_event_free(event);
}
