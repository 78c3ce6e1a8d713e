/* The bytes of a connection, plain or through TLS. */
#ifndef BINE_HTTP_STREAM_H
#define BINE_HTTP_STREAM_H

#include <bine/tls.h>
#include <sys/types.h>
#include <sys/uio.h>

enum {
    BINE_HTTP_PARTS = 4 /* entries of a vector at most */
};

struct bine_http_stream {
    int fd;
    bine_tls *tls; /* NULL: plain */
};

/* Receive at most `size` bytes within `time`. As recv(2). */
ssize_t bine_http_stream_receive(const struct bine_http_stream *stream, void *data, size_t size, int64_t time);

/* Send all of it, in one write as far as there is room, and each 256 KiB within `time`. The vector is used up. 0 or -1. */
int bine_http_stream_send(const struct bine_http_stream *stream, struct iovec *vector, int count, int64_t time);

/* Send the head, then `size` bytes of the file from `offset` on: as bine_http_stream_send. EIO: the file is shorter. */
int bine_http_stream_send_file(const struct bine_http_stream *stream, struct iovec head, int file, off_t offset,
                               size_t size, int64_t time);

#endif
