/*
 * TLS over memory: OpenSSL only ever reads from and writes to buffers, and the bytes are carried between these
 * and the socket here. So OpenSSL never waits, no switch happens inside it, and its error queue, which belongs
 * to the thread, cannot be mixed between greenlets (hazard 8): it is cleared before each of its calls and
 * looked at right behind it.
 */
#include <bine/tls.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <bine/greenlet.h>
#include <bine/io.h>
#include <bine/semaphore.h>

enum {
    BLOCK = 16384
}; /* a record holds as much */

struct bine_tls_context {
    SSL_CTX *ssl;
    bool server, any_peer;
};

struct bine_tls {
    SSL *ssl;
    BIO *incoming, *outgoing; /* owned by ssl */
    int fd;
    /* One carries bytes in, one out, at a time: what OpenSSL wrote must not be reordered on its way. */
    bine_semaphore *carry_in, *carry_out;
    char block[BLOCK]; /* for carrying out, under its permit */
};

static _Thread_local char reason[256];

static void *fail(int error)
{
    errno = error;
    return NULL;
}

/* Keep OpenSSL's words for bine_tls_reason, and empty its queue. */
static void note_reason(void)
{
    unsigned long code = ERR_get_error();
    reason[0] = '\0';
    if (code)
        ERR_error_string_n(code, reason, sizeof reason);
    ERR_clear_error();
}

const char *bine_tls_reason(void)
{
    return reason;
}

/* ---- contexts --------------------------------------------------------------------------------- */

static int load_files(SSL_CTX *ssl, const bine_tls_options *options)
{
    const char *key = options->key ? options->key : options->certificate;
    if (options->certificate && (SSL_CTX_use_certificate_chain_file(ssl, options->certificate) != 1 ||
                                 SSL_CTX_use_PrivateKey_file(ssl, key, SSL_FILETYPE_PEM) != 1))
        return EINVAL;
    int loaded = options->authorities ? SSL_CTX_load_verify_locations(ssl, options->authorities, NULL)
                                      : SSL_CTX_set_default_verify_paths(ssl);
    return loaded == 1 ? 0 : EINVAL;
}

