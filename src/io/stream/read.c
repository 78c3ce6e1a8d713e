/* read and readv: the kind of file decides how. See bine/io.h. */
#include <bine/io.h>
#include <limits.h>

#include "io/descriptor/vector.h"
#include "io/socket/receive.h"
#include "stream.h"

ssize_t bine_read(int fd, void *buffer, size_t size)
{
    struct bine_hub *hub = bine_io_hub();
    if (!hub)
        return bine_libc.read(fd, buffer, size);
    if (size > BINE_TRANSFER_MOST)
        size = BINE_TRANSFER_MOST;
    struct bine_descriptor *record = bine_descriptor_of(fd);
    enum bine_descriptor_kind kind = bine_descriptor_kind(fd, record);
    if (__builtin_expect(kind == BINE_FD_SOCKET && size != 0, 1)) {
        struct bine_receive receive = {.fd = fd, .buffer = buffer, .size = size};
        ssize_t got = bine_receive(hub, &receive);
        if (__builtin_expect(got >= 0 || (errno != ENOTSOCK && !bine_call_refused(errno)), 1))
            return got;
        if (errno != ENOTSOCK) /* a filter lets read pass, but not recv */
            return bine_stream_read(hub, fd, BINE_FD_STREAM, &(struct iovec){buffer, size}, 1,
                                    true);
        /* The number names another file by now. */
        bine_descriptor_doubt(fd);
        kind = bine_descriptor_kind(fd, record);
    }
    /* Reading nothing does not wait, but for what has records (eventfd, inotify). */
    int error = bine_streak(hub);
    if (error)
        return bine_io_fail(error);
    if (kind == BINE_FD_UNKNOWN || (size == 0 && kind != BINE_FD_STREAM))
        return bine_libc.read(fd, buffer, size);
    struct iovec vector = {buffer, size};
    return bine_stream_read(hub, fd, kind, &vector, 1, true);
}

ssize_t bine_readv(int fd, const struct iovec *vector, int count)
{
    struct bine_hub *hub = bine_io_hub();
    /* Nothing to read, or an impossible number of buffers: libc knows, and does not wait for it. */
    if (!hub || count <= 0 || count > IOV_MAX || !vector)
        return bine_libc.readv(fd, vector, count);
    struct bine_descriptor *record = bine_descriptor_of(fd);
    enum bine_descriptor_kind kind = bine_descriptor_kind(fd, record);
    size_t size = bine_vector_size(vector, (size_t)count);
    if (kind == BINE_FD_SOCKET && size != 0) {
        struct msghdr message = {.msg_iov = (struct iovec *)vector, .msg_iovlen = (size_t)count};
        struct bine_receive receive = {.fd = fd, .message = &message};
        ssize_t got = bine_receive(hub, &receive);
        if (got >= 0 || (errno != ENOTSOCK && !bine_call_refused(errno)))
            return got;
        if (errno != ENOTSOCK)
            return bine_stream_read(hub, fd, BINE_FD_STREAM, vector, count, false);
        bine_descriptor_doubt(fd);
        kind = bine_descriptor_kind(fd, record);
    }
    int error = bine_streak(hub);
    if (error)
        return bine_io_fail(error);
    if (kind == BINE_FD_UNKNOWN || size == 0)
        return bine_libc.readv(fd, vector, count);
    return bine_stream_read(hub, fd, kind, vector, count, false);
}
