/*
 * The short path of the commonest calls: a read from a socket that has data, a write to one that
 * has room.
 *
 * It does what receive.c and transmit.c do in that case and nothing else, and is inlined into the
 * hooks. So a patched call that need not wait costs little more than libc's. Everything out of the
 * ordinary is left to the long path.
 */
#ifndef BINE_IO_SOCKET_FAST_H
#define BINE_IO_SOCKET_FAST_H

#include <limits.h>

#include "io/descriptor/rights.h"
#include "io/descriptor/vector.h"
#include "io/wait/wait.h"
#include "transmit.h"

/* Always inlined. One function more around each system call made sendmsg and recvmsg slower than
 * the call itself explains (bench/NOTES.md). */
#define BINE_FAST static inline __attribute__((always_inline))

/* May a read of `size` bytes from a socket take the short path? With `socket` the caller says that
 * fd must be a socket (recv), and fails with ENOTSOCK if it is not. Without it the short path is
 * tried only if fd is known to be one (read). */
BINE_FAST bool bine_fast_recv_allowed(const struct bine_hub *hub,
                                      const struct bine_descriptor *record, size_t size,
                                      bool socket)
{
    if (!record)
        return false;
    uint8_t kind = atomic_load_explicit(&record->kind, memory_order_relaxed);
    return (kind == BINE_FD_SOCKET || (socket && kind == BINE_FD_UNKNOWN)) &&
           !atomic_load_explicit(&record->read_wait, memory_order_relaxed) &&
           !atomic_load_explicit(&record->low_water, memory_order_relaxed) &&
           size - 1 < BINE_TRANSFER_MOST && hub->streak < BINE_STREAK_LIMIT;
}

/* The attempt gave `got` bytes of `size`, or -1 with errno. Returns true if that is the call's
 * result; errno is set if it is -1. Returns false if the long path must be taken. `saved` is errno
 * as it was before. */
BINE_FAST bool bine_fast_recv_done(struct bine_hub *hub, int fd, struct bine_descriptor *record,
                                   ssize_t got, size_t size, bool socket, int saved)
{
    if (__builtin_expect(got < 0, 0)) {
        if (errno != EAGAIN)
            /* The number names another file by now, or a filter that lets a read pass does not let
             * a recv pass. */
            return socket || (errno != ENOTSOCK && !bine_call_refused(errno));
        atomic_store_explicit(&record->kind, BINE_FD_SOCKET, memory_order_relaxed);
        bool final = bine_descriptor_nonblocking_known(record) == BINE_NONBLOCKING;
        if (bine_descriptor_is_stream(fd, record)) {
            bine_read_was_dry(record);
            bine_wait_drained(hub, fd, POLLIN, true);
        } else {
            /* a datagram socket may have been shut down instead: the long path finds out */
            final = false;
        }
        errno = final ? EAGAIN : saved;
        return final; /* if not, the long path waits first, because of bine_read_was_dry */
    }
    hub->streak++;
    if (__builtin_expect(
            atomic_load_explicit(&record->kind, memory_order_relaxed) != BINE_FD_SOCKET, 0))
        atomic_store_explicit(&record->kind, BINE_FD_SOCKET, memory_order_relaxed);
    if ((size_t)got < size) {
        bine_read_was_short(record);
        if (bine_descriptor_is_tcp(fd, record))
            bine_wait_drained(hub, fd, POLLIN, false);
    } else if (atomic_load_explicit(&record->patience, memory_order_relaxed)) {
        bine_read_was_full(record, true);
    }
    return true;
}

/* Tries recv(fd, buffer, size, 0). Returns true if *result is the call's result; errno is set if
 * that is -1. Returns false if the long path must be taken. `socket`: as above. */
BINE_FAST bool bine_fast_recv(struct bine_hub *hub, int fd, void *buffer, size_t size, bool socket,
                              ssize_t *result)
{
    struct bine_descriptor *record = bine_descriptor_find(fd);
    if (!bine_fast_recv_allowed(hub, record, size, socket))
        return false;
    int saved = errno;
    *result = bine_libc.recv(fd, buffer, size, MSG_DONTWAIT);
    return bine_fast_recv_done(hub, fd, record, *result, size, socket, saved);
}

/* Tries recvfrom(fd, buffer, size, 0, address, length). */
BINE_FAST bool bine_fast_recv_from(struct bine_hub *hub, int fd, void *buffer, size_t size,
                                   struct sockaddr *address, socklen_t *length, ssize_t *result)
{
    struct bine_descriptor *record = bine_descriptor_find(fd);
    if (!bine_fast_recv_allowed(hub, record, size, true))
        return false;
    int saved = errno;
    *result = bine_libc.recvfrom(fd, buffer, size, MSG_DONTWAIT, address, length);
    return bine_fast_recv_done(hub, fd, record, *result, size, true, saved);
}

/* Tries recvmsg(fd, message, 0). */
BINE_FAST bool bine_fast_recv_message(struct bine_hub *hub, int fd, struct msghdr *message,
                                      bool socket, ssize_t *result)
{
    struct bine_descriptor *record = bine_descriptor_find(fd);
    if (!bine_fast_recv_allowed(hub, record, 1, socket))
        return false;
    int saved = errno;
    *result = bine_libc.recvmsg(fd, message, MSG_DONTWAIT);
    size_t size = 0;
    if (*result >= 0) { /* the kernel has accepted the arrays: now they may be read */
        if (message->msg_controllen)
            bine_rights_received(message, 0);
        if (*result > 0)
            size = bine_vector_size(message->msg_iov, message->msg_iovlen);
    }
    return bine_fast_recv_done(hub, fd, record, *result, size, socket, saved);
}

