/*
 * The lock for many readers or one writer, first come, first served. A caller that comes while
 * others wait queues behind them. A release serves the front of the queue: one writer, or readers
 * up to the next writer. So does a waiter that leaves the queue without the lock.
 */
#include <bine/lock.h>
#include <limits.h>

#include "libc/layout.h"
#include "object.h"

enum {
    READER,
    WRITER
};

struct bine_rwlock {
    struct bine_object object;
    struct bine_waiters waiters;
    struct bine_greenlet *writer; /* a reference; one of another thread keeps it itself */
    unsigned readers;
};

BINE_LAYOUT(rwlock_rows) = {BINE_FIELD("rwlock", struct bine_rwlock, writer),
                            BINE_FIELD("rwlock", struct bine_rwlock, readers)};

static bool rwlock_ready(const struct bine_waitable *object)
{
    const struct bine_rwlock *lock = (const struct bine_rwlock *)object;
    return !lock->writer && bine_waiters_empty(&lock->waiters);
}

static void rwlock_forked(struct bine_object *object)
{
    ((struct bine_rwlock *)object)->waiters = (struct bine_waiters){NULL, NULL};
}

static const struct bine_object_class rwlock_class = {
    {"rwlock", rwlock_ready, bine_object_external, bine_object_hub}, rwlock_forked, NULL};

/* Let in whom the state allows, from the front. */
static void rwlock_serve(struct bine_rwlock *lock)
{
    while (!lock->writer && !bine_waiters_empty(&lock->waiters)) {
        struct bine_taker *first = (struct bine_taker *)lock->waiters.first;
        uint8_t kind = first->kind;
        if (kind == WRITER && lock->readers > 0)
            return;
        bine_waiters_remove(&first->waiter);
        if (!bine_unpark(first->waiter.greenlet))
            continue;
        first->error = 0;
        if (kind == WRITER)
            lock->writer = bine_ref(first->waiter.greenlet);
        else
            lock->readers++;
    }
    if (rwlock_ready(&lock->object.waitable))
        bine_object_notify(&lock->object);
}

bine_rwlock *bine_rwlock_new(unsigned flags)
{
    return bine_object_new(sizeof(struct bine_rwlock), &rwlock_class, flags);
}

int bine_rwlock_free(bine_rwlock *lock)
{
    if (!lock)
        return 0;
    int error = bine_object_check_free(lock);
    bool busy = !error && !bine_object_orphan(lock) &&
                (lock->writer || lock->readers || !bine_waiters_empty(&lock->waiters));
    if (!error)
        error = busy ? EBUSY : bine_object_free(&lock->object);
    return bine_result(error);
}

static int rwlock_wait_for(struct bine_rwlock *lock, uint8_t kind, const char *verb,
                           int64_t timeout)
{
    struct bine_taker taker = {.kind = kind};
    int error = bine_taker_wait(&lock->object, &lock->waiters, &taker, verb, timeout);
    /* A writer that gave up may have held back readers behind it. */
    if (error && kind == WRITER)
        rwlock_serve(lock);
    return error;
}

static int read_there(struct bine_errand *errand)
{
    struct bine_rwlock *lock = errand->object;
    return lock->writer == errand->caller
               ? EDEADLK
               : bine_outcome(bine_rwlock_read_acquire(lock, errand->timeout));
}

BINE_ELSEWHERE int read_elsewhere(int error, struct bine_rwlock *lock, int64_t timeout)
{
    return bine_object_elsewhere(
        error, &(struct bine_errand){read_there, "read rwlock", lock, .timeout = timeout});
}

int bine_rwlock_read_acquire(bine_rwlock *lock, int64_t timeout)
{
    int error = bine_object_check(lock);
    if (error || timeout < 0)
        return read_elsewhere(error, lock, timeout);
    if (lock->writer == lock->object.hub->current)
        return bine_result(EDEADLK);
    if (lock->writer || !bine_waiters_empty(&lock->waiters))
        return bine_result(rwlock_wait_for(lock, READER, "read rwlock", timeout));
    if (lock->readers == UINT_MAX)
        return bine_result(EAGAIN);
    lock->readers++;
    return 0;
}

static int read_release_there(struct bine_errand *errand)
{
    return bine_outcome(bine_rwlock_read_release(errand->object));
}

BINE_ELSEWHERE int read_release_elsewhere(int error, struct bine_rwlock *lock)
{
    return bine_object_elsewhere(error,
                                 &(struct bine_errand){read_release_there, "release rwlock", lock,
                                                       .timeout = BINE_FOREVER, .firm = true});
}

int bine_rwlock_read_release(bine_rwlock *lock)
{
    int error = bine_object_check(lock);
    if (error)
        return read_release_elsewhere(error, lock);
    if (lock->readers == 0)
        return bine_result(EPERM);
    lock->readers--;
    rwlock_serve(lock);
    return 0;
}

/* The greenlet that carries it out gets the lock and passes it on to the caller. */
static int write_there(struct bine_errand *errand)
{
    struct bine_rwlock *lock = errand->object;
    if (lock->writer == errand->caller)
        return EDEADLK;
    if (bine_rwlock_write_acquire(lock, errand->timeout) != 0)
        return errno;
    bine_detach(lock->writer);
    lock->writer = errand->caller;
    return 0;
}

BINE_ELSEWHERE int write_elsewhere(int error, struct bine_rwlock *lock, int64_t timeout)
{
    struct bine_errand errand = {write_there, "write rwlock", lock, .timeout = timeout};
    int failed = bine_object_elsewhere(error, &errand);
    if (!failed)
        bine_ref(errand.caller);
    return failed;
}

int bine_rwlock_write_acquire(bine_rwlock *lock, int64_t timeout)
{
    int error = bine_object_check(lock);
    if (error || timeout < 0)
        return write_elsewhere(error, lock, timeout);
    if (lock->writer == lock->object.hub->current)
        return bine_result(EDEADLK);
    if (lock->writer || lock->readers || !bine_waiters_empty(&lock->waiters))
        return bine_result(rwlock_wait_for(lock, WRITER, "write rwlock", timeout));
    lock->writer = bine_ref(lock->object.hub->current);
    return 0;
}

static int write_release_there(struct bine_errand *errand)
{
    struct bine_rwlock *lock = errand->object;
    if (lock->writer != errand->caller)
        return EPERM;
    lock->writer = bine_ref(lock->object.hub->current);
    return bine_outcome(bine_rwlock_write_release(lock));
}

BINE_ELSEWHERE int write_release_elsewhere(int error, struct bine_rwlock *lock)
{
    struct bine_errand errand = {write_release_there, "release rwlock", lock,
                                 .timeout = BINE_FOREVER, .firm = true};
    int failed = bine_object_elsewhere(error, &errand);
    if (!failed)
        bine_detach(errand.caller);
    return failed;
}

int bine_rwlock_write_release(bine_rwlock *lock)
{
    int error = bine_object_check(lock);
    if (error)
        return write_release_elsewhere(error, lock);
    if (lock->writer != lock->object.hub->current)
        return bine_result(EPERM);
    struct bine_greenlet *before = lock->writer;
    lock->writer = NULL;
    rwlock_serve(lock);
    bine_greenlet_release(before);
    return 0;
}

unsigned bine_rwlock_readers(const bine_rwlock *lock)
{
    return lock ? lock->readers : 0;
}

bool bine_rwlock_written(const bine_rwlock *lock)
{
    return lock && lock->writer;
}
