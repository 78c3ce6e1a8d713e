/*
 * The io_uring poller. A turn is one system call that submits everything that was begun since the
 * last turn and waits for completions. A look when there is nothing to submit and nothing to fetch
 * makes no system call.
 *
 * The kernel owns the memory that an operation names until its completion has come (hazard 24). A
 * cancel only asks for that.
 */
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>

#include "libc/libc.h"
#include "poller_common.h"
#include "uring_layout.h"
#include "uring_ring.h"

enum {
    SUBMISSIONS = 256, /* 16 KiB; when full, submitted early */
    /* 32 KiB; beyond that the kernel keeps them until there is room (IORING_FEAT_NODROP) */
    COMPLETIONS = 2048,
};

/* See batch. */
enum {
    BATCH_MICROSECONDS = 20,
    BATCH_MOST = 32,
    BATCH_PENDING = 16
};

/* user_data of what is no operation; operations are aligned. */
enum {
    USER_WAKE = 1,
    USER_CANCEL = 2
};

/* poller_state: to be cancelled, but there was no room to say so. */
enum {
    CANCEL_LATER = BINE_OPERATION_FLAG,
    REPEATED = CANCEL_LATER << 1, /* a poll that stays until it is cancelled: see half_closed */
};

struct uring_poller {
    struct bine_poller base;
    struct bine_uring uring;
    bool wake_armed;
    bool cancel_later; /* some operations have CANCEL_LATER */
    size_t reaped;     /* completions that the last turn brought */
};

static struct uring_poller *uring_of(struct bine_poller *poller)
{
    return (struct uring_poller *)poller;
}

/* Room for one submission; NULL if the kernel takes none now (no memory). */
static struct io_uring_sqe *room(struct uring_poller *poller)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&poller->uring.ring);
    if (__builtin_expect(sqe != NULL, 1))
        return sqe;
    /* Older kernels take nothing while completions lie outside the full ring (EBUSY): let them in
     * by fetching events. */
    if (io_uring_submit(&poller->uring.ring) <= 0)
        io_uring_submit_and_get_events(&poller->uring.ring);
    return io_uring_get_sqe(&poller->uring.ring);
}

/* ---- starting -------------------------------------------------------------------------------- */

/* Linux moves at most so much in one call (read(2)); the ring's length has 32 bits. */
static unsigned length(size_t size)
{
    return size > 0x7ffff000 ? 0x7ffff000 : (unsigned)size;
}

/* A receive is not told to wait first (IORING_RECVSEND_POLL_FIRST), although its caller does not
 * expect data yet. The peer has often answered by the time the receive is submitted together with
 * other operations. Then a try is cheaper than a poll that fires at once. Where the try is in vain
 * no difference was seen (bench/NOTES.md). */
static void prepare(struct io_uring_sqe *sqe, const struct bine_operation *operation)
{
    int fd = operation->fd;
    void *buffer = operation->buffer;
    size_t size = operation->size;
    uint64_t offset = (uint64_t)operation->offset; /* -1: the file position, here as there */

    switch (operation->kind) {
    case BINE_OP_POLL:
        io_uring_prep_poll_add(sqe, fd, operation->events);
        break;
    case BINE_OP_READ:
        io_uring_prep_read(sqe, fd, buffer, length(size), offset);
        break;
    case BINE_OP_READV:
        io_uring_prep_readv(sqe, fd, buffer, (unsigned)size, offset);
        break;
    case BINE_OP_WRITEV:
        io_uring_prep_writev(sqe, fd, buffer, (unsigned)size, offset);
        break;
    case BINE_OP_RECV:
        io_uring_prep_recv(sqe, fd, buffer, length(size), operation->flags);
        break;
    case BINE_OP_SEND:
        io_uring_prep_send(sqe, fd, buffer, length(size), operation->flags);
        break;
    case BINE_OP_RECVMSG:
        io_uring_prep_recvmsg(sqe, fd, buffer, (unsigned)operation->flags);
        break;
    case BINE_OP_SENDMSG:
        io_uring_prep_sendmsg(sqe, fd, buffer, (unsigned)operation->flags);
        break;
    case BINE_OP_ACCEPT:
        io_uring_prep_accept(sqe, fd, buffer, operation->address_length, operation->flags);
        break;
    case BINE_OP_CONNECT:
        io_uring_prep_connect(sqe, fd, buffer, (socklen_t)size);
        break;
    case BINE_OP_FSYNC:
        io_uring_prep_fsync(sqe, fd, operation->flags & 1 ? IORING_FSYNC_DATASYNC : 0);
        break;
    }
}

