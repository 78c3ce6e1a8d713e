/* bine_patch_own_threads: pthread_create makes greenlets that are threads to everything. */
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <threads.h>
#include <unistd.h>

#include "common.h"

static void patch(void)
{
    needs_own_threads();
    CHECK_OK(bine_patch_all());
    CHECK_OK(bine_patch_own_threads("*"));
}

static _Thread_local int mine = 3;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static long turn;

static void *take_turns(void *arg)
{
    long id = (long)arg;
    mine = (int)id;
    for (int i = 0; i < 20; i++) {
        pthread_mutex_lock(&mutex);
        while (turn != id)
            pthread_cond_wait(&changed, &mutex);
        turn = (turn + 1) % 8;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&mutex);
        CHECK_EQ(mine, id);
    }
    if (id % 2)
        pthread_exit((void *)(id * 100));
    return (void *)(id * 100);
}

TEST(threads_wait_for_each_other_on_one_thread)
{
    patch();
    pthread_t all[8];
    for (long i = 0; i < 8; i++)
        CHECK_EQ(pthread_create(&all[i], NULL, take_turns, (void *)i), 0);
    for (long i = 0; i < 8; i++) {
        void *value;
        CHECK_EQ(pthread_join(all[i], &value), 0);
        CHECK_EQ((long)value, i * 100);
    }
    CHECK_EQ(harness_threads(), 1);
}

/* ---- cancellation and cleanup ---------------------------------------------------------------- */

static int steps;

static void step(void *arg)
{
    CHECK_EQ(steps, (int)(intptr_t)arg);
    steps++;
}

static void *wait_cancelled(void *arg)
{
    pthread_cleanup_push(step, (void *)1);
    pthread_cleanup_push(step, (void *)0);
    sleep(1000);
    FAIL("sleep returned");
    pthread_cleanup_pop(0);
    pthread_cleanup_pop(0);
    return arg;
}

TEST(a_thread_is_cancelled_where_it_waits)
{
    patch();
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, wait_cancelled, NULL), 0);
    usleep(1000);
    CHECK_EQ(pthread_cancel(thread), 0);
    void *value;
    CHECK_EQ(pthread_join(thread, &value), 0);
    CHECK(value == PTHREAD_CANCELED);
    CHECK_EQ(steps, 2);
}

static void *disable_first(void *arg)
{
    int old;
    CHECK_EQ(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old), 0);
    CHECK_EQ(old, PTHREAD_CANCEL_ENABLE);
    CHECK_EQ(usleep(3000), 0);
    steps = 7;
    CHECK_EQ(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old), 0);
    CHECK_EQ(old, PTHREAD_CANCEL_DISABLE);
    pthread_testcancel();
    FAIL("not cancelled");
    return arg;
}

TEST(a_disabled_cancellation_is_kept)
{
    patch();
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, disable_first, NULL), 0);
    usleep(1000);
    CHECK_EQ(pthread_cancel(thread), 0);
    void *value;
    CHECK_EQ(pthread_join(thread, &value), 0);
    CHECK(value == PTHREAD_CANCELED);
    CHECK_EQ(steps, 7);
}

/* ---- joining, detaching, attributes, names --------------------------------------------------- */

static void *give(void *arg)
{
    usleep(1000);
    return arg;
}

TEST(joins_that_try_and_that_are_limited)
{
    patch();
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, give, &steps), 0);
    void *value;
    CHECK_EQ(pthread_tryjoin_np(thread, &value), EBUSY);
    struct timespec past = {1, 0};
    CHECK_EQ(pthread_timedjoin_np(thread, &value, &past), ETIMEDOUT);
    CHECK_EQ(pthread_join(thread, &value), 0);
    CHECK(value == &steps);
    CHECK_EQ(pthread_join(pthread_self(), NULL), EDEADLK);
}

