/*
 * Requests of HTTP/1.0 and 1.1, read strictly (RFC 9112). Wherever two programs could disagree
 * about where a request ends, it is refused: what stands in front of a server may have taken the
 * other view, and an attacker's second request for a part of the first one.
 */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

enum {
    HEAD_LIMIT = 8192, /* bytes of the request line and the fields, and as many of trailers */
    BODY_LIMIT = 1 << 20,
    URL_LIMIT = 1024
};

struct http_request {
    char url[URL_LIMIT];
    size_t body_size;

    /* The parser's own. */
    int state, minor;
    bool has_length, chunked, has_host;
    size_t left;              /* of the body or the chunk */
    size_t head_size, length; /* bytes of the head so far; of the line so far */
    char line[HEAD_LIMIT];
};

enum http_outcome {
    HTTP_MORE,  /* all was taken, and the request goes on */
    HTTP_WHOLE, /* a request is complete; what follows belongs to the next */
    HTTP_BAD    /* no request, or too large: nothing more can be read from this connection */
};

/* Begin a request; *request need not be initialised. */
void http_begin(struct http_request *request);

/* Take bytes from *data, of which there are *size, and move both on. Never waits. */
enum http_outcome http_take(struct http_request *request, const char **data, size_t *size);

#endif
