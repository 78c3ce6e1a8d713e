/* OpenSSL directly on nginx, and the errors of interleaved failures. */
#include <arpa/inet.h>
#include <bine.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "library.h"

static SSL_CTX *context;

static int connect_to(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

static void *open_connection(int port)
{
    if (!context) {
        context = SSL_CTX_new(TLS_client_method());
        SSL_CTX_load_verify_locations(context, getenv("BINE_CERTIFICATE"), NULL);
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    }
    int fd = connect_to(port);
    if (fd < 0)
        return NULL;
    SSL *ssl = SSL_new(context);
    SSL_set_fd(ssl, fd);
    if (SSL_connect(ssl) == 1)
        return ssl;
    SSL_free(ssl);
    close(fd);
    return NULL;
}

static bool ask(void *connection, int number, bool slow, char *answer, size_t size)
{
    char text[200];
    (void)slow;
    int length = snprintf(text, sizeof text, "GET /%d HTTP/1.0\r\n\r\n", number);
    if (SSL_write(connection, text, length) != length)
        return false;
    char page[20000];
    size_t got = 0;
    for (int n; got < sizeof page - 1 &&
                (n = SSL_read(connection, page + got, (int)(sizeof page - 1 - got))) > 0;)
        got += (size_t)n;
    page[got] = 0;
    const char *body = strstr(page, "\r\n\r\n");
    snprintf(answer, size, "%.100s", body ? body + 4 : "");
    return body && got > 7000;
}

static void close_connection(void *connection)
{
    int fd = SSL_get_fd(connection);
    SSL_shutdown(connection);
    SSL_free(connection);
    close(fd);
}

static const struct library openssl = {"BINE_HTTPS_PORT", open_connection, ask, close_connection,
                                       false};
LIBRARY_TESTS(openssl)

/* (e) Each greenlet fails in its own way, with waits in between, and must find its own error in the
 * queue. */
static int plain_port, tls_port;

static void *fails(void *kind)
{
    for (int i = 0; i < 5; i++) {
        SSL *ssl = SSL_new(context);
        int fd = connect_to(kind ? plain_port : tls_port);
        CHECK_GE(fd, 0);
        SSL_set_fd(ssl, fd);
        if (!kind)
            SSL_set1_host(ssl, "wrong.example"); /* the certificate is for localhost */
        CHECK_NE(SSL_connect(ssl), 1);
        bine_sleep(0);
        unsigned long error = ERR_get_error();
        const char *reason = ERR_reason_error_string(error);
        CHECK(reason != NULL);
        if (kind) /* nginx answers HTTP to what it cannot read */
            CHECK_EQ(ERR_GET_REASON(error), SSL_R_WRONG_VERSION_NUMBER);
        else
            CHECK_EQ(ERR_GET_REASON(error), SSL_R_CERTIFICATE_VERIFY_FAILED);
        bine_sleep(0);
        CHECK_EQ(ERR_get_error(), 0ul);
        SSL_free(ssl);
        close(fd);
    }
    return NULL;
}

TEST(hazard_08_interleaved_tls_failures_never_show_anothers_error, .seconds = 60)
{
    plain_port = library_port("BINE_HTTP_PORT");
    tls_port = library_port("BINE_HTTPS_PORT");
    CHECK_OK(bine_patch_all());
    void *connection = open_connection(tls_port);
    CHECK(connection != NULL);
    close_connection(connection);
    bine_greenlet *all[40];
    for (intptr_t i = 0; i < 40; i++)
        all[i] = bine_spawn(fails, (void *)(i % 2));
    CHECK_OK(bine_joinall(all, 40, BINE_FOREVER));
}
