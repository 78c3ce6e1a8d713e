/*
 * The short way through the commonest call: a read of a socket that has something. It does what receive.c does in that
 * case and nothing else, inlined into the hooks, so that a patched call that need not wait costs little more than libc's;
 * whatever is out of the ordinary is left to the long way.
 */
#ifndef BINE_IO_QUICK_H
#define BINE_IO_QUICK_H

#include "vector.h"
#include "wait.h"

/* Try recv(fd, buffer, size, 0). True: that was it, *result is the result, errno is set if it is -1. False: take the long way.
 * `socket`: the caller says that fd must be one (recv), and is told ENOTSOCK if it is not; else it is tried only if it is known
 * to be one (read). */
static inline bool bine_quick_receive(struct bine_hub *hub, int fd, void *buffer, size_t size, bool socket, ssize_t *result)
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
        if (bine_descriptor_short_is_dry(fd, record))
            bine_wait_drained(hub, fd, POLLIN, false);
    } else if (atomic_load_explicit(&record->patience, memory_order_relaxed)) {
        bine_read_was_full(record, true);
    }
    return true;
}

#endif
