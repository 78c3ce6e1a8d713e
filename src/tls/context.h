/* What the connections of a server or client have in common. */
#ifndef BINE_TLS_CONTEXT_H
#define BINE_TLS_CONTEXT_H

#include <bine/tls.h>
#include <openssl/ssl.h>
#include <stdbool.h>

enum {
    BINE_TLS_PROTOCOLS = 512 /* bytes of a list on the wire */
};

struct bine_tls_context {
    SSL_CTX *ssl;
    bool server, any_peer;
    size_t protocols_size;
    unsigned char protocols[BINE_TLS_PROTOCOLS];
};

#endif
