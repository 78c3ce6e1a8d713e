/* The recursive lock: the lock itself is handed over, so it is never free while somebody waits. */
#include "rlock.h"

#include <limits.h>

static bool rlock_ready(const struct bine_waitable *object)
{
    return ((const struct bine_rlock *)object)->owner == NULL;
}

/* A lock that a vanished greenlet held stays held, as with threads. */
static void rlock_forked(struct bine_object *object)
{
    ((struct bine_rlock *)object)->waiters = (struct bine_queue){NULL, NULL};
}

static const struct bine_object_class rlock_class = {{"rlock", rlock_ready}, rlock_forked, NULL};

void bine_rlock_take(struct bine_rlock *lock, struct bine_greenlet *g, unsigned depth)
{
    lock->owner = bine_ref(g);
    lock->depth = depth;
}

void bine_rlock_pass(struct bine_rlock *lock)
{
    struct bine_greenlet *before = lock->owner;
    struct bine_taker *taker = bine_taker_claim(&lock->waiters);
    if (taker) {
        bine_rlock_take(lock, taker->waiter.greenlet, (unsigned)(uintptr_t)taker->item);
    } else {
        lock->owner = NULL;
        lock->depth = 0;
        bine_object_notify(&lock->object);
    }
    bine_detach(before);
}

void bine_rlock_take_firmly(struct bine_rlock *lock, unsigned depth)
{
    if (!lock->owner) {
        bine_rlock_take(lock, lock->object.hub->current, depth);
        return;
    }
    struct bine_taker taker = {.item = (void *)(uintptr_t)depth};
    bine_taker_wait_firmly(&lock->object, &lock->waiters, &taker, "acquire rlock");
}

bine_rlock *bine_rlock_new(unsigned flags)
{
    return bine_object_new(sizeof(struct bine_rlock), &rlock_class, flags);
}

int bine_rlock_free(bine_rlock *lock)
{
    if (!lock)
        return 0;
    int error = bine_object_check(lock);
    if (!error)
        error = !lock->owner && bine_queue_empty(&lock->waiters) ? bine_object_free(&lock->object) : EBUSY;
    return bine_result(error);
}

int bine_rlock_acquire(bine_rlock *lock, int64_t timeout)
{
    int error = bine_object_check(lock);
    if (error || timeout < 0)
        return bine_result(error ? error : EINVAL);
    struct bine_greenlet *current = lock->object.hub->current;
    if (!lock->owner) {
        bine_rlock_take(lock, current, 1);
        return 0;
    }
    if (lock->owner == current) {
        if (lock->depth == UINT_MAX)
            return bine_result(EAGAIN);
        lock->depth++;
        return 0;
    }
    struct bine_taker taker = {.item = (void *)1};
    return bine_result(bine_taker_wait(&lock->object, &lock->waiters, &taker, "acquire rlock", timeout, 0));
}

int bine_rlock_release(bine_rlock *lock)
{
    int error = bine_object_check(lock);
    if (!error && lock->owner != lock->object.hub->current)
        error = EPERM;
    if (error)
        return bine_result(error);
    if (--lock->depth == 0)
        bine_rlock_pass(lock);
    return 0;
}

bool bine_rlock_locked(const bine_rlock *lock)
{
    return lock && lock->owner;
}

bool bine_rlock_owned(const bine_rlock *lock)
{
    return bine_object_check(lock) == 0 && lock->owner && lock->owner == lock->object.hub->current;
}
