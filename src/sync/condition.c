/*
 * Condition. A notified waiter is moved from the condition's queue to its lock's queue, and is not
 * woken. It runs once, when it has the lock. So notify_all of a thousand waiters does not make a
 * thousand greenlets run for one lock.
 */
#include <bine/condition.h>

#include "rlock.h"

/* What a taker's `kind` says. */
enum {
    WAITING,
    NOTIFIED
};

struct bine_condition {
    struct bine_object object;
    struct bine_waiters waiters;
    struct bine_rlock *lock;
    bool own_lock;
};

static bool condition_ready(const struct bine_waitable *object)
{
    return false;
}

static void condition_forked(struct bine_object *object)
{
    ((struct bine_condition *)object)->waiters = (struct bine_waiters){NULL, NULL};
}

static const struct bine_object_class condition_class = {
    {"condition", condition_ready, bine_object_external, bine_object_hub}, condition_forked, NULL};

bine_condition *bine_condition_new(bine_rlock *lock, unsigned flags)
{
    int error = lock ? bine_object_check(lock) : 0;
    if (!error && lock && (flags & BINE_SHARED) && !lock->object.remote)
        error = EINVAL;
    if (error) {
        errno = error;
        return NULL;
    }
    struct bine_condition *condition = bine_object_new(sizeof *condition, &condition_class, flags);
    if (!condition)
        return NULL;
    condition->own_lock = !lock;
    condition->lock = lock ? lock : bine_rlock_new(flags);
    if (!condition->lock) {
        bine_object_free(&condition->object);
        errno = ENOMEM;
        return NULL;
    }
    return condition;
}

int bine_condition_free(bine_condition *condition)
{
    if (!condition)
        return 0;
    int error = bine_object_check_free(condition);
    if (!error && !bine_object_orphan(condition) &&
        !(bine_waiters_empty(&condition->waiters) &&
          bine_waiters_empty(&condition->object.waitable.watchers)))
        error = EBUSY;
    if (!error && condition->own_lock && bine_rlock_free(condition->lock) != 0)
        error = EBUSY;
    return bine_result(error ? error : bine_object_free(&condition->object));
}

bine_rlock *bine_condition_lock(bine_condition *condition)
{
    if (!condition)
        errno = EINVAL;
    return condition ? condition->lock : NULL;
}

static int check_owned(struct bine_condition *condition)
{
    int error = bine_object_check(condition);
    return error ? error : bine_rlock_owned(condition->lock) ? 0 : EPERM;
}

static int condition_wait_until(struct bine_condition *condition, int64_t deadline)
{
    struct bine_rlock *lock = condition->lock;
    struct bine_hub *hub = condition->object.hub;
    unsigned depth = lock->depth;
    struct bine_taker taker = {
        .item = (void *)(uintptr_t)depth, .error = BINE_UNSERVED, .kind = WAITING};
    taker.waiter.greenlet = hub->current;
    bine_waiters_push(&condition->waiters, &taker.waiter);
    bine_rlock_pass(lock);

    int error;
    do {
        error = bine_park(hub, "wait for condition", (uintptr_t)condition, deadline, 0);
    } while (error == 0 && taker.error == BINE_UNSERVED && taker.waiter.queue);
    if (taker.error != BINE_UNSERVED)
        return 0;
    /* Cut short. One that was notified before has only to get the lock, which takes as long as it
     * takes. */
    bine_waiters_remove(&taker.waiter);
    bine_rlock_take_firmly(lock, depth);
    return taker.kind == NOTIFIED ? 0 : error == ETIME ? ETIMEDOUT : error;
}

/* For a greenlet of another thread, which holds the lock. */
static int wait_there(struct bine_errand *errand)
{
    struct bine_condition *condition = errand->object;
    int error = bine_rlock_borrow(condition->lock, errand);
    if (error)
        return error;
    error = bine_outcome(bine_condition_wait(condition, errand->timeout));
    bine_rlock_return(condition->lock, errand);
    return error;
}

BINE_ELSEWHERE int wait_elsewhere(int error, struct bine_condition *condition, int64_t timeout)
{
    return bine_object_elsewhere(error, &(struct bine_errand){wait_there, "wait for condition",
                                                              condition, .timeout = timeout});
}

int bine_condition_wait(bine_condition *condition, int64_t timeout)
{
    int error = bine_object_check(condition);
    if (error || timeout < 0)
        return wait_elsewhere(error, condition, timeout);
    error = check_owned(condition);
    if (!error && condition->object.hub->no_park)
        error = EDEADLK;
    if (!error)
        error = condition_wait_until(condition, bine_object_deadline(&condition->object, timeout));
    return bine_result(error);
}

/* The predicate is asked where the caller is. */
BINE_ELSEWHERE int wait_for_elsewhere(struct bine_condition *condition,
                                      bool (*predicate)(void *arg), void *arg, int64_t timeout)
{
    if (timeout < 0 || !predicate)
        return bine_result(EINVAL);
    if (!condition->object.remote || !bine_rlock_owned(condition->lock))
        return bine_result(EPERM);
    int64_t deadline = bine_hub_deadline(bine_hub_of_thread, timeout);
    while (!predicate(arg)) {
        int64_t left = timeout;
        if (timeout != BINE_FOREVER && (left = deadline - bine_hub_now(bine_hub_of_thread)) < 0)
            left = 0;
        if (wait_elsewhere(EPERM, condition, left) != 0) {
            int error = errno;
            return bine_result(predicate(arg) ? 0 : error);
        }
    }
    return 0;
}

int bine_condition_wait_for(bine_condition *condition, bool (*predicate)(void *arg), void *arg,
                            int64_t timeout)
{
    int error = bine_object_check(condition);
    if (error == EPERM)
        return wait_for_elsewhere(condition, predicate, arg, timeout);
    if (!error && (timeout < 0 || !predicate))
        error = EINVAL;
    if (!error)
        error = check_owned(condition);
    if (!error && condition->object.hub->no_park)
        error = EDEADLK;
    if (error)
        return bine_result(error);
    int64_t deadline = bine_object_deadline(&condition->object, timeout);
    while (!predicate(arg)) {
        error = condition_wait_until(condition, deadline);
        if (error)
            return bine_result(predicate(arg) ? 0 : error);
    }
    return 0;
}

static int notify_there(struct bine_errand *errand)
{
    struct bine_condition *condition = errand->object;
    int error = bine_rlock_borrow(condition->lock, errand);
    if (error)
        return error;
    bine_condition_notify(condition, errand->number);
    bine_rlock_return(condition->lock, errand);
    return 0;
}

int bine_condition_notify(bine_condition *condition, size_t n)
{
    int error = bine_object_check(condition);
    if (error)
        return bine_object_elsewhere(
            error, &(struct bine_errand){notify_there, "notify condition", condition, .number = n,
                                         .timeout = BINE_FOREVER, .firm = true});
    error = check_owned(condition);
    if (error)
        return bine_result(error);
    while (n > 0 && !bine_waiters_empty(&condition->waiters)) {
        struct bine_waiter *waiter = bine_waiters_pop(&condition->waiters);
        /* A waiter whose wait has ended already must not use up the notification. */
        if (waiter->greenlet->state != BINE_PARKED)
            continue;
        ((struct bine_taker *)waiter)->kind = NOTIFIED;
        bine_waiters_push(&condition->lock->waiters, waiter);
        n--;
    }
    return 0;
}

int bine_condition_notify_all(bine_condition *condition)
{
    return bine_condition_notify(condition, SIZE_MAX);
}
