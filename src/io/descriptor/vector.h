/*
 * Arrays of buffers, continued in the middle. After a partial transfer the rest is a new array of a
 * few entries (a window). So nothing is allocated, and the caller's array is not written to.
 */
#ifndef BINE_IO_DESCRIPTOR_VECTOR_H
#define BINE_IO_DESCRIPTOR_VECTOR_H

#include <stddef.h>
#include <sys/uio.h>

enum {
    BINE_VECTOR_WINDOW = 8
};

/* The most that one call moves (MAX_RW_COUNT in the kernel). A call for more ends there, as a short
 * one. */
enum {
    BINE_TRANSFER_MOST = 0x7ffff000
};

/* Returns the number of bytes in all, as far as one call can move them. Only for an array that the
 * kernel has accepted. */
static inline size_t bine_vector_size(const struct iovec *vector, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += vector[i].iov_len;
    return size < BINE_TRANSFER_MOST ? size : BINE_TRANSFER_MOST;
}

/* Fills the window with what lies behind the first `done` bytes, as far as the window reaches.
 * Returns how many entries it has. */
static inline int bine_vector_rest(struct iovec *window, const struct iovec *vector, size_t count,
                                   size_t done)
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
