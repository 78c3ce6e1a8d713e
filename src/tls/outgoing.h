/*
 * What OpenSSL has written and the socket has not taken: a BIO of which one buffer is filled while the other one is sent. A send may be under way
 * in the kernel, from that very memory, while another greenlet makes OpenSSL write more.
 */
#ifndef BINE_TLS_OUTGOING_H
#define BINE_TLS_OUTGOING_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/bio.h>

struct bine_tls_buffer {
    char *data;
    size_t size, room;
};

struct bine_tls_outgoing {
    struct bine_tls_buffer filled, sending;
    size_t sent; /* of the one that is sent */
};

/* A BIO that writes there; the caller frees it before the buffers. NULL: ENOMEM. */
BIO *bine_tls_outgoing_bio(struct bine_tls_outgoing *outgoing);
void bine_tls_outgoing_free(struct bine_tls_outgoing *outgoing);

/* The next bytes to send, NULL if there are none; valid until they are said to be sent. For the greenlet that sends. */
const char *bine_tls_outgoing_next(struct bine_tls_outgoing *outgoing, size_t *size);
void bine_tls_outgoing_sent(struct bine_tls_outgoing *outgoing, size_t size);

/* Bytes that have not been taken by a send. */
static inline size_t bine_tls_outgoing_pending(const struct bine_tls_outgoing *outgoing)
{
    return outgoing->filled.size + outgoing->sending.size - outgoing->sent;
}

#endif
