/* recv, recvfrom, recvmsg. See receive.h and bine/io.h. */
#include "receive.h"

#include <bine/io.h>
#include <string.h>

#include "io/descriptor/rights.h"
#include "io/descriptor/vector.h"
#include "io/wait/take.h"

/* One attempt that does not block. */
static ssize_t receive_attempt(const struct bine_receive *receive)
{
    int flags = receive->flags | MSG_DONTWAIT;
    if (receive->message)
        return bine_libc.recvmsg(receive->fd, receive->message, flags);
    if (receive->address)
        return bine_libc.recvfrom(receive->fd, receive->buffer, receive->size, flags,
                                  receive->address, receive->length);
    return bine_libc.recv(receive->fd, receive->buffer, receive->size, flags);
}

/* Bytes asked for; for a message only once the kernel has accepted it. */
static size_t wanted(const struct bine_receive *receive)
{
    return receive->message
               ? bine_vector_size(receive->message->msg_iov, receive->message->msg_iovlen)
               : receive->size;
}

/* Remember what a read tells of the next one. */
static void learn(const struct bine_receive *receive, struct bine_wait *wait, ssize_t got,
                  bool tried)
{
    if (!wait->record)
        return;
    if (got == 0) /* the end, which a datagram socket says only when asked (see nothing) */
        atomic_store_explicit(&wait->record->read_wait, 0, memory_order_relaxed);
    if (receive->flags & MSG_PEEK)
        return;
    /* It can be received from, so that is what it is. */
    atomic_store_explicit(&wait->record->kind, BINE_FD_SOCKET, memory_order_relaxed);
    if (got == 0)
        return;
    if ((size_t)got < wanted(receive)) {
        bine_read_was_short(wait->record);
        if (bine_descriptor_is_tcp(receive->fd, wait->record))
            bine_wait_drained(wait->hub, receive->fd, POLLIN, false);
    } else {
        bine_read_was_full(wait->record, tried);
    }
}

static ssize_t receive_finish(const struct bine_receive *receive, ssize_t got)
{
    if (got >= 0 && receive->message && receive->message->msg_controllen)
        bine_rights_received(receive->message, receive->flags);
    return got;
}

/* Has the other side ended its half? */
static bool stream_ended(int fd)
{
    struct pollfd end = {.fd = fd, .events = POLLRDHUP};
    return bine_libc.poll(&end, 1, 0) > 0 && end.revents & (POLLRDHUP | POLLHUP);
}

void bine_receive_nothing(struct msghdr *message)
{
    message->msg_namelen = 0;
    message->msg_controllen = 0;
    message->msg_flags = 0;
}

/* A datagram socket that was shut down: a call that waits returns 0, one with MSG_DONTWAIT says
 * EAGAIN for ever. */
static ssize_t receive_nothing(const struct bine_receive *receive, const struct bine_wait *wait)
{
    if (wait->record)
        atomic_store_explicit(&wait->record->read_wait, 0, memory_order_relaxed);
    if (receive->message)
        bine_receive_nothing(receive->message);
    else if (receive->address && receive->length)
        *receive->length = 0;
    return 0;
}

void bine_receive_dry(const struct bine_wait *wait)
{
    if (bine_descriptor_is_stream(wait->fd, wait->record))
        bine_wait_drained(wait->hub, wait->fd, POLLIN, true);
}

bool bine_receive_ended(const struct bine_wait *wait)
{
    return !bine_descriptor_is_stream(wait->fd, wait->record) && stream_ended(wait->fd);
}

/* A TCP read of no bytes that waited ends as soon as it is woken, whatever woke it
 * (tcp_recvmsg_locked: while (len > 0)): it must not fetch an error. */
static bool nothing_more_to_wait_for(const struct bine_receive *receive,
                                     const struct bine_wait *wait, int error)
{
    return wanted(receive) == 0 && (error ? error == ETIME || error == EINTR : wait->bits != 0) &&
           bine_descriptor_is_tcp(receive->fd, wait->record);
}

/* Out of line: the message would be room on the stack of every call that waits. */
static __attribute__((noinline)) int by_poller_from(const struct bine_receive *receive,
                                                    struct bine_wait *wait, ssize_t *got)
{
    struct iovec vector = {receive->buffer, receive->size};
    struct msghdr message = {.msg_name = receive->address,
                             .msg_namelen = *receive->length,
                             .msg_iov = &vector,
                             .msg_iovlen = 1};
    struct bine_operation operation = {
        .kind = BINE_OP_RECVMSG, .flags = receive->flags, .buffer = &message};
    int error = bine_wait_result(wait, &operation, got);
    if (!error)
        *receive->length = message.msg_namelen;
    return error;
}

