/* The bytes of a connection, plain or through TLS. */
#ifndef BINE_HTTP_STREAM_H
#define BINE_HTTP_STREAM_H

#include <bine/tls.h>
#include <sys/types.h>
#include <sys/uio.h>

enum {
    BINE_HTTP_PARTS = 4 /* the most entries of a vector */
};

struct bine_http_stream {
    int fd;
    bine_tls *tls; /* NULL: the stream is plain */
};

/* Receives at most `size` bytes within `time`. Returns as recv(2) does. */
ssize_t bine_http_stream_receive(const struct bine_http_stream *stream, void *data, size_t size,
                                 int64_t time);

/* Sends all of it, in one write as far as there is room, and each 256 KiB within `time`. The vector
 * is used up. Returns 0 or -1. */
int bine_http_stream_send(const struct bine_http_stream *stream, struct iovec *vector, int count,
                          int64_t time);

/* Sends the head, then `size` bytes of the file from `offset` on. Returns as bine_http_stream_send
 * does. EIO: the file is shorter. */
int bine_http_stream_send_file(const struct bine_http_stream *stream, struct iovec head, int file,
                               off_t offset, size_t size, int64_t time);

#endif
