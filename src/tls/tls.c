/*
 * TLS over memory. OpenSSL only reads from and writes to buffers, and this file carries the bytes
 * between these and the socket. So OpenSSL never waits, and no switch happens inside it. Its error
 * queue, which belongs to the thread, is cleared before each of its calls and looked at right after
 * it. So the errors of two greenlets cannot be mixed (hazard 8).
 *
 * A kill or a timeout can end any wait. Bytes that were taken from OpenSSL to be sent stay in the
 * connection, with the position up to which they were sent. The next greenlet that sends continues
 * there, so records never lose bytes in the middle. A write that ends early after its first record
 * fails for good, and so do later writes: the message has no end, and close_notify would tell the
 * peer that it has.
 */
#include <bine/tls.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <bine/greenlet.h>
#include <bine/io.h>
#include <bine/semaphore.h>

#include "context.h"
#include "outgoing.h"
#include "reason.h"

enum {
    BLOCK = 16384, /* a record holds as much */
    /* Records are sent together up to this size: a system call for each would cost as much as its
     * encryption. */
    GATHERED = 3 * BLOCK,
    UNSENT = 4 * BLOCK /* what reading may leave to be sent: see bine_tls_read */
};

struct bine_tls {
    SSL *ssl;
    BIO *incoming; /* owned by ssl */
    struct bine_tls_outgoing outgoing;
    int fd;
    bine_semaphore *receiving; /* one greenlet receives at a time */
    /* one greenlet sends at a time: a write holds it from its first record to its last */
    bine_semaphore *sending;
    unsigned arrivals;             /* how often something was received */
    int read_error;                /* why nothing more can be read; 0: it can */
    int write_error;               /* why nothing more can be written; 0: it can */
    int cut;                       /* what cut a write short, if that is the reason */
    unsigned long failure;         /* OpenSSL's error after which the connection is dead */
    int64_t read_time, write_time; /* limits of a call; BINE_FOREVER: none */
    char protocol[256];            /* agreed upon by ALPN */
};

static void *tls_fail(int error)
{
    errno = error;
    return NULL;
}

static ssize_t tls_refused(int error)
{
    errno = error;
    return -1;
}

/* A call of the socket failed, which began at so many interruptions. What ended the caller's wait
 * passes. */
static void note_error(int *kept, int error, unsigned interruptions)
{
    if (!*kept && !bine_error_passes(error, interruptions))
        *kept = error;
}

/* In OpenSSL's words; of a certificate that was refused also why: expired, another name, unknown
 * issuer. */
static void explain_failure(const struct bine_tls *tls)
{
    bool mistrusted = ERR_GET_LIB(tls->failure) == ERR_LIB_SSL &&
                      ERR_GET_REASON(tls->failure) == SSL_R_CERTIFICATE_VERIFY_FAILED;
    long verified = SSL_get_verify_result(tls->ssl);
    bine_tls_reason_explain(tls->failure,
                            mistrusted ? X509_verify_cert_error_string(verified) : NULL);
}

/* OpenSSL cannot use this connection any more. */
static int note_failure(struct bine_tls *tls)
{
    tls->failure = ERR_get_error();
    ERR_clear_error();
    explain_failure(tls);
    if (!tls->read_error)
        tls->read_error = EPROTO;
    tls->write_error = EPROTO;
    return EPROTO;
}

/* Returns an error that was kept, once more. */
static ssize_t refused_again(const struct bine_tls *tls, int error)
{
    char words[64], text[96];
    if (error == EPROTO) {
        explain_failure(tls);
    } else if (error == tls->write_error && tls->cut) {
        snprintf(text, sizeof text, "an earlier write was cut short: %s",
                 strerror_r(tls->cut, words, sizeof words));
        bine_tls_reason_say(text);
    }
    return tls_refused(error);
}

/* ---- carrying -------------------------------------------------------------------------------- */

static bool anything_to_send(const struct bine_tls *tls)
{
    return bine_tls_outgoing_pending(&tls->outgoing) > 0;
}

/* Send what OpenSSL has written, from where the last greenlet that sent was cut short. The caller
 * may send. */
