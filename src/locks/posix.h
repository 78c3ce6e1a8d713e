/*
 * POSIX locks for greenlets: the calls of pthread.h and semaphore.h with libc's signatures, results
 * and errors. A call that would block parks the greenlet. The patched calls are made of these.
 *
 * Rules for all of them:
 * - libc's object stays the truth: a greenlet takes a lock by libc's own trylock. So code that is
 *   not patched, threads without a hub and other processes see an ordinary lock. Waiting greenlets
 *   queue in the parking lot.
 * - The owner is the greenlet: a recursive mutex does not let a second greenlet of the same thread
 *   in.
 * - On a thread without a hub the calls are libc's. Those that release also wake greenlets.
 * - Locks, barriers, once and joins cannot fail because of a kill or a timeout scope: cleanup code
 *   relies on them. Semaphores and conditions can (ECANCELED, ETIMEDOUT).
 * - Switches: maybe, all that can wait.
 */
#ifndef BINE_LOCKS_POSIX_H
#define BINE_LOCKS_POSIX_H

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

int bine_pthread_mutex_lock(pthread_mutex_t *mutex);
int bine_pthread_mutex_trylock(pthread_mutex_t *mutex);
int bine_pthread_mutex_timedlock(pthread_mutex_t *mutex, const struct timespec *until);
int bine_pthread_mutex_clocklock(pthread_mutex_t *mutex, clockid_t clock,
                                 const struct timespec *until);
int bine_pthread_mutex_unlock(pthread_mutex_t *mutex);

int bine_pthread_rwlock_rdlock(pthread_rwlock_t *lock);
int bine_pthread_rwlock_tryrdlock(pthread_rwlock_t *lock);
int bine_pthread_rwlock_timedrdlock(pthread_rwlock_t *lock, const struct timespec *until);
int bine_pthread_rwlock_clockrdlock(pthread_rwlock_t *lock, clockid_t clock,
                                    const struct timespec *until);
int bine_pthread_rwlock_wrlock(pthread_rwlock_t *lock);
int bine_pthread_rwlock_trywrlock(pthread_rwlock_t *lock);
int bine_pthread_rwlock_timedwrlock(pthread_rwlock_t *lock, const struct timespec *until);
int bine_pthread_rwlock_clockwrlock(pthread_rwlock_t *lock, clockid_t clock,
                                    const struct timespec *until);
int bine_pthread_rwlock_unlock(pthread_rwlock_t *lock);

/* A greenlet that is killed while it waits gets ECANCELED with the mutex locked. A loop that
 * ignores errors calls again at once. So each such later wait lasts 10 ms, in which the greenlet
 * can still be signalled, and the loop does not starve the hub. */
int bine_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex);
int bine_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
                                const struct timespec *until);
int bine_pthread_cond_clockwait(pthread_cond_t *condition, pthread_mutex_t *mutex, clockid_t clock,
                                const struct timespec *until);
int bine_pthread_cond_signal(pthread_cond_t *condition);
int bine_pthread_cond_broadcast(pthread_cond_t *condition);

/* Another greenlet may hold it while it waits for something else, so one that finds it taken lets
 * others run. */
int bine_pthread_spin_lock(pthread_spinlock_t *lock);

int bine_sem_wait(sem_t *semaphore);
int bine_sem_timedwait(sem_t *semaphore, const struct timespec *until);
int bine_sem_clockwait(sem_t *semaphore, clockid_t clock, const struct timespec *until);
/* Async-signal-safe, as libc's. */
int bine_sem_post(sem_t *semaphore);

/* Greenlets and threads may meet at one barrier. A barrier that processes share is libc's and
 * blocks the thread that waits. So the patched call makes it on a thread of the offload pool. */
int bine_pthread_barrier_wait(pthread_barrier_t *barrier);

/* The routine may park. It may also throw: then the next caller runs it again, as with libc. */
int bine_pthread_once(pthread_once_t *once, void (*routine)(void));

/* The calls of C11, on the same objects. */
#include <threads.h>
int bine_mtx_lock(mtx_t *mutex);
int bine_mtx_timedlock(mtx_t *mutex, const struct timespec *until);
int bine_mtx_trylock(mtx_t *mutex);
int bine_mtx_unlock(mtx_t *mutex);
int bine_cnd_wait(cnd_t *condition, mtx_t *mutex);
int bine_cnd_timedwait(cnd_t *condition, mtx_t *mutex, const struct timespec *until);
int bine_cnd_signal(cnd_t *condition);
int bine_cnd_broadcast(cnd_t *condition);
void bine_call_once(once_flag *once, void (*routine)(void));

/* Report greenlets that wait for a lock whose owner has parked while it holds the lock. Set from
 * BINE_DEBUG_LOCKS at start. */
extern bool bine_debug_locks;

#endif
