/* pthread_mutex for greenlets: owners, hand-off, other hubs, threads without a hub, unpatched
 * code. */
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "locks.h"
#include "locks/posix.h"

/* ---- one hub --------------------------------------------------------------------------------- */

static pthread_mutex_t mutex;
static char order[64];
static int order_length;

static void *lock_and_note(void *letter)
{
    CHECK_EQ(bine_pthread_mutex_lock(&mutex), 0);
    order[order_length++] = (char)(intptr_t)letter;
    CHECK_OK(bine_sleep(0));
    CHECK_EQ(bine_pthread_mutex_unlock(&mutex), 0);
    return NULL;
}

TEST(hazard_01_a_normal_mutex_held_across_a_switch_does_not_hang)
{
    pthread_mutex_init(&mutex, NULL);
    bine_greenlet *all[4];
    CHECK_EQ(bine_pthread_mutex_lock(&mutex), 0);
    for (int i = 0; i < 4; i++)
        all[i] = bine_spawn(lock_and_note, (void *)(intptr_t)('a' + i));
    CHECK_OK(bine_sleep(0));
    CHECK_EQ(order_length, 0);
    CHECK_EQ(bine_pthread_mutex_unlock(&mutex), 0);
    CHECK_OK(bine_joinall(all, 4, BINE_FOREVER));
    CHECK_STRING(order, "abcd");
    CHECK_EQ(bine_pthread_mutex_trylock(&mutex), 0);
    CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
}

static int rounds;

static void *lock_again_and_again(void *stop)
{
    while (!*(bool *)stop) {
        bine_pthread_mutex_lock(&mutex);
        rounds++;
        bine_sleep(0);
        bine_pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

TEST(who_locks_in_a_loop_starves_nobody)
{
    pthread_mutex_init(&mutex, NULL);
    bool stop = false;
    bine_greenlet *hog = bine_spawn(lock_again_and_again, &stop);
    bine_sleep(0);
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(bine_pthread_mutex_lock(&mutex), 0);
        CHECK_EQ(bine_pthread_mutex_unlock(&mutex), 0);
    }
    CHECK_LE(rounds, 110);
    stop = true;
    CHECK_OK(bine_join(hog, NULL, BINE_FOREVER));
}

static void *try_from_another(void *result)
{
    *(int *)result = bine_pthread_mutex_trylock(&mutex);
    return NULL;
}

static void *unlock_from_another(void *result)
{
    *(int *)result = bine_pthread_mutex_unlock(&mutex);
    return NULL;
}

static int in_another(void *(*run)(void *))
{
    int result = -1;
    CHECK_OK(bine_join(bine_spawn(run, &result), NULL, BINE_FOREVER));
    return result;
}

static void init_with_type(int type)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, type);
    CHECK_EQ(pthread_mutex_init(&mutex, &attributes), 0);
    pthread_mutexattr_destroy(&attributes);
}

static void *lock_twice(void *result)
{
    int *results = result;
    results[0] = bine_pthread_mutex_lock(&mutex);
    results[1] = bine_pthread_mutex_lock(&mutex);
    bine_sleep(0);
    results[2] = bine_pthread_mutex_unlock(&mutex);
    results[3] = bine_pthread_mutex_unlock(&mutex);
    results[4] = bine_pthread_mutex_unlock(&mutex);
    return NULL;
}

TEST(hazard_01_a_recursive_mutex_lets_no_second_greenlet_in)
{
    bine_getcurrent();
    init_with_type(PTHREAD_MUTEX_RECURSIVE);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(bine_pthread_mutex_lock(&mutex), 0);
    CHECK_EQ(bine_pthread_mutex_trylock(&mutex), 0);
    CHECK_EQ(in_another(try_from_another), EBUSY);
    CHECK_EQ(in_another(unlock_from_another), EPERM);
    int results[5] = {-1, -1, -1, -1, -1};
    bine_greenlet *g = bine_spawn(lock_twice, results);
    bine_sleep(0);
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(results[0], -1);
        CHECK_EQ(bine_pthread_mutex_unlock(&mutex), 0);
        bine_sleep(0);
    }
    CHECK_EQ(results[0], 0);
    CHECK_EQ(bine_pthread_mutex_unlock(&mutex), EPERM);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(results[1], 0);
    CHECK_EQ(results[2], 0);
    CHECK_EQ(results[3], 0);
    CHECK_EQ(results[4], EPERM);
    CHECK_EQ(in_another(try_from_another), 0);
}