static int uring_start(struct bine_poller *base, struct bine_operation *operation)
{
    struct uring_poller *poller = uring_of(base);
    if (!bine_poller_supports(base, operation->kind))
        return ENOTSUP;
    if (operation->fd < 0)
        return EBADF;
    struct bine_poller_slot *slot = bine_poller_slot_make(base, operation->fd);
    if (!slot)
        return ENOMEM;
    struct io_uring_sqe *sqe = room(poller);
    if (!sqe)
        return ENOMEM;
    prepare(sqe, operation);
    io_uring_sqe_set_data64(sqe, (uintptr_t)operation);
    bine_poller_begin(base, operation, slot);
    /* without batches it saves too few calls to be worth the switch */
    base->gathering = poller->uring.batches;
    return 0;
}

/* ---- ending early ---------------------------------------------------------------------------- */

static void submit_cancel(struct uring_poller *poller, struct bine_operation *operation)
{
    struct io_uring_sqe *sqe = room(poller);
    if (!sqe) {
        operation->poller_state |= CANCEL_LATER;
        poller->cancel_later = true;
        return;
    }
    operation->poller_state &= (uint8_t)~CANCEL_LATER;
    io_uring_prep_cancel64(sqe, (uintptr_t)operation, 0);
    io_uring_sqe_set_data64(sqe, USER_CANCEL);
    if (poller->uring.skip_success)
        io_uring_sqe_set_flags(sqe, IOSQE_CQE_SKIP_SUCCESS);
}

static void cancel_those_left(struct uring_poller *poller)
{
    poller->cancel_later = false;
    for (struct bine_operation *operation = poller->base.oldest; operation;
         operation = operation->next)
        if (operation->poller_state & CANCEL_LATER)
            submit_cancel(poller, operation);
}

/* operation->result holds what it is to report should the kernel give it up, until it has ended. */
static void uring_retract(struct bine_poller *base, struct bine_operation *operation,
                          int64_t verdict)
{
    if (operation->ended)
        return;
    operation->result = verdict;
    if (operation->cancelled)
        return;
    operation->cancelled = true;
    submit_cancel(uring_of(base), operation);
}

static void uring_cancel(struct bine_poller *base, struct bine_operation *operation)
{
    if (operation->ended || (operation->cancelled && operation->result != -EAGAIN))
        return;
    uring_retract(base, operation, -ECANCELED);
}

static void uring_forget(struct bine_poller *base, int fd)
{
    struct uring_poller *poller = uring_of(base);
    struct bine_poller_slot *slot = bine_poller_slot(base, fd);
    if (!slot || !slot->first)
        return;
    for (struct bine_operation *operation = slot->first; operation;
         operation = operation->same_next)
        uring_retract(base, operation, -EBADF);
    /* Now, and not with the next turn: what is still in the queue names the descriptor by its
     * number, which may soon be another file's; and the file itself stays open as long as an
     * operation holds it. */
    io_uring_submit_and_get_events(&poller->uring.ring);
}

/* Operations that the kernel has not been given yet would run on the new file. */
static void forget_queued(struct uring_poller *poller, int fd)
{
    struct io_uring_sq *queue = &poller->uring.ring.sq;
    unsigned count = io_uring_sq_ready(&poller->uring.ring);
    for (unsigned i = 1; i <= count; i++) {
        struct io_uring_sqe *sqe = &queue->sqes[(queue->sqe_tail - i) & queue->ring_mask];
        if (sqe->fd == fd && sqe->user_data > USER_CANCEL)
            sqe->fd = -1;
    }
}

static void replaced(struct bine_poller *base, int fd)
{
    forget_queued(uring_of(base), fd);
    uring_forget(base, fd);
}

static int uring_hint(struct bine_poller *poller, int fd, uint32_t events)
{
    return -1;
}

