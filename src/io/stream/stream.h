/*
 * Reading and writing everything but sockets: pipes, terminals, eventfds, files. read.c and write.c
 * share it.
 */
#ifndef BINE_IO_STREAM_STREAM_H
#define BINE_IO_STREAM_STREAM_H

#include <sys/uio.h>

#include "io/wait/wait.h"

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x00000008
#endif

/* Bits of a record's nowait. An eventfd, for one, knows RWF_NOWAIT only for reading. */
enum {
    BINE_READ_REFUSES_NOWAIT = 1,
    BINE_WRITE_REFUSES_NOWAIT = 2
};

/* read(2) or readv(2) (write(2) or writev(2)) of a descriptor of that kind, which is not SOCKET.
 * The greenlet waits. Returns -1 with errno. `flat`: the vector is the runtime's own of one entry,
 * not the caller's. */
ssize_t bine_stream_read(struct bine_hub *hub, int fd, enum bine_descriptor_kind kind,
                         const struct iovec *vector, int count, bool flat);
ssize_t bine_stream_write(struct bine_hub *hub, int fd, enum bine_descriptor_kind kind,
                          const struct iovec *vector, int count, bool flat);

/* Completes a call after a first attempt by RWF_NOWAIT that read or wrote `done` bytes, less than
 * `size`, or gave -1 with errno. `saved` is errno as it was before. */
ssize_t bine_stream_read_on(struct bine_hub *hub, int fd, void *buffer, size_t size, ssize_t done,
                            int saved);
ssize_t bine_stream_write_on(struct bine_hub *hub, int fd, const void *buffer, size_t size,
                             ssize_t done, int saved);

#endif