TEST(hazard_01_an_error_checking_mutex_accuses_only_its_owner)
{
    init_with_type(PTHREAD_MUTEX_ERRORCHECK);
    CHECK_EQ(bine_pthread_mutex_lock(&mutex), 0);
    CHECK_EQ(bine_pthread_mutex_lock(&mutex), EDEADLK);
    CHECK_EQ(bine_pthread_mutex_trylock(&mutex), EBUSY);
    struct timespec soon = from_now(CLOCK_REALTIME, BINE_SECOND);
    CHECK_EQ(bine_pthread_mutex_timedlock(&mutex, &soon), EDEADLK);
    CHECK_EQ(in_another(try_from_another), EBUSY);
    CHECK_EQ(in_another(unlock_from_another), EPERM);
    int results[5] = {-1, -1, -1, -1, -1};
    bine_greenlet *g = bine_spawn(lock_twice, results);
    bine_sleep(0);
    CHECK_EQ(results[0], -1);
    CHECK_EQ(bine_pthread_mutex_unlock(&mutex), 0);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(results[0], 0);
    CHECK_EQ(results[1], EDEADLK);
    CHECK_EQ(results[2], 0);
    CHECK_EQ(results[3], EPERM);
}

TEST(a_recursive_mutex_that_the_thread_held_before_it_had_a_hub)
{
    SKIP_UNDER_TSAN("it sees what is tried and taken back as a lock taken twice");
    init_with_type(PTHREAD_MUTEX_RECURSIVE);
    CHECK_EQ(bine_pthread_mutex_lock(&mutex), 0);
    CHECK_EQ(bine_pthread_mutex_lock(&mutex), 0);
    CHECK_EQ(in_another(try_from_another), EBUSY); /* makes the hub */
    CHECK_EQ(bine_pthread_mutex_lock(&mutex), 0);
    CHECK_EQ(in_another(try_from_another), EBUSY);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(in_another(try_from_another), EBUSY);
        CHECK_EQ(bine_pthread_mutex_unlock(&mutex), 0);
    }
    CHECK_EQ(in_another(try_from_another), 0);
}

TEST(a_mutex_that_unpatched_code_released_can_be_locked_again)
{
    static const int types[] = {PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ERRORCHECK};
    SKIP_UNDER_TSAN("it reports the wrong unlocks that this test is made of");
    bine_getcurrent();
    for (int i = 0; i < 2; i++) {
        init_with_type(types[i]);
        CHECK_EQ(bine_pthread_mutex_lock(&mutex), 0);
        CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
        CHECK_EQ(bine_pthread_mutex_unlock(&mutex), EPERM);
        CHECK_EQ(in_another(try_from_another), 0);
        CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
        CHECK_EQ(bine_pthread_mutex_lock(&mutex), 0);
        CHECK_EQ(bine_pthread_mutex_unlock(&mutex), 0);
        CHECK_EQ(in_another(try_from_another), 0);
    }
}

static pthread_mutex_t plain = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static pthread_mutex_t errorcheck = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
static pthread_mutex_t adaptive = PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP;

static void *take_and_give(void *arg)
{
    pthread_mutex_t *m = arg;
    for (int i = 0; i < 10; i++) {
        CHECK_EQ(bine_pthread_mutex_lock(m), 0);
        bine_sleep(0);
        CHECK_EQ(bine_pthread_mutex_unlock(m), 0);
    }
    return NULL;
}