static int send_records(struct bine_tls *tls, int flags)
{
    const char *data;
    size_t size;
    while ((data = bine_tls_outgoing_next(&tls->outgoing, &size))) {
        unsigned interruptions = bine_interruptions();
        ssize_t sent = bine_send(tls->fd, data, size, MSG_NOSIGNAL | flags);
        if (sent < 0) {
            note_error(&tls->write_error, errno, interruptions);
            return errno;
        }
        bine_tls_outgoing_sent(&tls->outgoing, (size_t)sent);
    }
    return 0;
}

static int wait_and_send(struct bine_tls *tls)
{
    if (!anything_to_send(tls))
        return 0;
    if (bine_semaphore_acquire(tls->sending, BINE_FOREVER) != 0)
        return errno;
    int error = send_records(tls, 0);
    bine_semaphore_release(tls->sending);
    return error;
}

/* A greenlet that sends already will send this as well. What does not fit into the socket's buffer
 * goes out later, and what cannot be sent at all is the next write's failure. */
static void send_without_waiting(struct bine_tls *tls)
{
    if (!anything_to_send(tls) || bine_semaphore_acquire(tls->sending, 0) != 0)
        return;
    send_records(tls, MSG_DONTWAIT);
    bine_semaphore_release(tls->sending);
}

/* Receive something for OpenSSL to read, unless another greenlet has done so since there were
 * `arrivals`. */
static int tls_receive(struct bine_tls *tls, unsigned arrivals)
{
    char block[BLOCK];
    if (bine_semaphore_acquire(tls->receiving, BINE_FOREVER) != 0)
        return errno;
    int error = tls->read_error;
    if (tls->arrivals == arrivals && !error) {
        unsigned interruptions = bine_interruptions();
        ssize_t got = bine_recv(tls->fd, block, sizeof block, 0);
        if (got < 0)
            error = errno;
        else if (got == 0)
            error = ECONNRESET;
        else if (BIO_write(tls->incoming, block, (int)got) != got)
            tls->read_error = error = ENOMEM; /* bytes are lost */
        else
            tls->arrivals++;
        if (error)
            note_error(&tls->read_error, error, interruptions);
    }
    bine_semaphore_release(tls->receiving);
    return error;
}

static bool is_failure(int state)
{
    return state == SSL_ERROR_SSL || state == SSL_ERROR_SYSCALL;
}

/* ---- connections ----------------------------------------------------------------------------- */

static void connection_free(struct bine_tls *tls)
{
    SSL_free(tls->ssl);
    bine_tls_outgoing_free(&tls->outgoing);
    bine_semaphore_free(tls->receiving);
    bine_semaphore_free(tls->sending);
    free(tls);
}

static struct bine_tls *connection_new(struct bine_tls_context *context, int fd)
{
    struct bine_tls *tls = calloc(1, sizeof *tls);
    if (!tls)
        return NULL;
    tls->fd = fd;
    tls->read_time = tls->write_time = BINE_FOREVER;
    tls->receiving = bine_semaphore_new(1, 0);
    tls->sending = bine_semaphore_new(1, 0);
    tls->ssl = SSL_new(context->ssl);
    BIO *incoming = BIO_new(BIO_s_mem()), *outgoing = bine_tls_outgoing_bio(&tls->outgoing);
    if (!tls->receiving || !tls->sending || !tls->ssl || !incoming || !outgoing) {
        BIO_free(incoming);
        BIO_free(outgoing);
        connection_free(tls);
        ERR_clear_error();
        return tls_fail(ENOMEM);
    }
    /* Empty means "more will come", not "the end". */
    BIO_set_mem_eof_return(incoming, -1);
    SSL_set_bio(tls->ssl, incoming, outgoing);
    tls->incoming = incoming;
    return tls;
}

/* 0 or an error number. */
static int shake_hands(struct bine_tls *tls)
{
    for (;;) {
        unsigned arrivals = tls->arrivals;
        ERR_clear_error();
        int done = SSL_do_handshake(tls->ssl);
        int state = done > 0 ? SSL_ERROR_NONE : SSL_get_error(tls->ssl, done);
        if (is_failure(state)) {
            int error = note_failure(tls);
            send_without_waiting(tls); /* the alert that tells the other side why */
            return error;
        }
        int error = wait_and_send(tls);
        if (!error && done > 0)
            return 0;
        if (!error)
            error = state == SSL_ERROR_WANT_READ ? tls_receive(tls, arrivals) : EPROTO;
        if (error)
            return error;
    }
}

