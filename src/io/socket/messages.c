/* recvmmsg and sendmmsg: several messages in one call. See bine/io.h. */
#include <bine/io.h>

#include "io/descriptor/rights.h"
#include "receive.h"
#include "transmit.h"

/* recvmmsg's timeout as the kernel treats it: looked at only after a message has come (recvmmsg(2),
 * BUGS). */
static bool out_of_time(int64_t deadline, struct timespec *timeout)
{
    int64_t left = deadline - bine_hub_now(NULL);
    if (left < 0)
        left = 0;
    timeout->tv_sec = left / BINE_SECOND;
    timeout->tv_nsec = left % BINE_SECOND;
    return left == 0;
}

static void note_descriptors(const struct mmsghdr *messages, unsigned count, int flags)
{
    for (unsigned i = 0; i < count; i++)
        if (messages[i].msg_hdr.msg_controllen)
            bine_rights_received(&messages[i].msg_hdr, flags);
}

/* A stream with SO_RCVLOWAT: each message waits for so much. */
static int receive_one(struct bine_hub *hub, int fd, struct mmsghdr *message, int flags)
{
    struct bine_receive receive = {.fd = fd, .flags = flags, .message = &message->msg_hdr};
    ssize_t got = bine_receive(hub, &receive);
    if (got < 0)
        return -1;
    message->msg_len = (unsigned)got;
    return 1;
}

/* Receives until `count` have come, or what ends it earlier. The number that came; 0 with errno. */
static unsigned receive_all(struct bine_hub *hub, int fd, struct mmsghdr *messages, unsigned count,
                            int flags, int64_t deadline, struct timespec *timeout)
{
    struct bine_wait wait;
    unsigned came = 0;
    struct bine_descriptor *record = bine_descriptor_find(fd);
    bool low_water = record && atomic_load_explicit(&record->low_water, memory_order_relaxed);
    bine_wait_begin(&wait, hub, fd, "recvmmsg fd");
    for (;;) {
        /* With a timeout one at a time: the clock is looked at after each. */
        unsigned want = timeout ? 1 : count - came;
        int first =
            (came && flags & MSG_WAITFORONE ? flags | MSG_DONTWAIT : flags) & ~MSG_WAITFORONE;
        int more = low_water
                       ? receive_one(hub, fd, messages + came, first)
                       : bine_libc.recvmmsg(fd, messages + came, want, first | MSG_DONTWAIT, NULL);
        if (more > 0) {
            note_descriptors(messages + came, (unsigned)more, flags);
            came += (unsigned)more;
            wait.fruitless = 0;
            if (timeout && out_of_time(deadline, timeout))
                return came;
            if (came == count || messages[came - 1].msg_hdr.msg_flags & MSG_OOB)
                return came;
            if (timeout || low_water)
                continue;
        } else if (errno != EAGAIN || low_water ||
                   flags & (MSG_DONTWAIT | MSG_ERRQUEUE | MSG_OOB)) {
            return came;
        } else if (bine_receive_ended(&wait)) {
            bine_receive_nothing(&messages[came].msg_hdr);
            messages[came++].msg_len = 0;
            if (came == count || (timeout && out_of_time(deadline, timeout)))
                return came;
        } else {
            bine_receive_dry(&wait);
        }
        if (came && flags & MSG_WAITFORONE)
            return came;
        int error = bine_wait_more(&wait, POLLIN);
        if (error) {
            errno = error == ETIME ? EAGAIN : error;
            return came;
        }
        /* SO_RCVTIMEO is for each message. */
        wait.timed = false;
        wait.deadline = INT64_MAX;
        if (came && wait.bits & POLLERR)
            return came;
    }
}

int bine_recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags,
                  struct timespec *timeout)
{
    struct bine_hub *hub = bine_io_hub();
    if (!hub || count == 0)
        return bine_libc.recvmmsg(fd, messages, count, flags, timeout);
    int64_t deadline = INT64_MAX;
    if (timeout) {
        if (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec >= BINE_SECOND)
            return (int)bine_io_fail(EINVAL);
        int64_t now = bine_hub_now(NULL);
        if (timeout->tv_sec < (INT64_MAX - now) / BINE_SECOND - 1)
            deadline = now + timeout->tv_sec * BINE_SECOND + timeout->tv_nsec;
    }
    int error = bine_streak(hub), saved = errno;
    if (error)
        return (int)bine_io_fail(error);
    unsigned came = receive_all(hub, fd, messages, count, flags, deadline, timeout);
    if (!came)
        return -1;
    errno = saved;
    return (int)came;
}

int bine_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    struct bine_hub *hub = bine_io_hub();
    if (!hub || count == 0)
        return bine_libc.sendmmsg(fd, messages, count, flags);
    /* The first try tells all that is wrong with the arguments, and sends what has room. */
    int error = bine_streak(hub), saved = errno;
    if (error)
        return (int)bine_io_fail(error);
    enum {
        MOST = 1024
    }; /* UIO_MAXIOV, what the kernel takes at once */
    if (count > MOST)
        count = MOST;
    int sent = bine_libc.sendmmsg(fd, messages, count, flags | MSG_DONTWAIT);
    if (sent < 0) {
        if (errno != EAGAIN || flags & MSG_DONTWAIT)
            return -1;
        sent = 0;
    }
    /* On a stream a message may have gone in part: its rest follows. */
    if (sent > 0 && !(flags & MSG_DONTWAIT)) {
        struct mmsghdr *last = messages + sent - 1;
        size_t total = 0;
        for (size_t i = 0; i < last->msg_hdr.msg_iovlen; i++)
            total += last->msg_hdr.msg_iov[i].iov_len;
        if (last->msg_len < total && !bine_descriptor_nonblocking(fd, bine_descriptor_find(fd))) {
            struct bine_transmit rest = {.fd = fd, .flags = flags | MSG_NOSIGNAL};
            size_t skip = last->msg_len;
            for (size_t i = 0; i < last->msg_hdr.msg_iovlen; i++) {
                const struct iovec *piece = last->msg_hdr.msg_iov + i;
                if (skip >= piece->iov_len) {
                    skip -= piece->iov_len;
                    continue;
                }
                rest.buffer = (char *)piece->iov_base + skip;
                rest.size = piece->iov_len - skip;
                skip = 0;
                ssize_t more = bine_transmit(hub, &rest);
                if (more > 0)
                    last->msg_len += (unsigned)more;
                if (more < (ssize_t)rest.size)
                    return sent;
            }
        }
    }
    /* It stopped for want of room, or because of an error that it keeps to itself, SIGPIPE sent:
     * not twice. */
    int once = 0;
    if (sent > 0 && (unsigned)sent < count) {
        struct pollfd room = {.fd = fd, .events = POLLOUT};
        once = bine_libc.poll(&room, 1, 0) != 0 ? MSG_NOSIGNAL : 0;
    }
    while ((unsigned)sent < count) {
        if (flags & MSG_DONTWAIT)
            break;
        struct bine_transmit next = {
            .fd = fd, .flags = flags | once, .message = &messages[sent].msg_hdr};
        once = 0;
        ssize_t bytes = bine_transmit(hub, &next);
        if (bytes < 0) {
            if (!sent)
                return -1;
            break;
        }
        messages[sent++].msg_len = (unsigned)bytes;
    }
    errno = saved;
    return sent;
}