/* May a write with these flags take the short path? It may not when the poller can send it along
 * with others: then the ring may be better, see transmit.c. `socket`: as above. */
BINE_FAST bool bine_fast_send_allowed(struct bine_hub *hub, int fd, int flags, bool socket)
{
    struct bine_descriptor *record = bine_descriptor_find(fd);
    if (!record || (flags & ~MSG_NOSIGNAL) || hub->streak >= BINE_STREAK_LIMIT ||
        (bine_wait_gathers(hub) && bine_wait_supports(hub, BINE_OP_SEND)))
        return false;
    return socket || atomic_load_explicit(&record->kind, memory_order_relaxed) == BINE_FD_SOCKET;
}

/* Tries send(fd, buffer, size, flags). An attempt that was made is always completed. */
BINE_FAST bool bine_fast_send(struct bine_hub *hub, int fd, const void *buffer, size_t size,
                              int flags, bool socket, ssize_t *result)
{
    if (size - 1 >= BINE_TRANSFER_MOST || !bine_fast_send_allowed(hub, fd, flags, socket))
        return false;
    int saved = errno;
    ssize_t sent = bine_libc.send(fd, buffer, size, flags | MSG_DONTWAIT);
    *result = sent;
    if (__builtin_expect(sent != (ssize_t)size, 0)) {
        if (sent < 0 && !socket && (errno == ENOTSOCK || bine_call_refused(errno)))
            return false;
        struct bine_transmit transmit = {.fd = fd, .flags = flags, .buffer = buffer, .size = size};
        *result = bine_transmit_rest(hub, &transmit, sent, saved);
    }
    hub->streak++;
    return true;
}

/* Tries sendto. */
BINE_FAST bool bine_fast_send_to(struct bine_hub *hub, int fd, const void *buffer, size_t size,
                                 int flags, const struct sockaddr *address, socklen_t length,
                                 ssize_t *result)
{
    if (size - 1 >= BINE_TRANSFER_MOST || !bine_fast_send_allowed(hub, fd, flags, true))
        return false;
    int saved = errno;
    ssize_t sent = bine_libc.sendto(fd, buffer, size, flags | MSG_DONTWAIT, address, length);
    *result = sent;
    if (__builtin_expect(sent != (ssize_t)size, 0)) {
        struct bine_transmit transmit = {.fd = fd,
                                         .flags = flags,
                                         .buffer = buffer,
                                         .size = size,
                                         .address = address,
                                         .length = length};
        *result = bine_transmit_rest(hub, &transmit, sent, saved);
    }
    hub->streak++;
    return true;
}

/* Tries sendmsg of a message that carries no descriptors. */
BINE_FAST bool bine_fast_send_message(struct bine_hub *hub, int fd, const struct msghdr *message,
                                      int flags, bool socket, ssize_t *result)
{
    if (!bine_fast_send_allowed(hub, fd, flags, socket))
        return false;
    int saved = errno;
    ssize_t sent = bine_libc.sendmsg(fd, message, flags | MSG_DONTWAIT);
    *result = sent;
    if (sent < 0 && !socket && (errno == ENOTSOCK || bine_call_refused(errno)))
        return false;
    if (sent < 0 || (size_t)sent != bine_vector_size(message->msg_iov, message->msg_iovlen)) {
        struct bine_transmit transmit = {.fd = fd, .flags = flags, .message = message};
        *result = bine_transmit_rest(hub, &transmit, sent, saved);
    }
    hub->streak++;
    return true;
}

/* These try readv and writev of a socket. Several buffers make a message, a single one makes the
 * plain call. */
BINE_FAST bool bine_fast_vector(const struct iovec *vector, int count)
{
    return vector && count > 0 && count <= IOV_MAX &&
           (count == 1 || bine_vector_size(vector, (size_t)count) != 0);
}

BINE_FAST bool bine_fast_recv_vector(struct bine_hub *hub, int fd, const struct iovec *vector,
                                     int count, ssize_t *result)
{
    if (!bine_fast_vector(vector, count))
        return false;
    if (count == 1)
        return bine_fast_recv(hub, fd, vector->iov_base, vector->iov_len, false, result);
    struct msghdr message = {.msg_iov = (struct iovec *)vector, .msg_iovlen = (size_t)count};
    return bine_fast_recv_message(hub, fd, &message, false, result);
}

BINE_FAST bool bine_fast_send_vector(struct bine_hub *hub, int fd, const struct iovec *vector,
                                     int count, ssize_t *result)
{
    if (!bine_fast_vector(vector, count))
        return false;
    if (count == 1)
        return bine_fast_send(hub, fd, vector->iov_base, vector->iov_len, 0, false, result);
    struct msghdr message = {.msg_iov = (struct iovec *)vector, .msg_iovlen = (size_t)count};
    return bine_fast_send_message(hub, fd, &message, 0, false, result);
}

#endif
