/*
 * The lock for many readers or one writer, first come, first served: whoever comes while others wait queues
 * behind them. A release, and the leaving of a waiter that gave up, serves the front of the queue: one writer,
 * or readers up to the next writer.
 */
#include <bine/lock.h>
#include <limits.h>

#include "object.h"

enum {
    READER,
    WRITER
};

struct bine_rwlock {
    struct bine_object object;
    struct bine_queue waiters;
    struct bine_greenlet *writer; /* a reference */
    unsigned readers;
};

static bool rwlock_ready(const struct bine_waitable *object)
{
    const struct bine_rwlock *lock = (const struct bine_rwlock *)object;
    return !lock->writer && bine_queue_empty(&lock->waiters);
}

static void rwlock_forked(struct bine_object *object)
{
    ((struct bine_rwlock *)object)->waiters = (struct bine_queue){NULL, NULL};
}

static const struct bine_object_class rwlock_class = {{"rwlock", rwlock_ready}, rwlock_forked, NULL};

/* Let in whom the state allows, from the front. */
static void serve(struct bine_rwlock *lock)
{
    while (!lock->writer && !bine_queue_empty(&lock->waiters)) {
        struct bine_taker *first = (struct bine_taker *)lock->waiters.first;
        uint8_t kind = first->kind;
        if (kind == WRITER && lock->readers > 0)
            return;
        bine_queue_remove(&first->waiter);
        if (!bine_unpark(first->waiter.greenlet))
            continue;
        first->done = true;
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
    int error = bine_object_check(lock);
    if (!error)
        error = lock->writer || lock->readers || !bine_queue_empty(&lock->waiters) ? EBUSY
                                                                                   : bine_object_free(&lock->object);
    return bine_result(error);
}

/* What both kinds of acquire check first. */
static int check(struct bine_rwlock *lock, int64_t timeout)
{
    int error = bine_object_check(lock);
    if (!error && timeout < 0)
        error = EINVAL;
    if (!error && lock->writer == lock->object.hub->current)
        error = EDEADLK;
    return error;
}

static int wait_for(struct bine_rwlock *lock, uint8_t kind, const char *verb, int64_t timeout)
{
    struct bine_taker taker = {.kind = kind};
    int error = bine_taker_wait(&lock->object, &lock->waiters, &taker, verb, timeout, 0);
    /* A writer that gave up may have held back readers behind it. */
    if (error && kind == WRITER)
        serve(lock);
    return error;
}

int bine_rwlock_read_acquire(bine_rwlock *lock, int64_t timeout)
{
    int error = check(lock, timeout);
    if (error)
        return bine_result(error);
    if (lock->writer || !bine_queue_empty(&lock->waiters))
        return bine_result(wait_for(lock, READER, "read rwlock", timeout));
    if (lock->readers == UINT_MAX)
        return bine_result(EAGAIN);
    lock->readers++;
    return 0;
}

int bine_rwlock_read_release(bine_rwlock *lock)
{
    int error = bine_object_check(lock);
    if (!error && lock->readers == 0)
        error = EPERM;
    if (error)
        return bine_result(error);
    lock->readers--;
    serve(lock);
    return 0;
}

int bine_rwlock_write_acquire(bine_rwlock *lock, int64_t timeout)
{
    int error = check(lock, timeout);
    if (error)
        return bine_result(error);
    if (lock->writer || lock->readers || !bine_queue_empty(&lock->waiters))
        return bine_result(wait_for(lock, WRITER, "write rwlock", timeout));
    lock->writer = bine_ref(lock->object.hub->current);
    return 0;
}

int bine_rwlock_write_release(bine_rwlock *lock)
{
    int error = bine_object_check(lock);
    if (!error && lock->writer != lock->object.hub->current)
        error = EPERM;
    if (error)
        return bine_result(error);
    struct bine_greenlet *before = lock->writer;
    lock->writer = NULL;
    serve(lock);
    bine_detach(before);
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
