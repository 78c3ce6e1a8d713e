/* Calls on files that other processes have, too. */
#ifndef BINE_IO_RACE_H
#define BINE_IO_RACE_H

#include "wait.h"

/*
 * call(fd, arg), a system call that blocks, if poll finds one of `events`: on a thread of the offload pool, for nothing keeps another
 * process from being quicker. Then the call waits after all, and the greenlets of this hub do not. Returns what it returned, or -1
 * with errno: EAGAIN if there is nothing or somebody else took it, EBADF if fd was closed meanwhile, or why the greenlet was to wait
 * no longer. A call that succeeded in that very moment is delivered.
 */
ssize_t bine_race(const struct bine_wait *wait, short events, ssize_t (*call)(int fd, void *arg), void *arg);

#endif
