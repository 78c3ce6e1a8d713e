/*
 * read, write, readv and writev that stay these system calls on sockets, too. They are for programs
 * under a seccomp filter that ends programs that make other calls. poll asks the descriptor first,
 * then the call itself is made.
 */
#ifndef BINE_IO_STREAM_SAME_H
#define BINE_IO_STREAM_SAME_H

#include <sys/types.h>
#include <sys/uio.h>

/* Each does what libc's function of that name does, for the calling greenlet. Switches: maybe. A
 * write to a stream is made in pieces of 4 KiB, for which a stream that poll reports has room. */
ssize_t bine_same_read(int fd, void *buffer, size_t size);
ssize_t bine_same_readv(int fd, const struct iovec *vector, int count);
ssize_t bine_same_write(int fd, const void *buffer, size_t size);
ssize_t bine_same_writev(int fd, const struct iovec *vector, int count);

#endif