/* Let the poller receive straight into the caller's buffers. As bine_wait_result. */
static int receive_by_poller(const struct bine_receive *receive, struct bine_wait *wait,
                             ssize_t *got)
{
    if (receive->address)
        return by_poller_from(receive, wait, got);
    struct bine_operation operation;
    memset(&operation, 0, sizeof operation);
    operation.flags = receive->flags;
    operation.kind = receive->message ? BINE_OP_RECVMSG : BINE_OP_RECV;
    operation.buffer = receive->message ? receive->message : receive->buffer;
    operation.size = receive->size;
    return bine_wait_result(wait, &operation, got);
}

/* The kernel may be left to receive by itself if that means the same. */
static bool poller_can(const struct bine_receive *receive, struct bine_hub *hub)
{
    if (wanted(receive) == 0)
        return false;
    if (receive->message)
        return bine_wait_supports(hub, BINE_OP_RECVMSG);
    if (receive->address)
        return receive->length && bine_wait_supports(hub, BINE_OP_RECVMSG);
    return bine_wait_supports(hub, BINE_OP_RECV);
}

/* ---- one piece ------------------------------------------------------------------------------- */

static ssize_t piece_attempt(struct bine_wait *wait, void *call)
{
    (void)wait;
    return receive_attempt(call);
}

static bool piece_over(struct bine_wait *wait, void *call, ssize_t *result)
{
    if (!bine_receive_ended(wait))
        return false;
    *result = receive_nothing(call, wait);
    return true;
}

static void piece_dry(struct bine_wait *wait, void *call)
{
    (void)call;
    bine_read_was_dry(wait->record);
    bine_receive_dry(wait);
}

static bool piece_poller_can(struct bine_wait *wait, void *call)
{
    return poller_can(call, wait->hub);
}

static int piece_by_poller(struct bine_wait *wait, void *call, ssize_t *result)
{
    return receive_by_poller(call, wait, result);
}

static bool piece_settled(struct bine_wait *wait, void *call, int error)
{
    return nothing_more_to_wait_for(call, wait, error);
}

static void piece_took(struct bine_wait *wait, void *call, ssize_t result, bool tried)
{
    learn(call, wait, result, tried);
}

static const struct bine_take_class piece_class = {
    .attempt = piece_attempt,
    .over = piece_over,
    .dry = piece_dry,
    .poller_can = piece_poller_can,
    .by_poller = piece_by_poller,
    .settled = piece_settled,
    .took = piece_took,
};

/* Blocks until there is something, and takes what there is. */
static __attribute__((noinline)) ssize_t receive_piece(struct bine_hub *hub,
                                                       const struct bine_receive *receive)
{
    struct bine_wait wait;
    bine_wait_begin(&wait, hub, receive->fd, "recv fd");
    bool wait_first =
        wait.record && wait.record->kind == BINE_FD_SOCKET && bine_read_waits_first(wait.record);
    return bine_take(&wait, &piece_class, (void *)receive, wait_first);
}

/*
 * MSG_WAITALL, or SO_RCVLOWAT above one: a stream socket blocks until `target` bytes are there, or
 * the stream has ended. An error that comes after the first bytes belongs to the next call, so it
 * must not be fetched here.
 */
static ssize_t receive_at_least(struct bine_hub *hub, const struct bine_receive *receive,
                                size_t size, size_t target)
{
    struct bine_wait wait;
    struct bine_receive piece = *receive;
    struct iovec whole = {receive->buffer, receive->size}, window[BINE_VECTOR_WINDOW];
    const struct iovec *vector = receive->message ? receive->message->msg_iov : &whole;
    size_t count = receive->message ? receive->message->msg_iovlen : 1;
    struct msghdr rest;
    size_t done = 0;
    int saved = errno;
    piece.flags &= ~MSG_WAITALL;
    bine_wait_begin(&wait, hub, receive->fd, "recv fd");
    for (;;) {
        ssize_t got = receive_attempt(&piece);
        if (got == 0 && size)
            break;
        if (got < 0 && errno != EAGAIN) {
            if (!done)
                return -1;
            break;
        }
        if (got >= 0) {
            wait.fruitless = piece.flags & MSG_PEEK ? wait.fruitless : 0;
            done = piece.flags & MSG_PEEK ? (size_t)got : done + (size_t)got;
            if (done >= target)
                break;
            if (piece.flags & MSG_PEEK) {
                /* What has been peeked at keeps the socket readable: only the clock can wait for
                 * more. */
                if (stream_ended(receive->fd))
                    break;
                if (wait.fruitless < 3)
                    wait.fruitless = 3;
            } else {
                memset(&rest, 0, sizeof rest);
                rest.msg_iov = window;
                rest.msg_iovlen = (size_t)bine_vector_rest(window, vector, count, done);
                piece.message = &rest;
            }
        } else {
            bine_receive_dry(&wait);
        }
        int error = bine_wait_more(&wait, POLLIN);
        if (error != EAGAIN && nothing_more_to_wait_for(receive, &wait, error))
            break;
        if (error == ETIME)
            error = EAGAIN;
        if (error) {
            if (!done)
                return bine_io_fail(error);
            break;
        }
        /* TCP keeps the error for the next call; a Unix socket forgets it here. */
        if (done && wait.bits & POLLERR && bine_descriptor_is_tcp(receive->fd, wait.record))
            break;
    }
    errno = saved;
    return (ssize_t)done;
}

