/* Small things that the tests of locks share. */
#ifndef BINE_TESTS_LOCKS_H
#define BINE_TESTS_LOCKS_H

#include <bine.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <time.h>

#include "harness.h"

#ifdef __SANITIZE_THREAD__
#define SKIP_UNDER_TSAN(why) SKIP("thread sanitizer: " why)
#else
#define SKIP_UNDER_TSAN(why)
#endif

/* A greenlet that counts while others wait: proves that the thread was not blocked. Ends when *stop
 * is set. */
struct ticker {
    atomic_bool stop;
    atomic_uint ticks;
};

enum {
    SOME_TICKS = 3
};

/* In memory that processes share. */
static inline struct ticker *shared_ticker(void)
{
    struct ticker *ticker =
        mmap(NULL, sizeof *ticker, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(ticker != MAP_FAILED);
    return ticker;
}

static inline void *tick(void *arg)
{
    struct ticker *ticker = arg;
    while (!atomic_load(&ticker->stop)) {
        atomic_fetch_add(&ticker->ticks, 1);
        bine_sleep(BINE_MS);
    }
    return NULL;
}

/* A real thread, whatever is patched; it has no hub unless it makes one. */
static inline pthread_t real_thread(void *(*run)(void *), void *arg)
{
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, run, arg), 0);
    return thread;
}

static inline struct timespec from_now(clockid_t clock, int64_t nanoseconds)
{
    struct timespec t;
    clock_gettime(clock, &t);
    int64_t rest = t.tv_nsec + nanoseconds % BINE_SECOND;
    t.tv_sec += nanoseconds / BINE_SECOND + rest / BINE_SECOND;
    t.tv_nsec = rest % BINE_SECOND;
    return t;
}

static inline void nap(int64_t nanoseconds)
{
    struct timespec t = {nanoseconds / BINE_SECOND, nanoseconds % BINE_SECOND};
    nanosleep(&t, NULL);
}

/* In another thread or process: until the hub has shown that it runs. If it never does, the test
 * runs out of time. */
static inline void await_ticks(struct ticker *ticker)
{
    while (atomic_load(&ticker->ticks) < SOME_TICKS)
        nap(BINE_MS);
}

#endif
