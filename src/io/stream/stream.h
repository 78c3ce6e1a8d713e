/*
 * Reading and writing what is no socket: pipes, terminals, eventfds, files. Shared by read.c and write.c.
 */
#ifndef BINE_IO_STREAM_STREAM_H
#define BINE_IO_STREAM_STREAM_H

#include <sys/uio.h>

#include "io/wait/wait.h"

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x00000008
#endif

/* Bits of a record's nowait: an eventfd, for one, knows RWF_NOWAIT for reading only. */
enum {
    BINE_READ_REFUSES_NOWAIT = 1,
    BINE_WRITE_REFUSES_NOWAIT = 2
};

/* read(2) or readv(2) of a descriptor of that kind (not SOCKET); the greenlet waits. -1 with errno. `flat`: the
 * vector is our own of one entry, not the caller's. */
ssize_t bine_stream_read(struct bine_hub *hub, int fd, enum bine_descriptor_kind kind, const struct iovec *vector,
                         int count, bool flat);
ssize_t bine_stream_write(struct bine_hub *hub, int fd, enum bine_descriptor_kind kind, const struct iovec *vector,
                          int count, bool flat);

/* What follows a first attempt by RWF_NOWAIT that read or wrote `done` bytes, less than `size`, or -1 with errno.
 * `saved`: errno as it was before. */
ssize_t bine_stream_read_on(struct bine_hub *hub, int fd, void *buffer, size_t size, ssize_t done, int saved);
ssize_t bine_stream_write_on(struct bine_hub *hub, int fd, const void *buffer, size_t size, ssize_t done, int saved);

#endif
