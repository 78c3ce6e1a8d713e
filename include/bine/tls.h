/*
 * TLS for greenlets, by OpenSSL. It is a library of its own, libbine-tls, so that libbine needs no
 * OpenSSL (link with -lbine-tls -lbine).
 *
 * It is for servers and clients that are written for Bine. Libraries that bring their own TLS
 * (libcurl, libpq ...) do not need it: patching makes their sockets cooperative.
 *
 * Several greenlets may read a connection while others write. A connection belongs to one thread.
 * Threads may share contexts. A failure of the protocol itself has errno EPROTO, and
 * bine_tls_reason says more.
 *
 * Once a connection has failed for good, later calls fail as well. It then sends nothing more: the
 * other side could otherwise mistake a truncated message for a complete one.
 */
#ifndef BINE_TLS_H
#define BINE_TLS_H

#include <sys/types.h>

#include "base.h"
#include "reader.h"

BINE_BEGIN

typedef struct bine_tls_context bine_tls_context;
typedef struct bine_tls bine_tls;

enum {
    BINE_TLS_1_2 = 0x0303,
    BINE_TLS_1_3 = 0x0304
};

typedef struct bine_tls_options {
    /* PEM file: the certificate chain, the own certificate first. Servers need one. So do clients
     * of servers that ask for one. */
    const char *certificate;
    /* PEM file: the private key, not encrypted. NULL looks for it in the certificate's file. */
    const char *key;
    /* PEM file: the authorities to trust. For a client NULL means the system's. A server demands
     * from its clients a certificate that one of these authorities has signed; with NULL clients
     * need none. */
    const char *authorities;
    /* If it is not 0, clients do not verify the server, which makes TLS nearly worthless. */
    int any_peer;
    /* For ALPN, in order of preference: "h2,http/1.1". With NULL none is agreed upon. */
    const char *protocols;
    int min_version;       /* BINE_TLS_1_2 or BINE_TLS_1_3; 0 means TLS 1.2 */
    uintptr_t reserved[4]; /* 0; more fields may be added here */
} bine_tls_options;

/* Make a context for servers or clients. It has TLS 1.2 and 1.3, without renegotiation. Reading the
 * files blocks the thread. Fails with EINVAL or ENOMEM. bine_tls_reason says which of these the
 * EINVAL means: a file cannot be used; a key is encrypted (nobody is asked for a passphrase); a
 * server has no certificate, or has both authorities and any_peer; a key has no certificate; a list
 * of protocols is malformed; a version is unknown. Any thread may call these, with or without a
 * hub. Free the context with bine_tls_context_free, when no connection uses it any more.
 * Switches: no. */
BINE_API bine_tls_context *bine_tls_server_new(const bine_tls_options *options);
BINE_API bine_tls_context *bine_tls_client_new(const bine_tls_options *options);
/* Free the context. NULL is ignored. Switches: no. */
BINE_API void bine_tls_context_free(bine_tls_context *context);

/* Shake hands over a connected socket, within `timeout` (ns). The socket stays the caller's, and
 * must outlive the connection. `host` is the server's name: its certificate must have this name,
 * and the client sends it to the server (SNI). `host` may be NULL if the context takes any peer.
 * Fails with EINVAL, ENOMEM, EPROTO, ETIMEDOUT, ECANCELED, ECONNRESET (the peer hung up), EAGAIN
 * (no hub could be made), or as recv(2) and send(2). With TLS 1.3 a client whose certificate the
 * server refuses learns that by its first read. Switches: yes. */
BINE_API bine_tls *bine_tls_accept(bine_tls_context *context, int fd, int64_t timeout);
BINE_API bine_tls *bine_tls_connect(bine_tls_context *context, int fd, const char *host,
                                    int64_t timeout);

