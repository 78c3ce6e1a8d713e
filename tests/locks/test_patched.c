/* Plain pthread code, patched: the same program on threads and on greenlets gives the same answers
 * (differential). */
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

#include "libc/libc.h"
#include "locks.h"
#include "locks/posix.h"

/*
 * A script: two parties take turns, each step is one call, its result is written down. The parties
 * are threads, unpatched, or greenlets, patched. What a call would wait for is not scripted: only
 * results that do not depend on time.
 */
struct script {
    pthread_mutex_t mutex;
    pthread_rwlock_t rwlock;
    pthread_cond_t condition;
    sem_t semaphore;
    pthread_spinlock_t spin;
    char answers[2048];
    sem_t turn[2], done;
    atomic_int party;
};

static void answer(struct script *script, int party, const char *what, int result)
{
    size_t length = strlen(script->answers);
    snprintf(script->answers + length, sizeof script->answers - length, "%d %s %d\n", party, what,
             result);
}

static int by_errno(int result)
{
    return result == 0 ? 0 : errno;
}

typedef void step(struct script *script, int party);

#define STEP(name, call)                               \
    static void name(struct script *script, int party) \
    {                                                  \
        answer(script, party, #name, (call));          \
    }

static const struct timespec long_ago = {1, 0}, wrong = {1, 1000000000};

STEP(trylock, pthread_mutex_trylock(&script->mutex))
STEP(lock, pthread_mutex_lock(&script->mutex))
STEP(unlock, pthread_mutex_unlock(&script->mutex))
STEP(timedlock_past, pthread_mutex_timedlock(&script->mutex, &long_ago))
STEP(timedlock_wrong, pthread_mutex_timedlock(&script->mutex, &wrong))
STEP(clocklock_past, pthread_mutex_clocklock(&script->mutex, CLOCK_MONOTONIC, &long_ago))
STEP(clocklock_badclock,
     pthread_mutex_clocklock(&script->mutex, CLOCK_THREAD_CPUTIME_ID, &long_ago))
STEP(tryrdlock, pthread_rwlock_tryrdlock(&script->rwlock))
STEP(trywrlock, pthread_rwlock_trywrlock(&script->rwlock))
STEP(rdlock, pthread_rwlock_rdlock(&script->rwlock))
STEP(wrlock, pthread_rwlock_wrlock(&script->rwlock))
STEP(rwunlock, pthread_rwlock_unlock(&script->rwlock))
STEP(timedwrlock_past, pthread_rwlock_timedwrlock(&script->rwlock, &long_ago))
STEP(timedrdlock_past, pthread_rwlock_timedrdlock(&script->rwlock, &long_ago))
STEP(timedrdlock_wrong, pthread_rwlock_timedrdlock(&script->rwlock, &wrong))
STEP(clockwrlock_badclock,
     pthread_rwlock_clockwrlock(&script->rwlock, CLOCK_THREAD_CPUTIME_ID, &long_ago))
STEP(timedwait_past, pthread_cond_timedwait(&script->condition, &script->mutex, &long_ago))
STEP(timedwait_wrong, pthread_cond_timedwait(&script->condition, &script->mutex, &wrong))
STEP(clockwait_past,
     pthread_cond_clockwait(&script->condition, &script->mutex, CLOCK_MONOTONIC, &long_ago))
STEP(clockwait_badclock,
     pthread_cond_clockwait(&script->condition, &script->mutex, CLOCK_THREAD_CPUTIME_ID, &long_ago))
STEP(cond_signal, pthread_cond_signal(&script->condition))
STEP(cond_broadcast, pthread_cond_broadcast(&script->condition))
STEP(trywait, by_errno(sem_trywait(&script->semaphore)))
STEP(sem_timedwait_past, by_errno(sem_timedwait(&script->semaphore, &long_ago)))
STEP(sem_timedwait_wrong, by_errno(sem_timedwait(&script->semaphore, &wrong)))
STEP(sem_clockwait_past, by_errno(sem_clockwait(&script->semaphore, CLOCK_MONOTONIC, &long_ago)))
STEP(sem_clockwait_badclock,
     by_errno(sem_clockwait(&script->semaphore, CLOCK_THREAD_CPUTIME_ID, &long_ago)))
STEP(post, by_errno(sem_post(&script->semaphore)))
STEP(spin_trylock, pthread_spin_trylock(&script->spin))
STEP(spin_unlock, pthread_spin_unlock(&script->spin))
STEP(c11_trylock, mtx_trylock((mtx_t *)&script->mutex))
STEP(c11_timedlock_past, mtx_timedlock((mtx_t *)&script->mutex, &long_ago))
STEP(c11_unlock, mtx_unlock((mtx_t *)&script->mutex))

static void getvalue(struct script *script, int party)
{
    int value = -1;
    sem_getvalue(&script->semaphore, &value);
    answer(script, party, "getvalue", value);
}

/* Party 0, 1, 0, 1 ...; NULL: the party does nothing this time. */
static step *const common[] = {
    trylock,
    trylock,
    timedlock_past,
    timedlock_past,
    timedlock_wrong,
    timedlock_wrong,
    clocklock_past,
    clocklock_past,
    clocklock_badclock,
    clocklock_badclock,
    timedwait_past,
    NULL,
    timedwait_wrong,
    NULL,
    clockwait_past,
    NULL,
    clockwait_badclock,
    NULL,
    cond_signal,
    cond_broadcast,
    c11_trylock,
    c11_trylock,
    c11_timedlock_past,
    c11_timedlock_past,
    unlock,
    trylock,
    trylock,
    c11_unlock,
    lock,
    NULL,
    unlock,
    lock,
    NULL,
    unlock,
    rdlock,
    tryrdlock,
    trywrlock,
    trywrlock,
    timedwrlock_past,
    timedwrlock_past,
    timedrdlock_wrong,
    clockwrlock_badclock,
    rwunlock,
    rwunlock,
    wrlock,
    tryrdlock,
    wrlock,
    trywrlock,
    rdlock,
    timedrdlock_past,
    trywrlock,
    timedwrlock_past,
    rwunlock,
    wrlock,
    NULL,
    rwunlock,
    trywait,
    trywait,
    trywait,
    sem_timedwait_past,
    sem_timedwait_wrong,
    sem_clockwait_past,
    sem_clockwait_badclock,
    post,
    getvalue,
    sem_timedwait_past,
    getvalue,
    post,
    sem_clockwait_past,
    getvalue,
    spin_trylock,
    spin_trylock,
    spin_unlock,
    spin_trylock,
    NULL,
    spin_unlock,
};

/* For mutexes whose owner matters. */
static step *const owned[] = {
    lock,   unlock,  lock,   trylock, trylock,        timedlock_past, timedlock_past, unlock,
    unlock, trylock, unlock, trylock, unlock,         trylock,        unlock,         unlock,
    unlock, unlock,  lock,   NULL,    timedwait_past, timedwait_past, unlock,         unlock,
};

static const struct part {
    step *const *steps;
    size_t count;
} parts[] = {{common, sizeof common / sizeof *common}, {owned, sizeof owned / sizeof *owned}};

static const struct part *part;

static void *play(void *arg)
{
    struct script *script = arg;
    int party = atomic_fetch_add(&script->party, 1);
    for (size_t i = 0; i < part->count; i++) {
        if ((int)(i % 2) != party)
            continue;
        sem_wait(&script->turn[party]);
        if (part->steps[i])
            part->steps[i](script, party);
        sem_post(&script->turn[1 - party]);
    }
    sem_post(&script->done);
    return NULL;
}

static void *play_on_greenlets(void *arg)
{
    bine_greenlet *all[] = {bine_spawn(play, arg), bine_spawn(play, arg)};
    CHECK_OK(bine_joinall(all, 2, BINE_FOREVER));
    return NULL;
}

static void play_on_threads(struct script *script)
{
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, play, script), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
}