static void note_protocol(struct bine_tls *tls)
{
    const unsigned char *name = NULL;
    unsigned size = 0;
    SSL_get0_alpn_selected(tls->ssl, &name, &size);
    if (size)
        memcpy(tls->protocol, name, size); /* 255 bytes at most */
}

static struct bine_tls *tls_begin(struct bine_tls *tls, int64_t timeout)
{
    bine_timeout scope;
    int error;
    if (bine_timeout_begin(&scope, timeout) == 0) {
        error = shake_hands(tls);
        bine_timeout_end(&scope);
    } else {
        error = errno;
    }
    if (!error) {
        note_protocol(tls);
        return tls;
    }
    connection_free(tls);
    return tls_fail(error);
}

static bine_tls *tls_refuse(const char *reason)
{
    if (reason)
        bine_tls_reason_say(reason);
    return tls_fail(EINVAL);
}

bine_tls *bine_tls_accept(bine_tls_context *context, int fd, int64_t timeout)
{
    bine_tls_reason_clear();
    if (!context || fd < 0 || timeout < 0)
        return tls_refuse(NULL);
    if (!context->server)
        return tls_refuse("the context is for clients");
    struct bine_tls *tls = connection_new(context, fd);
    if (!tls)
        return NULL;
    SSL_set_accept_state(tls->ssl);
    return tls_begin(tls, timeout);
}

bine_tls *bine_tls_connect(bine_tls_context *context, int fd, const char *host, int64_t timeout)
{
    bine_tls_reason_clear();
    if (!context || fd < 0 || timeout < 0)
        return tls_refuse(NULL);
    if (context->server)
        return tls_refuse("the context is for servers");
    if (!host && !context->any_peer)
        return tls_refuse("a server that is verified needs a name");
    struct bine_tls *tls = connection_new(context, fd);
    if (!tls)
        return NULL;
    SSL_set_connect_state(tls->ssl);
    if (host &&
        (SSL_set_tlsext_host_name(tls->ssl, host) != 1 || SSL_set1_host(tls->ssl, host) != 1)) {
        connection_free(tls);
        ERR_clear_error();
        return tls_fail(ENOMEM);
    }
    return tls_begin(tls, timeout);
}

/* ---- reading and writing --------------------------------------------------------------------- */

/* Reading answers some records, such as requests for new keys. It never waits until the answer is
 * sent: two sides that write much to each other would wait for each other. A peer that makes it
 * answer and does not read would fill the memory, so from some point on there is nothing to read
 * before the answers have gone out. */
static ssize_t read_some(struct bine_tls *tls, void *buffer, size_t size)
{
    for (;;) {
        int error = bine_tls_outgoing_pending(&tls->outgoing) > UNSENT ? wait_and_send(tls) : 0;
        if (error)
            return tls_refused(error);
        if (tls->read_error == EPROTO)
            return refused_again(tls, EPROTO);
        unsigned arrivals = tls->arrivals;
        ERR_clear_error();
        int got = SSL_read(tls->ssl, buffer, size > BLOCK ? BLOCK : (int)size);
        int state = got > 0 ? SSL_ERROR_NONE : SSL_get_error(tls->ssl, got);
        if (is_failure(state))
            error = note_failure(tls);
        send_without_waiting(tls);
        if (error)
            return tls_refused(error);
        if (got > 0 || state == SSL_ERROR_ZERO_RETURN)
            return got > 0 ? got : 0;
        error = state == SSL_ERROR_WANT_READ ? tls_receive(tls, arrivals) : EPROTO;
        if (error)
            return tls_refused(error);
    }
}

/* Read or write, each within its time. */
static ssize_t within(struct bine_tls *tls, int64_t time,
                      ssize_t (*carry)(struct bine_tls *, void *, size_t), void *buffer,
                      size_t size)
{
    bine_timeout scope;
    bine_tls_reason_clear();
    if (!tls || (!buffer && size))
        return tls_refused(EINVAL);
    if (size == 0)
        return 0;
    if (time == BINE_FOREVER)
        return carry(tls, buffer, size);
    if (bine_timeout_begin(&scope, time) != 0)
        return -1;
    ssize_t carried = carry(tls, buffer, size);
    bine_timeout_end(&scope);
    return carried;
}