/* ---- turning --------------------------------------------------------------------------------- */

/* One submission polls the eventfd for ever. Each write to it is one completion. It need not be
 * read. */
static void arm_wake(struct uring_poller *poller)
{
    struct io_uring_sqe *sqe = room(poller);
    if (!sqe)
        return;
    int wake_fd = atomic_load(&poller->base.wake.fd);
    if (poller->uring.wake_multishot)
        io_uring_prep_poll_multishot(sqe, wake_fd, POLLIN);
    else
        io_uring_prep_poll_add(sqe, wake_fd, POLLIN);
    io_uring_sqe_set_data64(sqe, USER_WAKE);
    poller->wake_armed = true;
}

static void woken(struct uring_poller *poller, int result, unsigned flags)
{
    if (flags & IORING_CQE_F_MORE)
        return;
    poller->wake_armed = false;
    if (result == -EINVAL) {
        poller->uring.wake_multishot = false;
        return;
    }
    /* Armed again it would fire at once for what was written before. */
    uint64_t count;
    ssize_t got = bine_libc.read(atomic_load(&poller->base.wake.fd), &count, sizeof count);
    (void)got;
}

/*
 * io_uring adds POLLRDHUP to the events of every poll. So a wait for room on a socket whose peer
 * has sent its last byte is answered at once, without any of the events that it asked for. Repeated
 * polls report only changes: the first answer is in vain again, the next ones are not. Returns true
 * if the operation stays.
 */
static bool half_closed(struct uring_poller *poller, struct bine_operation *operation, int result,
                        unsigned flags)
{
    int bits = result < 0 ? 0 : result & (int)(operation->events | POLLERR | POLLHUP);
    if (flags & IORING_CQE_F_MORE) {
        if (bits)
            uring_retract(&poller->base, operation, bits);
        return true;
    }
    if (result < 0 || bits || operation->cancelled)
        return false;
    struct io_uring_sqe *sqe = room(poller);
    if (!sqe)
        return false;
    io_uring_prep_poll_multishot(sqe, operation->fd, operation->events);
    io_uring_sqe_set_data64(sqe, (uintptr_t)operation);
    operation->poller_state |= REPEATED;
    return true;
}

static void completed(struct uring_poller *poller, struct bine_operation *operation, int result,
                      unsigned flags)
{
    if (poller->base.closing) {
        /* bine_poller_free tells those that are to know */
        poller->base.pending -= !(flags & IORING_CQE_F_MORE);
        return;
    }
    if (operation->kind == BINE_OP_POLL && half_closed(poller, operation, result, flags))
        return;
    /* older than 5.13: io waits by the clock */
    if (operation->poller_state & REPEATED && result == -EINVAL)
        bine_poller_end(&poller->base, operation, 0);
    else if (result == -ECANCELED || (result == -EINTR && operation->cancelled))
        bine_poller_end(&poller->base, operation, operation->result);
    else if (operation->kind == BINE_OP_POLL && result >= 0)
        bine_poller_end(&poller->base, operation,
                        (unsigned)result & (operation->events | POLLERR | POLLHUP));
    else
        bine_poller_end(&poller->base, operation, result);
}

/* The operation that the completion `ahead` of the next belongs to, or NULL. */
static inline struct bine_operation *operation_of(const struct io_uring *ring, unsigned ahead)
{
    uint64_t user_data = ring->cq.cqes[(*ring->cq.khead + ahead) & ring->cq.ring_mask].user_data;
    return user_data > USER_CANCEL ? (struct bine_operation *)(uintptr_t)user_data : NULL;
}

/* Deliver the completions that are in the ring now. */
static size_t reap(struct uring_poller *poller)
{
    struct io_uring *ring = &poller->uring.ring;
    unsigned count = io_uring_cq_ready(ring);
    size_t found = 0;
    for (unsigned i = 0; i < count; i++) {
        const struct io_uring_cqe *cqe = &ring->cq.cqes[*ring->cq.khead & ring->cq.ring_mask];
        uint64_t user_data = cqe->user_data;
        int result = cqe->res;
        unsigned flags = cqe->flags;
        if (i + BINE_POLLER_OPERATION_AHEAD < count)
            bine_poller_fetch_operation(operation_of(ring, BINE_POLLER_OPERATION_AHEAD));
        if (i + BINE_POLLER_GREENLET_AHEAD < count)
            bine_poller_fetch_greenlet(operation_of(ring, BINE_POLLER_GREENLET_AHEAD));
        /* first, because a waiter that is told may submit, and needs room in the ring */
        io_uring_cq_advance(ring, 1);
        if (user_data == USER_WAKE) {
            woken(poller, result, flags);
        } else if (user_data != USER_CANCEL) {
            completed(poller, (struct bine_operation *)(uintptr_t)user_data, result, flags);
            found++;
        }
    }
    return found;
}

