/*
 * The short path of reads and writes of everything but sockets: a pipe that has data, a file in the
 * page cache. fast.h does the same for sockets. The long path is stream.c.
 */
#ifndef BINE_IO_STREAM_FAST_STREAM_H
#define BINE_IO_STREAM_FAST_STREAM_H

#include <sys/syscall.h>

#include "io/socket/fast.h"
#include "stream.h"

/* Tries read(fd, buffer, size). Returns true if *result is the call's result; errno is set if that
 * is -1. */
BINE_FAST bool bine_fast_read(struct bine_hub *hub, int fd, void *buffer, size_t size,
                              ssize_t *result)
{
    struct bine_descriptor *record = bine_descriptor_find(fd);
    if (!record || size - 1 >= BINE_TRANSFER_MOST || hub->streak >= BINE_STREAK_LIMIT ||
        atomic_load_explicit(&record->nowait, memory_order_relaxed) & BINE_READ_REFUSES_NOWAIT)
        return false;
    uint8_t kind = atomic_load_explicit(&record->kind, memory_order_relaxed);
    if (kind == BINE_FD_SOCKET || kind == BINE_FD_UNKNOWN ||
        (kind == BINE_FD_PIPE && atomic_load_explicit(&record->read_wait, memory_order_relaxed)))
        return false;
    int saved = errno;
    bool nonblocking =
        kind != BINE_FD_FILE && bine_descriptor_nonblocking_known(record) == BINE_NONBLOCKING;
    ssize_t got;
    if (nonblocking) {
        got = bine_libc.read(fd, buffer, size);
    } else {
        /* Only vectored calls take RWF_NOWAIT. The offset -1 means the file position, or none for a
         * pipe. */
        struct iovec vector = {buffer, size};
        got = bine_libc.syscall(SYS_preadv2, fd, &vector, 1, -1L, -1L, RWF_NOWAIT);
    }
    *result = got;
    if (__builtin_expect(got == (ssize_t)size, 1)) {
        hub->streak++;
        if (atomic_load_explicit(&record->patience, memory_order_relaxed))
            bine_read_was_full(record, true);
        return true;
    }
    if (nonblocking && (got >= 0 || errno == EAGAIN)) {
        hub->streak++;
        return true;
    }
    *result = bine_stream_read_on(hub, fd, buffer, size, got, saved);
    return true;
}

/* Tries write(fd, buffer, size) of a pipe. */
BINE_FAST bool bine_fast_write(struct bine_hub *hub, int fd, const void *buffer, size_t size,
                               ssize_t *result)
{
    struct bine_descriptor *record = bine_descriptor_find(fd);
    if (!record || atomic_load_explicit(&record->kind, memory_order_relaxed) != BINE_FD_PIPE ||
        size - 1 >= BINE_TRANSFER_MOST || hub->streak >= BINE_STREAK_LIMIT ||
        atomic_load_explicit(&record->nowait, memory_order_relaxed) & BINE_WRITE_REFUSES_NOWAIT)
        return false;
    int saved = errno;
    bool nonblocking = bine_descriptor_nonblocking_known(record) == BINE_NONBLOCKING;
    ssize_t sent;
    if (nonblocking) {
        sent = bine_libc.write(fd, buffer, size);
    } else {
        struct iovec vector = {(void *)buffer, size};
        sent = bine_libc.syscall(SYS_pwritev2, fd, &vector, 1, -1L, -1L, RWF_NOWAIT);
    }
    *result = sent;
    hub->streak++;
    if (__builtin_expect(sent == (ssize_t)size, 1) ||
        (nonblocking && (sent >= 0 || errno == EAGAIN)))
        return true;
    *result = bine_stream_write_on(hub, fd, buffer, size, sent, saved);
    return true;
}

#endif
