/* Telling those who wait for a descriptor that it is about to go. */
#ifndef BINE_IO_CLOSE_H
#define BINE_IO_CLOSE_H

/*
 * fd is about to be closed or replaced (close, dup2, close_range): a new generation begins, and every greenlet that
 * waits for it, on this hub or another, fails with EBADF; what is in flight is withdrawn. Harmless if fd is not
 * open. Any thread. Does not switch, keeps errno.
 */
void bine_descriptor_closing(int fd);

#endif
