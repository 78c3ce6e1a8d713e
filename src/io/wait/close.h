/* Telling those who wait for a descriptor that it is about to go. */
#ifndef BINE_IO_WAIT_CLOSE_H
#define BINE_IO_WAIT_CLOSE_H

#include <stdbool.h>

/*
 * fd is about to be closed or replaced (close, dup2, close_range): a new generation begins, and every greenlet that
 * waits for it, on this hub or another, fails with EBADF; what is in flight is withdrawn. Those of this hub whose wait is over by what has come
 * before run first. Harmless if fd is not open. Any thread. Switches then, keeps errno. False: meanwhile the number was given another
 * file, and what is to be closed is closed already.
 */
bool bine_descriptor_closing(int fd);

#endif