TEST(static_initialisers_of_every_type_work)
{
    pthread_mutex_t *each[] = {&plain, &recursive, &errorcheck, &adaptive};
    for (int i = 0; i < 4; i++) {
        bine_greenlet *all[5];
        for (int j = 0; j < 5; j++)
            all[j] = bine_spawn(take_and_give, each[i]);
        CHECK_OK(bine_joinall(all, 5, BINE_FOREVER));
        CHECK_EQ(pthread_mutex_destroy(each[i]), 0);
    }
}

/* ---- times ----------------------------------------------------------------------------------- */

TEST(timed_locks_time_out_and_check_their_arguments_when_they_must_wait)
{
    bine_getcurrent();
    pthread_mutex_init(&mutex, NULL);
    struct timespec wrong = {0, BINE_SECOND}, past = {0, 0};
    CHECK_EQ(bine_pthread_mutex_timedlock(&mutex, &wrong), 0);
    CHECK_EQ(bine_pthread_mutex_timedlock(&mutex, &wrong), EINVAL);
    CHECK_EQ(bine_pthread_mutex_timedlock(&mutex, &past), ETIMEDOUT);
    CHECK_EQ(bine_pthread_mutex_clocklock(&mutex, CLOCK_PROCESS_CPUTIME_ID, &past), EINVAL);
    struct ticker ticker = {0};
    bine_greenlet *g = bine_spawn(tick, &ticker);
    int64_t start = harness_now();
    struct timespec soon = from_now(CLOCK_REALTIME, 30 * BINE_MS);
    CHECK_EQ(bine_pthread_mutex_timedlock(&mutex, &soon), ETIMEDOUT);
    soon = from_now(CLOCK_MONOTONIC, 30 * BINE_MS);
    CHECK_EQ(bine_pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &soon), ETIMEDOUT);
    CHECK_GE(harness_now() - start, 59 * BINE_MS);
    CHECK_GT(ticker.ticks, 1); /* blocked, it would have begun and no more */
    CHECK_EQ(bine_pthread_mutex_unlock(&mutex), 0);
    CHECK_EQ(bine_pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &soon), 0);
    ticker.stop = true;
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
}

static void *time_out(void *arg)
{
    struct timespec soon = from_now(CLOCK_MONOTONIC, 5 * BINE_MS);
    return (void *)(intptr_t)bine_pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &soon);
}

TEST(who_timed_out_is_not_handed_the_lock)
{
    pthread_mutex_init(&mutex, NULL);
    CHECK_EQ(bine_pthread_mutex_lock(&mutex), 0);
    bine_greenlet *impatient = bine_spawn(time_out, NULL),
                  *patient = bine_spawn(lock_and_note, (void *)(intptr_t)'p');
    void *value;
    CHECK_OK(bine_join(impatient, &value, BINE_FOREVER));
    CHECK_EQ((intptr_t)value, ETIMEDOUT);
    CHECK_EQ(bine_pthread_mutex_unlock(&mutex), 0);
    CHECK_OK(bine_join(patient, NULL, BINE_FOREVER));
    CHECK_EQ(bine_pthread_mutex_trylock(&mutex), 0);
}

/* ---- what must not happen -------------------------------------------------------------------- */

static void *lock_only(void *arg)
{
    CHECK_EQ(bine_pthread_mutex_lock(&mutex), 0);
    order_length++;
    CHECK_EQ(bine_pthread_mutex_unlock(&mutex), 0);
    return NULL;
}

TEST(a_kill_does_not_interrupt_a_lock)
{
    pthread_mutex_init(&mutex, NULL);
    CHECK_EQ(bine_pthread_mutex_lock(&mutex), 0);
    bine_greenlet *g = bine_spawn(lock_only, NULL);
    bine_sleep(0);
    CHECK_OK(bine_kill(g));
    bine_sleep(0);
    CHECK_EQ(order_length, 0);
    CHECK(!bine_dead(g));
    CHECK_EQ(bine_pthread_mutex_unlock(&mutex), 0);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(order_length, 1);
}