static void prepare(struct script *script, int type, int kind)
{
    memset(script, 0, sizeof *script);
    pthread_mutexattr_t mutex_attributes;
    pthread_rwlockattr_t rwlock_attributes;
    pthread_mutexattr_init(&mutex_attributes);
    pthread_mutexattr_settype(&mutex_attributes, type);
    pthread_rwlockattr_init(&rwlock_attributes);
    pthread_rwlockattr_setkind_np(&rwlock_attributes, kind);
    pthread_mutex_init(&script->mutex, &mutex_attributes);
    pthread_rwlock_init(&script->rwlock, &rwlock_attributes);
    pthread_cond_init(&script->condition, NULL);
    pthread_spin_init(&script->spin, PTHREAD_PROCESS_PRIVATE);
    sem_init(&script->semaphore, 0, 2);
    sem_init(&script->turn[0], 0, 1);
    sem_init(&script->turn[1], 0, 0);
    sem_init(&script->done, 0, 0);
}

static void compare(int type, int kind, const struct part *which)
{
    static struct script on_threads, on_greenlets;
    part = which;
    prepare(&on_threads, type, kind);
    play_on_threads(&on_threads);
    prepare(&on_greenlets, type, kind);
    CHECK_OK(bine_patch_thread());
    play_on_greenlets(&on_greenlets);
    CHECK_OK(bine_unpatch(BINE_PATCH_THREAD));
    CHECK_STRING(on_threads.answers, on_greenlets.answers);
    CHECK_GT(strlen(on_threads.answers), 100);
}

