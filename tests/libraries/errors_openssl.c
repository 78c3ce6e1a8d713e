/* docs/errors.md: OpenSSL. */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include "errors.h"

static SSL *connected(int *fd)
{
    char address[40];
    snprintf(address, sizeof address, "127.0.0.1:%d", library_port("BINE_HTTPS_PORT"));
    CHECK_OK(bine_patch_all());
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    CHECK((*fd = bine_dial(address, BINE_SECOND * 10)) >= 0);
    SSL *ssl = SSL_new(context);
    SSL_CTX_free(context);
    SSL_set_fd(ssl, *fd);
    CHECK_EQ(SSL_connect(ssl), 1);
    return ssl;
}

static void reads(void *ssl, struct outcome *outcome)
{
    char bytes[100];
    ERR_clear_error();
    errno = 0;
    int got = SSL_read(ssl, bytes, sizeof bytes); /* nothing was asked, so nginx says nothing */
    int error = errno;
    outcome->code = SSL_get_error(ssl, got);
    snprintf(outcome->message, sizeof outcome->message, "%s, %lu queued", strerror(error),
             ERR_peek_error());
}

static void struck(bool kill, const char *words)
{
    static const char request[] = "GET /1 HTTP/1.1\r\nHost: localhost\r\n\r\n";
    char bytes[100];
    int fd;
    SSL *ssl = connected(&fd);
    CHECK_OUTCOME(strike(reads, ssl, kill), SSL_ERROR_SYSCALL, words);
    /* A read that was struck took nothing: it can be made again. */
    CHECK_EQ(SSL_write(ssl, request, sizeof request - 1), sizeof request - 1);
    CHECK_EQ(SSL_read(ssl, bytes, sizeof bytes), sizeof bytes);
    SSL_free(ssl);
    close(fd);
}

TEST(a_kill_is_a_system_call_that_was_canceled, .seconds = 60)
{
    struck(true, "Operation canceled, 0 queued");
}

TEST(a_timeout_is_a_system_call_that_timed_out, .seconds = 60)
{
    struck(false, "Connection timed out, 0 queued");
}

TEST(a_connection_that_breaks_off_is_an_unexpected_end, .seconds = 60)
{
    struct outcome outcome = {.code = 0};
    int fd;
    SSL *ssl = connected(&fd);
    shutdown(fd, SHUT_RD);
    reads(ssl, &outcome);
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
    CHECK_EQ(outcome.code, SSL_ERROR_SSL);
    CHECK_STRING(ERR_reason_error_string(ERR_get_error()), "unexpected eof while reading");
#else
    CHECK_EQ(outcome.code, SSL_ERROR_SYSCALL); /* without an error in the queue */
    CHECK_EQ(ERR_get_error(), 0);
#endif
    SSL_free(ssl);
    close(fd);
}

TEST(an_announced_end_is_zero_return, .seconds = 60)
{
    static const char request[] = "GET /1 HTTP/1.0\r\n\r\n";
    struct outcome outcome = {.code = 0};
    int fd;
    SSL *ssl = connected(&fd);
    CHECK_EQ(SSL_write(ssl, request, sizeof request - 1), sizeof request - 1);
    while (outcome.code == SSL_ERROR_NONE)
        reads(ssl, &outcome);
    CHECK_EQ(outcome.code, SSL_ERROR_ZERO_RETURN);
    SSL_free(ssl);
    close(fd);
}