TEST(a_lock_that_nobody_can_release_any_more_is_a_deadlock_of_the_root)
{
    harness_only_one_thread();
    bine_getcurrent();
    pthread_mutex_init(&mutex, NULL);
    CHECK_EQ(bine_pthread_mutex_lock(&mutex), 0);
    CHECK_EQ(bine_pthread_mutex_lock(&mutex), EDEADLK);
}

TEST(a_child_of_fork_holds_what_its_parent_held_and_hands_it_on)
{
    SKIP_UNDER_TSAN("its fibers do not survive a fork");
    init_with_type(PTHREAD_MUTEX_NORMAL);
    CHECK_EQ(bine_pthread_mutex_lock(&mutex), 0);
    bine_greenlet *g = bine_spawn(lock_and_note, (void *)(intptr_t)'f');
    bine_sleep(0);
    pid_t child = fork();
    if (child == 0) {
        bine_greenlet *in_child = bine_spawn(lock_and_note, (void *)(intptr_t)'c');
        bine_sleep(0);
        bine_pthread_mutex_unlock(&mutex);
        if (bine_join(in_child, NULL, 5 * BINE_SECOND) != 0)
            _exit(2);
        _exit(strcmp(order, "c") == 0 ? 0 : 3);
    }
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    CHECK_EQ(bine_pthread_mutex_unlock(&mutex), 0);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
}

/* ---- other threads --------------------------------------------------------------------------- */

static atomic_bool held, release;
static bool patched_unlock;

static void *hold(void *arg)
{
    CHECK_EQ(pthread_mutex_lock(&mutex), 0);
    atomic_store(&held, true);
    while (!atomic_load(&release))
        nap(BINE_MS);
    CHECK_EQ(patched_unlock ? bine_pthread_mutex_unlock(&mutex) : pthread_mutex_unlock(&mutex), 0);
    return NULL;
}

static void *let_go_later(void *arg)
{
    bine_sleep(20 * BINE_MS);
    atomic_store(&release, true);
    return NULL;
}

static void wait_for_a_thread(bool patched, int type)
{
    patched_unlock = patched;
    init_with_type(type);
    pthread_t thread = real_thread(hold, NULL);
    while (!atomic_load(&held))
        nap(BINE_MS);
    struct ticker ticker = {0};
    bine_greenlet *ticking = bine_spawn(tick, &ticker), *later = bine_spawn(let_go_later, NULL);
    CHECK_EQ(bine_pthread_mutex_lock(&mutex), 0);
    CHECK_GT(ticker.ticks, 1); /* blocked, it would have begun and no more */
    CHECK_EQ(bine_pthread_mutex_unlock(&mutex), 0);
    ticker.stop = true;
    CHECK_OK(bine_join(ticking, NULL, BINE_FOREVER));
    CHECK_OK(bine_join(later, NULL, BINE_FOREVER));
    pthread_join(thread, NULL);
}

TEST(a_lock_held_by_a_thread_waits_without_blocking_the_hub)
{
    wait_for_a_thread(true, PTHREAD_MUTEX_NORMAL);
}

TEST(a_lock_that_unpatched_code_of_a_thread_releases_is_noticed)
{
    wait_for_a_thread(false, PTHREAD_MUTEX_NORMAL);
}

TEST(a_recursive_lock_held_by_a_thread_waits_without_blocking_the_hub)
{
    wait_for_a_thread(false, PTHREAD_MUTEX_RECURSIVE);
}

static atomic_int turn;

