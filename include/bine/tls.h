/*
 * TLS for greenlets, by OpenSSL: a library of its own, libbine-tls, so that libbine needs no OpenSSL (link with
 * -lbine-tls -lbine).
 *
 * For servers and clients that are written for Bine. Libraries that bring their own TLS (libcurl, libpq ...)
 * need none of this: patching makes their sockets cooperative.
 *
 * A connection may be read by one greenlet while another writes. Contexts may be shared between threads,
 * connections not. Failures of the protocol itself have errno EPROTO, and bine_tls_reason says more.
 */
#ifndef BINE_TLS_H
#define BINE_TLS_H

#include <sys/types.h>

#include "base.h"

BINE_BEGIN

typedef struct bine_tls_context bine_tls_context;
typedef struct bine_tls bine_tls;

typedef struct bine_tls_options {
    const char *certificate; /* PEM file: the chain, own certificate first; servers need one */
    const char *key;         /* PEM file: the private key; NULL: in the certificate's file */
    const char *authorities; /* PEM file of whom to trust; NULL: the system's */
    int any_peer;            /* not 0: clients do not verify the server, which makes TLS nearly worthless */
} bine_tls_options;

/* A context for servers or clients. TLS 1.2 and 1.3. Returns NULL: EINVAL (a file cannot be used;
 * bine_tls_reason says why), ENOMEM. Any thread. Free with bine_tls_context_free, when no connection uses it
 * any more. Switches: no. */
BINE_API bine_tls_context *bine_tls_server_new(const bine_tls_options *options);
BINE_API bine_tls_context *bine_tls_client_new(const bine_tls_options *options);
/* NULL is ignored. */
BINE_API void bine_tls_context_free(bine_tls_context *context);

/* Shake hands over a connected socket, within `timeout`. The socket stays the caller's, and must outlive the
 * connection. `host`: the server's name, which its certificate must have and which it is told (SNI); NULL if
 * the context takes any peer. Returns NULL: EINVAL, ENOMEM, EPROTO, ETIMEDOUT, ECANCELED, ECONNRESET (it hung
 * up), or as recv(2) and send(2). Switches: yes. */
BINE_API bine_tls *bine_tls_accept(bine_tls_context *context, int fd, int64_t timeout);
BINE_API bine_tls *bine_tls_connect(bine_tls_context *context, int fd, const char *host, int64_t timeout);

/* Read at most `size` bytes. Returns how many, 0 at the end that the other side announced, or -1: EINVAL,
 * EPROTO, ECONNRESET (it hung up without announcing the end: what came may have been cut), ETIMEDOUT,
 * ECANCELED, or as recv(2). Switches: maybe. */
BINE_API ssize_t bine_tls_read(bine_tls *tls, void *buffer, size_t size);
/* Write all of it. Returns size, or -1 (then the connection is of no more use): EINVAL, EPROTO, EPIPE, ETIMEDOUT,
 * ECANCELED, or as send(2). Switches: maybe. */
BINE_API ssize_t bine_tls_write(bine_tls *tls, const void *buffer, size_t size);

/* Announce the end, if that is possible without waiting for longer than `timeout`, and free the connection. No
 * other greenlet may be inside a call with it. NULL is ignored. Switches: maybe. */
BINE_API void bine_tls_free(bine_tls *tls, int64_t timeout);

/* Why the last call of this thread failed with EPROTO or EINVAL, in OpenSSL's words; "" if it has none. Valid
 * until the next call of this library in this thread. */
BINE_API const char *bine_tls_reason(void);

/* What was agreed upon: "TLSv1.3". Valid as long as the connection. */
BINE_API const char *bine_tls_version(const bine_tls *tls);

BINE_END

#endif
