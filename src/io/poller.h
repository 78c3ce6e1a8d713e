/*
 * The poller: how a hub waits for the kernel. One small interface, three implementations: uring, epoll, sim.
 *
 * An operation is a record on the waiter's stack. It is begun, and ends exactly once: the poller fills in `result`
 * and calls `done` from a turn (or from within start or cancel). Until then the kernel may own the buffers it names, so the
 * record and the buffers must stay: after a cancel, wait for the end (hazard 24).
 */
#ifndef BINE_IO_POLLER_H
#define BINE_IO_POLLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "../core/hub.h"

enum bine_operation_kind {
    BINE_OP_POLL, /* readiness of fd: result = the poll(2) bits that hold, of `events` plus POLLERR/POLLHUP; every poller can */
    BINE_OP_READ, /* buffer, size, offset (-1: the file position) */
    BINE_OP_WRITE,
    BINE_OP_READV, /* buffer = iovec, size = count, offset */
    BINE_OP_WRITEV,
    BINE_OP_RECV, /* buffer, size, flags (MSG_*) */
    BINE_OP_SEND,
    BINE_OP_RECVMSG, /* buffer = msghdr, flags */
    BINE_OP_SENDMSG,
    BINE_OP_ACCEPT, /* buffer = sockaddr, address_length, flags (SOCK_*) */
    BINE_OP_CONNECT, /* buffer = sockaddr, size */
    BINE_OP_FSYNC, /* flags 1: fdatasync */
    BINE_OP_OPENAT, /* buffer = path, fd = directory, flags, mode in size */
    BINE_OP_KINDS
};

struct bine_operation {
    uint8_t kind;
    bool ended;
    bool cancelled;
    uint8_t poller_state; /* the poller's own */
    int fd;
    uint32_t events; /* BINE_OP_POLL: POLLIN, POLLOUT, POLLPRI, POLLRDHUP */
    int flags;
    void *buffer;
    size_t size;
    int64_t offset;
    socklen_t *address_length;
    int64_t result; /* what the system call would return, or -errno */
    void (*done)(struct bine_operation *operation); /* NULL: unpark `waiter` */
    struct bine_greenlet *waiter;
    struct bine_operation *next, *previous; /* the poller's own */
};

struct bine_poller;

struct bine_poller_class {
    const char *name;
    /* A poller for one hub, or NULL with errno: ENOSYS, EPERM, ENOMEM ... */
    struct bine_poller *(*open)(struct bine_hub *hub);
    bool (*supports)(struct bine_poller *poller, enum bine_operation_kind kind);
    /* Begin. Submission is batched into the next turn. 0, or an error number with the operation not begun (EBADF,
     * EPERM: this kind of file cannot be polled and is always ready, ENOTSUP, ENOMEM). */
    int (*start)(struct bine_poller *poller, struct bine_operation *operation);
    /* Ask for an early end: it will end with -ECANCELED, or with its result if that came first. */
    void (*cancel)(struct bine_poller *poller, struct bine_operation *operation);
    /* fd is about to be closed, or its number names a new file: end all operations on it with -EBADF (as soon as the kernel lets
     * go) and forget what was registered. */
    void (*forget)(struct bine_poller *poller, int fd);
    /* Is fd known to be not ready (0), ready (1), or unknown (-1)? `events` as for BINE_OP_POLL; no system call. */
    int (*hint)(struct bine_poller *poller, int fd, uint32_t events);
    /* The caller's own system call has just found fd exhausted for `events` (POLLIN after a read, POLLOUT after a write): `dry`
     * when it got EAGAIN (or poll(2) said not ready), else it came up short (some bytes, fewer than asked for). A poller that
     * remembers readiness (edge-triggered epoll) keeps it until told so here, and only so: BINE_OP_POLL ends at once while it is
     * remembered, or a wake-up would be lost when nobody read what an edge announced. A short read does not prove that an end of
     * file or an error is not pending: after POLLRDHUP, POLLHUP or POLLERR only `dry` forgets. NULL: nothing is remembered. */
    void (*drained)(struct bine_poller *poller, int fd, uint32_t events, bool dry);
};

struct bine_poller {
    struct bine_driver driver; /* first: what the hub sees; wait and wake are here */
    const struct bine_poller_class *class;
    struct bine_hub *hub;
    size_t pending;
};

extern const struct bine_poller_class bine_poller_uring;
extern const struct bine_poller_class bine_poller_epoll;
extern const struct bine_poller_class bine_poller_sim;

/* The hub's poller, opened if need be as BINE_POLLER says ("uring", "epoll", "sim:SEED"), else uring, else epoll. NULL: errno. */
struct bine_poller *bine_poller_of(struct bine_hub *hub);

/* Why uring was not chosen, for `bine doctor`: "" if it was. */
const char *bine_poller_why(void);

/*
 * Begin `operation`, park the current greenlet until it has ended, whatever happens meanwhile: when the park is cut short
 * (kill, scope, deadline, signal) the operation is cancelled and its end awaited. Returns the operation's result, or when it
 * ended only because of the cancel: -ECANCELED, -ETIMEDOUT, -EINTR as bine_park says, -ETIME for `deadline`.
 * flags: BINE_PARK_*.
 */
int64_t bine_operation_run(struct bine_hub *hub, struct bine_operation *operation, const char *verb, int64_t deadline, unsigned flags);

#endif
