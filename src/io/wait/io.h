/*
 * Greenlet-aware versions of libc calls that are not part of the public interface (bine/io.h). They
 * exist for the hooks. The rules of bine/io.h hold: signature, result and errno are libc's, and on
 * a thread without a hub it is libc's call.
 */
#ifndef BINE_IO_WAIT_IO_H
#define BINE_IO_WAIT_IO_H

#include <bine/io.h>

int bine_epoll_pwait(int fd, struct epoll_event *events, int size, int milliseconds,
                     const sigset_t *mask);
/* Where libc has no such function and the call would be libc's, it is the system call. */
int bine_epoll_pwait2(int fd, struct epoll_event *events, int size, const struct timespec *timeout,
                      const sigset_t *mask);

#endif
