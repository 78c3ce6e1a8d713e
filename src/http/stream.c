/*
 * The bytes of a connection. On a plain one the bytes that are sent together leave by one system
 * call. With TLS they are put together to full records.
 */
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>

#include <bine/file.h>
#include <bine/greenlet.h>
#include <bine/io.h>

enum {
    RECORD = 16384,     /* TLS: what one holds at most */
    PIECE = 256 * 1024, /* is to be taken within the time */
    /* Files up to this size are read into memory: they leave together with the head, by one call
     * less. */
    COPIED = 32 * 1024,
    BLOCK = 64 * 1024 /* files through TLS are read in such blocks */
};

ssize_t bine_http_stream_receive(const struct bine_http_stream *stream, void *data, size_t size,
                                 int64_t time)
{
    bine_timeout scope;
    if (bine_timeout_begin(&scope, time) != 0)
        return -1;
    ssize_t got =
        stream->tls ? bine_tls_read(stream->tls, data, size) : bine_recv(stream->fd, data, size, 0);
    bine_timeout_end(&scope);
    return got;
}

/* ---- sending --------------------------------------------------------------------------------- */

/* Take `size` bytes from the front of the vector. */
static void advance(struct iovec **vector, int *count, size_t size)
{
    while (*count > 0 && size >= (*vector)->iov_len) {
        size -= (*vector)->iov_len;
        ++*vector;
        --*count;
    }
    if (*count > 0) {
        (*vector)->iov_base = (char *)(*vector)->iov_base + size;
        (*vector)->iov_len -= size;
    }
}

static int send_plain(const struct bine_http_stream *stream, struct iovec *vector, int count)
{
    while (count > 0) {
        struct msghdr message = {.msg_iov = vector, .msg_iovlen = (size_t)count};
        ssize_t sent = bine_sendmsg(stream->fd, &message, MSG_NOSIGNAL);
        if (sent < 0)
            return -1;
        advance(&vector, &count, (size_t)sent);
    }
    return 0;
}

/* Small parts are put together, so that head and body share records; large ones are encrypted from
 * where they lie. */
static __attribute__((noinline)) int send_tls(const struct bine_http_stream *stream,
                                              struct iovec *vector, int count)
{
    char record[RECORD];
    size_t size = 0;
    for (int i = 0; i < count; i++) {
        const char *data = vector[i].iov_base;
        size_t left = vector[i].iov_len;
        while (left > 0) {
            if (size == 0 && left >= RECORD) {
                size_t whole = i + 1 == count ? left : left - left % RECORD;
                if (bine_tls_write(stream->tls, data, whole) < 0)
                    return -1;
                data += whole;
                left -= whole;
                continue;
            }
            size_t part = left < RECORD - size ? left : RECORD - size;
            memcpy(record + size, data, part);
            data += part;
            left -= part;
            size += part;
            if (size == RECORD) {
                if (bine_tls_write(stream->tls, record, size) < 0)
                    return -1;
                size = 0;
            }
        }
    }
    return size == 0 || bine_tls_write(stream->tls, record, size) >= 0 ? 0 : -1;
}

/* Move the first PIECE bytes of the vector to `piece`. Returns how many entries these are. */
static int take_piece(struct iovec **vector, int *count, struct iovec *piece)
{
    size_t size = 0;
    int pieces = 0;
    for (; pieces < *count && size < PIECE; pieces++) {
        piece[pieces] = (*vector)[pieces];
        if (piece[pieces].iov_len > PIECE - size)
            piece[pieces].iov_len = PIECE - size;
        size += piece[pieces].iov_len;
    }
    advance(vector, count, size);
    return pieces;
}

int bine_http_stream_send(const struct bine_http_stream *stream, struct iovec *vector, int count,
                          int64_t time)
{
    struct iovec piece[BINE_HTTP_PARTS];
    while (count > 0) {
        bine_timeout scope;
        int pieces = take_piece(&vector, &count, piece);
        if (bine_timeout_begin(&scope, time) != 0)
            return -1;
        int result =
            stream->tls ? send_tls(stream, piece, pieces) : send_plain(stream, piece, pieces);
        bine_timeout_end(&scope);
        if (result != 0)
            return -1;
    }
    return 0;
}

/* ---- files ----------------------------------------------------------------------------------- */

