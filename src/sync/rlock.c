/* The recursive lock. The lock itself is handed over, so it is never free while a greenlet waits
 * for it. */
#include "rlock.h"

#include <limits.h>

#include "libc/layout.h"

BINE_LAYOUT(rlock_rows) = {BINE_FIELD("rlock", struct bine_rlock, owner),
                           BINE_FIELD("rlock", struct bine_rlock, depth)};

static bool rlock_ready(const struct bine_waitable *object)
{
    return bine_rlock_owner((const struct bine_rlock *)object) == NULL;
}

/* A lock that a vanished greenlet held stays held, as with threads. */
static void rlock_forked(struct bine_object *object)
{
    ((struct bine_rlock *)object)->waiters = (struct bine_waiters){NULL, NULL};
}

const struct bine_object_class bine_rlock_class = {
    {"rlock", rlock_ready, bine_object_external, bine_object_hub}, rlock_forked, NULL};

void bine_rlock_take(struct bine_rlock *lock, struct bine_greenlet *g, unsigned depth)
{
    bine_rlock_set_owner(lock, bine_ref(g));
    lock->depth = depth;
}

static void take_as(struct bine_rlock *lock, const struct bine_party *party)
{
    if (bine_greenlet_foreign(party->greenlet))
        bine_rlock_set_owner(lock, party->greenlet);
    else
        bine_rlock_set_owner(lock, bine_ref(party->greenlet));
    lock->depth = 1;
}

int bine_rlock_acquire_as(struct bine_rlock *lock, bool *first, struct bine_party *party)
{
    struct bine_greenlet *owner = bine_rlock_owner(lock);
    *first = !owner;
    if ((owner && (owner != party->greenlet || lock->depth == UINT_MAX)) ||
        !bine_party_decide(party))
        return EAGAIN;
    if (*first)
        take_as(lock, party);
    else
        lock->depth++;
    return 0;
}

void bine_rlock_pass(struct bine_rlock *lock)
{
    struct bine_greenlet *before = bine_rlock_owner(lock);
    struct bine_taker *taker = bine_taker_claim(&lock->waiters);
    if (taker && __builtin_expect(bine_party_of(taker) != NULL, 0)) {
        take_as(lock, bine_party_of(taker));
    } else if (taker) {
        bine_rlock_take(lock, taker->waiter.greenlet, (unsigned)(uintptr_t)taker->item);
    } else {
        bine_rlock_set_owner(lock, NULL);
        lock->depth = 0;
        bine_object_notify(&lock->object);
    }
    bine_greenlet_release(before);
}

void bine_rlock_take_firmly(struct bine_rlock *lock, unsigned depth)
{
    if (!bine_rlock_owner(lock)) {
        bine_rlock_take(lock, lock->object.hub->current, depth);
        return;
    }
    struct bine_taker taker = {.item = (void *)(uintptr_t)depth};
    bine_taker_wait_firmly(&lock->object, &lock->waiters, &taker, "acquire rlock");
}

bine_rlock *bine_rlock_new(unsigned flags)
{
    return bine_object_new(sizeof(struct bine_rlock), &bine_rlock_class, flags);
}

int bine_rlock_free(bine_rlock *lock)
{
    if (!lock)
        return 0;
    int error = bine_object_check_free(lock);
    if (!error)
        error = bine_object_orphan(lock) ||
                        (!bine_rlock_owner(lock) && bine_waiters_empty(&lock->waiters))
                    ? bine_object_free(&lock->object)
                    : EBUSY;
    return bine_result(error);
}

/* ---- for greenlets of other threads ---------------------------------------------------------- */

int bine_rlock_borrow(struct bine_rlock *lock, const struct bine_errand *errand)
{
    if (bine_rlock_owner(lock) != errand->caller)
        return EPERM;
    bine_rlock_set_owner(lock, bine_ref(lock->object.hub->current));
    return 0;
}

void bine_rlock_return(struct bine_rlock *lock, const struct bine_errand *errand)
{
    bine_detach(bine_rlock_owner(lock));
    bine_rlock_set_owner(lock, errand->caller);
}

static int acquire_there(struct bine_errand *errand)
{
    struct bine_rlock *lock = errand->object;
    if (bine_rlock_owner(lock) == errand->caller) {
        if (lock->depth == UINT_MAX)
            return EAGAIN;
        errand->number = ++lock->depth;
        return 0;
    }
    if (bine_rlock_acquire(lock, errand->timeout) != 0)
        return errno;
    bine_rlock_return(lock, errand);
    errand->number = 1;
    return 0;
}

BINE_ELSEWHERE int acquire_elsewhere(struct bine_rlock *lock, int64_t timeout)
{
    struct bine_errand errand = {acquire_there, "acquire rlock", lock, .timeout = timeout};
    int failed = bine_object_elsewhere(bine_object_check(lock), &errand);
    if (!failed && errand.number == 1)
        bine_ref(errand.caller);
    return failed;
}

static int release_there(struct bine_errand *errand)
{
    struct bine_rlock *lock = errand->object;
    int error = bine_rlock_borrow(lock, errand);
    if (error)
        return error;
    errand->number = lock->depth - 1;
    bine_rlock_release(lock);
    if (errand->number > 0)
        bine_rlock_return(lock, errand);
    return 0;
}

BINE_ELSEWHERE int release_elsewhere(int error, struct bine_rlock *lock)
{
    struct bine_errand errand = {release_there, "release rlock", lock, .timeout = BINE_FOREVER,
                                 .firm = true};
    int failed = bine_object_elsewhere(error, &errand);
    if (!failed && errand.number == 0)
        bine_detach(errand.caller);
    return failed;
}

/* ---- acquire and release --------------------------------------------------------------------- */

int bine_rlock_acquire(bine_rlock *lock, int64_t timeout)
{
    if (__builtin_expect(!bine_object_here(lock) || timeout < 0, 0))
        return acquire_elsewhere(lock, timeout);
    struct bine_greenlet *current = lock->object.hub->current, *owner = bine_rlock_owner(lock);
    if (!owner) {
        bine_rlock_take(lock, current, 1);
        return 0;
    }
    if (owner == current) {
        if (lock->depth == UINT_MAX)
            return bine_result(EAGAIN);
        lock->depth++;
        return 0;
    }
    struct bine_taker taker = {.item = (void *)1};
    return bine_result(
        bine_taker_wait(&lock->object, &lock->waiters, &taker, "acquire rlock", timeout));
}

int bine_rlock_release(bine_rlock *lock)
{
    int error = bine_object_check(lock);
    if (error)
        return release_elsewhere(error, lock);
    if (bine_rlock_owner(lock) != lock->object.hub->current)
        return bine_result(EPERM);
    if (--lock->depth == 0)
        bine_rlock_pass(lock);
    return 0;
}

bool bine_rlock_locked(const bine_rlock *lock)
{
    return lock && bine_rlock_owner(lock);
}

bool bine_rlock_owned(const bine_rlock *lock)
{
    /* The owner has seen itself become the owner, so this is right on any thread. */
    struct bine_hub *hub = bine_hub_of_thread;
    return lock && hub && bine_rlock_owner(lock) == hub->current;
}
