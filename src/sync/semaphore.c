/*
 * Semaphore. Invariant: there are permits only while no greenlet waits, since a release gives its
 * permit straight to the first waiter.
 */
#include "semaphore.h"

#include <limits.h>

#include "libc/layout.h"
#include "remote.h"

struct bine_semaphore {
    struct bine_object object;
    struct bine_waiters waiters;
    unsigned permits;
    unsigned maximum;
};

BINE_LAYOUT(semaphore_rows) = {BINE_FIELD("semaphore", struct bine_semaphore, permits),
                               BINE_FIELD("semaphore", struct bine_semaphore, maximum)};

static bool semaphore_ready(const struct bine_waitable *object)
{
    return ((const struct bine_semaphore *)object)->permits > 0;
}

static void semaphore_forked(struct bine_object *object)
{
    ((struct bine_semaphore *)object)->waiters = (struct bine_waiters){NULL, NULL};
}

static int release_here(struct bine_semaphore *semaphore)
{
    if (semaphore->permits == semaphore->maximum)
        return EOVERFLOW;
    if (bine_taker_claim(&semaphore->waiters))
        return 0;
    semaphore->permits++;
    bine_object_notify(&semaphore->object);
    return 0;
}

static void semaphore_received(struct bine_object *object)
{
    for (unsigned long count = atomic_exchange(&object->remote->count, 0); count > 0; count--)
        if (release_here((struct bine_semaphore *)object) != 0)
            break; /* the rest would overflow as well */
}

const struct bine_object_class bine_semaphore_class = {
    {"semaphore", semaphore_ready, bine_object_external, bine_object_hub},
    semaphore_forked,
    semaphore_received};

static bine_semaphore *semaphore_new(unsigned permits, unsigned maximum, unsigned flags)
{
    if (permits > maximum || maximum == 0) {
        errno = EINVAL;
        return NULL;
    }
    struct bine_semaphore *semaphore =
        bine_object_new(sizeof *semaphore, &bine_semaphore_class, flags);
    if (semaphore) {
        semaphore->permits = permits;
        semaphore->maximum = maximum;
    }
    return semaphore;
}

bine_semaphore *bine_semaphore_new(unsigned permits, unsigned flags)
{
    return semaphore_new(permits, INT_MAX, flags);
}

bine_semaphore *bine_semaphore_new_bounded(unsigned permits, unsigned flags)
{
    return semaphore_new(permits, permits <= INT_MAX ? permits : 0, flags);
}

int bine_semaphore_free(bine_semaphore *semaphore)
{
    if (!semaphore)
        return 0;
    int error = bine_object_check_free(semaphore);
    if (!error)
        error = bine_object_orphan(semaphore) || bine_waiters_empty(&semaphore->waiters)
                    ? bine_object_free(&semaphore->object)
                    : EBUSY;
    return bine_result(error);
}

int bine_semaphore_attempt(struct bine_semaphore *semaphore)
{
    if (semaphore->permits == 0)
        return EAGAIN;
    semaphore->permits--;
    return 0;
}

int bine_semaphore_acquire_as(struct bine_semaphore *semaphore, struct bine_party *party)
{
    return semaphore->permits > 0 && bine_party_decide(party) ? bine_semaphore_attempt(semaphore)
                                                              : EAGAIN;
}

struct bine_waiters *bine_semaphore_waiters(struct bine_semaphore *semaphore)
{
    return &semaphore->waiters;
}

/* See bine_taker_wait_inlined. */
BINE_WAIT_BODY int bine_semaphore_wait_body(struct bine_semaphore *semaphore, int64_t timeout);
BINE_WAIT_BODY int bine_semaphore_wait_body(struct bine_semaphore *semaphore, int64_t timeout)
{
    struct bine_taker taker;
    return bine_result(bine_taker_wait_inlined(&semaphore->object, &semaphore->waiters, &taker,
                                               "acquire semaphore", timeout));
}

BINE_WAIT_BY_JUMP(int semaphore_wait(struct bine_semaphore *semaphore, int64_t timeout),
                  bine_semaphore_wait_body, (semaphore, timeout))

static int acquire_there(struct bine_errand *errand)
{
    return bine_outcome(bine_semaphore_acquire(errand->object, errand->timeout));
}

BINE_ELSEWHERE int acquire_elsewhere(struct bine_semaphore *semaphore, int64_t timeout)
{
    return bine_object_elsewhere(
        bine_object_check(semaphore),
        &(struct bine_errand){acquire_there, "acquire semaphore", semaphore, .timeout = timeout});
}

int bine_semaphore_acquire(bine_semaphore *semaphore, int64_t timeout)
{
    if (__builtin_expect(!bine_object_here(semaphore) || timeout < 0, 0))
        return acquire_elsewhere(semaphore, timeout);
    return bine_semaphore_attempt(semaphore) == 0 ? 0 : semaphore_wait(semaphore, timeout);
}

static int try_there(struct bine_errand *errand)
{
    return bine_semaphore_attempt(errand->object);
}

int bine_semaphore_try_acquire(bine_semaphore *semaphore)
{
    int error = bine_object_check(semaphore);
    if (error)
        return bine_object_elsewhere(error,
                                     &(struct bine_errand){try_there, "try semaphore", semaphore});
    return bine_result(bine_semaphore_attempt(semaphore));
}

int bine_semaphore_release(bine_semaphore *semaphore)
{
    if (!semaphore)
        return bine_result(EINVAL);
    if (semaphore->object.hub == bine_hub_of_thread)
        return bine_result(release_here(semaphore));
    int error = bine_remote_check(&semaphore->object);
    if (!error) {
        atomic_fetch_add(&semaphore->object.remote->count, 1);
        error = bine_remote_send(&semaphore->object);
    }
    return bine_result(error);
}

unsigned bine_semaphore_permits(const bine_semaphore *semaphore)
{
    return semaphore ? semaphore->permits : 0;
}

bool bine_semaphore_locked(const bine_semaphore *semaphore)
{
    return bine_semaphore_permits(semaphore) == 0;
}