/* Read at most `size` bytes. Returns how many, or 0 at the end that the other side announced.
 * Otherwise returns -1 with EINVAL, EPROTO, ECONNRESET (the peer hung up without announcing the
 * end: the data may have been cut), ETIMEDOUT, ECANCELED, or as recv(2). An error that ended only
 * the caller's wait loses nothing, and the next read continues: ETIMEDOUT of a limit, ECANCELED,
 * EINTR, EAGAIN, and the error given to bine_interrupt. All other errors are permanent, ETIMEDOUT
 * of a TCP connection that gave up included. Switches: maybe. */
BINE_API ssize_t bine_tls_read(bine_tls *tls, void *buffer, size_t size);
/* Write all `size` bytes. Bytes that other greenlets write come before or after them. Returns
 * size, or -1 with EINVAL, EPROTO, EPIPE (writing is over: an earlier write was cut short, and
 * bine_tls_reason says by what), ETIMEDOUT, ECANCELED, or as send(2). A write that fails after
 * its first byte has been encrypted is the last one, whatever it failed with, an interrupt
 * included: the other side could not tell where the next one begins. A write that failed while
 * it waited for other writers, or before (bine_check), changes nothing. Reading stays possible.
 * Switches: maybe. */
BINE_API ssize_t bine_tls_write(bine_tls *tls, const void *buffer, size_t size);

/* Make a reader (reader.h) of lines and counts over the connection, which must outlive it. Fails
 * with EINVAL (tls is NULL) or ENOMEM. Switches: no. */
BINE_API bine_reader *bine_tls_reader_new(bine_tls *tls, size_t limit);

/* From now on a read waits at most `read` ns for its first byte, and a write at most `write` ns
 * until all is sent. Beyond that they fail with ETIMEDOUT, as under a timeout scope. BINE_FOREVER
 * sets no limit, as in a new connection. Returns 0, or -1 with EINVAL. Switches: no. */
BINE_API int bine_tls_set_timeouts(bine_tls *tls, int64_t read, int64_t write);

/* Announce the end, if that is possible without waiting for longer than `timeout` (ns), and free
 * the connection. After a write that failed the call announces no end: the other side must see that
 * something is missing. No other greenlet may be inside a call with the connection. NULL is
 * ignored. Switches: maybe. */
BINE_API void bine_tls_free(bine_tls *tls, int64_t timeout);

/* Returns why the last call of this library by the current greenlet failed with EPROTO, EINVAL or
 * EPIPE, in OpenSSL's words or this library's. For a certificate that was not trusted it also says
 * why not: "certificate has expired", "hostname mismatch", "unable to get local issuer certificate"
 * (an authority that is not known signed it) ... Returns "" if the call did not fail, or if there
 * is nothing to say. A thread without a hub has one reason, until it gets a hub. The text is valid
 * until the greenlet's next call of this library, or its end. Switches: no. */
BINE_API const char *bine_tls_reason(void);

/* Returns the version that was agreed upon, such as "TLSv1.3", or "" for NULL. The text is valid as
 * long as the connection. Switches: no. */
BINE_API const char *bine_tls_version(const bine_tls *tls);
/* Returns the application protocol that was agreed upon by ALPN, such as "h2". Returns "" for NULL,
 * and if none was agreed upon, since one of the two sides named none. A server that has `protocols`
 * refuses clients that offer others only. The text is valid as long as the connection.
 * Switches: no. */
BINE_API const char *bine_tls_protocol(const bine_tls *tls);

/* Returns OpenSSL's own objects (SSL and SSL_CTX), borrowed. They are for all that this header
 * lacks, such as the peer's certificate (SSL_get1_peer_certificate), OCSP stapling, certificates by
 * SNI, and cipher lists. Change a context's object before its first connection. Use a connection's
 * object only to query it and to set it up: do not read, write, shake hands or shut down by it, nor
 * touch its BIOs. Callbacks that OpenSSL calls must not wait. Fails with EINVAL. Switches: no. */
BINE_API struct ssl_st *bine_tls_ssl(const bine_tls *tls);
BINE_API struct ssl_ctx_st *bine_tls_context_ssl(const bine_tls_context *context);

BINE_END

#endif
