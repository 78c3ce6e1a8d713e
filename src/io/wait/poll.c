/* poll and ppoll. See bine/io.h. */
#include <bine/io.h>

#include "poll_set.h"
#include "wait.h"

/* Entries whose descriptor another greenlet closed during the wait. poll reports EBADF as
 * POLLNVAL. */
struct closed_entries {
    struct pollfd *fds;
    size_t count;
};

static void note_closed(void *arg, size_t index)
{
    struct closed_entries *closed = arg;
    closed->fds[index].revents = POLLNVAL;
    closed->count++;
}

/* After the zero-time poll of the caller found nothing. */
static int poll_wait_for(struct bine_hub *hub, struct pollfd *fds, nfds_t count, int64_t deadline,
                         const sigset_t *mask)
{
    static const struct bine_poll_verbs verbs = {"poll fd", "poll"};
    struct closed_entries closed = {fds, 0};
    const struct timespec zero = {0};
    unsigned rounds = 0;
    bine_signal_mark signals = bine_signals_now(hub);
    int saved = errno;
    for (;;) {
        struct bine_mask waiting;
        bine_mask_begin(&waiting, mask);
        int error = bine_poll_set_wait(hub, &verbs, fds, count, deadline, &rounds, signals,
                                       note_closed, &closed);
        bine_mask_end(&waiting);
        if (closed.count) {
            errno = saved;
            return (int)closed.count;
        }
        if (error && error != ETIME && error != EINTR)
            return (int)bine_io_fail(error);
        int ready = bine_libc.ppoll(fds, count, &zero, NULL);
        if (ready != 0 || error) {
            if (ready == 0 && error == EINTR)
                return (int)bine_io_fail(EINTR);
            if (ready >= 0)
                errno = saved;
            return ready;
        }
    }
}

int bine_poll(struct pollfd *fds, nfds_t count, int milliseconds)
{
    struct bine_hub *hub = bine_io_hub();
    if (!hub)
        return bine_libc.poll(fds, count, milliseconds);
    int error = bine_streak(hub);
    if (error)
        return (int)bine_io_fail(error);
    int ready = bine_libc.poll(fds, count, 0);
    if (ready != 0 || milliseconds == 0)
        return ready;
    int64_t deadline =
        milliseconds < 0 ? INT64_MAX : bine_hub_deadline(hub, milliseconds * BINE_MS);
    return poll_wait_for(hub, fds, count, deadline, NULL);
}

int bine_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
               const sigset_t *mask)
{
    struct bine_hub *hub = bine_io_hub();
    if (!hub || (timeout && !bine_timespec_valid(timeout)))
        return bine_libc.ppoll(fds, count, timeout, mask);
    int error = bine_streak(hub);
    if (error)
        return (int)bine_io_fail(error);
    /* The kernel itself looks whether a signal is pending that the mask lets through. */
    const struct timespec zero = {0};
    int ready = bine_libc.ppoll(fds, count, &zero, mask);
    if (ready != 0 || (timeout && timeout->tv_sec == 0 && timeout->tv_nsec == 0))
        return ready;
    return poll_wait_for(hub, fds, count, bine_timespec_deadline(hub, timeout), mask);
}
