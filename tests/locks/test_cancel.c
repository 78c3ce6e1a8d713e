/* Cancellation and cleanup of threads that are greenlets, and of threads that have a hub; keys, as
 * threads have them. */
#include <arpa/inet.h>
#include <limits.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libc/libc.h"
#include "locks.h"

static char steps[200];

static void step(void *text)
{
    strcat(steps, text);
}

static int ends[2];

static void begin(void)
{
    CHECK_OK(bine_patch_threads_as_greenlets("*"));
    CHECK_OK(bine_patch_all());
    CHECK_OK(pipe(ends));
    steps[0] = '\0';
}

static void finish(void)
{
    close(ends[0]);
    close(ends[1]);
}

static pthread_t start(void *(*run)(void *), void *arg)
{
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, run, arg), 0);
    return thread;
}

static void *ended_value(pthread_t thread)
{
    void *value = NULL;
    CHECK_EQ(pthread_join(thread, &value), 0);
    return value;
}

/* ---- where it acts --------------------------------------------------------------------------- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static sem_t semaphore;

static void *in_read(void *arg)
{
    for (char c;;)
        (void)!read(ends[0], &c, 1);
    return arg;
}

static void *in_sleep(void *arg)
{
    for (;;)
        sleep(1);
    return arg;
}

static void *in_poll(void *arg)
{
    for (;;)
        poll(NULL, 0, 1000);
    return arg;
}

static void unlock(void *m)
{
    CHECK_EQ(pthread_mutex_unlock(m), 0);
    step("unlocked ");
}

static void *in_condition(void *arg)
{
    pthread_mutex_lock(&mutex);
    pthread_cleanup_push(unlock, &mutex);
    for (;;)
        pthread_cond_wait(&condition, &mutex);
    pthread_cleanup_pop(1);
    return arg;
}

static void *in_semaphore(void *arg)
{
    for (;;)
        sem_wait(&semaphore);
    return arg;
}

static void *in_sigwait(void *arg)
{
    sigset_t set;
    int number;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    for (;;)
        sigwait(&set, &number);
    return arg;
}

static void *in_nanosleep(void *arg)
{
    struct timespec t = {1, 0};
    for (;;)
        clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
    return arg;
}

static void *in_join(void *other)
{
    pthread_join((pthread_t)other, NULL);
    return NULL;
}

TEST(hazard_96_cancellation_acts_in_whatever_call_waits)
{
    static void *(*const waits[])(void *) = {in_read,      in_sleep,   in_poll,     in_condition,
                                             in_semaphore, in_sigwait, in_nanosleep};
    begin();
    sem_init(&semaphore, 0, 0);
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        pthread_t thread = start(waits[i], NULL);
        usleep(1000);
        CHECK_EQ(pthread_cancel(thread), 0);
        CHECK(ended_value(thread) == PTHREAD_CANCELED);
    }
    CHECK_STRING(steps, "unlocked ");
    CHECK_EQ(pthread_mutex_trylock(&mutex), 0);
    pthread_t other = start(in_sleep, NULL), joins = start(in_join, (void *)other);
    usleep(1000);
    CHECK_EQ(pthread_cancel(joins), 0);
    CHECK(ended_value(joins) == PTHREAD_CANCELED);
    CHECK_EQ(pthread_cancel(other), 0);
    CHECK(ended_value(other) == PTHREAD_CANCELED);
    finish();
}

static void *note_and_read(void *arg)
{
    char c;
    step("ran ");
    (void)!read(ends[0], &c, 1);
    step("on ");
    return NULL;
}

TEST(hazard_96_a_thread_that_is_cancelled_before_it_runs_runs_to_its_first_point)
{
    begin();
    pthread_t thread = start(note_and_read, NULL);
    CHECK_EQ(pthread_cancel(thread), 0);
    CHECK(ended_value(thread) == PTHREAD_CANCELED);
    CHECK_STRING(steps, "ran ");
    finish();
}

static void *disabled(void *arg)
{
    int old = -1;
    char c = 0;
    CHECK_EQ(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old), 0);
    CHECK_EQ(old, PTHREAD_CANCEL_ENABLE);
    CHECK_EQ(read(ends[0], &c, 1), 1); /* it waits, and gets what was written after the request */
    CHECK_EQ(usleep(1000), 0);
    pthread_testcancel();
    step("done ");
    CHECK_EQ(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old), 0);
    CHECK_EQ(old, PTHREAD_CANCEL_DISABLE);
    step("enabled ");
    pthread_testcancel();
    step("not ");
    return NULL;
}