/* 0, or -1 with EIO if the file has become shorter. */
static int read_whole(int file, char *data, size_t size, off_t offset)
{
    while (size > 0) {
        ssize_t got = bine_pread(file, data, size, offset);
        if (got <= 0) {
            if (got == 0)
                errno = EIO;
            return -1;
        }
        data += got;
        size -= (size_t)got;
        offset += got;
    }
    return 0;
}

/* A large block that is not in use, for the next stream that needs one. malloc would give the
 * memory back to the kernel and fetch it again, page by page, for each file. */
static _Atomic(char *) spare;

static char *take_block(void)
{
    char *block = atomic_exchange(&spare, NULL);
    return block ? block : malloc(BLOCK);
}

static void stream_give_back(char *block)
{
    free(atomic_exchange(&spare, block));
}

__attribute__((destructor)) static void free_spare(void)
{
    free(atomic_exchange(&spare, NULL));
}

/* Through memory, in blocks; the first of them leaves together with the head. */
static int send_copy(const struct bine_http_stream *stream, struct iovec head, int file,
                     off_t offset, size_t size, int64_t time)
{
    char *block = take_block();
    int result = block ? 0 : -1;
    do {
        size_t part = size < BLOCK ? size : BLOCK;
        if (result == 0)
            result = read_whole(file, block, part, offset);
        struct iovec vector[] = {head, {block, part}};
        if (result == 0)
            result = bine_http_stream_send(stream, vector, 2, time);
        head.iov_len = 0;
        offset += (off_t)part;
        size -= part;
    } while (result == 0 && size > 0);
    int error = errno;
    stream_give_back(block);
    errno = error;
    return result;
}

static int wait_writable(int fd)
{
    struct pollfd writable = {.fd = fd, .events = POLLOUT};
    return bine_poll(&writable, 1, -1) < 0 ? -1 : 0;
}

/* The head of an answer whose file follows. The socket does not block, so that the head leaves at
 * once: with io_uring it would wait for the ring's turn, and the file for it. */
static int send_head(int fd, struct iovec head, int64_t time)
{
    bine_timeout scope;
    int result = bine_timeout_begin(&scope, time);
    if (result != 0)
        return -1;
    while (result == 0 && head.iov_len > 0) {
        ssize_t sent = bine_send(fd, head.iov_base, head.iov_len, MSG_NOSIGNAL | MSG_MORE);
        if (sent >= 0) {
            head.iov_base = (char *)head.iov_base + sent;
            head.iov_len -= (size_t)sent;
        } else if ((errno != EAGAIN && errno != EINTR) || wait_writable(fd) != 0) {
            result = -1;
        }
    }
    bine_timeout_end(&scope);
    return result;
}

/* What has been sent is taken from offset and size. The socket does not block. */
static int send_piece_of_file(int fd, int file, off_t *offset, size_t size)
{
    size_t left = size;
    while (left > 0) {
        ssize_t sent = bine_sendfile(fd, file, offset, left);
        if (sent > 0) {
            left -= (size_t)sent;
        } else if (sent == 0) {
            errno = EIO;
            return -1;
        } else if (errno != EAGAIN && errno != EINTR) {
            return -1;
        }
        if (left > 0 && wait_writable(fd) != 0)
            return -1;
    }
    return 0;
}

static int send_from_file(int fd, int file, off_t offset, size_t size, int64_t time)
{
    int result = 0;
    while (result == 0 && size > 0) {
        size_t piece = size < PIECE ? size : PIECE;
        bine_timeout scope;
        if (bine_timeout_begin(&scope, time) != 0)
            return -1;
        result = send_piece_of_file(fd, file, &offset, piece);
        bine_timeout_end(&scope);
        size -= piece;
    }
    return result;
}

int bine_http_stream_send_file(const struct bine_http_stream *stream, struct iovec head, int file,
                               off_t offset, size_t size, int64_t time)
{
    if (stream->tls || size <= COPIED)
        return send_copy(stream, head, file, offset, size, time);
    /* A sendfile to a blocking socket blocks the thread when the socket is full: no flag of the
     * call says otherwise. */
    int flags = fcntl(stream->fd, F_GETFL);
    if (flags < 0 || fcntl(stream->fd, F_SETFL, flags | O_NONBLOCK) != 0)
        return -1;
    int result = send_head(stream->fd, head, time);
    if (result == 0)
        result = send_from_file(stream->fd, file, offset, size, time);
    int error = errno;
    fcntl(stream->fd, F_SETFL, flags);
    errno = error;
    return result;
}
