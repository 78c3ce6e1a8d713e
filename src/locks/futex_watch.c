/* One thread that waits for many futexes. See futex_watch.h. */
#include "futex_watch.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include "libc/kernel.h"
#include "libc/libc.h"
#include "libc/spin.h"
#include "parking_lot.h"

enum {
    MOST = 120, /* the kernel takes 128 at a time; one is our own */
    STACK_SIZE = 64 * 1024,
};

static struct {
    const void *address;
    unsigned users;
} watches[MOST];
static unsigned watch_count;
static bool running, unsupported;
static struct bine_spin watches_lock;
static atomic_uint changes; /* a futex of our own: the list has changed */

static long wake_futex(const void *word, unsigned flags, int count)
{
    unsigned operation = FUTEX_WAKE | (flags & FUTEX_PRIVATE_FLAG);
    return bine_libc.syscall(SYS_futex, word, operation, count, NULL, NULL, 0);
}

static void kick(void)
{
    atomic_fetch_add(&changes, 1);
    wake_futex(&changes, FUTEX_PRIVATE_FLAG, 1);
}

/* ---- the thread ------------------------------------------------------------------------------ */

static unsigned copy_list(const void **addresses)
{
    bine_spin_lock(&watches_lock);
    unsigned count = watch_count;
    for (unsigned i = 0; i < count; i++)
        addresses[i] = watches[i].address;
    bine_spin_unlock(&watches_lock);
    return count;
}

/* True: nothing has come for so long that the thread is to end. */
static bool retire(bool forced)
{
    bine_spin_lock(&watches_lock);
    bool idle = watch_count == 0 || forced;
    if (idle) {
        running = false;
        unsupported |= forced;
    }
    bine_spin_unlock(&watches_lock);
    return idle;
}

/* A wake of the object reached this thread. If no greenlet waits here any more, the wake is for
 * another waiter. */
static void futex_watch_pass(const struct bine_lot_futex *futex, const void *address)
{
    bine_lot_balance(address);
    if (!bine_lot_queued(address, NULL))
        wake_futex(futex->word, futex->shared ? 0 : FUTEX_PRIVATE_FLAG, 1);
}

static void *watch_all(void *arg)
{
    const void *addresses[MOST], *armed[MOST + 1];
    struct bine_lot_futex futexes[MOST + 1];
    struct futex_waitv waits[MOST + 1];
    bine_hub_runtime_threads(1);
    for (;;) {
        unsigned seen = atomic_load(&changes), count = copy_list(addresses), used = 1;
        waits[0] = (struct futex_waitv){
            .val = seen, .uaddr = (uintptr_t)&changes, .flags = FUTEX_32 | FUTEX_PRIVATE_FLAG};
        for (unsigned i = 0; i < count; i++) {
            if (!bine_lot_arm(addresses[i], &futexes[used]))
                continue;
            unsigned flags = FUTEX_32 | (futexes[used].shared ? 0 : FUTEX_PRIVATE_FLAG);
            waits[used] = (struct futex_waitv){
                .val = futexes[used].value, .uaddr = (uintptr_t)futexes[used].word, .flags = flags};
            armed[used++] = addresses[i];
        }
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec++;
        long woken = bine_libc.syscall(SYS_futex_waitv, waits, used, 0, &until, CLOCK_MONOTONIC);
        int error = woken < 0 ? errno : 0;
        if (woken > 0)
            futex_watch_pass(&futexes[woken], armed[woken]);
        else if (error == EAGAIN)
            for (unsigned i = 1; i < used; i++)
                bine_lot_balance(armed[i]);
        if ((error == ETIMEDOUT && retire(false)) ||
            ((error == ENOSYS || error == EPERM || error == EINVAL) && retire(true)))
            break;
        if (error == EFAULT)
            /* its waiter has left meanwhile, and the memory with it */
            bine_libc.syscall(SYS_sched_yield);
    }
    bine_hub_runtime_threads(-1);
    return NULL;
}

/* The lock is held. */
static bool start_thread(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes,
                              STACK_SIZE < PTHREAD_STACK_MIN ? PTHREAD_STACK_MIN : STACK_SIZE);
    bine_libc.pthread_sigmask(SIG_SETMASK, &all, &before);
    bool made = bine_libc.pthread_create(&thread, &attributes, watch_all, NULL) == 0;
    bine_libc.pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return made;
}

/* ---- requests -------------------------------------------------------------------------------- */

static unsigned futex_watch_find(const void *address)
{
    unsigned i = 0;
    while (i < watch_count && watches[i].address != address)
        i++;
    return i;
}

bool bine_futex_watch(const void *address)
{
    int saved_errno = errno;
    bine_spin_lock(&watches_lock);
    unsigned i = futex_watch_find(address);
    bool can = !unsupported && i < MOST && (running || (running = start_thread()));
    if (can) {
        if (i == watch_count) {
            watches[i].address = address;
            watches[i].users = 0;
            watch_count++;
        }
        watches[i].users++;
    }
    bine_spin_unlock(&watches_lock);
    if (can)
        kick();
    errno = saved_errno;
    return can;
}

void bine_futex_unwatch(const void *address)
{
    bine_spin_lock(&watches_lock);
    unsigned i = futex_watch_find(address);
    bool last = i < watch_count && --watches[i].users == 0;
    if (last)
        watches[i] = watches[--watch_count];
    bine_spin_unlock(&watches_lock);
    if (last) {
        int saved_errno = errno;
        kick();
        errno = saved_errno;
    }
}

void bine_futex_before_fork(void)
{
    bine_spin_lock(&watches_lock);
}

void bine_futex_after_fork(bool child)
{
    if (child) {
        if (running)
            bine_hub_runtime_threads(-1);
        running = false;
        watch_count = 0;
    }
    bine_spin_unlock(&watches_lock);
}
