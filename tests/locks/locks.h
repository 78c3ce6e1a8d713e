/* Small things that the tests of locks share. */
#ifndef BINE_TESTS_LOCKS_H
#define BINE_TESTS_LOCKS_H

#include <bine.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "harness.h"

#ifdef __SANITIZE_THREAD__
#define SKIP_UNDER_TSAN(why) SKIP("thread sanitizer: " why)
#else
#define SKIP_UNDER_TSAN(why)
#endif

/* A greenlet that counts while others wait: proves that the thread was not blocked. Ends when *stop is set. */
struct ticker {
    bool stop;
    unsigned ticks;
};

static inline void *tick(void *arg)
{
    struct ticker *ticker = arg;
    while (!ticker->stop) {
        ticker->ticks++;
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

#endif
