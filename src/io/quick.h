/*
 * The short way through the commonest calls: a read of a socket that has something, a write to one that has room.
 * It does what receive.c and transmit.c do in that case and nothing else, inlined into the hooks, so that a patched
 * call that need not wait costs little more than libc's; whatever is out of the ordinary is left to the long way.
 */
#ifndef BINE_IO_QUICK_H
#define BINE_IO_QUICK_H

#include "transmit.h"
#include "vector.h"
#include "wait.h"

/* Try recv(fd, buffer, size, 0). True: that was it, *result is the result, errno is set if it is -1. False: take the
 * long way. `socket`: the caller says that fd must be one (recv), and is told ENOTSOCK if it is not; else it is tried
 * only if it is known to be one (read). */
static inline bool bine_quick_receive(struct bine_hub *hub, int fd, void *buffer, size_t size, bool socket,
                                      ssize_t *result)
{
    struct bine_descriptor *record = bine_descriptor_find(fd);
    if (!record)
        return false;
    uint8_t kind = atomic_load_explicit(&record->kind, memory_order_relaxed);
    if ((kind != BINE_FD_SOCKET && !(socket && kind == BINE_FD_UNKNOWN)) ||
        atomic_load_explicit(&record->read_wait, memory_order_relaxed) ||
        atomic_load_explicit(&record->low_water, memory_order_relaxed) || size - 1 >= BINE_TRANSFER_MOST ||
        hub->streak >= BINE_STREAK_LIMIT)
        return false;
    int saved = errno;
    ssize_t got = bine_libc.recv(fd, buffer, size, MSG_DONTWAIT);
    *result = got;
    if (__builtin_expect(got < 0, 0)) {
        if (errno != EAGAIN)
            return socket || errno != ENOTSOCK; /* the number names another file by now */
        atomic_store_explicit(&record->kind, BINE_FD_SOCKET, memory_order_relaxed);
        bine_read_was_dry(record);
        if (bine_descriptor_is_stream(fd, record)) /* a datagram socket may have been shut down instead */
            bine_wait_drained(hub, fd, POLLIN, true);
        bool final = bine_descriptor_nonblocking_known(record) == BINE_NONBLOCKING;
        errno = final ? EAGAIN : saved;
        return final; /* if not, the long way waits first: bine_read_was_dry has seen to that */
    }
    hub->streak++;
    if (__builtin_expect(kind != BINE_FD_SOCKET, 0))
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

/* Try send(fd, buffer, size, flags). As above, but that an attempt that was made is always seen through to the end.
 * Not when other greenlets are ready and the poller can send: then the ring may be better, see transmit.c. */
static inline bool bine_quick_transmit(struct bine_hub *hub, int fd, const void *buffer, size_t size, int flags,
                                       bool socket, ssize_t *result)
{
    struct bine_descriptor *record = bine_descriptor_find(fd);
    if (!record || (flags & ~MSG_NOSIGNAL) || size - 1 >= BINE_TRANSFER_MOST || hub->streak >= BINE_STREAK_LIMIT ||
        (!bine_ready_empty(&hub->ready) && bine_wait_supports(hub, BINE_OP_SEND)))
        return false;
    if (!socket && atomic_load_explicit(&record->kind, memory_order_relaxed) != BINE_FD_SOCKET)
        return false;
    int saved = errno;
    ssize_t sent = bine_libc.send(fd, buffer, size, flags | MSG_DONTWAIT);
    *result = sent;
    if (__builtin_expect(sent != (ssize_t)size, 0)) {
        if (sent < 0 && errno == ENOTSOCK && !socket)
            return false;
        struct bine_transmit transmit = {.fd = fd, .flags = flags, .buffer = buffer, .size = size};
        *result = bine_transmit_rest(hub, &transmit, sent, saved);
    }
    hub->streak++;
    return true;
}

#endif
