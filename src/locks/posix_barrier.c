/*
 * pthread_barrier for greenlets. See posix.h for the rules.
 *
 * libc's barrier cannot be asked without waiting in it. So all callers of the patched function meet
 * in the parking lot: greenlets of any hub and threads without one. Of libc's object only the count
 * is read.
 */
#include "posix.h"

#include <errno.h>

#include "libc/libc.h"
#include "parking_lot.h"
#include "posix_barrier.h"

/* glibc's object begins: in, current_round, count, shared. Proved at start, since no public header
 * says so. */
enum {
    WORD_COUNT = 2,
    WORD_SHARED = 3,
};

/* What WORD_SHARED says in a private barrier; -1: the layout is unknown. */
static int64_t private_mark = -1;

static inline unsigned word(const pthread_barrier_t *barrier, int index)
{
    return __atomic_load_n((const unsigned *)barrier + index, __ATOMIC_RELAXED);
}

__attribute__((constructor(102))) static void prove_layout(void)
{
    pthread_barrier_t private, shared;
    pthread_barrierattr_t attributes;
    pthread_barrierattr_init(&attributes);
    pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    if (pthread_barrier_init(&private, NULL, 77) == 0) {
        if (pthread_barrier_init(&shared, &attributes, 78) == 0) {
            if (word(&private, WORD_COUNT) == 77 && word(&shared, WORD_COUNT) == 78 &&
                word(&private, WORD_SHARED) != word(&shared, WORD_SHARED))
                private_mark = word(&private, WORD_SHARED);
            pthread_barrier_destroy(&shared);
        }
        pthread_barrier_destroy(&private);
    }
    pthread_barrierattr_destroy(&attributes);
}

bool bine_barrier_is_libcs(const pthread_barrier_t *barrier)
{
    return word(barrier, WORD_SHARED) != private_mark;
}

int bine_pthread_barrier_wait(pthread_barrier_t *barrier)
{
    struct bine_hub *hub = bine_hub_here();
    if (bine_barrier_is_libcs(barrier) || (hub && hub->no_park))
        return bine_libc.pthread_barrier_wait(barrier);

    unsigned count = word(barrier, WORD_COUNT);
    struct bine_lot_bucket *bucket = bine_lot_lock(barrier);
    struct bine_lot_record *record = bine_lot_find(bucket, barrier, BINE_RECORD_BARRIER);
    if (!record)
        record = count > 1 ? bine_lot_add(bucket, barrier, BINE_RECORD_BARRIER) : NULL;
    if (!record) {
        bine_lot_unlock(bucket);
        return count > 1 ? ENOMEM : PTHREAD_BARRIER_SERIAL_THREAD;
    }
    if (++record->count == count) {
        bine_lot_remove(bucket, record);
        bine_lot_unlock(bucket);
        /* Newcomers of the next round are behind those of ours. */
        bine_lot_wake(barrier, count - 1);
        return PTHREAD_BARRIER_SERIAL_THREAD;
    }
    struct bine_lot_waiter waiter;
    bine_lot_waiter_init(&waiter, hub, barrier);
    bine_lot_enqueue_locked(bucket, &waiter, 0);
    bine_lot_unlock(bucket);
    int error = bine_lot_await(&waiter, "barrier", INT64_MAX, BINE_PARK_FIRM);
    if (error) {
        /* The root's wait failed: no caller is left that could come. */
        bucket = bine_lot_lock(barrier);
        record = bine_lot_find(bucket, barrier, BINE_RECORD_BARRIER);
        if (record)
            record->count--;
        bine_lot_unlock(bucket);
    }
    return error;
}
