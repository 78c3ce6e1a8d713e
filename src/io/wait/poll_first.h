/* Calls that are asked for first: of files that have no way to be tried without blocking. */
#ifndef BINE_IO_WAIT_POLL_FIRST_H
#define BINE_IO_WAIT_POLL_FIRST_H

#include "wait.h"

/*
 * call(fd, arg), a system call that blocks, if poll finds one of `events`. A lock keeps other threads of this process from being quicker.
 * Where another process may be (`contested`), nothing does: then the call runs on a thread of the offload pool, which waits if it comes
 * too late, and the greenlets of this hub do not. Returns what it returned, or -1 with errno: EAGAIN if there is nothing or somebody
 * else took it; and of a contested one EBADF if fd was closed meanwhile, or why the greenlet was to wait no longer. A call that succeeded in
 * that very moment is delivered. (Within a shield it waits until something comes, and does not notice a close.)
 */
ssize_t bine_poll_first(const struct bine_wait *wait, short events, bool contested,
                        ssize_t (*call)(int fd, const void *arg), const void *arg);

#endif
