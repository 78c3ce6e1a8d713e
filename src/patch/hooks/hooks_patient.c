/*
 * Hooks for objects that end the process at an error that they do not know: libzmq, nng, nanomsg
 * and libuv abort when poll says ECANCELED.
 *
 * A wait that a kill or a timeout has ended is begun again behind a shield, as is each later one.
 * When the call into the library has returned, the kill ends the greenlet's next wait. Waits for a
 * condition end as a spurious wake-up.
 *
 * An interrupt (EINTR) passes, because these libraries know it. If it is an exception that was
 * thrown into a greenlet of Python, and the library ignores it, it becomes ECANCELED at the
 * library's next wait. That wait is begun again, too, and the exception is raised at the next one
 * outside.
 */
#include <errno.h>

#include "core/schedule/park.h"
#include "patch/engine/variant.h"
#include "patch/table/hook.h"

/* Has the current greenlet been killed, or is the time of a scope around it up, so that its waits
 * fail at once? */
static bool is_broken_off(void)
{
    struct bine_hub *hub = bine_hub_here();
    if (!hub || hub->current->shields)
        return false;
    if (hub->current->attention & BINE_A_KILLED)
        return true;
    for (const struct bine_timeout *scope = hub->current->timeouts; scope; scope = scope->outer)
        if (scope->expired)
            return true;
    return false;
}

static bool is_error_of_it(int error)
{
    return error == ECANCELED || (error == ETIMEDOUT && is_broken_off());
}

/* What is left of a limit in milliseconds, of which the wait has used some. */
static int rest_of(int timeout, int64_t begun)
{
    if (timeout < 0)
        return timeout;
    int64_t used = (bine_hub_now(bine_hub_here()) - begun) / BINE_MS;
    return used < timeout ? timeout - (int)used : 0;
}

#define PATIENT(type, name, parameters, arguments)            \
    static type patient_##name parameters                     \
    {                                                         \
        if (!is_broken_off()) {                               \
            type result = hook_##name arguments;              \
            if (result != (type)-1 || !is_error_of_it(errno)) \
                return result;                                \
        }                                                     \
        bine_shield_begin();                                  \
        type result = hook_##name arguments;                  \
        bine_shield_end();                                    \
        return result;                                        \
    }

PATIENT(ssize_t, read, (int fd, void *buffer, size_t size), (fd, buffer, size))
PATIENT(ssize_t, readv, (int fd, const struct iovec *vector, int count), (fd, vector, count))
PATIENT(ssize_t, write, (int fd, const void *buffer, size_t size), (fd, buffer, size))
PATIENT(ssize_t, writev, (int fd, const struct iovec *vector, int count), (fd, vector, count))
PATIENT(ssize_t, recv, (int fd, void *buffer, size_t size, int flags), (fd, buffer, size, flags))
PATIENT(ssize_t, recvfrom,
        (int fd, void *buffer, size_t size, int flags, struct sockaddr *address, socklen_t *length),
        (fd, buffer, size, flags, address, length))
PATIENT(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags))
PATIENT(int, recvmmsg,
        (int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout),
        (fd, messages, count, flags, timeout))
PATIENT(ssize_t, send, (int fd, const void *buffer, size_t size, int flags),
        (fd, buffer, size, flags))
PATIENT(ssize_t, sendto,
        (int fd, const void *buffer, size_t size, int flags, const struct sockaddr *address,
         socklen_t length),
        (fd, buffer, size, flags, address, length))
PATIENT(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags))
PATIENT(int, sendmmsg, (int fd, struct mmsghdr *messages, unsigned count, int flags),
        (fd, messages, count, flags))
PATIENT(int, accept, (int fd, struct sockaddr *address, socklen_t *length), (fd, address, length))
PATIENT(int, accept4, (int fd, struct sockaddr *address, socklen_t *length, int flags),
        (fd, address, length, flags))
PATIENT(int, eventfd_read, (int fd, eventfd_t *value), (fd, value))
PATIENT(int, eventfd_write, (int fd, eventfd_t value), (fd, value))
PATIENT(int, ppoll,
        (struct pollfd * fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask),
        (fds, count, timeout, mask))
PATIENT(int, select, (int count, fd_set *in, fd_set *out, fd_set *error, struct timeval *timeout),
        (count, in, out, error, timeout))
PATIENT(int, pselect,
        (int count, fd_set *in, fd_set *out, fd_set *error, const struct timespec *timeout,
         const sigset_t *mask),
        (count, in, out, error, timeout, mask))
