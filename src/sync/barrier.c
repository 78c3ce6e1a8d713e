/* The barrier: the last of n callers lets all of them go. The waiters are counted, because a
 * taker's place tells its arrival. */
#include <bine/lock.h>
#include <limits.h>

#include "object.h"

struct bine_barrier {
    struct bine_object object;
    struct bine_waiters waiters;
    unsigned parties;
    unsigned waiting;
    bool broken;
};

static bool barrier_ready(const struct bine_waitable *object)
{
    const struct bine_barrier *barrier = (const struct bine_barrier *)object;
    return barrier->broken || barrier->waiting + 1 == barrier->parties;
}

static void barrier_forked(struct bine_object *object)
{
    struct bine_barrier *barrier = (struct bine_barrier *)object;
    barrier->waiters = (struct bine_waiters){NULL, NULL};
    barrier->waiting = 0;
}

static const struct bine_object_class barrier_class = {
    {"barrier", barrier_ready, bine_object_external, bine_object_hub}, barrier_forked, NULL};

bine_barrier *bine_barrier_new(unsigned parties, unsigned flags)
{
    if (parties == 0 || parties > INT_MAX) {
        errno = EINVAL;
        return NULL;
    }
    struct bine_barrier *barrier = bine_object_new(sizeof *barrier, &barrier_class, flags);
    if (barrier)
        barrier->parties = parties;
    return barrier;
}

int bine_barrier_free(bine_barrier *barrier)
{
    if (!barrier)
        return 0;
    int error = bine_object_check_free(barrier);
    if (!error)
        error = barrier->waiting && !bine_object_orphan(barrier)
                    ? EBUSY
                    : bine_object_free(&barrier->object);
    return bine_result(error);
}

/* Ends the waits of all, with this error. */
static void barrier_release(struct bine_barrier *barrier, int error)
{
    barrier->waiting = 0;
    bine_taker_claim_all(&barrier->waiters, error);
    if (barrier_ready(&barrier->object.waitable))
        bine_object_notify(&barrier->object);
}

static int wait_there(struct bine_errand *errand)
{
    int place = bine_barrier_wait(errand->object, errand->timeout);
    errand->number = (size_t)place;
    return place < 0 ? errno : 0;
}

BINE_ELSEWHERE int wait_elsewhere(int error, struct bine_barrier *barrier, int64_t timeout)
{
    struct bine_errand errand = {wait_there, "wait at barrier", barrier, .timeout = timeout};
    return bine_object_elsewhere(error, &errand) == 0 ? (int)errand.number : -1;
}

int bine_barrier_wait(bine_barrier *barrier, int64_t timeout)
{
    int error = bine_object_check(barrier);
    if (error || timeout < 0)
        return wait_elsewhere(error, barrier, timeout);
    if (barrier->broken)
        return bine_result(EPIPE);
    unsigned place = barrier->waiting;
    if (place + 1 == barrier->parties) {
        barrier_release(barrier, 0);
        return (int)place;
    }
    if (timeout == 0)
        return bine_result(bine_streak_refused(barrier->object.hub, ETIMEDOUT));
    barrier->waiting++;
    if (barrier_ready(&barrier->object.waitable))
        bine_object_notify(&barrier->object);
    struct bine_taker taker;
    error =
        bine_taker_wait(&barrier->object, &barrier->waiters, &taker, "wait at barrier", timeout);
    if (error && taker.error == BINE_UNSERVED) {
        barrier->broken = true;
        barrier_release(barrier, EPIPE);
    }
    return error ? bine_result(error) : (int)place;
}

/* Ends the waits of all. `broken` says what later callers find. */
static int set_broken(struct bine_barrier *barrier, bool broken);

static int set_broken_there(struct bine_errand *errand)
{
    return bine_outcome(set_broken(errand->object, errand->number));
}

static int set_broken(struct bine_barrier *barrier, bool broken)
{
    int error = bine_object_check(barrier);
    if (error)
        return bine_object_elsewhere(
            error, &(struct bine_errand){set_broken_there, "break or reset barrier", barrier,
                                         .number = broken, .timeout = BINE_FOREVER, .firm = true});
    barrier->broken = broken;
    barrier_release(barrier, EPIPE);
    return 0;
}

int bine_barrier_abort(bine_barrier *barrier)
{
    return set_broken(barrier, true);
}

int bine_barrier_reset(bine_barrier *barrier)
{
    return set_broken(barrier, false);
}

unsigned bine_barrier_waiting(const bine_barrier *barrier)
{
    return barrier ? barrier->waiting : 0;
}

bool bine_barrier_broken(const bine_barrier *barrier)
{
    return barrier && barrier->broken;
}
