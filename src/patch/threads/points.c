/* Cancellation points. See points.h and POSIX, XSH 2.9.5. */
#include "points.h"

#include <errno.h>
#include <stdarg.h>

#include "cancellation.h"
#include "patch/table/hook.h"
#include "patch/table/interpreter.h"

/* A greenlet that was cancelled is marked as killed is, so that its wait ends. */
static __attribute__((noinline)) void look(struct bine_hub *hub)
{
    if (bine_cancellation_due(hub))
        bine_cancellation_act(hub);
}

static inline void point(void)
{
    struct bine_hub *hub = bine_hub_here();
    if (__builtin_expect(hub && hub->current->attention & BINE_A_KILLED, 0))
        look(hub);
}

/* A call that did something does not act any more: what it did must be told. */
#define POINT(type, name, parameters, arguments, failed) \
    static type point_##name parameters                  \
    {                                                    \
        point();                                         \
        type result = hook_##name arguments;             \
        if (__builtin_expect(failed, 0))                 \
            point();                                     \
        return result;                                   \
    }
#define MINUS (result == -1 && errno == ECANCELED)
#define ERROR (result == ECANCELED)
#define LEFT (errno == ECANCELED)

#define POINTS                                                                                     \
    POINT(ssize_t, read, (int a, void *b, size_t c), (a, b, c), MINUS)                             \
    POINT(ssize_t, __read_chk, (int a, void *b, size_t c, size_t d), (a, b, c, d), MINUS)          \
    POINT(ssize_t, readv, (int a, const struct iovec *b, int c), (a, b, c), MINUS)                 \
    POINT(ssize_t, write, (int a, const void *b, size_t c), (a, b, c), MINUS)                      \
    POINT(ssize_t, writev, (int a, const struct iovec *b, int c), (a, b, c), MINUS)                \
    POINT(ssize_t, recv, (int a, void *b, size_t c, int d), (a, b, c, d), MINUS)                   \
    POINT(ssize_t, __recv_chk, (int a, void *b, size_t c, size_t d, int e), (a, b, c, d, e),       \
          MINUS)                                                                                   \
    POINT(ssize_t, recvfrom, (int a, void *b, size_t c, int d, struct sockaddr *e, socklen_t *f),  \
          (a, b, c, d, e, f), MINUS)                                                               \
    POINT(ssize_t, __recvfrom_chk,                                                                 \
          (int a, void *b, size_t c, size_t d, int e, struct sockaddr *f, socklen_t *g),           \
          (a, b, c, d, e, f, g), MINUS)                                                            \
    POINT(ssize_t, recvmsg, (int a, struct msghdr *b, int c), (a, b, c), MINUS)                    \
    POINT(int, recvmmsg, (int a, struct mmsghdr *b, unsigned c, int d, struct timespec *e),        \
          (a, b, c, d, e), MINUS)                                                                  \
    POINT(ssize_t, send, (int a, const void *b, size_t c, int d), (a, b, c, d), MINUS)             \
    POINT(ssize_t, sendto,                                                                         \
          (int a, const void *b, size_t c, int d, const struct sockaddr *e, socklen_t f),          \
          (a, b, c, d, e, f), MINUS)                                                               \
    POINT(ssize_t, sendmsg, (int a, const struct msghdr *b, int c), (a, b, c), MINUS)              \
    POINT(int, sendmmsg, (int a, struct mmsghdr *b, unsigned c, int d), (a, b, c, d), MINUS)       \
    POINT(int, connect, (int a, const struct sockaddr *b, socklen_t c), (a, b, c), MINUS)          \
    POINT(int, accept, (int a, struct sockaddr *b, socklen_t *c), (a, b, c), MINUS)                \
    POINT(int, accept4, (int a, struct sockaddr *b, socklen_t *c, int d), (a, b, c, d), MINUS)     \
    POINT(int, tcdrain, (int a), (a), MINUS)                                                       \
    POINT(int, close, (int a), (a), MINUS)                                                         \
    POINT(unsigned, sleep, (unsigned a), (a), LEFT)                                                \
    POINT(int, usleep, (useconds_t a), (a), MINUS)                                                 \
    POINT(int, nanosleep, (const struct timespec *a, struct timespec *b), (a, b), MINUS)           \
    POINT(int, clock_nanosleep,                                                                    \
          (clockid_t a, int b, const struct timespec *c, struct timespec *d), (a, b, c, d), ERROR) \
    POINT(int, thrd_sleep, (const struct timespec *a, struct timespec *b), (a, b), LEFT)           \
    POINT(int, poll, (struct pollfd * a, nfds_t b, int c), (a, b, c), MINUS)                       \
    POINT(int, __poll_chk, (struct pollfd * a, nfds_t b, int c, size_t d), (a, b, c, d), MINUS)    \
    POINT(int, ppoll, (struct pollfd * a, nfds_t b, const struct timespec *c, const sigset_t *d),  \
          (a, b, c, d), MINUS)                                                                     \
    POINT(int, __ppoll_chk,                                                                        \
          (struct pollfd * a, nfds_t b, const struct timespec *c, const sigset_t *d, size_t e),    \
          (a, b, c, d, e), MINUS)                                                                  \
    POINT(int, select, (int a, fd_set *b, fd_set *c, fd_set *d, struct timeval *e),                \
          (a, b, c, d, e), MINUS)                                                                  \
    POINT(int, pselect,                                                                            \
          (int a, fd_set *b, fd_set *c, fd_set *d, const struct timespec *e, const sigset_t *f),   \
          (a, b, c, d, e, f), MINUS)                                                               \
    POINT(int, epoll_wait, (int a, struct epoll_event *b, int c, int d), (a, b, c, d), MINUS)      \
    POINT(int, epoll_pwait, (int a, struct epoll_event *b, int c, int d, const sigset_t *e),       \
          (a, b, c, d, e), MINUS)                                                                  \
    POINT(int, epoll_pwait2,                                                                       \
          (int a, struct epoll_event *b, int c, const struct timespec *d, const sigset_t *e),      \
          (a, b, c, d, e), MINUS)                                                                  \
    POINT(int, creat, (const char *a, mode_t b), (a, b), MINUS)                                    \
    POINT(ssize_t, pread, (int a, void *b, size_t c, off_t d), (a, b, c, d), MINUS)                \
    POINT(ssize_t, pwrite, (int a, const void *b, size_t c, off_t d), (a, b, c, d), MINUS)         \
    POINT(ssize_t, preadv, (int a, const struct iovec *b, int c, off_t d), (a, b, c, d), MINUS)    \
    POINT(ssize_t, pwritev, (int a, const struct iovec *b, int c, off_t d), (a, b, c, d), MINUS)   \
    POINT(int, fsync, (int a), (a), MINUS)                                                         \
    POINT(int, fdatasync, (int a), (a), MINUS)                                                     \
    POINT(int, msync, (void *a, size_t b, int c), (a, b, c), MINUS)                                \
    POINT(int, lockf, (int a, int b, off_t c), (a, b, c), MINUS)                                   \
    POINT(pid_t, wait, (int *a), (a), MINUS)                                                       \
    POINT(pid_t, waitpid, (pid_t a, int *b, int c), (a, b, c), MINUS)                              \
    POINT(pid_t, wait3, (int *a, int b, struct rusage *c), (a, b, c), MINUS)                       \
    POINT(pid_t, wait4, (pid_t a, int *b, int c, struct rusage *d), (a, b, c, d), MINUS)           \
    POINT(int, waitid, (idtype_t a, id_t b, siginfo_t * c, int d), (a, b, c, d), MINUS)            \
    POINT(int, system, (const char *a), (a), MINUS)                                                \
    POINT(int, msgsnd, (int a, const void *b, size_t c, int d), (a, b, c, d), MINUS)               \
    POINT(ssize_t, msgrcv, (int a, void *b, size_t c, long d, int e), (a, b, c, d, e), MINUS)      \
    POINT(int, mq_send, (mqd_t a, const char *b, size_t c, unsigned d), (a, b, c, d), MINUS)       \
    POINT(int, mq_timedsend,                                                                       \
          (mqd_t a, const char *b, size_t c, unsigned d, const struct timespec *e),                \
          (a, b, c, d, e), MINUS)                                                                  \
    POINT(ssize_t, mq_receive, (mqd_t a, char *b, size_t c, unsigned *d), (a, b, c, d), MINUS)     \
    POINT(ssize_t, mq_timedreceive,                                                                \
          (mqd_t a, char *b, size_t c, unsigned *d, const struct timespec *e), (a, b, c, d, e),    \
          MINUS)                                                                                   \
    POINT(int, sigwait, (const sigset_t *a, int *b), (a, b), ERROR)                                \
    POINT(int, sigwaitinfo, (const sigset_t *a, siginfo_t *b), (a, b), MINUS)                      \
    POINT(int, sigtimedwait, (const sigset_t *a, siginfo_t *b, const struct timespec *c),          \
          (a, b, c), MINUS)                                                                        \
    POINT(int, sigsuspend, (const sigset_t *a), (a), MINUS)                                        \
    POINT(int, pause, (void), (), MINUS)                                                           \
    POINT(int, pthread_cond_wait, (pthread_cond_t * a, pthread_mutex_t * b), (a, b), ERROR)        \
    POINT(int, pthread_cond_timedwait,                                                             \
          (pthread_cond_t * a, pthread_mutex_t * b, const struct timespec *c), (a, b, c), ERROR)   \
    POINT(int, pthread_cond_clockwait,                                                             \
          (pthread_cond_t * a, pthread_mutex_t * b, clockid_t c, const struct timespec *d),        \
          (a, b, c, d), ERROR)                                                                     \
    POINT(int, cnd_wait, (cnd_t * a, mtx_t * b), (a, b), LEFT)                                     \
    POINT(int, cnd_timedwait, (cnd_t * a, mtx_t * b, const struct timespec *c), (a, b, c), LEFT)   \
    POINT(int, pthread_join, (pthread_t a, void **b), (a, b), ERROR)                               \
    POINT(int, pthread_timedjoin_np, (pthread_t a, void **b, const struct timespec *c), (a, b, c), \
          ERROR)                                                                                   \
    POINT(int, pthread_clockjoin_np,                                                               \
          (pthread_t a, void **b, clockid_t c, const struct timespec *d), (a, b, c, d), ERROR)     \
    POINT(int, sem_wait, (sem_t * a), (a), MINUS)                                                  \
    POINT(int, sem_timedwait, (sem_t * a, const struct timespec *b), (a, b), MINUS)                \
    POINT(int, sem_clockwait, (sem_t * a, clockid_t b, const struct timespec *c), (a, b, c), MINUS)

