/*
 * Hooks of the select family: waiting for any of several descriptors. src/io does the work.
 */
#include "io/wait/io.h"
#include "patch/table/hook.h"

int hook_poll(struct pollfd *fds, nfds_t count, int milliseconds)
{
    if (!bine_hook_here(BINE_PATCH_SELECT))
        return bine_libc.poll(fds, count, milliseconds);
    return bine_poll(fds, count, milliseconds);
}

/* Where the fortified call would end the program, it shall do so with its own message. */
int hook___poll_chk(struct pollfd *fds, nfds_t count, int milliseconds, size_t fds_size)
{
    if (fds_size / sizeof *fds < count || !bine_hook_here(BINE_PATCH_SELECT))
        return bine_libc.__poll_chk(fds, count, milliseconds, fds_size);
    return bine_poll(fds, count, milliseconds);
}

int hook_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
               const sigset_t *mask)
{
    if (!bine_hook_here(BINE_PATCH_SELECT))
        return bine_libc.ppoll(fds, count, timeout, mask);
    return bine_ppoll(fds, count, timeout, mask);
}

int hook___ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
                     const sigset_t *mask, size_t fds_size)
{
    if (fds_size / sizeof *fds < count || !bine_hook_here(BINE_PATCH_SELECT))
        return bine_libc.__ppoll_chk(fds, count, timeout, mask, fds_size);
    return bine_ppoll(fds, count, timeout, mask);
}

int hook_select(int count, fd_set *readable, fd_set *writable, fd_set *exceptional,
                struct timeval *timeout)
{
    if (!bine_hook_here(BINE_PATCH_SELECT))
        return bine_libc.select(count, readable, writable, exceptional, timeout);
    return bine_select(count, readable, writable, exceptional, timeout);
}

int hook_pselect(int count, fd_set *readable, fd_set *writable, fd_set *exceptional,
                 const struct timespec *timeout, const sigset_t *mask)
{
    if (!bine_hook_here(BINE_PATCH_SELECT))
        return bine_libc.pselect(count, readable, writable, exceptional, timeout, mask);
    return bine_pselect(count, readable, writable, exceptional, timeout, mask);
}

int hook_epoll_wait(int fd, struct epoll_event *events, int size, int milliseconds)
{
    if (!bine_hook_here(BINE_PATCH_SELECT))
        return bine_libc.epoll_wait(fd, events, size, milliseconds);
    return bine_epoll_wait(fd, events, size, milliseconds);
}

int hook_epoll_pwait(int fd, struct epoll_event *events, int size, int milliseconds,
                     const sigset_t *mask)
{
    if (!bine_hook_here(BINE_PATCH_SELECT))
        return bine_libc.epoll_pwait(fd, events, size, milliseconds, mask);
    return bine_epoll_pwait(fd, events, size, milliseconds, mask);
}

int hook_epoll_pwait2(int fd, struct epoll_event *events, int size, const struct timespec *timeout,
                      const sigset_t *mask)
{
    if (!bine_hook_here(BINE_PATCH_SELECT))
        return bine_libc.epoll_pwait2(fd, events, size, timeout, mask);
    return bine_epoll_pwait2(fd, events, size, timeout, mask);
}