/* More than one piece may be wanted: MSG_WAITALL, or a low water mark. Out of line, as it needs
 * room on the stack that each call would pay for. */
static __attribute__((noinline)) ssize_t receive_whole(struct bine_hub *hub,
                                                       const struct bine_receive *receive,
                                                       struct bine_descriptor *record,
                                                       int low_water)
{
    /* Only streams; to others one datagram is all there is. A message's array cannot be read before
     * the kernel has looked at it, and a wrong one is refused by the try below. */
    struct bine_receive other = *receive;
    other.flags &= ~MSG_WAITALL;
    bool readable =
        !receive->message || (receive->message->msg_iov && receive->message->msg_iovlen <= 1024);
    bool whole = readable && bine_descriptor_is_stream(receive->fd, record) &&
                 /* A Unix socket that is only peeked at gives what there is. */
                 (!(receive->flags & MSG_PEEK) || bine_descriptor_is_tcp(receive->fd, record));
    if (!whole)
        return receive_piece(hub, &other);
    size_t size = wanted(receive);
    size_t target =
        receive->flags & MSG_WAITALL || (size_t)low_water > size ? size : (size_t)low_water;
    return receive_at_least(hub, receive, size, target);
}

ssize_t bine_receive(struct bine_hub *hub, const struct bine_receive *receive)
{
    int error = bine_streak(hub);
    if (error)
        return bine_io_fail(error);
    /* These never block, whatever the descriptor: recv(2), and tcp_recv_urg for MSG_OOB. */
    if (receive->flags & (MSG_DONTWAIT | MSG_ERRQUEUE | MSG_OOB))
        return receive_finish(receive, receive_attempt(receive));
    struct bine_descriptor *record = bine_descriptor_find(receive->fd);
    int low_water = record ? atomic_load_explicit(&record->low_water, memory_order_relaxed) : 0;
    if (__builtin_expect((receive->flags & MSG_WAITALL) || low_water, 0))
        return receive_finish(receive, receive_whole(hub, receive, record, low_water));
    if (receive->message)
        return receive_finish(receive, receive_piece(hub, receive));
    /* a jump: nothing of this call lies on the stack while it waits */
    return receive_piece(hub, receive);
}

ssize_t bine_recv(int fd, void *buffer, size_t size, int flags)
{
    struct bine_hub *hub = bine_io_hub();
    if (!hub)
        return bine_libc.recv(fd, buffer, size, flags);
    struct bine_receive receive = {.fd = fd,
                                   .flags = flags,
                                   .buffer = buffer,
                                   .size = size < BINE_TRANSFER_MOST ? size : BINE_TRANSFER_MOST};
    return bine_receive(hub, &receive);
}

ssize_t bine_recvfrom(int fd, void *buffer, size_t size, int flags, struct sockaddr *address,
                      socklen_t *length)
{
    struct bine_hub *hub = bine_io_hub();
    if (!hub)
        return bine_libc.recvfrom(fd, buffer, size, flags, address, length);
    struct bine_receive receive = {.fd = fd,
                                   .flags = flags,
                                   .buffer = buffer,
                                   .size = size < BINE_TRANSFER_MOST ? size : BINE_TRANSFER_MOST,
                                   .address = address,
                                   .length = length};
    return bine_receive(hub, &receive);
}

ssize_t bine_recvmsg(int fd, struct msghdr *message, int flags)
{
    struct bine_hub *hub = bine_io_hub();
    if (!hub || !message)
        return bine_libc.recvmsg(fd, message, flags);
    struct bine_receive receive = {.fd = fd, .flags = flags, .message = message};
    return bine_receive(hub, &receive);
}
