/*
 * Hooks of the socket family: calls that move bytes through a descriptor, and calls that make
 * connections. src/io does the work. See hook.h for the pattern.
 */
#include <bine/io.h>

#include "io/descriptor/descriptor.h"
#include "io/descriptor/rights.h"
#include "io/stream/fast_stream.h"
#include "patch/table/hook.h"

/* The short way where it serves, inlined into the plain and the fortified call. */
static inline ssize_t read_here(struct bine_hub *hub, int fd, void *buffer, size_t size)
{
    ssize_t got;
    if (bine_fast_recv(hub, fd, buffer, size, false, &got) ||
        bine_fast_read(hub, fd, buffer, size, &got))
        return got;
    return bine_read(fd, buffer, size);
}

ssize_t hook_read(int fd, void *buffer, size_t size)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_SOCKET);
    return hub ? read_here(hub, fd, buffer, size) : bine_libc.read(fd, buffer, size);
}

/* The fortified calls check the size of the caller's buffer, which is libc's business: where the
 * check would fail the original is called, to end the program with the message that it always
 * had. */
ssize_t hook___read_chk(int fd, void *buffer, size_t size, size_t buffer_size)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_SOCKET);
    if (size > buffer_size || !hub)
        return bine_libc.__read_chk(fd, buffer, size, buffer_size);
    return read_here(hub, fd, buffer, size);
}

ssize_t hook_readv(int fd, const struct iovec *vector, int count)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_SOCKET);
    ssize_t got;
    if (!hub)
        return bine_libc.readv(fd, vector, count);
    if (bine_fast_recv_vector(hub, fd, vector, count, &got))
        return got;
    return bine_readv(fd, vector, count);
}

ssize_t hook_write(int fd, const void *buffer, size_t size)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_SOCKET);
    ssize_t sent;
    if (!hub)
        return bine_libc.write(fd, buffer, size);
    if (bine_fast_send(hub, fd, buffer, size, 0, false, &sent) ||
        bine_fast_write(hub, fd, buffer, size, &sent))
        return sent;
    return bine_write(fd, buffer, size);
}

ssize_t hook_writev(int fd, const struct iovec *vector, int count)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_SOCKET);
    ssize_t sent;
    if (!hub)
        return bine_libc.writev(fd, vector, count);
    if (bine_fast_send_vector(hub, fd, vector, count, &sent))
        return sent;
    return bine_writev(fd, vector, count);
}

static inline ssize_t recv_here(struct bine_hub *hub, int fd, void *buffer, size_t size, int flags)
{
    ssize_t got;
    if (flags == 0 && bine_fast_recv(hub, fd, buffer, size, true, &got))
        return got;
    return bine_recv(fd, buffer, size, flags);
}

ssize_t hook_recv(int fd, void *buffer, size_t size, int flags)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_SOCKET);
    return hub ? recv_here(hub, fd, buffer, size, flags) : bine_libc.recv(fd, buffer, size, flags);
}

ssize_t hook___recv_chk(int fd, void *buffer, size_t size, size_t buffer_size, int flags)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_SOCKET);
    if (size > buffer_size || !hub)
        return bine_libc.__recv_chk(fd, buffer, size, buffer_size, flags);
    return recv_here(hub, fd, buffer, size, flags);
}

static inline ssize_t recvfrom_here(struct bine_hub *hub, int fd, void *buffer, size_t size,
                                    int flags, struct sockaddr *address, socklen_t *length)
{
    ssize_t got;
    if (flags == 0 && bine_fast_recv_from(hub, fd, buffer, size, address, length, &got))
        return got;
    return bine_recvfrom(fd, buffer, size, flags, address, length);
}

ssize_t hook_recvfrom(int fd, void *buffer, size_t size, int flags, struct sockaddr *address,
                      socklen_t *length)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_SOCKET);
    return hub ? recvfrom_here(hub, fd, buffer, size, flags, address, length)
               : bine_libc.recvfrom(fd, buffer, size, flags, address, length);
}

ssize_t hook___recvfrom_chk(int fd, void *buffer, size_t size, size_t buffer_size, int flags,
                            struct sockaddr *address, socklen_t *length)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_SOCKET);
    if (size > buffer_size || !hub)
        return bine_libc.__recvfrom_chk(fd, buffer, size, buffer_size, flags, address, length);
    return recvfrom_here(hub, fd, buffer, size, flags, address, length);
}