static void *detach_itself(void *arg)
{
    CHECK_EQ(pthread_detach(pthread_self()), 0);
    usleep(100);
    ++*(int *)arg;
    return NULL;
}

TEST(detached_threads_end_by_themselves)
{
    patch();
    int ended = 0;
    pthread_attr_t attributes;
    CHECK_EQ(pthread_attr_init(&attributes), 0);
    CHECK_EQ(pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED), 0);
    for (int i = 0; i < 50; i++) {
        pthread_t thread;
        CHECK_EQ(pthread_create(&thread, NULL, detach_itself, &ended), 0);
        CHECK_EQ(pthread_create(&thread, NULL, give, &ended), 0);
        CHECK_EQ(pthread_detach(thread), 0);
        CHECK_EQ(pthread_create(&thread, &attributes, give, &ended), 0);
    }
    pthread_attr_destroy(&attributes);
    CHECK_EQ(bine_wait(NULL, 0, NULL, 0, BINE_FOREVER), 0);
    CHECK_EQ(ended, 50);
}

static void *look_at_attributes(void *arg)
{
    pthread_attr_t attributes;
    CHECK_EQ(pthread_getattr_np(pthread_self(), &attributes), 0);
    size_t size, guard;
    void *bottom;
    CHECK_EQ(pthread_attr_getstack(&attributes, &bottom, &size), 0);
    CHECK_EQ(pthread_attr_getguardsize(&attributes, &guard), 0);
    CHECK((char *)&attributes >= (char *)bottom && (char *)&attributes < (char *)bottom + size);
    CHECK_GE(size, (size_t)300000);
    CHECK_LT(size, (size_t)1 << 20);
    CHECK_EQ(guard, (size_t)65536);
    pthread_attr_destroy(&attributes);
    char name[16];
    CHECK_EQ(pthread_setname_np(pthread_self(), "worker"), 0);
    CHECK_EQ(pthread_getname_np(pthread_self(), name, sizeof name), 0);
    CHECK_STRING(name, "worker");
    return arg;
}

TEST(attributes_and_names_are_kept)
{
    patch();
    pthread_attr_t attributes;
    CHECK_EQ(pthread_attr_init(&attributes), 0);
    CHECK_EQ(pthread_attr_setstacksize(&attributes, 400000), 0);
    CHECK_EQ(pthread_attr_setguardsize(&attributes, 65536), 0);
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(0, &set);
    CHECK_EQ(pthread_attr_setaffinity_np(&attributes, sizeof set, &set), 0);
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, &attributes, look_at_attributes, NULL), 0);
    pthread_attr_destroy(&attributes);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    char mine_before[16], mine_now[16];
    CHECK_EQ(pthread_getname_np(pthread_self(), mine_before, 16), 0);
    CHECK_EQ(pthread_getname_np(pthread_self(), mine_now, 16), 0);
    CHECK_STRING(mine_before, mine_now);
}

static void *tell_id(void *arg)
{
    CHECK_EQ(gettid(), syscall(SYS_gettid));
    *(pid_t *)arg = gettid();
    return NULL;
}

TEST(each_thread_has_an_id)
{
    patch();
    pid_t ids[2];
    pthread_t all[2];
    for (int i = 0; i < 2; i++)
        CHECK_EQ(pthread_create(&all[i], NULL, tell_id, &ids[i]), 0);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(pthread_join(all[i], NULL), 0);
    CHECK_NE(ids[0], ids[1]);
    CHECK_NE(ids[0], getpid());
    CHECK_EQ(gettid(), getpid());
}

static int c11(void *arg)
{
    mine = *(int *)arg;
    thrd_yield();
    return mine + 1;
}

TEST(c11_threads)
{
    patch();
    thrd_t all[3];
    int values[3] = {10, 20, 30};
    for (int i = 0; i < 3; i++)
        CHECK_EQ(thrd_create(&all[i], c11, &values[i]), thrd_success);
    for (int i = 0; i < 3; i++) {
        int result;
        CHECK_EQ(thrd_join(all[i], &result), thrd_success);
        CHECK_EQ(result, values[i] + 1);
    }
}