TEST(hazard_96_a_thread_that_has_disabled_it_waits_as_ever)
{
    begin();
    pthread_t thread = start(disabled, NULL);
    usleep(1000);
    CHECK_EQ(pthread_cancel(thread), 0);
    usleep(1000);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    CHECK(ended_value(thread) == PTHREAD_CANCELED);
    CHECK_STRING(steps, "done enabled ");
    finish();
}

static void *returns(void *arg)
{
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    usleep(2000);
    return arg;
}

TEST(hazard_96_a_thread_that_never_acts_has_its_own_value)
{
    begin();
    pthread_t thread = start(returns, &ends);
    usleep(500);
    CHECK_EQ(pthread_cancel(thread), 0);
    CHECK(ended_value(thread) == &ends);
    finish();
}

static void *cancel_oneself(void *arg)
{
    CHECK_EQ(pthread_cancel(pthread_self()), 0);
    step("still ");
    if (arg)
        pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    else
        pthread_testcancel();
    step("not ");
    return NULL;
}

TEST(hazard_96_a_thread_may_cancel_itself)
{
    begin();
    for (int asynchronous = 0; asynchronous < 2; asynchronous++) {
        steps[0] = '\0';
        CHECK(ended_value(start(cancel_oneself, (void *)(intptr_t)asynchronous)) ==
              PTHREAD_CANCELED);
        CHECK_STRING(steps, "still ");
    }
    finish();
}

/* ---- what runs then -------------------------------------------------------------------------- */

static pthread_key_t key;

static void destroy(void *value)
{
    usleep(100); /* it may wait */
    step(value);
}

static void wait_in_handler(void *text)
{
    char c;
    CHECK_EQ(write(ends[1], "y", 1), 1);
    CHECK_EQ(read(ends[0], &c, 1), 1);
    step(text);
}

static void innermost(void)
{
    pthread_cleanup_push(step, "3 ");
    pthread_cleanup_push(step, "popped ");
    pthread_cleanup_pop(0);
    in_sleep(NULL);
    pthread_cleanup_pop(0);
}

static void *with_handlers(void *how)
{
    pthread_setspecific(key, "destroyed ");
    pthread_cleanup_push(step, "1 ");
    pthread_cleanup_push(wait_in_handler, "2 ");
    if (how)
        pthread_exit(how);
    innermost();
    pthread_cleanup_pop(0);
    pthread_cleanup_pop(0);
    return NULL;
}

TEST(hazard_96_cleanup_handlers_and_destructors_run)
{
    begin();
    CHECK_EQ(pthread_key_create(&key, destroy), 0);
    pthread_t thread = start(with_handlers, NULL), beside = start(with_handlers, NULL);
    usleep(1000);
    CHECK_EQ(pthread_cancel(thread), 0);
    CHECK(ended_value(thread) == PTHREAD_CANCELED);
    CHECK_STRING(steps, "3 2 1 destroyed ");
    CHECK_EQ(pthread_cancel(beside), 0);
    CHECK(ended_value(beside) == PTHREAD_CANCELED);
    CHECK_STRING(steps, "3 2 1 destroyed 3 2 1 destroyed ");
    steps[0] = '\0';
    CHECK(ended_value(start(with_handlers, &key)) == &key);
    CHECK_STRING(steps, "2 1 destroyed ");
    finish();
}

/* ---- keys ------------------------------------------------------------------------------------ */

static int rounds;

static void set_again(void *value)
{
    rounds++;
    pthread_setspecific(key, value);
}

static void *keep_value(void *value)
{
    CHECK(pthread_getspecific(key) == NULL);
    CHECK_EQ(pthread_setspecific(key, value), 0);
    usleep(1000);
    CHECK(pthread_getspecific(key) == value);
    return NULL;
}

TEST(hazard_95_keys_are_local_where_threads_are_greenlets)
{
    pthread_t all[5];
    begin();
    CHECK_EQ(pthread_key_create(&key, set_again), 0);
    CHECK_EQ(pthread_setspecific(key, &rounds), 0); /* the main thread's */
    for (int i = 0; i < 5; i++)
        all[i] = start(keep_value, &all[i]);
    for (int i = 0; i < 5; i++)
        ended_value(all[i]);
    CHECK(pthread_getspecific(key) == &rounds);
    CHECK_EQ(rounds, 5 * PTHREAD_DESTRUCTOR_ITERATIONS);
    pthread_setspecific(key, NULL);
    finish();
}