ssize_t bine_tls_read(bine_tls *tls, void *buffer, size_t size)
{
    return within(tls, tls ? tls->read_time : 0, read_some, buffer, size);
}

static ssize_t read_for_reader(void *tls, void *buffer, size_t size)
{
    return bine_tls_read(tls, buffer, size);
}

bine_reader *bine_tls_reader_new(bine_tls *tls, size_t limit)
{
    bine_tls_reason_clear();
    return tls ? bine_reader_new_from(read_for_reader, tls, limit) : tls_fail(EINVAL);
}

/* One record, which is sent if it is the last, or with those before it once they are many. 0 or an
 * error number. */
static int write_record(struct bine_tls *tls, const char *data, size_t size, bool last)
{
    ERR_clear_error();
    int done = SSL_write(tls->ssl, data, (int)size);
    int state = done > 0 ? SSL_ERROR_NONE : SSL_get_error(tls->ssl, done);
    if (is_failure(state))
        note_failure(tls);
    bool gather = done > 0 && !last && bine_tls_outgoing_pending(&tls->outgoing) < GATHERED;
    int error = gather ? 0 : send_records(tls, 0);
    if (done <= 0 && !tls->write_error)
        tls->write_error = state == SSL_ERROR_ZERO_RETURN ? EPIPE : EPROTO;
    return tls->write_error ? tls->write_error : error;
}

static int write_records(struct bine_tls *tls, const char *data, size_t size)
{
    int error = send_records(tls, 0); /* what others left */
    if (!error && bine_check() != 0)
        error = errno;
    if (error)
        return error; /* the message has not begun */
    for (size_t written = 0; written < size && !error;) {
        size_t piece = size - written > BLOCK ? BLOCK : size - written;
        written += piece;
        error = write_record(tls, data + written - piece, piece, written == size);
    }
    if (error && !tls->write_error) {
        tls->write_error = EPIPE;
        tls->cut = error;
    }
    return error;
}

static ssize_t tls_write_all(struct bine_tls *tls, void *buffer, size_t size)
{
    if (bine_semaphore_acquire(tls->sending, BINE_FOREVER) != 0)
        return -1;
    int kept = tls->write_error;
    int error = kept ? 0 : write_records(tls, buffer, size);
    bine_semaphore_release(tls->sending);
    if (kept)
        return refused_again(tls, kept);
    return error ? tls_refused(error) : (ssize_t)size;
}

ssize_t bine_tls_write(bine_tls *tls, const void *buffer, size_t size)
{
    return within(tls, tls ? tls->write_time : 0, tls_write_all, (void *)buffer, size);
}

int bine_tls_set_timeouts(bine_tls *tls, int64_t read, int64_t write)
{
    if (!tls || read < 0 || write < 0)
        return (int)tls_refused(EINVAL);
    tls->read_time = read;
    tls->write_time = write;
    return 0;
}

/* ---- the end --------------------------------------------------------------------------------- */

void bine_tls_free(bine_tls *tls, int64_t timeout)
{
    if (!tls)
        return;
    int saved = errno;
    bine_timeout scope;
    /* After a failure, or in the middle of a message, there is no end to announce. */
    if (SSL_is_init_finished(tls->ssl) && !tls->write_error &&
        bine_timeout_begin(&scope, timeout) == 0) {
        ERR_clear_error();
        if (SSL_shutdown(tls->ssl) >= 0)
            wait_and_send(tls);
        ERR_clear_error();
        bine_timeout_end(&scope);
    }
    connection_free(tls);
    errno = saved;
}

const char *bine_tls_version(const bine_tls *tls)
{
    return tls ? SSL_get_version(tls->ssl) : "";
}

const char *bine_tls_protocol(const bine_tls *tls)
{
    return tls ? tls->protocol : "";
}

SSL *bine_tls_ssl(const bine_tls *tls)
{
    return tls ? tls->ssl : tls_fail(EINVAL);
}