static void *take_turns(void *arg)
{
    for (int i = 0; i < 20; i++) {
        while (atomic_load(&turn) != 2 * i)
            nap(100 * BINE_US);
        pthread_mutex_lock(&mutex);
        atomic_store(&turn, 2 * i + 1);
        nap(5 * BINE_MS);
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

TEST(what_unpatched_code_releases_is_heard_at_once_also_in_long_waits, .seconds = 60)
{
    pthread_mutex_init(&mutex, NULL);
    bine_getcurrent();
    pthread_t thread = real_thread(take_turns, NULL);
    int64_t start = harness_now();
    for (int i = 0; i < 20; i++) {
        while (atomic_load(&turn) != 2 * i + 1)
            bine_sleep(100 * BINE_US);
        CHECK_EQ(bine_pthread_mutex_lock(&mutex), 0);
        CHECK_EQ(bine_pthread_mutex_unlock(&mutex), 0);
        atomic_store(&turn, 2 * i + 2);
    }
    /* Unheard, each would take until the next look, half a second. */
    CHECK_LT(harness_now() - start, 20 * 250 * BINE_MS);
    pthread_join(thread, NULL);
}

enum {
    HUBS = 3,
    GREENLETS = 8,
    THREADS = 2,
    ROUNDS = 200
};

static long counter;

static void *add(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_EQ(bine_pthread_mutex_lock(&mutex), 0);
        long seen = counter;
        if (i % 3 == 0)
            bine_sleep(0);
        counter = seen + 1;
        CHECK_EQ(bine_pthread_mutex_unlock(&mutex), 0);
    }
    return NULL;
}

static void *add_in_thread(void *patched)
{
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_EQ(patched ? bine_pthread_mutex_lock(&mutex) : pthread_mutex_lock(&mutex), 0);
        counter++;
        CHECK_EQ(patched ? bine_pthread_mutex_unlock(&mutex) : pthread_mutex_unlock(&mutex), 0);
    }
    return NULL;
}

static void *run_hub(void *arg)
{
    bine_greenlet *all[GREENLETS];
    for (int i = 0; i < GREENLETS; i++)
        all[i] = bine_spawn(add, NULL);
    CHECK_OK(bine_joinall(all, GREENLETS, BINE_FOREVER));
    return NULL;
}

static void contend(int type)
{
    init_with_type(type);
    pthread_t threads[HUBS + 2 * THREADS];
    for (int i = 0; i < HUBS; i++)
        threads[i] = real_thread(run_hub, NULL);
    for (int i = 0; i < THREADS; i++) {
        threads[HUBS + i] = real_thread(add_in_thread, NULL);
        threads[HUBS + THREADS + i] = real_thread(add_in_thread, &counter);
    }
    for (int i = 0; i < HUBS + 2 * THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK_EQ(counter, (HUBS * GREENLETS + 2 * THREADS) * ROUNDS);
    CHECK_EQ(pthread_mutex_trylock(&mutex), 0);
}

TEST(greenlets_of_several_hubs_and_threads_exclude_each_other, .seconds = 60)
{
    contend(PTHREAD_MUTEX_NORMAL);
}

TEST(greenlets_of_several_hubs_and_threads_exclude_each_other_by_a_recursive_mutex, .seconds = 60)
{
    contend(PTHREAD_MUTEX_RECURSIVE);
}

TEST(greenlets_of_several_hubs_and_threads_exclude_each_other_by_an_error_checking_mutex,
     .seconds = 60)
{
    contend(PTHREAD_MUTEX_ERRORCHECK);
}

static atomic_bool thread_is_done;

static void *hand_on_and_on(void *arg)
{
    while (!atomic_load(&thread_is_done)) {
        CHECK_EQ(bine_pthread_mutex_lock(&mutex), 0);
        bine_sleep(200 * BINE_US);
        CHECK_EQ(bine_pthread_mutex_unlock(&mutex), 0);
        bine_sleep(0);
    }
    return NULL;
}

static void *want_it_too(void *patched)
{
    for (int i = 0; i < 10; i++) {
        CHECK_EQ(pthread_mutex_lock(&mutex), 0);
        CHECK_EQ(patched ? bine_pthread_mutex_unlock(&mutex) : pthread_mutex_unlock(&mutex), 0);
    }
    atomic_store(&thread_is_done, true);
    return NULL;
}

static void hand_on_past_a_thread(void *patched)
{
    atomic_store(&thread_is_done, false);
    init_with_type(PTHREAD_MUTEX_NORMAL);
    bine_greenlet *all[4];
    for (int i = 0; i < 4; i++)
        all[i] = bine_spawn(hand_on_and_on, NULL);
    bine_sleep(BINE_MS);
    pthread_t thread = real_thread(want_it_too, patched);
    CHECK_OK(bine_joinall(all, 4, BINE_FOREVER));
    pthread_join(thread, NULL);
}

TEST(greenlets_that_hand_a_lock_on_and_on_do_not_starve_a_thread, .seconds = 60)
{
    hand_on_past_a_thread(NULL);
    hand_on_past_a_thread(&mutex);
}

static void *leave_a_waiter_behind(void *arg)
{
    bine_greenlet *g = bine_spawn(lock_only, NULL);
    CHECK_OK(bine_sleep(0));
    bine_detach(g);
    return NULL; /* the hub ends here */
}

TEST(a_hub_that_ends_takes_its_waiters_out_of_the_queue)
{
    bine_getcurrent();
    pthread_mutex_init(&mutex, NULL);
    CHECK_EQ(bine_pthread_mutex_lock(&mutex), 0);
    bine_greenlet *g = bine_spawn(lock_only, NULL);
    pthread_join(real_thread(leave_a_waiter_behind, NULL), NULL);
    bine_sleep(0);
    CHECK_EQ(bine_pthread_mutex_unlock(&mutex), 0);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(order_length, 1);
    CHECK_EQ(bine_pthread_mutex_trylock(&mutex), 0);
}

/* ---- kinds that the kernel knows ------------------------------------------------------------- */

static void init_with(int robust, int protocol, int shared)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    CHECK_EQ(pthread_mutexattr_setrobust(&attributes, robust), 0);
    CHECK_EQ(pthread_mutexattr_setprotocol(&attributes, protocol), 0);
    CHECK_EQ(pthread_mutexattr_setpshared(&attributes, shared), 0);
    CHECK_EQ(pthread_mutex_init(&mutex, &attributes), 0);
}