static bine_tls_context *context_new(const bine_tls_options *options, bool server)
{
    static const bine_tls_options defaults;
    reason[0] = '\0';
    if (!options)
        options = &defaults;
    if (server && !options->certificate)
        return fail(EINVAL);
    ERR_clear_error();
    struct bine_tls_context *context = malloc(sizeof *context);
    if (!context)
        return NULL;
    *context = (struct bine_tls_context){SSL_CTX_new(server ? TLS_server_method() : TLS_client_method()), server,
                                         options->any_peer != 0};
    if (!context->ssl) {
        free(context);
        return fail(ENOMEM);
    }
    SSL_CTX_set_min_proto_version(context->ssl, TLS1_2_VERSION);
    SSL_CTX_set_mode(context->ssl, SSL_MODE_RELEASE_BUFFERS);
    if (!server)
        SSL_CTX_set_verify(context->ssl, options->any_peer ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    int error = load_files(context->ssl, options);
    if (error) {
        note_reason();
        bine_tls_context_free(context);
        return fail(error);
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

/* ---- carrying --------------------------------------------------------------------------------- */

/* Send what OpenSSL has written. */
static int carry_out(struct bine_tls *tls)
{
    if (BIO_ctrl_pending(tls->outgoing) == 0)
        return 0;
    if (bine_semaphore_acquire(tls->carry_out, BINE_FOREVER) != 0)
        return errno;
    int error = 0, size;
    while (!error && (size = BIO_read(tls->outgoing, tls->block, sizeof tls->block)) > 0) {
        for (char *at = tls->block; !error && size > 0;) {
            ssize_t sent = bine_send(tls->fd, at, (size_t)size, MSG_NOSIGNAL);
            if (sent < 0) {
                error = errno;
                break;
            }
            at += sent;
            size -= (int)sent;
        }
    }
    bine_semaphore_release(tls->carry_out);
    return error;
}

/* Receive something for OpenSSL to read, unless another greenlet has done so while we waited for our turn. */
static int carry_in(struct bine_tls *tls)
{
    char block[BLOCK];
    if (bine_semaphore_acquire(tls->carry_in, BINE_FOREVER) != 0)
        return errno;
    int error = 0;
    if (BIO_ctrl_pending(tls->incoming) == 0) {
        ssize_t got = bine_recv(tls->fd, block, sizeof block, 0);
        if (got < 0)
            error = errno;
        else if (got == 0)
            error = ECONNRESET;
        else if (BIO_write(tls->incoming, block, (int)got) != got)
            error = ENOMEM;
    }
    bine_semaphore_release(tls->carry_in);
    return error;
}

enum step {
    SHAKE_HANDS,
    READ,
    WRITE,
    SHUT_DOWN
};

static int step(struct bine_tls *tls, enum step what, void *buffer, int size)
{
    ERR_clear_error();
    switch (what) {
    case SHAKE_HANDS:
        return SSL_do_handshake(tls->ssl);
    case READ:
        return SSL_read(tls->ssl, buffer, size);
    case WRITE:
        return SSL_write(tls->ssl, buffer, size);
    case SHUT_DOWN:
        break;
    }
    return SSL_shutdown(tls->ssl);
}

/* Let OpenSSL do one thing, carrying bytes for it as long as it takes. Its result if > 0, 0 at the announced
 * end, or -1 with errno. */
static int drive(struct bine_tls *tls, enum step what, void *buffer, int size)
{
    reason[0] = '\0';
    for (;;) {
        int done = step(tls, what, buffer, size);
        int state = done > 0 ? SSL_ERROR_NONE : SSL_get_error(tls->ssl, done);
        bool broken = state == SSL_ERROR_SSL || state == SSL_ERROR_SYSCALL;
        if (broken)
            note_reason();
        /* Also when it failed: the alert that tells the other side why is waiting to go out. */
        int error = carry_out(tls);
        if (broken)
            error = EPROTO;
        else if (!error && done > 0)
            return done;
        else if (!error && (state == SSL_ERROR_ZERO_RETURN || what == SHUT_DOWN))
            return 0;
        else if (!error)
            error = state == SSL_ERROR_WANT_READ ? carry_in(tls) : EPROTO;
        if (error) {
            errno = error;
            return -1;
        }
    }
}

/* ---- connections ------------------------------------------------------------------------------ */

static void connection_free(struct bine_tls *tls)
{
    SSL_free(tls->ssl);
    bine_semaphore_free(tls->carry_in);
    bine_semaphore_free(tls->carry_out);
    free(tls);
}

static struct bine_tls *connection_new(struct bine_tls_context *context, int fd)
{
    struct bine_tls *tls = calloc(1, sizeof *tls);
    if (!tls)
        return NULL;
    tls->fd = fd;
    tls->carry_in = bine_semaphore_new(1, 0);
    tls->carry_out = bine_semaphore_new(1, 0);
    tls->ssl = SSL_new(context->ssl);
    BIO *incoming = BIO_new(BIO_s_mem()), *outgoing = BIO_new(BIO_s_mem());
    if (!tls->carry_in || !tls->carry_out || !tls->ssl || !incoming || !outgoing) {
        BIO_free(incoming);
        BIO_free(outgoing);
        connection_free(tls);
        ERR_clear_error();
        return fail(ENOMEM);
    }
    /* Empty means "more will come", not "the end". */
    BIO_set_mem_eof_return(incoming, -1);
    BIO_set_mem_eof_return(outgoing, -1);
    SSL_set_bio(tls->ssl, incoming, outgoing);
    tls->incoming = incoming;
    tls->outgoing = outgoing;
    return tls;
}

static struct bine_tls *shake_hands(struct bine_tls *tls, int64_t timeout)
{
    bine_timeout scope;
    if (bine_timeout_begin(&scope, timeout) == 0) {
        int done = drive(tls, SHAKE_HANDS, NULL, 0);
        int error = errno;
        bine_timeout_end(&scope);
        if (done > 0)
            return tls;
        errno = error;
    }
    int error = errno;
    connection_free(tls);
    return fail(error);
}

bine_tls *bine_tls_accept(bine_tls_context *context, int fd, int64_t timeout)
{
    if (!context || !context->server || fd < 0 || timeout < 0)
        return fail(EINVAL);
    struct bine_tls *tls = connection_new(context, fd);
    if (!tls)
        return NULL;
    SSL_set_accept_state(tls->ssl);
    return shake_hands(tls, timeout);
}

bine_tls *bine_tls_connect(bine_tls_context *context, int fd, const char *host, int64_t timeout)
{
    if (!context || context->server || fd < 0 || timeout < 0 || (!host && !context->any_peer))
        return fail(EINVAL);
    struct bine_tls *tls = connection_new(context, fd);
    if (!tls)
        return NULL;
    SSL_set_connect_state(tls->ssl);
    if (host && (SSL_set_tlsext_host_name(tls->ssl, host) != 1 || SSL_set1_host(tls->ssl, host) != 1)) {
        connection_free(tls);
        ERR_clear_error();
        return fail(ENOMEM);
    }
    return shake_hands(tls, timeout);
}

ssize_t bine_tls_read(bine_tls *tls, void *buffer, size_t size)
{
    if (!tls || (!buffer && size)) {
        errno = EINVAL;
        return -1;
    }
    if (size == 0)
        return 0;
    return drive(tls, READ, buffer, size > BLOCK ? BLOCK : (int)size);
}

ssize_t bine_tls_write(bine_tls *tls, const void *buffer, size_t size)
{
    if (!tls || (!buffer && size)) {
        errno = EINVAL;
        return -1;
    }
    for (size_t written = 0; written < size;) {
        size_t left = size - written;
        int done = drive(tls, WRITE, (char *)buffer + written, left > BLOCK ? BLOCK : (int)left);
        if (done <= 0) {
            if (done == 0)
                errno = EPIPE; /* the other side has announced its end, and this is OpenSSL's way to say so */
            return -1;
        }
        written += (size_t)done;
    }
    return (ssize_t)size;
}

void bine_tls_free(bine_tls *tls, int64_t timeout)
{
    if (!tls)
        return;
    int saved = errno;
    bine_timeout scope;
    /* After a fatal error nothing more may be sent. */
    if (SSL_is_init_finished(tls->ssl) && bine_timeout_begin(&scope, timeout) == 0) {
        drive(tls, SHUT_DOWN, NULL, 0);
        bine_timeout_end(&scope);
    }
    connection_free(tls);
    errno = saved;
}

const char *bine_tls_version(const bine_tls *tls)
{
    return tls ? SSL_get_version(tls->ssl) : "";
}
