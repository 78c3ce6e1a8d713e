/* The runtime's spin lock: src/libc/spin.h. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include "harness.h"
#include "libc/libc.h"
#include "libc/spin.h"

enum {
    THREADS = 4,
    TURNS = 20000
};

static struct bine_spin lock;
static long counted;

static void *count(void *arg)
{
    for (int i = 0; i < TURNS; i++) {
        bine_spin_lock(&lock);
        counted++;
        bine_spin_unlock(&lock);
    }
    return arg;
}

TEST(threads_that_count_under_it_lose_nothing)
{
    pthread_t threads[THREADS];
    bine_libc_resolve();
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, count, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK_EQ(counted, (long)THREADS * TURNS);
}

TEST(a_try_says_whether_it_was_free)
{
    CHECK(bine_spin_try(&lock));
    CHECK(!bine_spin_try(&lock));
    bine_spin_unlock(&lock);
    CHECK(bine_spin_try(&lock));
}

TEST(a_wait_keeps_errno)
{
    bine_libc_resolve();
    errno = EXDEV;
    for (unsigned rounds = 0; rounds < 200;)
        bine_spin_pause(&rounds);
    CHECK_EQ(errno, EXDEV);
}

static void *release_after_work(void *arg)
{
    for (volatile long work = 0; work < 20 * 1000 * 1000; work++)
        continue;
    bine_spin_unlock(&lock);
    return arg;
}

TEST(a_waiter_of_a_real_time_class_lets_the_holder_run)
{
    cpu_set_t one;
    pthread_t holder;
    bine_libc_resolve();
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    CHECK_OK(sched_setaffinity(0, sizeof one, &one)); /* the holder inherits it */
    CHECK(bine_spin_try(&lock));
    CHECK_EQ(pthread_create(&holder, NULL, release_after_work, NULL), 0);
    if (sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1}) < 0)
        SKIP("no right to a real-time class here");
    unsigned rounds = 0;
    while (!bine_spin_try(&lock))
        bine_spin_pause(&rounds);
    pthread_join(holder, NULL);
    /* A waiter that only yields keeps the processor for as long as the kernel lets a real-time
     * thread have it: a second, a million rounds. */
    CHECK(rounds < 100000);
}