static void *die_with_it(void *arg)
{
    CHECK_EQ(bine_pthread_mutex_lock(&mutex), 0);
    return NULL;
}

TEST(a_robust_mutex_tells_that_its_thread_died)
{
    void *head;
    size_t size;
    if (syscall(SYS_get_robust_list, 0, &head, &size) != 0 || !head)
        SKIP("this kernel or emulator knows nothing of robust mutexes");
    bine_getcurrent();
    init_with(PTHREAD_MUTEX_ROBUST, PTHREAD_PRIO_NONE, PTHREAD_PROCESS_PRIVATE);
    pthread_join(real_thread(die_with_it, NULL), NULL);
    CHECK_EQ(bine_pthread_mutex_lock(&mutex), EOWNERDEAD);
    CHECK_EQ(in_another(try_from_another), EBUSY);
    CHECK_EQ(pthread_mutex_consistent(&mutex), 0);
    CHECK_EQ(bine_pthread_mutex_unlock(&mutex), 0);
    bine_greenlet *all[4];
    for (int i = 0; i < 4; i++)
        all[i] = bine_spawn(take_and_give, &mutex);
    CHECK_OK(bine_joinall(all, 4, BINE_FOREVER));
}

TEST(robust_priority_and_shared_mutexes_exclude_greenlets_of_several_hubs, .seconds = 60)
{
    for (int i = 0; i < 3; i++) {
        counter = 0;
        init_with(i == 0 ? PTHREAD_MUTEX_ROBUST : PTHREAD_MUTEX_STALLED,
                  i == 1 ? PTHREAD_PRIO_INHERIT : PTHREAD_PRIO_NONE,
                  i == 2 ? PTHREAD_PROCESS_SHARED : PTHREAD_PROCESS_PRIVATE);
        pthread_t threads[HUBS];
        for (int j = 0; j < HUBS; j++)
            threads[j] = real_thread(run_hub, NULL);
        for (int j = 0; j < HUBS; j++)
            pthread_join(threads[j], NULL);
        CHECK_EQ(counter, HUBS * GREENLETS * ROUNDS);
    }
}
