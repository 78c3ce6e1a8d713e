/*
 * The poller: how a hub waits for the kernel. One small interface, three implementations: uring, epoll, sim.
 *
 * An operation is a record on the waiter's stack. It is begun, and ends exactly once: the poller fills in `result`
 * and calls `done` from a turn (or from within start or cancel). Until then the kernel may own the buffers it names, so
 * the record and the buffers must stay: after a cancel, wait for the end (hazard 24).
 */
#ifndef BINE_IO_POLLER_POLLER_H
#define BINE_IO_POLLER_POLLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "core/hub/hub.h"
#include "io/descriptor/own.h"

enum bine_operation_kind {
    BINE_OP_POLL,  /* readiness of fd: result = the poll(2) bits that hold, of `events` plus POLLERR/POLLHUP; every
                     poller can. They did hold at some moment since the start; somebody else may have taken the data
                     since. */
    BINE_OP_READ,  /* buffer, size, offset (-1: the file position) */
    BINE_OP_READV, /* buffer = iovec, size = count, offset */
    BINE_OP_WRITEV,
    BINE_OP_RECV, /* buffer, size, flags (MSG_*) */
    BINE_OP_SEND,
    BINE_OP_RECVMSG, /* buffer = msghdr, flags */
    BINE_OP_SENDMSG,
    BINE_OP_ACCEPT,  /* buffer = sockaddr, address_length, flags (SOCK_*) */
    BINE_OP_CONNECT, /* buffer = sockaddr, size */
    BINE_OP_FSYNC,   /* flags 1: fdatasync */
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
    int64_t result; /* what the system call would return, -errno, or BINE_OPERATION_ORPHANED */
    void (*done)(struct bine_operation *operation); /* NULL: unpark `waiter` */
    /* NULL: nobody waits, and the operation lies on no stack. done is called then also when the thread ends, but not in the child of a fork. */
    struct bine_greenlet *waiter;
    /* The poller's own: all operations of the poller, the one that was started or checked longest ago first; those on
     * the same descriptor; and when it was started, in re-checks. */
    struct bine_operation *next, *previous;
    struct bine_operation *same_next, *same_previous;
    uint32_t epoch;
};

/* The result of an operation without a waiter when its poller closes: done() may free the operation and do nothing else. */
#define BINE_OPERATION_ORPHANED INT64_MIN

struct bine_poller;

struct bine_poller_class {
    const char *name;
    /* A poller for one hub, or NULL with errno: ENOSYS, EPERM, ENOMEM ... */
    struct bine_poller *(*open)(struct bine_hub *hub);
    /* Begin. Submission is batched into the next turn. 0, or an error number with the operation not begun (EBADF,
     * EPERM: this kind of file cannot be polled and is always ready, ENOTSUP, ENOMEM). */
    int (*start)(struct bine_poller *poller, struct bine_operation *operation);
    /* Ask for an early end: it will end with -ECANCELED, or with its result if that came first. */
    void (*cancel)(struct bine_poller *poller, struct bine_operation *operation);
    /* fd is about to be closed, or its number names a new file: end all operations on it with -EBADF (as soon as the
     * kernel lets go) and forget what was registered. */
    void (*forget)(struct bine_poller *poller, int fd);
    /* fd was closed behind our back and names a new file by now: as forget, and nothing that was begun may run on the new one. */
    void (*replaced)(struct bine_poller *poller, int fd);
    /* Like cancel, but it ends with `verdict` instead of -ECANCELED. */
    void (*retract)(struct bine_poller *poller, struct bine_operation *operation, int64_t verdict);
    /* Is fd known to be not ready (0), ready (1), or unknown (-1)? `events` as for BINE_OP_POLL; no system call. An
     * opinion, good for choosing whether to try or to wait first. */
    int (*hint)(struct bine_poller *poller, int fd, uint32_t events);
    /* The caller's own system call has just found fd exhausted for `events` (POLLIN after a read, POLLOUT after a
     * write): `dry` when it got EAGAIN (or poll(2) said not ready), else it came up short (some bytes, fewer than asked
     * for). A poller that remembers readiness (edge-triggered epoll) keeps it until told so here, and only so:
     * BINE_OP_POLL ends at once while it is remembered, or a wake-up would be lost when nobody read what an edge
     * announced. A short read does not prove that an end of file or an error is not pending: after POLLRDHUP, POLLHUP
     * or POLLERR only `dry` forgets. NULL: nothing is remembered. Say it at once, before anything that switches, and
     * only when it is true; not saying it costs one poll(2). */
    void (*drained)(struct bine_poller *poller, int fd, uint32_t events, bool dry);
    /* Look whether the poller's own descriptors still are its own, and replace those that are not. True if one was replaced: what it would
     * have told has to be asked for. */
    bool (*verify)(struct bine_poller *poller);
};