/* Submit, and fetch what there is, without waiting; without a system call when there is neither. */
static void uring_look(struct uring_poller *poller)
{
    struct io_uring *ring = &poller->uring.ring;
    if (io_uring_sq_ready(ring))
        io_uring_submit_and_get_events(ring);
    else if (__atomic_load_n(ring->sq.kflags, __ATOMIC_RELAXED) &
             (IORING_SQ_CQ_OVERFLOW | IORING_SQ_TASKRUN))
        io_uring_get_events(ring);
}

/*
 * How many completions to wait for. A server that is about as fast as its clients would be woken
 * for each request by itself, and half of its work would be waking up. So with many operations
 * pending it waits for as many as the turn before brought, at most 20 microseconds. A greenlet that
 * waits for one operation, or has been waiting longer than that, is woken by the first.
 */
static unsigned batch(const struct uring_poller *poller, int64_t wait)
{
    if (!poller->uring.batches || poller->base.pending < BATCH_PENDING ||
        wait <= BATCH_MICROSECONDS * BINE_US)
        return 1;
    size_t most = poller->base.pending / 2 < BATCH_MOST ? poller->base.pending / 2 : BATCH_MOST;
    return (unsigned)(poller->reaped < most ? poller->reaped : most);
}

/* Submit and wait. -1 with EINTR when a signal handler ran, else 0. */
static int wait_for_events(struct uring_poller *poller, int64_t wait, int64_t deadline)
{
    struct io_uring *ring = &poller->uring.ring;
    /* Always with a limit: without one liburing waits again after a signal that came when something
     * had been submitted. */
    if (wait > 3600 * BINE_SECOND)
        wait = 3600 * BINE_SECOND;
    struct __kernel_timespec time = {.tv_sec = wait / BINE_SECOND, .tv_nsec = wait % BINE_SECOND};
    struct io_uring_cqe *cqe;
    unsigned count = batch(poller, wait);
    int result = count > 1 ? bine_uring_wait_for_batch(ring, count, BATCH_MICROSECONDS, &time)
                           : io_uring_submit_and_wait_timeout(ring, &cqe, 1, &time, NULL);
    if (result == -EINTR) {
        errno = EINTR;
        return -1;
    }
    if (result == -EBADF || result == -EOPNOTSUPP || result == -ENXIO)
        poller->base.verify_at = 0; /* the number is free, or names another file */
    if (result > 0 && !io_uring_cq_ready(ring) && !io_uring_sq_ready(ring)) {
        /* The kernel reports what it took, not how the wait ended. Too early: by a signal. */
        if (bine_poller_left(&poller->base, deadline) > 0) {
            errno = EINTR;
            return -1;
        }
    }
    return 0;
}

static int uring_turn(struct bine_driver *driver, int64_t deadline)
{
    struct uring_poller *poller = (struct uring_poller *)driver;
    size_t found = 0;
    int interrupted = 0;
    int64_t wait = bine_poller_patience(&poller->base, deadline, &found);
    if (__builtin_expect(!poller->wake_armed, 0))
        arm_wake(poller);
    if (__builtin_expect(poller->cancel_later, 0))
        cancel_those_left(poller);
    if (wait == 0 || io_uring_cq_ready(&poller->uring.ring))
        uring_look(poller);
    else
        interrupted = wait_for_events(poller, wait, deadline);
    poller->base.gathering = false;
    poller->reaped = reap(poller);
    found += poller->reaped;
    return found ? (int)found : interrupted;
}

/* ---- opening and closing --------------------------------------------------------------------- */

