/*
 * pthread_once for greenlets. See posix.h for the rules.
 *
 * libc runs the routine. A record notes that it is being run, so that a second greenlet of the
 * thread parks until it is done. Without it that greenlet would wait in libc for a greenlet that
 * could never run again. The routine may throw a C++ exception (std::call_once is made of this).
 * Then the record goes away as the frame is unwound, which needs -fexceptions.
 *
 * glibc before 2.34 does not notice exceptions and leaves its word as if the routine ran for ever
 * (its bug 18435). There the word is set back, so that the next caller runs the routine.
 */
#include "posix.h"

#include <errno.h>
#include <gnu/libc-version.h>
#include <limits.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>

#include "libc/libc.h"
#include "parking_lot.h"
#include "surprise.h"

enum {
    DONE = 2 /* libc's word when it is done */
};

static inline int once_state_of(pthread_once_t *once)
{
    return __atomic_load_n(once, __ATOMIC_ACQUIRE);
}

/*
 * libc's word while a routine runs. It counts forks, so that a child runs again what a thread that
 * it does not have was running; the way to know the count is to run a routine and look.
 */
static __thread pthread_once_t probe;
static __thread int probed;

static void look_at_probe(void)
{
    probed = __atomic_load_n(&probe, __ATOMIC_RELAXED);
}

static __attribute__((noinline)) int in_progress(void)
{
    probe = PTHREAD_ONCE_INIT;
    bine_libc.pthread_once(&probe, look_at_probe);
    return probed;
}

static bool libc_notices_exceptions(void)
{
    return strverscmp(gnu_get_libc_version(), "2.34") >= 0;
}

static void once_set_back(pthread_once_t *once)
{
    int state = once_state_of(once);
    if (state == DONE || state == PTHREAD_ONCE_INIT || libc_notices_exceptions())
        return;
    __atomic_store_n(once, PTHREAD_ONCE_INIT, __ATOMIC_RELEASE);
    bine_libc.syscall(SYS_futex, once, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, INT_MAX);
}

/* The routine has returned or thrown. */
static void once_finish(pthread_once_t *const *once)
{
    once_set_back(*once);
    struct bine_lot_bucket *bucket = bine_lot_lock(*once);
    struct bine_lot_record *record = bine_lot_find(bucket, *once, BINE_RECORD_ONCE);
    if (record)
        bine_lot_remove(bucket, record);
    bine_lot_unlock(bucket);
    bine_lot_wake(*once, SIZE_MAX);
}

/*
 * libstdc++'s std::call_once leaves the function and its argument in two thread-locals and passes a
 * routine that looks there. While a greenlet waits, other greenlets of its thread set these to
 * their own.
 */
struct cxx_once {
    void **callable, **call;
    void *saved_callable, *saved_call;
};

static void save_cxx(struct cxx_once *cxx)
{
    cxx->callable = bine_libc.dlsym(RTLD_DEFAULT, "_ZSt15__once_callable");
    cxx->call = bine_libc.dlsym(RTLD_DEFAULT, "_ZSt11__once_call");
    if (cxx->callable && cxx->call) {
        cxx->saved_callable = *cxx->callable;
        cxx->saved_call = *cxx->call;
    }
}

static void restore_cxx(const struct cxx_once *cxx)
{
    if (cxx->callable && cxx->call) {
        *cxx->callable = cxx->saved_callable;
        *cxx->call = cxx->saved_call;
    }
}

static int once_run(pthread_once_t *once, void (*routine)(void))
{
    __attribute__((cleanup(once_finish))) pthread_once_t *const running = once;
    return bine_libc.pthread_once(running, routine);
}

static __attribute__((noinline)) int once_slowly(pthread_once_t *once, void (*routine)(void))
{
    struct bine_hub *hub = bine_hub_here();
    bool can_wait = hub && !hub->no_park;
    while (once_state_of(once) != DONE) {
        struct bine_lot_bucket *bucket = bine_lot_lock(once);
        struct bine_lot_record *record = bine_lot_find(bucket, once, BINE_RECORD_ONCE);
        if (!record && can_wait && once_state_of(once) != 0 &&
            once_state_of(once) == in_progress()) {
            /* A thread whose code is not patched runs it, so its end does not pass the lot. */
            struct cxx_once cxx;
            bine_lot_unlock(bucket);
            save_cxx(&cxx);
            bine_park(hub, "once", (uintptr_t)once, bine_hub_deadline(hub, BINE_MS),
                      BINE_PARK_FIRM);
            restore_cxx(&cxx);
            continue;
        }
        if (!record && (record = bine_lot_add(bucket, once, BINE_RECORD_ONCE))) {
            record->owner = bine_lot_self();
            bine_lot_unlock(bucket);
            return once_run(once, routine);
        }
        if (!record || !can_wait) {
            bine_lot_unlock(bucket);
            return bine_libc.pthread_once(once, routine);
        }
        struct bine_lot_waiter waiter;
        struct cxx_once cxx;
        bine_lot_waiter_init(&waiter, hub, once);
        bine_lot_enqueue_locked(bucket, &waiter, 0);
        bine_lot_unlock(bucket);
        save_cxx(&cxx);
        int error = bine_lot_await(&waiter, "once", INT64_MAX, BINE_PARK_FIRM);
        restore_cxx(&cxx);
        if (error)
            return error;
    }
    return 0;
}

int bine_pthread_once(pthread_once_t *once, void (*routine)(void))
{
    if (__builtin_expect(once_state_of(once) == DONE, 1))
        return 0;
    return once_slowly(once, routine);
}

/* What libc keeps in the object, tried out. */
const char *bine_once_surprise(void)
{
    pthread_once_t once = PTHREAD_ONCE_INIT;
    bine_libc.pthread_once(&once, look_at_probe);
    return once_state_of(&once) == DONE ? NULL : "the word of pthread_once";
}
