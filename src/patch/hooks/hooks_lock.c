/*
 * Hooks of locks, conditions, barriers, semaphores and once. src/locks/posix_*.c does all the work,
 * also on threads without a hub, where the calls are libc's. Calls that take are libc's again as
 * soon as the family is not patched. Calls that give always look for greenlets that still wait.
 */
#include <errno.h>

#include "core/schedule/park.h"
#include "core/schedule/schedule.h"
#include "locks/cxx_guard.h"
#include "locks/posix.h"

#include "locks/posix_barrier.h"
#include "patch/table/hook.h"
#include "patch/table/interpreter.h"
#include "patch/threads/thread_join.h"

/* The lock is taken. Taking a free lock does not count (bine_hook_counts). A refusal does, because
 * a loop may try until the lock is free. */
static int tried(int error)
{
    if (error == EBUSY)
        bine_hook_counts(BINE_PATCH_THREAD);
    return error;
}

int hook_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    if (!bine_hook_active(BINE_PATCH_THREAD))
        return bine_libc.pthread_mutex_lock(mutex);
    return bine_pthread_mutex_lock(mutex);
}

int hook_pthread_mutex_trylock(pthread_mutex_t *mutex)
{
    if (!bine_hook_active(BINE_PATCH_THREAD))
        return bine_libc.pthread_mutex_trylock(mutex);
    return tried(bine_pthread_mutex_trylock(mutex));
}

int hook_pthread_mutex_timedlock(pthread_mutex_t *mutex, const struct timespec *until)
{
    if (!bine_hook_active(BINE_PATCH_THREAD))
        return bine_libc.pthread_mutex_timedlock(mutex, until);
    return bine_pthread_mutex_timedlock(mutex, until);
}

int hook_pthread_mutex_clocklock(pthread_mutex_t *mutex, clockid_t clock,
                                 const struct timespec *until)
{
    if (!bine_hook_active(BINE_PATCH_THREAD))
        return bine_libc.pthread_mutex_clocklock(mutex, clock, until);
    return bine_pthread_mutex_clocklock(mutex, clock, until);
}

int hook_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    return bine_pthread_mutex_unlock(mutex);
}

int hook_pthread_rwlock_rdlock(pthread_rwlock_t *lock)
{
    if (!bine_hook_active(BINE_PATCH_THREAD))
        return bine_libc.pthread_rwlock_rdlock(lock);
    return bine_pthread_rwlock_rdlock(lock);
}

int hook_pthread_rwlock_tryrdlock(pthread_rwlock_t *lock)
{
    if (!bine_hook_active(BINE_PATCH_THREAD))
        return bine_libc.pthread_rwlock_tryrdlock(lock);
    return tried(bine_pthread_rwlock_tryrdlock(lock));
}

int hook_pthread_rwlock_timedrdlock(pthread_rwlock_t *lock, const struct timespec *until)
{
    if (!bine_hook_active(BINE_PATCH_THREAD))
        return bine_libc.pthread_rwlock_timedrdlock(lock, until);
    return bine_pthread_rwlock_timedrdlock(lock, until);
}

int hook_pthread_rwlock_clockrdlock(pthread_rwlock_t *lock, clockid_t clock,
                                    const struct timespec *until)
{
    if (!bine_hook_active(BINE_PATCH_THREAD))
        return bine_libc.pthread_rwlock_clockrdlock(lock, clock, until);
    return bine_pthread_rwlock_clockrdlock(lock, clock, until);
}

int hook_pthread_rwlock_wrlock(pthread_rwlock_t *lock)
{
    if (!bine_hook_active(BINE_PATCH_THREAD))
        return bine_libc.pthread_rwlock_wrlock(lock);
    return bine_pthread_rwlock_wrlock(lock);
}

int hook_pthread_rwlock_trywrlock(pthread_rwlock_t *lock)
{
    if (!bine_hook_active(BINE_PATCH_THREAD))
        return bine_libc.pthread_rwlock_trywrlock(lock);
    return tried(bine_pthread_rwlock_trywrlock(lock));
}

int hook_pthread_rwlock_timedwrlock(pthread_rwlock_t *lock, const struct timespec *until)
{
    if (!bine_hook_active(BINE_PATCH_THREAD))
        return bine_libc.pthread_rwlock_timedwrlock(lock, until);
    return bine_pthread_rwlock_timedwrlock(lock, until);
}

int hook_pthread_rwlock_clockwrlock(pthread_rwlock_t *lock, clockid_t clock,
                                    const struct timespec *until)
{
    if (!bine_hook_active(BINE_PATCH_THREAD))
        return bine_libc.pthread_rwlock_clockwrlock(lock, clock, until);
    return bine_pthread_rwlock_clockwrlock(lock, clock, until);
}

