/*
 * epoll_wait and its variants on the program's own epoll descriptors. A greenlet can wait for an
 * epoll descriptor as for any other. See bine/io.h.
 */
#include "io.h"

#include "libc/kernel.h"
#include "poll_set.h"
#include "wait.h"

static int epoll_wait_look(int fd, struct epoll_event *events, int size, const sigset_t *mask)
{
    return bine_libc.epoll_pwait(fd, events, size, 0, mask);
}

/* After a look that found nothing. */
static int epoll_wait_wait_for(struct bine_hub *hub, int fd, struct epoll_event *events, int size,
                               int64_t deadline, const sigset_t *mask)
{
    struct bine_wait wait;
    int saved = errno;
    bine_wait_begin(&wait, hub, fd, "epoll_wait fd");
    wait.deadline = deadline;
    wait.flags = BINE_PARK_SIGNALS;
    for (;;) {
        struct bine_mask waiting;
        bine_wait_drained(hub, fd, POLLIN, true);
        bine_mask_begin(&waiting, mask);
        int error = bine_wait_ready(&wait, POLLIN);
        bine_mask_end(&waiting);
        if (error && error != ETIME && error != EINTR)
            return (int)bine_io_fail(error);
        int ready = epoll_wait_look(fd, events, size, NULL);
        if (ready == 0 && error == EINTR)
            return (int)bine_io_fail(EINTR);
        if (ready != 0 || error) {
            if (ready >= 0)
                errno = saved;
            return ready;
        }
    }
}

int bine_epoll_pwait(int fd, struct epoll_event *events, int size, int milliseconds,
                     const sigset_t *mask)
{
    struct bine_hub *hub = bine_io_hub();
    if (!hub)
        return bine_libc.epoll_pwait(fd, events, size, milliseconds, mask);
    int error = bine_streak(hub);
    if (error)
        return (int)bine_io_fail(error);
    int ready = epoll_wait_look(fd, events, size, mask);
    if (ready != 0 || milliseconds == 0)
        return ready;
    int64_t deadline =
        milliseconds < 0 ? INT64_MAX : bine_hub_deadline(hub, milliseconds * BINE_MS);
    return epoll_wait_wait_for(hub, fd, events, size, deadline, mask);
}

int bine_epoll_wait(int fd, struct epoll_event *events, int size, int milliseconds)
{
    return bine_epoll_pwait(fd, events, size, milliseconds, NULL);
}

int bine_epoll_pwait2(int fd, struct epoll_event *events, int size, const struct timespec *timeout,
                      const sigset_t *mask)
{
    struct bine_hub *hub = bine_io_hub();
    if (!hub || (timeout && !bine_timespec_valid(timeout))) {
        /* glibc has it from 2.35 on. A program may call it by its number. */
        if (bine_libc.epoll_pwait2)
            return bine_libc.epoll_pwait2(fd, events, size, timeout, mask);
        return (int)bine_libc.syscall(SYS_epoll_pwait2, fd, events, size, timeout, mask, _NSIG / 8);
    }
    int error = bine_streak(hub);
    if (error)
        return (int)bine_io_fail(error);
    int ready = epoll_wait_look(fd, events, size, mask);
    if (ready != 0 || (timeout && timeout->tv_sec == 0 && timeout->tv_nsec == 0))
        return ready;
    return epoll_wait_wait_for(hub, fd, events, size, bine_timespec_deadline(hub, timeout), mask);
}
