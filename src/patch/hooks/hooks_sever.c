/*
 * Hooks for objects that take a failed call for the end of a question, but not of the connection on
 * which it was asked: libpq. It reports the error, gives the connection back as idle, and takes the
 * late answer for that of the next question. So the socket of a call that failed for good, as after
 * a kill, is shut down. Then the next question fails, and the library says that the connection is
 * lost.
 *
 * Only these calls have such hooks: libpq makes no others that wait.
 */
#include <errno.h>

#include "patch/engine/variant.h"
#include "patch/table/hook.h"

/* Is this an error after which the caller makes the call again, or one that says nothing of the
 * caller's own connection? */
static bool is_harmless(int error)
{
    return error == EINTR || error == EAGAIN || error == EBADF;
}

static void sever(int fd)
{
    int saved = errno;
    if (!is_harmless(saved) && bine_hub_here())
        bine_libc.shutdown(fd, SHUT_RDWR);
    errno = saved;
}

static void sever_all(const struct pollfd *fds, nfds_t count)
{
    for (nfds_t i = 0; i < count; i++)
        sever(fds[i].fd);
}

static int severing_poll(struct pollfd *fds, nfds_t count, int timeout)
{
    int result = hook_poll(fds, count, timeout);
    if (result < 0)
        sever_all(fds, count);
    return result;
}

static int severing_poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t size)
{
    int result = hook___poll_chk(fds, count, timeout, size);
    if (result < 0)
        sever_all(fds, count);
    return result;
}

static ssize_t severing_recv(int fd, void *buffer, size_t size, int flags)
{
    ssize_t result = hook_recv(fd, buffer, size, flags);
    if (result < 0)
        sever(fd);
    return result;
}

static ssize_t severing_recv_chk(int fd, void *buffer, size_t size, size_t buffer_size, int flags)
{
    ssize_t result = hook___recv_chk(fd, buffer, size, buffer_size, flags);
    if (result < 0)
        sever(fd);
    return result;
}

static ssize_t severing_send(int fd, const void *buffer, size_t size, int flags)
{
    ssize_t result = hook_send(fd, buffer, size, flags);
    if (result < 0)
        sever(fd);
    return result;
}

void *bine_severing_hook(const void *hook)
{
    if (hook == (void *)hook_poll)
        return (void *)severing_poll;
    if (hook == (void *)hook___poll_chk)
        return (void *)severing_poll_chk;
    if (hook == (void *)hook_recv)
        return (void *)severing_recv;
    if (hook == (void *)hook___recv_chk)
        return (void *)severing_recv_chk;
    return hook == (void *)hook_send ? (void *)severing_send : NULL;
}
