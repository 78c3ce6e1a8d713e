/*
 * TLS for greenlets, by OpenSSL: a library of its own, libbine-tls, so that libbine needs no OpenSSL (link with
 * -lbine-tls -lbine).
 *
 * For servers and clients that are written for Bine. Libraries that bring their own TLS (libcurl, libpq ...)
 * need none of this: patching makes their sockets cooperative.
 *
 * A connection may be read by several greenlets while others write; it belongs to one thread. Contexts may be shared
 * between threads. Failures of the protocol itself have errno EPROTO, and bine_tls_reason says more.
 *
 * A connection keeps its failures: once it has failed for good, later calls fail as well, and nothing is sent
 * that would make the other side take a message that was cut for a whole one.
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
    /* PEM file: the chain, own certificate first. Servers need one; so do clients of servers that ask for one. */
    const char *certificate;
    /* PEM file: the private key, not encrypted; NULL: in the certificate's file. */
    const char *key;
    /* PEM file of whom to trust. Clients: NULL: the system's. Servers: clients must have a certificate that one of these
     * has signed; NULL: clients need none. */
    const char *authorities;
    int any_peer;          /* not 0: clients do not verify the server, which makes TLS nearly worthless */
    const char *protocols; /* for ALPN, in order of preference: "h2,http/1.1"; NULL: none is agreed upon */
    int min_version;       /* BINE_TLS_1_2 or BINE_TLS_1_3; 0: TLS 1.2 */
} bine_tls_options;

/* A context for servers or clients. TLS 1.2 and 1.3, without renegotiation. Returns NULL: EINVAL (a file cannot
 * be used, a key is encrypted: nobody is asked for a passphrase; a server has no certificate, or both
 * authorities and any_peer; a key has no certificate; a list of protocols is malformed, a version unknown;
 * bine_tls_reason says which), ENOMEM. Any thread, with or without a hub. Free with bine_tls_context_free, when no
 * connection uses it any more. Reads files, blocking the thread. Switches: no. */
BINE_API bine_tls_context *bine_tls_server_new(const bine_tls_options *options);
BINE_API bine_tls_context *bine_tls_client_new(const bine_tls_options *options);
/* NULL is ignored. */
BINE_API void bine_tls_context_free(bine_tls_context *context);

/* Shake hands over a connected socket, within `timeout`. The socket stays the caller's, and must outlive the
 * connection. `host`: the server's name, which its certificate must have and which it is told (SNI); NULL if
 * the context takes any peer. Returns NULL: EINVAL, ENOMEM, EPROTO, ETIMEDOUT, ECANCELED, ECONNRESET (it hung
 * up), EAGAIN (no hub), or as recv(2) and send(2). With TLS 1.3 a client whose certificate the server refuses
 * learns that by its first read. Switches: yes. */
BINE_API bine_tls *bine_tls_accept(bine_tls_context *context, int fd, int64_t timeout);
BINE_API bine_tls *bine_tls_connect(bine_tls_context *context, int fd, const char *host, int64_t timeout);

/* Read at most `size` bytes. Returns how many, 0 at the end that the other side announced, or -1: EINVAL,
 * EPROTO, ECONNRESET (it hung up without announcing the end: what came may have been cut), ETIMEDOUT,
 * ECANCELED, or as recv(2). What ended the caller's wait loses nothing, and the next read goes on: ETIMEDOUT of a limit,
 * ECANCELED, EINTR, EAGAIN, whatever bine_interrupt was given. All others are for good, also ETIMEDOUT of a TCP that gave
 * up. Switches: maybe. */
BINE_API ssize_t bine_tls_read(bine_tls *tls, void *buffer, size_t size);
/* Write all of it; what other greenlets write comes before or after. Returns size, or -1: EINVAL, EPROTO, EPIPE
 * (writing is over: an earlier write was cut short, bine_tls_reason says by what), ETIMEDOUT, ECANCELED, or as
 * send(2). A write that fails after its first byte has been encrypted is the last one, whatever it failed with, an
 * interrupt included: the other side could not tell where the next one begins;
 * one that was refused while it waited for its turn, or before (bine_check), changes nothing. Reading goes on.
 * Switches: maybe. */
BINE_API ssize_t bine_tls_write(bine_tls *tls, const void *buffer, size_t size);

/* A reader (reader.h) of lines and counts over the connection, which must outlive it. NULL: EINVAL (tls NULL), ENOMEM.
 * Switches: no. */
BINE_API bine_reader *bine_tls_reader_new(bine_tls *tls, size_t limit);

/* From now on a read waits at most `read` ns for its first byte, and a write at most `write` ns until all is sent
 * (BINE_FOREVER, as at first: no limit); beyond that they fail with ETIMEDOUT, as under a timeout scope. -1: EINVAL.
 * Switches: no. */
BINE_API int bine_tls_set_timeouts(bine_tls *tls, int64_t read, int64_t write);

/* Announce the end, if that is possible without waiting for longer than `timeout`, and free the connection.
 * After a write that failed no end is announced: the other side must see that something is missing. No other
 * greenlet may be inside a call with it. NULL is ignored. Switches: maybe. */
BINE_API void bine_tls_free(bine_tls *tls, int64_t timeout);

/* Why the last call of this library by the current greenlet failed with EPROTO, EINVAL or EPIPE, in OpenSSL's
 * words or this library's; of a certificate that was not trusted also why not: "certificate has expired", "hostname
 * mismatch", "unable to get local issuer certificate" (it is signed by an authority that is not known) ...; "" if it did not fail, or there is nothing to say. A thread without a hub has one
 * reason, until it gets a hub. Valid until the greenlet's next call of this library, or its end. Switches: no. */
BINE_API const char *bine_tls_reason(void);

/* What was agreed upon: "TLSv1.3"; "" for NULL. Valid as long as the connection. Switches: no. */
BINE_API const char *bine_tls_version(const bine_tls *tls);
/* The application protocol that was agreed upon by ALPN: "h2"; "" if none was, since one of the two named none, and for
 * NULL. A server that has `protocols` refuses clients that offer others only. As above. */
BINE_API const char *bine_tls_protocol(const bine_tls *tls);

/*
 * OpenSSL's own objects (SSL and SSL_CTX), borrowed: for all that is not here, such as the peer's certificate
 * (SSL_get1_peer_certificate), OCSP stapling, certificates by SNI, cipher lists. A context's is changed before its first
 * connection. A connection's is asked and set up only: do not read, write, shake hands or shut down by it, nor touch its
 * BIOs. Callbacks that OpenSSL calls must not wait. NULL: EINVAL. Switches: no.
 */
BINE_API struct ssl_st *bine_tls_ssl(const bine_tls *tls);
BINE_API struct ssl_ctx_st *bine_tls_context_ssl(const bine_tls_context *context);

BINE_END

#endif
