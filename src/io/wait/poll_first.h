/* Calls that poll before they are made, on files that cannot be tried without blocking. */
#ifndef BINE_IO_WAIT_POLL_FIRST_H
#define BINE_IO_WAIT_POLL_FIRST_H

#include "wait.h"

/*
 * Makes call(fd, arg), a system call that blocks, if poll finds one of `events`.
 *
 * A lock keeps other threads of this process from being quicker. Nothing keeps another process from
 * it. Where there may be one (`contested`), the call runs on a thread of the offload pool: if it
 * comes too late that thread waits, and the greenlets of this hub do not.
 *
 * Returns what the call returned, or -1 with errno: EAGAIN if there is nothing, or another reader
 * took it. A contested one also fails with EBADF if fd was closed meanwhile, or with the error that
 * ended the greenlet's wait. A call that succeeded in that very moment is delivered. (Within a
 * shield it waits until something comes, and does not notice a close.)
 */
ssize_t bine_poll_first(const struct bine_wait *wait, short events, bool contested,
                        ssize_t (*call)(int fd, const void *arg), const void *arg);

#endif