TEST(every_call_answers_two_greenlets_as_libc_answers_two_threads)
{
    SKIP_UNDER_TSAN("it reports the wrong unlocks that this script is made of");
    static const int types[] = {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ADAPTIVE_NP};
    static const int kinds[] = {PTHREAD_RWLOCK_PREFER_READER_NP, PTHREAD_RWLOCK_PREFER_WRITER_NP,
                                PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP};
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 3; j++)
            compare(types[i], kinds[j], &parts[0]);
}

TEST(mutexes_with_owners_answer_two_greenlets_as_libc_answers_two_threads)
{
    SKIP_UNDER_TSAN("it reports the wrong unlocks that this script is made of");
    compare(PTHREAD_MUTEX_RECURSIVE, PTHREAD_RWLOCK_PREFER_READER_NP, &parts[1]);
    compare(PTHREAD_MUTEX_ERRORCHECK, PTHREAD_RWLOCK_PREFER_READER_NP, &parts[1]);
}

/* ---- patched in the middle ------------------------------------------------------------------- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static bool ready;

static void *wait_until_ready(void *arg)
{
    pthread_mutex_lock(&mutex);
    while (!ready)
        pthread_cond_wait(&condition, &mutex);
    pthread_mutex_unlock(&mutex);
    return NULL;
}

TEST(a_thread_that_waited_before_patching_is_woken_by_a_patched_signal)
{
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, wait_until_ready, NULL), 0);
    nap(5 * BINE_MS);
    CHECK_OK(bine_patch_thread());
    bine_greenlet *g = bine_spawn(wait_until_ready, NULL);
    bine_sleep(BINE_MS);
    pthread_mutex_lock(&mutex);
    ready = true;
    pthread_cond_broadcast(&condition);
    pthread_mutex_unlock(&mutex);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(pthread_join(thread, NULL), 0);
}

/* ---- other processes ------------------------------------------------------------------------- */

static void *meet_the_other_process(void *barrier)
{
    int result = pthread_barrier_wait(barrier);
    CHECK(result == 0 || result == PTHREAD_BARRIER_SERIAL_THREAD);
    return NULL;
}

TEST(a_barrier_shared_with_another_process_does_not_block_the_hub)
{
    pthread_barrier_t *barrier =
        mmap(NULL, sizeof *barrier, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(barrier != MAP_FAILED);
    pthread_barrierattr_t attributes;
    pthread_barrierattr_init(&attributes);
    pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    CHECK_EQ(pthread_barrier_init(barrier, &attributes, 3), 0); /* two greenlets and a process */
    struct ticker *ticker = shared_ticker();
    pid_t child = fork();
    if (child == 0) {
        await_ticks(ticker);
        int result = pthread_barrier_wait(barrier);
        _exit(result == 0 || result == PTHREAD_BARRIER_SERIAL_THREAD ? 0 : 1);
    }
    CHECK_OK(bine_patch_thread());
    bine_greenlet *all[] = {bine_spawn(tick, ticker), bine_spawn(meet_the_other_process, barrier),
                            bine_spawn(meet_the_other_process, barrier)};
    CHECK_OK(bine_joinall(all + 1, 2, BINE_FOREVER));
    ticker->stop = true;
    CHECK_OK(bine_join(all[0], NULL, BINE_FOREVER));
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
}

/* ---- reports --------------------------------------------------------------------------------- */

static void *hold_and_sleep(void *arg)
{
    pthread_mutex_lock(&mutex);
    bine_sleep(5 * BINE_MS);
    pthread_mutex_unlock(&mutex);
    return NULL;
}

static void *want_it(void *arg)
{
    pthread_mutex_lock(&mutex);
    pthread_mutex_unlock(&mutex);
    return NULL;
}

TEST(hazard_01_debugging_names_who_parks_holding_a_lock_that_others_want)
{
    int ends[2], saved = dup(2);
    CHECK_OK(pipe(ends));
    CHECK_OK(bine_patch_thread());
    bine_debug_locks = true; /* BINE_DEBUG_LOCKS=1 */
    bine_spawn_options holder = {.name = "holder"}, wanter = {.name = "wanter"};
    bine_greenlet *all[] = {bine_spawn_with(&holder, hold_and_sleep, NULL),
                            bine_spawn_with(&wanter, want_it, NULL)};
    dup2(ends[1], 2);
    int result = bine_joinall(all, 2, BINE_FOREVER);
    dup2(saved, 2);
    CHECK_OK(result);
    char report[512] = "", wanted[64];
    CHECK_GT(read(ends[0], report, sizeof report - 1), 0);
    snprintf(wanted, sizeof wanted, "while it holds lock %p", (void *)&mutex);
    CHECK(strstr(report, "holder") && strstr(report, wanted) && strstr(report, "wanter"));
    CHECK(strstr(report, "holder") < strstr(report, "wanter"));
    CHECK(strstr(report, "(sleep") != NULL);
    close(ends[0]);
    close(ends[1]);
    close(saved);
}