POINTS

static int point_open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = va_arg(arguments, mode_t); /* garbage if there is none, as for libc's */
    va_end(arguments);
    point();
    int result = hook_open(path, flags, mode);
    if (__builtin_expect(MINUS, 0))
        point();
    return result;
}

static int point_openat(int directory, const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = va_arg(arguments, mode_t);
    va_end(arguments);
    point();
    int result = hook_openat(directory, path, flags, mode);
    if (__builtin_expect(MINUS, 0))
        point();
    return result;
}

static int point_fcntl(int fd, int command, ...)
{
    va_list arguments;
    va_start(arguments, command);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    bool waits = command == F_SETLKW || command == F_OFD_SETLKW;
    if (waits)
        point();
    int result = hook_fcntl(fd, command, argument);
    if (waits && __builtin_expect(MINUS, 0))
        point();
    return result;
}

static const struct {
    void *hook, *point;
} points[] = {
#undef POINT
#define POINT(type, name, parameters, arguments, failed) \
    {(void *)hook_##name, (void *)point_##name},
    POINTS POINT(, open, , , ) POINT(, openat, , , ) POINT(, fcntl, , , )};

static atomic_bool wanted;

bool bine_points_wanted(void)
{
    return atomic_load_explicit(&wanted, memory_order_relaxed);
}

void bine_points_want(void)
{
    atomic_store(&wanted, true);
}

static void *point_of(const void *hook)
{
    for (size_t i = 0; i < sizeof points / sizeof *points; i++)
        if (points[i].hook == hook)
            return points[i].point;
    return NULL;
}

void *bine_points_for(void *hook)
{
    /* A language runtime is known by its calls' return addresses. */
    bool judged = bine_condition_stays_real || bine_semaphore_stays_real;
    void *found = bine_points_wanted() && !judged ? point_of(hook) : NULL;
    return found ? found : hook;
}

bool bine_points_is(void *hook, const void *value)
{
    return value == hook || (bine_points_wanted() && value == point_of(hook));
}
