/* Application protocols. See protocols.h. */
#include "protocols.h"

#include <errno.h>
#include <string.h>

#include "reason.h"

/* "h2,http/1.1" as it goes over the wire: each name behind its length. 0: malformed. */
static size_t encode(const char *list, unsigned char wire[BINE_TLS_PROTOCOLS])
{
    size_t used = 0;
    for (;;) {
        size_t size = strcspn(list, ",");
        if (size == 0 || size > 255 || used + 1 + size > BINE_TLS_PROTOCOLS)
            return 0;
        wire[used] = (unsigned char)size;
        memcpy(wire + used + 1, list, size);
        used += 1 + size;
        if (!list[size])
            return used;
        list += size + 1;
    }
}

/* The first of the server's own that the client offers. Without one the two would not understand
 * each other. */
static int protocols_choose(SSL *ssl, const unsigned char **chosen, unsigned char *size,
                            const unsigned char *offered, unsigned offered_size, void *arg)
{
    const struct bine_tls_context *context = arg;
    unsigned char *found = NULL;
    (void)ssl;
    if (SSL_select_next_proto(&found, size, context->protocols, (unsigned)context->protocols_size,
                              offered, offered_size) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *chosen = found;
    return SSL_TLSEXT_ERR_OK;
}

int bine_tls_protocols_set(struct bine_tls_context *context, const char *list)
{
    context->protocols_size = encode(list, context->protocols);
    if (!context->protocols_size) {
        bine_tls_reason_say("the list of protocols is malformed");
        return EINVAL;
    }
    if (context->server)
        SSL_CTX_set_alpn_select_cb(context->ssl, protocols_choose, context);
    /* 0 is success, for once. */
    else if (SSL_CTX_set_alpn_protos(context->ssl, context->protocols,
                                     (unsigned)context->protocols_size) != 0)
        return ENOMEM;
    return 0;
}