/* ---- waits for a word of the thread ---------------------------------------------------------- */

static void (*waits_wait)(void);
static atomic_uint *(*waits_word)(void);
static void (*waits_wake)(atomic_uint *of);

static void *wait_for_own_word(void *arg)
{
    *(atomic_uint **)arg = waits_word();
    waits_wait();
    return arg;
}

/* Libraries of this name are otherwise left to wait as threads: greenlets would share the word. */
TEST(abseils_waits_let_other_threads_run)
{
    patch();
    void *library = dlopen(OWN_LIBRARIES "/libabsl_waits.so", RTLD_NOW);
    if (!library)
        SKIP("%s", dlerror());
    *(void **)&waits_wait = dlsym(library, "waits_wait");
    *(void **)&waits_word = dlsym(library, "waits_word");
    *(void **)&waits_wake = dlsym(library, "waits_wake");
    pthread_t all[3];
    atomic_uint *words[3] = {NULL};
    for (int i = 0; i < 3; i++)
        CHECK_EQ(pthread_create(&all[i], NULL, wait_for_own_word, &words[i]), 0);
    for (int i = 2; i >= 0; i--) {
        while (!words[i])
            usleep(100);
        waits_wake(words[i]);
        CHECK_EQ(pthread_join(all[i], NULL), 0);
    }
}

/* ---- signals --------------------------------------------------------------------------------- */

static void *block_all(void *arg)
{
    sigset_t all, old;
    sigfillset(&all);
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, &all, &old), 0);
    usleep(1000);
    pthread_t inner;
    CHECK_EQ(pthread_create(&inner, NULL, give, arg), 0);
    CHECK_EQ(pthread_join(inner, NULL), 0);
    return arg;
}

/* SIGSYS that is blocked would end the process when a call is caught. */
TEST(threads_are_made_and_end_with_all_signals_blocked)
{
    patch();
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, block_all, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    sigset_t all;
    sigfillset(&all);
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, &all, NULL), 0);
    CHECK_EQ(pthread_create(&thread, NULL, block_all, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
}

static volatile sig_atomic_t handled;

static void handler(int number)
{
    handled = number;
}

TEST(a_program_has_its_own_handler_of_sigsys)
{
    patch();
    struct sigaction action = {.sa_handler = handler}, old;
    CHECK_OK(sigaction(SIGSYS, &action, &old));
    CHECK(old.sa_handler == SIG_DFL);
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, give, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_OK(raise(SIGSYS));
    CHECK_EQ(handled, SIGSYS);
    CHECK_OK(sigaction(SIGSYS, NULL, &old));
    CHECK(old.sa_handler == handler);
}

static void *return_it(void *arg)
{
    return arg;
}

static volatile sig_atomic_t alarms;

static void count_alarm(int number)
{
    alarms++;
    getppid(); /* a call that is caught, at times */
    (void)number;
}

/* They come in the middle of what libc does for a thread, too. */
TEST(signals_come_while_threads_begin_and_end)
{
    patch();
    struct sigaction action = {.sa_handler = count_alarm, .sa_flags = SA_RESTART};
    struct itimerval often = {{0, 50}, {0, 50}}, never = {{0, 0}, {0, 0}};
    CHECK_OK(sigaction(SIGALRM, &action, NULL));
    CHECK_OK(setitimer(ITIMER_REAL, &often, NULL));
    for (int i = 0; i < 3000; i++) {
        pthread_t thread;
        void *value;
        CHECK_EQ(pthread_create(&thread, NULL, return_it, &steps), 0);
        CHECK_EQ(pthread_join(thread, &value), 0);
        CHECK(value == &steps);
    }
    CHECK_OK(setitimer(ITIMER_REAL, &never, NULL));
    CHECK_GT(alarms, 10);
}
