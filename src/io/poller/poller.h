/*
 * The poller: how a hub waits for the kernel. One small interface has three implementations: uring,
 * epoll, sim.
 *
 * An operation is a record on the waiter's stack. It is begun, and it ends exactly once: the poller
 * fills in `result` and calls `done` from a turn (or from within start or cancel). Until then the
 * kernel may own the buffers that it names. So the record and the buffers must stay: after a cancel
 * the waiter waits for the end (hazard 24).
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
    /* Readiness of fd. The result is the poll(2) bits that hold, of `events` plus POLLERR/POLLHUP.
     * Every poller can do it. The bits held at some moment since the start; another reader may have
     * taken the data since. */
    BINE_OP_POLL,
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
    uint8_t poller_state; /* belongs to the poller */
    int fd;
    uint32_t events; /* BINE_OP_POLL: POLLIN, POLLOUT, POLLPRI, POLLRDHUP */
    int flags;
    void *buffer;
    size_t size;
    int64_t offset;
    socklen_t *address_length;
    int64_t result; /* what the system call would return, -errno, or BINE_OPERATION_ORPHANED */
    void (*done)(struct bine_operation *operation); /* NULL: `waiter` is unparked */
    /* NULL: no greenlet waits, and the operation lies on no stack. Then `done` is called also when
     * the thread ends, but not in the child of a fork. */
    struct bine_greenlet *waiter;
    /* These belong to the poller: the list of all its operations, with the one first that was
     * started or checked longest ago; the list of those on the same descriptor; and when it was
     * started, in re-checks. */
    struct bine_operation *next, *previous;
    struct bine_operation *same_next, *same_previous;
    uint32_t epoch;
};

/* The result of an operation without a waiter when its poller closes. done() may free the operation
 * and do nothing else. */
#define BINE_OPERATION_ORPHANED INT64_MIN

struct bine_poller;

struct bine_poller_class {
    const char *name;
    /* Returns a poller for one hub, or NULL with errno: ENOSYS, EPERM, ENOMEM ... */
    struct bine_poller *(*open)(struct bine_hub *hub);
    /* Begins an operation. Submission is batched into the next turn. Returns 0, or an error number
     * with the operation not begun: EBADF, EPERM (this kind of file cannot be polled and is always
     * ready), ENOTSUP, ENOMEM. */
    int (*start)(struct bine_poller *poller, struct bine_operation *operation);
    /* Asks for an early end. The operation ends with -ECANCELED, or with its result if that came
     * first. */
    void (*cancel)(struct bine_poller *poller, struct bine_operation *operation);
    /* fd is about to be closed, or its number names a new file. Ends all operations on it with
     * -EBADF (as soon as the kernel lets go) and forgets what was registered. */
    void (*forget)(struct bine_poller *poller, int fd);
    /* fd was closed without the runtime's knowledge and names a new file by now. Does what `forget`
     * does, and no operation that was begun may run on the new file. */
    void (*replaced)(struct bine_poller *poller, int fd);
    /* Like cancel, but the operation ends with `verdict` instead of -ECANCELED. */
    void (*retract)(struct bine_poller *poller, struct bine_operation *operation, int64_t verdict);
    /* Is fd known to be not ready (0), ready (1), or unknown (-1)? `events` is as for BINE_OP_POLL.
     * Makes no system call. The answer is a guess that only helps to choose whether to try or to
     * wait first. */
    int (*hint)(struct bine_poller *poller, int fd, uint32_t events);
    /*
     * The caller's own system call has just found fd exhausted for `events` (POLLIN after a read,
     * POLLOUT after a write). `dry` says that it got EAGAIN (or that poll(2) said not ready). Else
     * it came up short: it got some bytes, and fewer than it asked for.
     *
     * A poller that remembers readiness (edge-triggered epoll) keeps it until this function tells
     * otherwise. BINE_OP_POLL ends at once while readiness is remembered: otherwise a wake-up would
     * be lost when no greenlet has read what an edge announced. A short read does not prove that no
     * end of file or error is pending. So after POLLRDHUP, POLLHUP or POLLERR only `dry` forgets.
     *
     * NULL: the poller remembers nothing. The caller must call it at once, before anything that
     * switches, and only when it is true. Not calling it costs one poll(2).
     */
    void (*drained)(struct bine_poller *poller, int fd, uint32_t events, bool dry);
    /* Looks whether the poller's own descriptors still are its own, and replaces those that are
     * not. Returns true if one was replaced. Then the events that it would have told must be asked
     * for. */
    bool (*verify)(struct bine_poller *poller);
};

