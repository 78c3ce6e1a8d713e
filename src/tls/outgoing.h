/*
 * Bytes that OpenSSL has written and the socket has not taken: a BIO that fills one buffer while
 * the other one is sent. A send may be under way in the kernel, from that very memory, while
 * another greenlet makes OpenSSL write more.
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
    size_t sent; /* how much has been sent of the buffer that is being sent */
};

/* Returns a BIO that writes there, or NULL for ENOMEM. The caller frees it before the buffers. */
BIO *bine_tls_outgoing_bio(struct bine_tls_outgoing *outgoing);
void bine_tls_outgoing_free(struct bine_tls_outgoing *outgoing);

/* For the greenlet that sends. bine_tls_outgoing_next returns the next bytes to send, or NULL if
 * there are none. They are valid until bine_tls_outgoing_sent says that they were sent. */
const char *bine_tls_outgoing_next(struct bine_tls_outgoing *outgoing, size_t *size);
void bine_tls_outgoing_sent(struct bine_tls_outgoing *outgoing, size_t size);

/* Returns the number of bytes that no send has taken. */
static inline size_t bine_tls_outgoing_pending(const struct bine_tls_outgoing *outgoing)
{
    return outgoing->filled.size + outgoing->sending.size - outgoing->sent;
}

#endif
