/*
 * Reading and writing what is no socket: pipes, terminals, eventfds, files. Shared by read.c and write.c.
 */
#ifndef BINE_IO_STREAM_H
#define BINE_IO_STREAM_H

#include <sys/uio.h>

#include "wait.h"

/* read(2) or readv(2) of a descriptor of that kind (not SOCKET); the greenlet waits. -1 with errno. `flat`: the
 * vector is our own of one entry, not the caller's. */
ssize_t bine_stream_read(struct bine_hub *hub, int fd, enum bine_descriptor_kind kind, const struct iovec *vector,
                         int count, bool flat);
ssize_t bine_stream_write(struct bine_hub *hub, int fd, enum bine_descriptor_kind kind, const struct iovec *vector,
                          int count, bool flat);

#endif