/* The kernel must have let go of every buffer before the stacks they lie on are given back. */
static void cancel_everything(struct uring_poller *poller)
{
    if (poller->uring.cancel_any) {
        struct io_uring_sqe *sqe = room(poller);
        if (sqe) {
            io_uring_prep_cancel64(sqe, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
            io_uring_sqe_set_data64(sqe, USER_CANCEL);
        }
    } else {
        for (struct bine_operation *operation = poller->base.oldest; operation;
             operation = operation->next)
            submit_cancel(poller, operation);
    }
    /* Something that cannot be cancelled (a read from a dying disk) must not hold up the end for
     * ever. Its buffer may lie on a stack, which the kernel would write into whatever were mapped
     * there next. */
    for (int i = 0; i < 500 && poller->base.pending; i++) {
        struct __kernel_timespec time = {.tv_nsec = 10 * BINE_MS};
        struct io_uring_cqe *cqe;
        io_uring_submit_and_wait_timeout(&poller->uring.ring, &cqe, 1, &time, NULL);
        reap(poller);
    }
    poller->base.hub->stacks_lost |= poller->base.pending != 0;
}

static void uring_close_poller(struct bine_driver *driver)
{
    struct uring_poller *poller = (struct uring_poller *)driver;
    if (poller->base.closing) {
        bine_uring_abandon(&poller->uring); /* after fork, in the child: the ring is the parent's */
    } else {
        poller->base.closing = true;
        if (poller->base.pending)
            cancel_everything(poller);
        bine_uring_close(&poller->uring);
    }
    bine_poller_free(&poller->base);
}

/* Completions may wait in the kernel until the hub's thread enters the ring, which only poll(2)
 * tells. What has begun and was not submitted waits for the hub, too. The race with its thread is
 * the caller's to bear. */
static BINE_NO_SANITIZE bool uring_due(struct bine_driver *driver)
{
    struct bine_uring *uring = &((struct uring_poller *)driver)->uring;
    struct pollfd look = {.fd = atomic_load(&uring->file.fd), .events = POLLIN};
    return io_uring_sq_ready(&uring->ring) > 0 || bine_libc.poll(&look, 1, 0) > 0;
}

static struct bine_poller *open_poller(struct bine_hub *hub)
{
    struct bine_poller *base =
        bine_poller_new(&bine_poller_uring, hub, sizeof(struct uring_poller));
    if (!base)
        return NULL;
    base->driver.turn = uring_turn;
    base->driver.due = uring_due;
    int error = bine_uring_open(&uring_of(base)->uring, &base->supported);
    if (error) {
        bine_poller_free(base);
        errno = error;
        return NULL;
    }
    base->driver.close = uring_close_poller;
    return base;
}

/* The ring cannot be entered any more: its descriptor was closed, and this kernel does not know
 * rings by anything else (before 5.18). The old one goes, the kernel gives up what was in flight,
 * and the callers try again with a new one. */
static bool reopen(struct uring_poller *poller)
{
    struct bine_uring fresh;
    if (bine_uring_open(&fresh, &poller->base.supported))
        return false; /* perhaps at the next look */
    bine_uring_close(&poller->uring);
    poller->uring = fresh;
    poller->wake_armed = poller->cancel_later = false;
    for (struct bine_operation *operation; (operation = poller->base.oldest);)
        bine_poller_end(&poller->base, operation,
                        operation->cancelled              ? operation->result
                        : operation->kind == BINE_OP_POLL ? 0
                                                          : -EAGAIN);
    return true;
}

static bool uring_verify(struct bine_poller *base)
{
    struct uring_poller *poller = uring_of(base);
    bool renewed = bine_poller_verify_wake(base);
    if (renewed)
        /* the poll of the old one, to which nothing can be written, stays */
        poller->wake_armed = false;
    if (!bine_uring_usable(&poller->uring))
        renewed |= reopen(poller);
    return renewed;
}

const struct bine_poller_class bine_poller_uring = {
    .name = "uring",
    .open = open_poller,
    .start = uring_start,
    .cancel = uring_cancel,
    .retract = uring_retract,
    .forget = uring_forget,
    .replaced = replaced,
    .hint = uring_hint,
    .verify = uring_verify,
};