int hook_pthread_rwlock_unlock(pthread_rwlock_t *lock)
{
    return bine_pthread_rwlock_unlock(lock);
}

bool (*bine_condition_stays_real)(const void *caller);
bool (*bine_semaphore_stays_real)(const void *caller, const void *semaphore);
_Thread_local const void *bine_semaphore_refused;

/* The thread waits; but when the time is up, greenlets that have come to be ready run first. */
static void take_a_break(struct bine_hub *hub)
{
    bine_schedule_turn(hub, false);
    bine_yield(hub);
}

static struct timespec soon(int64_t delay)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += delay;
    if (until.tv_nsec >= BINE_SECOND) {
        until.tv_sec++;
        until.tv_nsec -= BINE_SECOND;
    }
    return until;
}

static int wait_with_breaks(pthread_cond_t *condition, pthread_mutex_t *mutex,
                            const struct timespec *until)
{
    int error = bine_libc.pthread_cond_timedwait(condition, mutex, until);
    struct bine_hub *hub = bine_hub_here();
    if (error != ETIMEDOUT || !hub || hub->no_park)
        return error;
    bine_libc.pthread_mutex_unlock(mutex);
    take_a_break(hub);
    bine_libc.pthread_mutex_lock(mutex);
    return error;
}

/* A wait without a limit lasts only until a waiter of the lock has taken it. That waiter may be a
 * greenlet of this thread. */
static int wait_a_while(pthread_cond_t *condition, pthread_mutex_t *mutex)
{
    if (!bine_hub_here())
        return bine_libc.pthread_cond_wait(condition, mutex);
    struct timespec until = soon(5 * BINE_MS);
    int error = bine_libc.pthread_cond_clockwait(condition, mutex, CLOCK_MONOTONIC, &until);
    return error == ETIMEDOUT ? 0 : error;
}

int hook_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
{
    if (!bine_hook_active(BINE_PATCH_THREAD))
        return bine_libc.pthread_cond_wait(condition, mutex);
    if (__builtin_expect(bine_condition_stays_real != NULL, 0) &&
        bine_condition_stays_real(__builtin_return_address(0)))
        return wait_a_while(condition, mutex);
    return bine_pthread_cond_wait(condition, mutex);
}

int hook_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
                                const struct timespec *until)
{
    if (!bine_hook_active(BINE_PATCH_THREAD))
        return bine_libc.pthread_cond_timedwait(condition, mutex, until);
    if (__builtin_expect(bine_condition_stays_real != NULL, 0) &&
        bine_condition_stays_real(__builtin_return_address(0)))
        return wait_with_breaks(condition, mutex, until);
    return bine_pthread_cond_timedwait(condition, mutex, until);
}

int hook_pthread_cond_clockwait(pthread_cond_t *condition, pthread_mutex_t *mutex, clockid_t clock,
                                const struct timespec *until)
{
    if (!bine_hook_active(BINE_PATCH_THREAD))
        return bine_libc.pthread_cond_clockwait(condition, mutex, clock, until);
    return bine_pthread_cond_clockwait(condition, mutex, clock, until);
}

int hook_pthread_cond_signal(pthread_cond_t *condition)
{
    return bine_pthread_cond_signal(condition);
}

int hook_pthread_cond_broadcast(pthread_cond_t *condition)
{
    return bine_pthread_cond_broadcast(condition);
}

int hook_pthread_spin_lock(pthread_spinlock_t *lock)
{
    if (!bine_hook_here(BINE_PATCH_THREAD))
        return bine_libc.pthread_spin_lock(lock);
    return bine_pthread_spin_lock(lock);
}

int hook_pthread_barrier_wait(pthread_barrier_t *barrier)
{
    if (!bine_hook_active(BINE_PATCH_THREAD))
        return bine_libc.pthread_barrier_wait(barrier);
    struct bine_hub *hub =
        bine_barrier_is_libcs(barrier) ? bine_hook_here(BINE_PATCH_THREAD) : NULL;
    return hub ? bine_thread_barrier(hub, barrier) : bine_pthread_barrier_wait(barrier);
}

int hook_pthread_once(pthread_once_t *once, void (*routine)(void))
{
    if (!bine_hook_active(BINE_PATCH_THREAD))
        return bine_libc.pthread_once(once, routine);
    return bine_pthread_once(once, routine);
}

