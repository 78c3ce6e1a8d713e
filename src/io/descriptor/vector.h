/*
 * Arrays of buffers, continued in the middle: after a partial transfer, the rest as a fresh array of a few entries (a
 * window), so that nothing is allocated and the caller's array is not written to.
 */
#ifndef BINE_IO_DESCRIPTOR_VECTOR_H
#define BINE_IO_DESCRIPTOR_VECTOR_H

#include <stddef.h>
#include <sys/uio.h>

enum {
    BINE_VECTOR_WINDOW = 8
};

/* What one call moves at most (MAX_RW_COUNT in the kernel): a call for more ends there, as a short one. */
enum {
    BINE_TRANSFER_MOST = 0x7ffff000
};

/* Bytes in all, as far as one call can move them. Only for an array that the kernel has accepted. */
static inline size_t bine_vector_size(const struct iovec *vector, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += vector[i].iov_len;
    return size < BINE_TRANSFER_MOST ? size : BINE_TRANSFER_MOST;
}

/* What lies behind the first `done` bytes, as far as the window reaches; returns how many entries it has. */
static inline int bine_vector_rest(struct iovec *window, const struct iovec *vector, size_t count, size_t done)
{
    int used = 0;
    for (size_t i = 0; i < count && used < BINE_VECTOR_WINDOW; i++) {
        size_t length = vector[i].iov_len;
        if (done >= length) {
            done -= length;
            continue;
        }
        window[used].iov_base = (char *)vector[i].iov_base + done;
        window[used++].iov_len = length - done;
        done = 0;
    }
    return used;
}

#endif
