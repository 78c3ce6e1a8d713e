/* write and writev: the kind of file decides how. See bine/io.h. */
#include <bine/io.h>
#include <limits.h>

#include "io/descriptor/vector.h"
#include "io/socket/transmit.h"
#include "stream.h"

ssize_t bine_write(int fd, const void *buffer, size_t size)
{
    struct bine_hub *hub = bine_io_hub();
    if (!hub)
        return bine_libc.write(fd, buffer, size);
    if (size > BINE_TRANSFER_MOST)
        size = BINE_TRANSFER_MOST;
    struct bine_descriptor *record = bine_descriptor_of(fd);
    enum bine_descriptor_kind kind = bine_descriptor_kind(fd, record);
    if (__builtin_expect(kind == BINE_FD_SOCKET, 1)) {
        struct bine_transmit transmit = {.fd = fd, .buffer = buffer, .size = size};
        ssize_t sent = bine_transmit(hub, &transmit);
        if (__builtin_expect(sent >= 0 || (errno != ENOTSOCK && !bine_call_refused(errno)), 1))
            return sent;
        /* a filter lets write pass, but not send; or it is write that may not, and says so */
        if (errno != ENOTSOCK)
            return bine_stream_write(hub, fd, BINE_FD_STREAM, &(struct iovec){(void *)buffer, size},
                                     1, true);
        /* The number names another file by now. */
        bine_descriptor_doubt(fd);
        kind = bine_descriptor_kind(fd, record);
    }
    int error = bine_streak(hub);
    if (error)
        return bine_io_fail(error);
    if (kind == BINE_FD_UNKNOWN)
        return bine_libc.write(fd, buffer, size);
    struct iovec vector = {(void *)buffer, size};
    return bine_stream_write(hub, fd, kind, &vector, 1, true);
}

ssize_t bine_writev(int fd, const struct iovec *vector, int count)
{
    struct bine_hub *hub = bine_io_hub();
    if (!hub || count <= 0 || count > IOV_MAX || !vector)
        return bine_libc.writev(fd, vector, count);
    struct bine_descriptor *record = bine_descriptor_of(fd);
    enum bine_descriptor_kind kind = bine_descriptor_kind(fd, record);
    if (bine_vector_size(vector, (size_t)count) == 0)
        return bine_libc.writev(fd, vector, count); /* 0, without asking the file */
    if (kind == BINE_FD_SOCKET) {
        struct msghdr message = {.msg_iov = (struct iovec *)vector, .msg_iovlen = (size_t)count};
        struct bine_transmit transmit = {.fd = fd, .message = &message};
        ssize_t sent = bine_transmit(hub, &transmit);
        if (sent >= 0 || (errno != ENOTSOCK && !bine_call_refused(errno)))
            return sent;
        if (errno != ENOTSOCK)
            return bine_stream_write(hub, fd, BINE_FD_STREAM, vector, count, false);
        bine_descriptor_doubt(fd);
        kind = bine_descriptor_kind(fd, record);
    }
    int error = bine_streak(hub);
    if (error)
        return bine_io_fail(error);
    if (kind == BINE_FD_UNKNOWN)
        return bine_libc.writev(fd, vector, count);
    return bine_stream_write(hub, fd, kind, vector, count, false);
}