int hook___cxa_guard_acquire(uint64_t *guard)
{
    if (!bine_hook_active(BINE_PATCH_THREAD))
        return bine_libc.__cxa_guard_acquire(guard);
    return bine_cxx_guard_acquire(guard);
}

void hook___cxa_guard_release(uint64_t *guard)
{
    bine_cxx_guard_release(guard);
}

void hook___cxa_guard_abort(uint64_t *guard)
{
    bine_cxx_guard_abort(guard);
}

static int sem_wait_with_breaks(sem_t *semaphore)
{
    struct bine_hub *hub = bine_hub_here();
    if (!hub || hub->no_park)
        return bine_libc.sem_wait(semaphore);
    int saved = errno;
    if (bine_libc.sem_trywait(semaphore) == 0)
        return 0;
    for (;;) {
        struct timespec until = soon(BINE_MS);
        int result = bine_libc.sem_clockwait(semaphore, CLOCK_MONOTONIC, &until);
        if (result == 0)
            errno = saved;
        if (result == 0 || errno != ETIMEDOUT)
            return result;
        take_a_break(hub);
    }
}

int hook_sem_wait(sem_t *semaphore)
{
    if (!bine_hook_active(BINE_PATCH_SEMAPHORE))
        return bine_libc.sem_wait(semaphore);
    if (__builtin_expect(bine_semaphore_stays_real != NULL, 0) &&
        bine_semaphore_stays_real(__builtin_return_address(0), semaphore))
        return sem_wait_with_breaks(semaphore);
    return bine_sem_wait(semaphore);
}

int hook_sem_trywait(sem_t *semaphore)
{
    /* It counts whatever it says: Python's locks are semaphores, and loops that ask for something
     * else take and release them. */
    bine_hook_counts(BINE_PATCH_SEMAPHORE);
    int result = bine_libc.sem_trywait(semaphore);
    if (result < 0)
        bine_semaphore_refused = semaphore;
    return result;
}

int hook_sem_timedwait(sem_t *semaphore, const struct timespec *until)
{
    if (!bine_hook_active(BINE_PATCH_SEMAPHORE))
        return bine_libc.sem_timedwait(semaphore, until);
    return bine_sem_timedwait(semaphore, until);
}

int hook_sem_clockwait(sem_t *semaphore, clockid_t clock, const struct timespec *until)
{
    if (!bine_hook_active(BINE_PATCH_SEMAPHORE))
        return bine_libc.sem_clockwait(semaphore, clock, until);
    return bine_sem_clockwait(semaphore, clock, until);
}

int hook_sem_post(sem_t *semaphore)
{
    return bine_sem_post(semaphore);
}

int hook_mtx_lock(mtx_t *mutex)
{
    if (!bine_hook_active(BINE_PATCH_THREAD))
        return bine_libc.mtx_lock(mutex);
    return bine_mtx_lock(mutex);
}

int hook_mtx_trylock(mtx_t *mutex)
{
    if (!bine_hook_active(BINE_PATCH_THREAD))
        return bine_libc.mtx_trylock(mutex);
    int result = bine_mtx_trylock(mutex);
    if (result == thrd_busy)
        bine_hook_counts(BINE_PATCH_THREAD);
    return result;
}

int hook_mtx_timedlock(mtx_t *mutex, const struct timespec *until)
{
    if (!bine_hook_active(BINE_PATCH_THREAD))
        return bine_libc.mtx_timedlock(mutex, until);
    return bine_mtx_timedlock(mutex, until);
}

int hook_mtx_unlock(mtx_t *mutex)
{
    return bine_mtx_unlock(mutex);
}

int hook_cnd_wait(cnd_t *condition, mtx_t *mutex)
{
    if (!bine_hook_active(BINE_PATCH_THREAD))
        return bine_libc.cnd_wait(condition, mutex);
    return bine_cnd_wait(condition, mutex);
}

int hook_cnd_timedwait(cnd_t *condition, mtx_t *mutex, const struct timespec *until)
{
    if (!bine_hook_active(BINE_PATCH_THREAD))
        return bine_libc.cnd_timedwait(condition, mutex, until);
    return bine_cnd_timedwait(condition, mutex, until);
}

int hook_cnd_signal(cnd_t *condition)
{
    return bine_cnd_signal(condition);
}

int hook_cnd_broadcast(cnd_t *condition)
{
    return bine_cnd_broadcast(condition);
}

void hook_call_once(once_flag *once, void (*routine)(void))
{
    if (!bine_hook_active(BINE_PATCH_THREAD))
        bine_libc.call_once(once, routine);
    else
        bine_call_once(once, routine);
}
