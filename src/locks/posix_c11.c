/*
 * C11's mutexes, conditions and call_once for greenlets: in glibc they are the pthread objects
 * under other names, with results of their own (ISO C11 7.26).
 */
#include "posix.h"

#include <errno.h>

_Static_assert(sizeof(mtx_t) <= sizeof(pthread_mutex_t), "mtx_t is a pthread_mutex_t");
_Static_assert(sizeof(cnd_t) == sizeof(pthread_cond_t), "cnd_t is a pthread_cond_t");
_Static_assert(sizeof(once_flag) == sizeof(pthread_once_t), "once_flag is a pthread_once_t");

static int result_of(int error)
{
    switch (error) {
    case 0:
        return thrd_success;
    case ENOMEM:
        return thrd_nomem;
    case ETIMEDOUT:
        return thrd_timedout;
    case EBUSY:
        return thrd_busy;
    default:
        return thrd_error;
    }
}

int bine_mtx_lock(mtx_t *mutex)
{
    return result_of(bine_pthread_mutex_lock((pthread_mutex_t *)mutex));
}

int bine_mtx_timedlock(mtx_t *mutex, const struct timespec *until)
{
    return result_of(bine_pthread_mutex_timedlock((pthread_mutex_t *)mutex, until));
}

int bine_mtx_trylock(mtx_t *mutex)
{
    return result_of(bine_pthread_mutex_trylock((pthread_mutex_t *)mutex));
}

int bine_mtx_unlock(mtx_t *mutex)
{
    return result_of(bine_pthread_mutex_unlock((pthread_mutex_t *)mutex));
}

int bine_cnd_wait(cnd_t *condition, mtx_t *mutex)
{
    return result_of(bine_pthread_cond_wait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex));
}

int bine_cnd_timedwait(cnd_t *condition, mtx_t *mutex, const struct timespec *until)
{
    return result_of(
        bine_pthread_cond_timedwait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex, until));
}

int bine_cnd_signal(cnd_t *condition)
{
    return result_of(bine_pthread_cond_signal((pthread_cond_t *)condition));
}

int bine_cnd_broadcast(cnd_t *condition)
{
    return result_of(bine_pthread_cond_broadcast((pthread_cond_t *)condition));
}

void bine_call_once(once_flag *once, void (*routine)(void))
{
    bine_pthread_once((pthread_once_t *)once, routine);
}
