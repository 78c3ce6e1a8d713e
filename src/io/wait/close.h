/* How the waiters for a descriptor are told that it is about to be closed. */
#ifndef BINE_IO_WAIT_CLOSE_H
#define BINE_IO_WAIT_CLOSE_H

#include <stdbool.h>

/*
 * fd is about to be closed or replaced (close, dup2, close_range). A new generation begins. Every
 * greenlet that waits for fd, on this hub or another, fails with EBADF, and the operations in
 * flight are withdrawn. Greenlets of this hub whose wait is over by data that has come run first.
 * Harmless if fd is not open. Any thread. Switches in that case, keeps errno. Returns false if the
 * number was given to another file meanwhile: then the file to be closed is closed already.
 */
bool bine_descriptor_closing(int fd);

#endif