struct bine_poller {
    struct bine_driver driver; /* first member: what the hub sees; wait and wake are here */
    const struct bine_poller_class *class;
    struct bine_hub *hub;
    size_t pending;
    uint32_t supported; /* a bit for each kind of operation that it does */
    /* What the three pollers have in common (poller_common.c). */
    struct bine_operation *oldest, *newest;
    /* The cursor of a walk over a descriptor's operations. It is moved on when its operation
     * ends. */
    struct bine_operation *cursor;
    struct bine_poller_chunk **chunks; /* a slot for each descriptor, chunk by chunk */
    size_t chunk_count;
    uint32_t epoch;     /* grows by 1 with every re-check */
    uint32_t looks;     /* turns that did not wait */
    int64_t recheck_at; /* absolute ns; 0: not set */
    int64_t recheck_interval;
    struct bine_own wake; /* an eventfd */
    uint64_t wake_id;     /* which eventfd that is */
    atomic_int waking;    /* threads that are just writing to it */
    unsigned losses;      /* bine_own_losses when it was last verified */
    int64_t verify_at;    /* absolute ns */
    bool closing;         /* no greenlet is to be woken any more */
    /* The kernel will be told of something with the next turn, so one thing more is not one call
     * more. */
    bool gathering;
    bool open;
    struct bine_poller *next_of_all;
};

extern const struct bine_poller_class bine_poller_uring;
extern const struct bine_poller_class bine_poller_epoll;
extern const struct bine_poller_class bine_poller_sim;

static inline bool bine_poller_supports(const struct bine_poller *poller,
                                        enum bine_operation_kind kind)
{
    return poller->supported >> kind & 1;
}

/* The driver's pending. Every poller has this function, and no other driver has it. */
size_t bine_poller_pending(struct bine_driver *driver);
struct bine_poller *bine_poller_open(struct bine_hub *hub);

/* Returns the hub's poller, and opens it if need be: as bine_simulate or BINE_POLLER ("uring",
 * "epoll") says, else uring, else epoll. Returns NULL with errno. */
static inline struct bine_poller *bine_poller_of(struct bine_hub *hub)
{
    struct bine_driver *driver = hub->driver;
    return __builtin_expect(driver->pending == bine_poller_pending, 1)
               ? (struct bine_poller *)driver
               : bine_poller_open(hub);
}

/* Says why uring was not chosen, for `bine doctor`. "" if it was. */
const char *bine_poller_why(void);

/*
 * Looks again at up to `at_most` operations, those first that have waited longest. The descriptor's
 * number may have been closed without the runtime's knowledge, by libc itself, and may even name
 * another file by now (hazard 15).
 *
 * With POLLNVAL the operation ends with -EBADF. If the file is ready but the operation is not,
 * BINE_OP_POLL ends with the bits that hold now. All others end with -EAGAIN, which here means
 * "stale: try the call again", or with their own result, if that came first.
 *
 * Returns how many it found. Turns call it by themselves while operations are pending, at first
 * after 200 ms, then ever more slowly, and at last every 2 s. It makes one poll(2) for 64
 * descriptors.
 */
size_t bine_poller_recheck(struct bine_poller *poller, size_t at_most);

/*
 * bine_poller_recheck_descriptor does the same for the operations on one descriptor, now, whatever
 * their age: what has come already decides them. Stores up to `most` of the greenlets whose wait is
 * over by that, and returns how many it stored. bine_poller_ending: is any operation on fd about to
 * end, after this or a cancel?
 */
size_t bine_poller_recheck_descriptor(struct bine_poller *poller, int fd,
                                      struct bine_greenlet **waiters, size_t most);
bool bine_poller_ending(struct bine_poller *poller, int fd);
/* Returns the operation on fd that was begun first, or NULL if there is none. The others follow by
 * same_next. */
struct bine_operation *bine_poller_first_on(struct bine_poller *poller, int fd);

/* The simulator, for tests that need no environment. Replaces the hub's driver. Returns NULL for
 * ENOMEM, EMFILE. */
struct bine_poller *bine_poller_simulate(struct bine_hub *hub, uint64_t seed);

/*
 * Begins `operation` and parks the current greenlet until it has ended. When the park ends early
 * (kill, scope, deadline, signal) the operation is cancelled, and the greenlet waits for its end.
 *
 * Returns the operation's result. If it ended only because of the cancel, or did not begin, returns
 * BINE_OPERATION_CUT_BY(e). There e is what bine_park returned, which may be any error number,
 * also one that a system call may have. Returns -ENOMEM and the like if it could not begin. flags:
 * BINE_PARK_*.
 */
#define BINE_OPERATION_CUT (1 << 20)
#define BINE_OPERATION_CUT_BY(error) (-(BINE_OPERATION_CUT + (error)))
int64_t bine_operation_run(struct bine_hub *hub, struct bine_operation *operation, const char *verb,
                           int64_t deadline, unsigned flags);

#endif