struct bine_poller {
    struct bine_driver driver; /* first: what the hub sees; wait and wake are here */
    const struct bine_poller_class *class;
    struct bine_hub *hub;
    size_t pending;
    uint32_t supported; /* a bit for each kind of operation that it does */
    /* What the three have in common (poller_common.c). */
    struct bine_operation *oldest, *newest;
    struct bine_operation *cursor;     /* of a walk over a descriptor's operations, moved on when its operation ends */
    struct bine_poller_chunk **chunks; /* a slot for each descriptor, chunk by chunk */
    size_t chunk_count;
    uint32_t epoch;     /* grows by one with every re-check */
    uint32_t looks;     /* turns that did not wait */
    int64_t recheck_at; /* absolute ns; 0: not set */
    int64_t recheck_interval;
    struct bine_own wake; /* an eventfd */
    uint64_t wake_id;     /* which */
    atomic_int waking;    /* threads that are just writing to it */
    unsigned losses;      /* bine_own_losses when it was verified last */
    int64_t verify_at;    /* absolute ns */
    bool closing;         /* nobody is to be woken any more */
    bool gathering;       /* the kernel will be told of something with the next turn: one thing more is no call more */
    bool open;
    struct bine_poller *next_of_all;
};

extern const struct bine_poller_class bine_poller_uring;
extern const struct bine_poller_class bine_poller_epoll;
extern const struct bine_poller_class bine_poller_sim;

static inline bool bine_poller_supports(const struct bine_poller *poller, enum bine_operation_kind kind)
{
    return poller->supported >> kind & 1;
}

/* The driver's pending: every poller's, and nobody else's. */
size_t bine_poller_pending(struct bine_driver *driver);
struct bine_poller *bine_poller_open(struct bine_hub *hub);

/* The hub's poller, opened if need be as bine_simulate or BINE_POLLER ("uring", "epoll") says, else uring, else epoll. NULL:
 * errno. */
static inline struct bine_poller *bine_poller_of(struct bine_hub *hub)
{
    struct bine_driver *driver = hub->driver;
    return __builtin_expect(driver->pending == bine_poller_pending, 1) ? (struct bine_poller *)driver
                                                                       : bine_poller_open(hub);
}

/* Why uring was not chosen, for `bine doctor`: "" if it was. */
const char *bine_poller_why(void);

/*
 * Look again at up to `at_most` operations, those first that have waited longest: the descriptor's number may have been
 * closed behind our back, by libc itself, and may even name another file by now (hazard 15). With POLLNVAL the
 * operation ends with -EBADF. If the file is ready but the operation is not, BINE_OP_POLL ends with the bits that hold
 * now, all others with -EAGAIN, which here means "stale: try the call again"; or with their own result, if that came
 * first. Returns how many it found. Turns call it by themselves, first after 200 ms, then ever more slowly, every 2 s
 * at last, while operations are pending. One poll(2) for 64 descriptors.
 */
size_t bine_poller_recheck(struct bine_poller *poller, size_t at_most);

/*
 * The same for the operations on one descriptor, now, whatever their age: what has come already decides them. Stores up to `most` of the
 * greenlets whose wait is over by that, and returns how many it stored. And is any operation on it about to end, after this or a cancel?
 */
size_t bine_poller_recheck_descriptor(struct bine_poller *poller, int fd, struct bine_greenlet **waiters, size_t most);
bool bine_poller_ending(struct bine_poller *poller, int fd);
/* The operation on fd that was begun first, NULL if there is none; the others follow by same_next. */
struct bine_operation *bine_poller_first_on(struct bine_poller *poller, int fd);

/* The simulator, for tests that need no environment: replaces the hub's driver. NULL: ENOMEM, EMFILE. */
struct bine_poller *bine_poller_simulate(struct bine_hub *hub, uint64_t seed);

/*
 * Begin `operation`, park the current greenlet until it has ended, whatever happens meanwhile: when the park is cut
 * short (kill, scope, deadline, signal) the operation is cancelled and its end awaited. Returns the operation's result,
 * or when it ended only because of the cancel, or did not begin: -(BINE_OPERATION_CUT + what bine_park says, any error number, which a
 * system call may have as well). -ENOMEM and the like: it could not begin. flags: BINE_PARK_*.
 */
#define BINE_OPERATION_CUT (1 << 20)
int64_t bine_operation_run(struct bine_hub *hub, struct bine_operation *operation, const char *verb, int64_t deadline,
                           unsigned flags);

#endif
