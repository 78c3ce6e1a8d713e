/*
 * Prototypes of every libc function that can be patched, including those that no public header declares: the
 * fortified entry points (_chk) that gcc emits under _FORTIFY_SOURCE and glibc's double-underscore aliases.
 */
#ifndef BINE_CORE_LIBC_DECLARATIONS_H
#define BINE_CORE_LIBC_DECLARATIONS_H

#undef _FORTIFY_SOURCE
#include <arpa/inet.h>
#include <grp.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

ssize_t __read_chk(int fd, void *buffer, size_t size, size_t buffer_size);
ssize_t __recv_chk(int fd, void *buffer, size_t size, size_t buffer_size, int flags);
ssize_t __recvfrom_chk(int fd, void *buffer, size_t size, size_t buffer_size, int flags, struct sockaddr *address,
                       socklen_t *length);
int __poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t fds_size);
int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask, size_t fds_size);

#endif
