/*
 * Input and output for greenlets: libc's calls with libc's signatures, return values and errors. A
 * call that would block parks the greenlet instead of blocking the thread. The patched calls are
 * made of these functions. Programs that do not patch can call them by name.
 *
 * These rules hold for all of them:
 *
 *  - The signature, the result and errno are those of the libc call of the same name; its man page
 *    is the reference. A call may also fail with ECANCELED and ETIMEDOUT (see base.h), and with
 *    EBADF when another greenlet closes the descriptor meanwhile.
 *  - A descriptor that the user made non-blocking gives EAGAIN. SO_RCVTIMEO and SO_SNDTIMEO limit
 *    the wait. Bine never changes O_NONBLOCK.
 *  - Several greenlets may wait on one descriptor.
 *  - Any thread may call them. On a thread without a hub, and where parking is not allowed (links,
 *    posted functions), they are libc's calls and block the thread.
 *  - Switches: maybe. A call switches when it would block, and after a long run of calls that did
 *    not.
 */
#ifndef BINE_IO_H
#define BINE_IO_H

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base.h"

BINE_BEGIN

BINE_API ssize_t bine_read(int fd, void *buffer, size_t size);
BINE_API ssize_t bine_readv(int fd, const struct iovec *vector, int count);
BINE_API ssize_t bine_write(int fd, const void *buffer, size_t size);
BINE_API ssize_t bine_writev(int fd, const struct iovec *vector, int count);

BINE_API ssize_t bine_recv(int fd, void *buffer, size_t size, int flags);
BINE_API ssize_t bine_recvfrom(int fd, void *buffer, size_t size, int flags,
                               struct sockaddr *address, socklen_t *length);
BINE_API ssize_t bine_recvmsg(int fd, struct msghdr *message, int flags);
BINE_API ssize_t bine_send(int fd, const void *buffer, size_t size, int flags);
BINE_API ssize_t bine_sendto(int fd, const void *buffer, size_t size, int flags,
                             const struct sockaddr *address, socklen_t length);
BINE_API ssize_t bine_sendmsg(int fd, const struct msghdr *message, int flags);
/* struct mmsghdr needs _GNU_SOURCE. This header declares it by its tag, so that it works
 * without. */
struct mmsghdr;
struct timespec;
struct timeval;
BINE_API int bine_recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags,
                           struct timespec *timeout);
BINE_API int bine_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags);

BINE_API int bine_connect(int fd, const struct sockaddr *address, socklen_t length);
BINE_API int bine_accept(int fd, struct sockaddr *address, socklen_t *length);
BINE_API int bine_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags);
/* Wakes every greenlet that waits on fd with EBADF, withdraws the operations that are in flight,
 * then closes. It switches only if the socket has SO_LINGER: then a thread of the offload pool
 * waits in the kernel, and the caller waits for it, killed or not. */
BINE_API int bine_close(int fd);

BINE_API int bine_poll(struct pollfd *fds, nfds_t count, int milliseconds);
BINE_API int bine_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
                        const sigset_t *mask);
BINE_API int bine_select(int count, fd_set *readable, fd_set *writable, fd_set *exceptional,
                         struct timeval *timeout);
BINE_API int bine_pselect(int count, fd_set *readable, fd_set *writable, fd_set *exceptional,
                          const struct timespec *timeout, const sigset_t *mask);
BINE_API int bine_epoll_wait(int fd, struct epoll_event *events, int size, int milliseconds);

BINE_END

#endif