static void *use_many(void *arg)
{
    pthread_key_t *keys = arg;
    for (int i = 0; i < 500; i++)
        CHECK_EQ(pthread_setspecific(keys[i], &keys[i]), 0);
    usleep(100);
    for (int i = 0; i < 500; i++)
        CHECK(pthread_getspecific(keys[i]) == &keys[i]);
    return NULL;
}

TEST(hazard_95_as_many_keys_as_libc_has)
{
    static pthread_key_t keys[500];
    begin();
    for (int i = 0; i < 500; i++)
        CHECK_EQ(pthread_key_create(&keys[i], NULL), 0);
    pthread_t one = start(use_many, keys), two = start(use_many, keys);
    ended_value(one);
    ended_value(two);
    finish();
}

static void *own_signal_stack(void *arg)
{
    static char stacks[2][65536];
    stack_t mine = {.ss_sp = stacks[(intptr_t)arg], .ss_size = sizeof stacks[0]}, old,
            off = {.ss_flags = SS_DISABLE};
    CHECK_OK(sigaltstack(NULL, &old));
    CHECK(old.ss_flags & SS_DISABLE);
    CHECK_OK(sigaltstack(&mine, NULL));
    usleep(1000);
    CHECK_OK(sigaltstack(NULL, &old));
    CHECK(old.ss_sp == mine.ss_sp && old.ss_size == mine.ss_size);
    CHECK_OK(sigaltstack(&off, NULL));
    return NULL;
}

TEST(hazard_95_the_signal_stack_is_each_greenlet_s_and_handlers_keep_the_thread_s)
{
    stack_t before, after;
    begin();
    bine_getcurrent();
    CHECK_OK(sigaltstack(NULL, &before));
    pthread_t one = start(own_signal_stack, (void *)0), two = start(own_signal_stack, (void *)1);
    ended_value(one);
    ended_value(two);
    CHECK_OK(sigaltstack(NULL, &after));
    CHECK(before.ss_sp == after.ss_sp && before.ss_flags == after.ss_flags);
    finish();
}

/* ---- threads that have a hub ----------------------------------------------------------------- */

static pthread_barrier_t barrier;

static void *hub_and_wait(void *run)
{
    bine_getcurrent();
    bine_libc.pthread_barrier_wait(&barrier);
    pthread_setspecific(key, "destroyed ");
    pthread_cleanup_push(step, "cleaned ");
    (*(void *(**)(void *))run)(NULL);
    pthread_cleanup_pop(0);
    return NULL;
}

TEST(hazard_58_a_thread_that_has_a_hub_is_cancelled_in_the_waits_of_its_root)
{
    static void *(*waits[])(void *) = {in_read, in_sleep, in_poll, in_semaphore};
    CHECK_OK(bine_patch_all());
    CHECK_OK(pipe(ends));
    sem_init(&semaphore, 0, 0);
    pthread_barrier_init(&barrier, NULL, 2);
    CHECK_EQ(pthread_key_create(&key, (void (*)(void *))step), 0);
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        steps[0] = '\0';
        pthread_t thread = real_thread(hub_and_wait, &waits[i]);
        bine_libc.pthread_barrier_wait(&barrier);
        if (i % 2)
            bine_sleep(2 * BINE_MS);
        CHECK_EQ(pthread_cancel(thread), 0);
        CHECK(ended_value(thread) == PTHREAD_CANCELED);
        CHECK_STRING(steps, "cleaned destroyed ");
    }
    pthread_barrier_destroy(&barrier);
    finish();
}

static void *hub_and_disable(void *arg)
{
    char c;
    bine_getcurrent();
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    bine_libc.pthread_barrier_wait(&barrier);
    CHECK_EQ(read(ends[0], &c, 1), 1);
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    step("enabled ");
    usleep(1);
    step("not ");
    return NULL;
}

TEST(hazard_58_it_waits_as_ever_while_it_has_disabled_that)
{
    CHECK_OK(bine_patch_all());
    CHECK_OK(pipe(ends));
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_t thread = real_thread(hub_and_disable, NULL);
    bine_libc.pthread_barrier_wait(&barrier);
    CHECK_EQ(pthread_cancel(thread), 0);
    bine_sleep(2 * BINE_MS);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    CHECK(ended_value(thread) == PTHREAD_CANCELED);
    CHECK_STRING(steps, "enabled ");
    pthread_barrier_destroy(&barrier);
    finish();
}