PATIENT(int, nanosleep, (const struct timespec *time, struct timespec *rest), (time, rest))
PATIENT(int, usleep, (useconds_t microseconds), (microseconds))
PATIENT(ssize_t, pread, (int fd, void *buffer, size_t size, off_t offset),
        (fd, buffer, size, offset))
PATIENT(ssize_t, pwrite, (int fd, const void *buffer, size_t size, off_t offset),
        (fd, buffer, size, offset))
PATIENT(int, fsync, (int fd), (fd))
PATIENT(int, fdatasync, (int fd), (fd))
PATIENT(pid_t, waitpid, (pid_t pid, int *status, int options), (pid, status, options))
PATIENT(int, sem_wait, (sem_t * semaphore), (semaphore))
PATIENT(int, sem_timedwait, (sem_t * semaphore, const struct timespec *until), (semaphore, until))
PATIENT(int, sem_clockwait, (sem_t * semaphore, clockid_t clock, const struct timespec *until),
        (semaphore, clock, until))

/* With a limit that runs on. */
#define PATIENT_FOR(name, parameters, arguments)                                                \
    static int patient_##name parameters                                                        \
    {                                                                                           \
        if (!is_broken_off()) {                                                                 \
            int64_t begun = timeout > 0 && bine_hub_here() ? bine_hub_now(bine_hub_here()) : 0; \
            int result = hook_##name arguments;                                                 \
            if (result >= 0 || !is_error_of_it(errno))                                          \
                return result;                                                                  \
            timeout = rest_of(timeout, begun);                                                  \
        }                                                                                       \
        bine_shield_begin();                                                                    \
        int result = hook_##name arguments;                                                     \
        bine_shield_end();                                                                      \
        return result;                                                                          \
    }

PATIENT_FOR(poll, (struct pollfd * fds, nfds_t count, int timeout), (fds, count, timeout))
PATIENT_FOR(__poll_chk, (struct pollfd * fds, nfds_t count, int timeout, size_t size),
            (fds, count, timeout, size))
PATIENT_FOR(epoll_wait, (int fd, struct epoll_event *events, int size, int timeout),
            (fd, events, size, timeout))
PATIENT_FOR(epoll_pwait,
            (int fd, struct epoll_event *events, int size, int timeout, const sigset_t *mask),
            (fd, events, size, timeout, mask))

/* The result is the error. A waiter that was broken off has left the queue, so it looks again at
 * what it waits for. */
#define PATIENT_CONDITION(name, parameters, arguments) \
    static int patient_##name parameters               \
    {                                                  \
        if (!is_broken_off()) {                        \
            int error = hook_##name arguments;         \
            return is_error_of_it(error) ? 0 : error;  \
        }                                              \
        bine_shield_begin();                           \
        int error = hook_##name arguments;             \
        bine_shield_end();                             \
        return error;                                  \
    }

PATIENT_CONDITION(pthread_cond_wait, (pthread_cond_t * condition, pthread_mutex_t *mutex),
                  (condition, mutex))
PATIENT_CONDITION(pthread_cond_timedwait,
                  (pthread_cond_t * condition, pthread_mutex_t *mutex,
                   const struct timespec *until),
                  (condition, mutex, until))
PATIENT_CONDITION(pthread_cond_clockwait,
                  (pthread_cond_t * condition, pthread_mutex_t *mutex, clockid_t clock,
                   const struct timespec *until),
                  (condition, mutex, clock, until))

static const struct {
    const void *hook;
    void *patient;
} all[] = {
#define ONE(name)                                   \
    {                                               \
        (void *)hook_##name, (void *)patient_##name \
    }
    ONE(read),
    ONE(readv),
    ONE(write),
    ONE(writev),
    ONE(recv),
    ONE(recvfrom),
    ONE(recvmsg),
    ONE(recvmmsg),
    ONE(send),
    ONE(sendto),
    ONE(sendmsg),
    ONE(sendmmsg),
    ONE(accept),
    ONE(accept4),
    ONE(eventfd_read),
    ONE(eventfd_write),
    ONE(poll),
    ONE(__poll_chk),
    ONE(ppoll),
    ONE(select),
    ONE(pselect),
    ONE(epoll_wait),
    ONE(epoll_pwait),
    ONE(nanosleep),
    ONE(usleep),
    ONE(pread),
    ONE(pwrite),
    ONE(fsync),
    ONE(fdatasync),
    ONE(waitpid),
    ONE(sem_wait),
    ONE(sem_timedwait),
    ONE(sem_clockwait),
    ONE(pthread_cond_wait),
    ONE(pthread_cond_timedwait),
    ONE(pthread_cond_clockwait),
#undef ONE
};

void *bine_patient_hook(const void *hook)
{
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].hook == hook)
            return all[i].patient;
    return NULL;
}