/* Messages may carry descriptors, which is noted of every message: from a thread without a hub,
 * too. */
ssize_t hook_recvmsg(int fd, struct msghdr *message, int flags)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_SOCKET);
    ssize_t got;
    if (!hub) {
        ssize_t size = bine_libc.recvmsg(fd, message, flags);
        if (size >= 0 && message->msg_controllen && bine_hook_active(BINE_PATCH_SOCKET))
            bine_rights_received(message, flags);
        return size;
    }
    if (flags == 0 && message && bine_fast_recv_message(hub, fd, message, true, &got))
        return got;
    return bine_recvmsg(fd, message, flags);
}

int hook_recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags,
                  struct timespec *timeout)
{
    if (!bine_hook_here(BINE_PATCH_SOCKET))
        return bine_libc.recvmmsg(fd, messages, count, flags, timeout);
    return bine_recvmmsg(fd, messages, count, flags, timeout);
}

ssize_t hook_send(int fd, const void *buffer, size_t size, int flags)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_SOCKET);
    ssize_t sent;
    if (!hub)
        return bine_libc.send(fd, buffer, size, flags);
    if (bine_fast_send(hub, fd, buffer, size, flags, true, &sent))
        return sent;
    return bine_send(fd, buffer, size, flags);
}

ssize_t hook_sendto(int fd, const void *buffer, size_t size, int flags,
                    const struct sockaddr *address, socklen_t length)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_SOCKET);
    ssize_t sent;
    if (!hub)
        return bine_libc.sendto(fd, buffer, size, flags, address, length);
    if (bine_fast_send_to(hub, fd, buffer, size, flags, address, length, &sent))
        return sent;
    return bine_sendto(fd, buffer, size, flags, address, length);
}

ssize_t hook_sendmsg(int fd, const struct msghdr *message, int flags)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_SOCKET);
    ssize_t sent;
    if (!hub) {
        ssize_t size = bine_libc.sendmsg(fd, message, flags);
        if (size >= 0 && message->msg_controllen && bine_hook_active(BINE_PATCH_SOCKET))
            bine_sent_descriptors(message);
        return size;
    }
    if (message && !message->msg_controllen &&
        bine_fast_send_message(hub, fd, message, flags, true, &sent))
        return sent;
    return bine_sendmsg(fd, message, flags);
}

int hook_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    if (!bine_hook_here(BINE_PATCH_SOCKET))
        return bine_libc.sendmmsg(fd, messages, count, flags);
    return bine_sendmmsg(fd, messages, count, flags);
}

int hook_connect(int fd, const struct sockaddr *address, socklen_t length)
{
    if (!bine_hook_here(BINE_PATCH_SOCKET))
        return bine_libc.connect(fd, address, length);
    return bine_connect(fd, address, length);
}

/* A thread without a hub makes descriptors too, and a greenlet of another thread may use them: note
 * the new file. */
static int accepted(int fd, int nonblocking)
{
    if (fd >= 0 && bine_hook_active(BINE_PATCH_DESCRIPTOR))
        bine_descriptor_fresh(fd, BINE_FD_SOCKET, nonblocking);
    return fd;
}

int hook_accept(int fd, struct sockaddr *address, socklen_t *length)
{
    if (!bine_hook_here(BINE_PATCH_SOCKET))
        return accepted(bine_libc.accept(fd, address, length), 0);
    return bine_accept(fd, address, length);
}

int hook_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    if (!bine_hook_here(BINE_PATCH_SOCKET))
        return accepted(bine_libc.accept4(fd, address, length, flags),
                        (flags & SOCK_NONBLOCK) != 0);
    return bine_accept4(fd, address, length, flags);
}

/* Waiting greenlets notice: the kernel reports the end of a stream that was shut down to every
 * poller. */
int hook_shutdown(int fd, int how)
{
    return bine_libc.shutdown(fd, how);
}

/* libc's calls read and write inside. */
int hook_eventfd_read(int fd, eventfd_t *value)
{
    if (!bine_hook_here(BINE_PATCH_SOCKET))
        return bine_libc.eventfd_read(fd, value);
    return bine_read(fd, value, sizeof *value) == sizeof *value ? 0 : -1;
}

int hook_eventfd_write(int fd, eventfd_t value)
{
    if (!bine_hook_here(BINE_PATCH_SOCKET))
        return bine_libc.eventfd_write(fd, value);
    return bine_write(fd, &value, sizeof value) == sizeof value ? 0 : -1;
}
