/*
 * Prototypes of every libc function that can be patched, including those that no public header declares: the
 * fortified entry points (_chk) that gcc emits under _FORTIFY_SOURCE and glibc's double-underscore aliases.
 */
#ifndef BINE_CORE_LIBC_DECLARATIONS_H
#define BINE_CORE_LIBC_DECLARATIONS_H

#undef _FORTIFY_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

/* What _FORTIFY_SOURCE turns calls into; the last size is that of the object, which the call must not exceed. */
ssize_t __read_chk(int fd, void *buffer, size_t size, size_t buffer_size);
ssize_t __recv_chk(int fd, void *buffer, size_t size, size_t buffer_size, int flags);
ssize_t __recvfrom_chk(int fd, void *buffer, size_t size, size_t buffer_size, int flags, struct sockaddr *address,
                       socklen_t *length);
int __poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t fds_size);
int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask, size_t fds_size);

/* glibc's other names for the same functions. */
__typeof__(read) __read;
__typeof__(write) __write;
__typeof__(send) __send;
__typeof__(connect) __connect;
__typeof__(close) __close;
__typeof__(dup2) __dup2;
__typeof__(pipe) __pipe;
__typeof__(fcntl) __fcntl;
__typeof__(nanosleep) __nanosleep;
__typeof__(sched_yield) __sched_yield;
__typeof__(poll) __poll;
__typeof__(select) __select;
__typeof__(pthread_mutex_lock) __pthread_mutex_lock;
__typeof__(pthread_mutex_trylock) __pthread_mutex_trylock;
__typeof__(pthread_mutex_unlock) __pthread_mutex_unlock;
__typeof__(pthread_rwlock_rdlock) __pthread_rwlock_rdlock;
__typeof__(pthread_rwlock_tryrdlock) __pthread_rwlock_tryrdlock;
__typeof__(pthread_rwlock_wrlock) __pthread_rwlock_wrlock;
__typeof__(pthread_rwlock_trywrlock) __pthread_rwlock_trywrlock;
__typeof__(pthread_rwlock_unlock) __pthread_rwlock_unlock;
__typeof__(pthread_once) __pthread_once;
__typeof__(pthread_getspecific) __pthread_getspecific;
__typeof__(pthread_setspecific) __pthread_setspecific;
__typeof__(pthread_key_create) __pthread_key_create;

/* Newer or older than the headers we compile with: the table's entry is NULL where the libc at run time has none. */
#undef epoll_pwait2
int epoll_pwait2(int fd, struct epoll_event *events, int size, const struct timespec *timeout, const sigset_t *mask);
int close_range(unsigned first, unsigned last, int flags);
void closefrom(int first);
#undef pthread_yield
int pthread_yield(void);

#endif
