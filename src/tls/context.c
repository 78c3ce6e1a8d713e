/* Contexts: certificates, keys, and which peers are trusted. */
#include "context.h"

#include <errno.h>
#include <stdlib.h>

#include <openssl/err.h>

#include "protocols.h"
#include "reason.h"

static void *context_fail(int error)
{
    errno = error;
    return NULL;
}

static void *context_refuse(const char *reason)
{
    bine_tls_reason_say(reason);
    return context_fail(EINVAL);
}

/* A library must not ask for passphrases: OpenSSL's own callback reads them from the terminal, and
 * blocks the thread. */
static int no_passphrase(char *buffer, int size, int writing, void *asked)
{
    (void)buffer, (void)size, (void)writing;
    *(bool *)asked = true;
    return -1;
}

static bool load_key(SSL_CTX *ssl, const bine_tls_options *options)
{
    bool asked = false;
    const char *key = options->key ? options->key : options->certificate;
    SSL_CTX_set_default_passwd_cb(ssl, no_passphrase);
    SSL_CTX_set_default_passwd_cb_userdata(ssl, &asked);
    bool loaded = SSL_CTX_use_certificate_chain_file(ssl, options->certificate) == 1 &&
                  SSL_CTX_use_PrivateKey_file(ssl, key, SSL_FILETYPE_PEM) == 1;
    SSL_CTX_set_default_passwd_cb_userdata(ssl, NULL);
    if (asked)
        bine_tls_reason_say("the private key is encrypted");
    else if (!loaded)
        bine_tls_reason_explain(ERR_peek_error(), NULL);
    return loaded;
}

/* A server with authorities lets only clients in that have a certificate of theirs, and tells them
 * which authorities these are. */
static bool demand_certificates(SSL_CTX *ssl, const char *authorities)
{
    static const unsigned char name[] = "bine-tls";
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(authorities);
    if (!names)
        return false;
    SSL_CTX_set_client_CA_list(ssl, names);
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    /* Without one OpenSSL refuses every client that comes back with a session. */
    return SSL_CTX_set_session_id_context(ssl, name, sizeof name - 1) == 1;
}

static bool load_authorities(SSL_CTX *ssl, const bine_tls_options *options, bool server)
{
    bool loaded;
    if (options->authorities)
        loaded = SSL_CTX_load_verify_locations(ssl, options->authorities, NULL) == 1 &&
                 (!server || demand_certificates(ssl, options->authorities));
    else
        loaded = server || SSL_CTX_set_default_verify_paths(ssl) == 1;
    if (!loaded)
        bine_tls_reason_explain(ERR_peek_error(), NULL);
    return loaded;
}

static const char *contradiction(const bine_tls_options *options, bool server)
{
    if (server && !options->certificate)
        return "a server needs a certificate";
    if (server && options->authorities && options->any_peer)
        return "a server with authorities does not take any peer";
    if (options->key && !options->certificate)
        return "a key needs a certificate";
    if (options->min_version && options->min_version != BINE_TLS_1_2 &&
        options->min_version != BINE_TLS_1_3)
        return "the minimum version is neither TLS 1.2 nor TLS 1.3";
    if (BINE_RESERVED_USED(options))
        return "an option is of a later release";
    return NULL;
}

static bine_tls_context *context_new(const bine_tls_options *options, bool server)
{
    static const bine_tls_options defaults;
    bine_tls_reason_clear();
    if (!options)
        options = &defaults;
    const char *wrong = contradiction(options, server);
    if (wrong)
        return context_refuse(wrong);
    ERR_clear_error();
    struct bine_tls_context *context = calloc(1, sizeof *context);
    if (!context)
        return NULL;
    context->ssl = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    context->server = server;
    context->any_peer = options->any_peer != 0;
    if (!context->ssl) {
        free(context);
        ERR_clear_error();
        return context_fail(ENOMEM);
    }
    SSL_CTX_set_min_proto_version(context->ssl,
                                  options->min_version ? options->min_version : TLS1_2_VERSION);
    SSL_CTX_set_mode(context->ssl, SSL_MODE_RELEASE_BUFFERS);
    /* A new handshake in the middle would make a write wait for a read; TLS 1.3 has none. */
    SSL_CTX_set_options(context->ssl, SSL_OP_NO_RENEGOTIATION);
    if (!server)
        SSL_CTX_set_verify(context->ssl, options->any_peer ? SSL_VERIFY_NONE : SSL_VERIFY_PEER,
                           NULL);
    if ((options->certificate && !load_key(context->ssl, options)) ||
        !load_authorities(context->ssl, options, server)) {
        ERR_clear_error();
        bine_tls_context_free(context);
        return context_fail(EINVAL);
    }
    int error = options->protocols ? bine_tls_protocols_set(context, options->protocols) : 0;
    if (error) {
        ERR_clear_error();
        bine_tls_context_free(context);
        return context_fail(error);
    }
    return context;
}

bine_tls_context *bine_tls_server_new(const bine_tls_options *options)
{
    return context_new(options, true);
}

bine_tls_context *bine_tls_client_new(const bine_tls_options *options)
{
    return context_new(options, false);
}

void bine_tls_context_free(bine_tls_context *context)
{
    if (!context)
        return;
    SSL_CTX_free(context->ssl);
    free(context);
}

SSL_CTX *bine_tls_context_ssl(const bine_tls_context *context)
{
    return context ? context->ssl : context_fail(EINVAL);
}
