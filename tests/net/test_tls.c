/* TLS servers and clients. The certificate is made for the test by the openssl command. */
#include <netinet/in.h>

#include "tls.h"

static const char *certificate;
static bine_server *server;
static bine_tls_context *for_server, *for_client;
static int refused, handled;

static int connect_to_server(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((in_port_t)bine_server_port(server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_OK(bine_connect(fd, (struct sockaddr *)&to, sizeof to));
    return fd;
}

/* For a handshake: many at once take long on a slow machine. */
static int64_t patience = 50 * BINE_SECOND;

static void echo(bine_connection *connection, void *arg)
{
    char buffer[4096];
    ssize_t got;
    bine_tls *tls = bine_tls_accept(for_server, connection->fd, patience);
    if (!tls) {
        refused = errno;
        return;
    }
    while ((got = bine_tls_read(tls, buffer, sizeof buffer)) > 0 &&
           bine_tls_write(tls, buffer, (size_t)got) == got)
        ;
    if (got == 0)
        handled++;
    bine_tls_free(tls, BINE_SECOND);
}

static void begin(void)
{
    certificate = tls_certificate("server");
    for_server = bine_tls_server_new(&(bine_tls_options){.certificate = certificate});
    for_client = bine_tls_client_new(&(bine_tls_options){.authorities = certificate});
    CHECK(for_server && for_client);
    server = bine_server_new(&(bine_server_options){.address = "127.0.0.1:0"}, echo, NULL);
    CHECK_OK(bine_server_start(server));
}

static void end(void)
{
    bine_server_stop(server, BINE_SECOND);
    CHECK_OK(bine_server_free(server));
    bine_tls_context_free(for_server);
    bine_tls_context_free(for_client);
}

static void read_all(bine_tls *tls, char *data, size_t size)
{
    while (size > 0) {
        ssize_t got = bine_tls_read(tls, data, size);
        CHECK_GT(got, 0);
        data += got;
        size -= (size_t)got;
    }
}

static void *talk(void *arg)
{
    char buffer[16];
    int fd = connect_to_server();
    bine_tls *tls = bine_tls_connect(for_client, fd, "localhost", BINE_FOREVER);
    if (!tls)
        FAIL("handshake: %s", bine_tls_reason());
    CHECK(strncmp(bine_tls_version(tls), "TLSv1.", 6) == 0);
    for (int i = 0; i < 5; i++) {
        CHECK_EQ(bine_tls_write(tls, "hello, world", 12), 12);
        read_all(tls, buffer, 12);
        CHECK_MEMORY(buffer, "hello, world", 12);
    }
    bine_tls_free(tls, BINE_SECOND);
    bine_close(fd);
    return NULL;
}

TEST(tls_serves_many_at_once, .seconds = 60)
{
    begin();
    bine_greenlet *all[30];
    for (int i = 0; i < 30; i++)
        all[i] = bine_spawn(talk, NULL);
    CHECK_OK(bine_joinall(all, 30, BINE_FOREVER));
    end();
    CHECK_EQ(handled, 30);
}

TEST(tls_readers_read_lines)
{
    char *line;
    begin();
    int fd = connect_to_server();
    bine_tls *tls = bine_tls_connect(for_client, fd, "localhost", BINE_FOREVER);
    CHECK_ERROR(bine_tls_reader_new(NULL, 0), EINVAL);
    bine_reader *reader = bine_tls_reader_new(tls, 100);
    CHECK_EQ(bine_tls_write(tls, "hello\r\nwor", 10), 10);
    CHECK_EQ(bine_reader_line(reader, &line, NULL), 1);
    CHECK_STRING(line, "hello");
    bine_timeout scope;
    CHECK_OK(bine_timeout_begin(&scope, 20 * BINE_MS));
    CHECK_ERROR(bine_reader_line(reader, &line, NULL), ETIMEDOUT);
    CHECK_EQ(bine_timeout_end(&scope), 1);
    CHECK_EQ(bine_tls_write(tls, "ld\n", 3), 3);
    CHECK_EQ(bine_reader_line(reader, &line, NULL), 1);
    CHECK_STRING(line, "world");
    CHECK_OK(shutdown(fd, SHUT_RDWR)); /* an end that was not announced is no end */
    CHECK_ERROR(bine_reader_line(reader, &line, NULL), ECONNRESET);
    CHECK_ERROR(bine_reader_line(reader, &line, NULL), ECONNRESET);
    CHECK_OK(bine_reader_free(reader));
    bine_tls_free(tls, 0);
    bine_close(fd);
    end();
}

enum {
    MUCH = 3 * 1000 * 1000
};

static void *write_much(void *tls)
{
    char *data = malloc(MUCH);
    for (int i = 0; i < MUCH; i++)
        data[i] = (char)(i * 31 >> 3);
    CHECK_EQ(bine_tls_write(tls, data, MUCH), MUCH);
    free(data);
    return NULL;
}

TEST(tls_reads_while_it_writes, .seconds = 60)
{
    begin();
    int fd = connect_to_server();
    bine_tls *tls = bine_tls_connect(for_client, fd, "localhost", BINE_FOREVER);
    CHECK(tls != NULL);
    bine_greenlet *g = bine_spawn(write_much, tls);
    char *data = malloc(MUCH);
    read_all(tls, data, MUCH);
    for (int i = 0; i < MUCH; i++)
        if (data[i] != (char)(i * 31 >> 3))
            FAIL("byte %d differs", i);
    free(data);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    bine_tls_free(tls, BINE_SECOND);
    bine_close(fd);
    end();
}

TEST(tls_refuses_those_it_cannot_trust, .seconds = 60)
{
    begin();
    int fd = connect_to_server();
    CHECK_ERROR(bine_tls_connect(for_client, fd, "another.host", BINE_FOREVER), EPROTO);
    CHECK(strstr(bine_tls_reason(), "certificate verify failed") != NULL);
    bine_close(fd);

    bine_tls_context *strict = bine_tls_client_new(NULL),
                     *lax = bine_tls_client_new(&(bine_tls_options){.any_peer = 1});
    fd = connect_to_server();
    CHECK_ERROR(bine_tls_connect(strict, fd, "localhost", BINE_FOREVER), EPROTO);
    bine_close(fd);
    fd = connect_to_server();
    bine_tls *tls = bine_tls_connect(lax, fd, NULL, BINE_FOREVER);
    CHECK(tls != NULL);
    bine_tls_free(tls, 0);
    bine_close(fd);
    bine_tls_context_free(strict);
    bine_tls_context_free(lax);
    end();
}

TEST(tls_server_survives_what_is_not_tls_and_who_is_silent, .seconds = 60)
{
    patience = BINE_SECOND / 4;
    begin();
    char byte;
    int fd = connect_to_server();
    CHECK_EQ(bine_send(fd, "GET / HTTP/1.0\r\n\r\n", 18, MSG_NOSIGNAL), 18);
    while (bine_recv(fd, &byte, 1, 0) > 0)
        ; /* an alert, then the end */
    bine_close(fd);
    CHECK_EQ(refused, EPROTO);
    fd = connect_to_server();
    CHECK_EQ(bine_recv(fd, &byte, 1, 0), 0);
    CHECK_EQ(refused, ETIMEDOUT);
    bine_close(fd);
    end();
}

TEST(tls_that_is_cut_is_not_taken_for_the_end, .seconds = 60)
{
    begin();
    int fd = connect_to_server();
    bine_tls *tls = bine_tls_connect(for_client, fd, "localhost", BINE_FOREVER);
    CHECK(tls != NULL);
    CHECK_OK(shutdown(fd, SHUT_RDWR)); /* the connection breaks */
    char byte;
    CHECK_ERROR(bine_tls_read(tls, &byte, 1), ECONNRESET);
    bine_tls_free(tls, 0);
    bine_close(fd);
    end();
    CHECK_EQ(handled, 0);
}

TEST(tls_bad_arguments)
{
    CHECK_ERROR(bine_tls_server_new(NULL), EINVAL);
    CHECK_ERROR(bine_tls_server_new(&(bine_tls_options){.certificate = "/nonexistent"}), EINVAL);
    CHECK(bine_tls_reason()[0] != '\0');
    CHECK_ERROR(bine_tls_client_new(&(bine_tls_options){.authorities = "/nonexistent"}), EINVAL);
    bine_tls_context *client = bine_tls_client_new(NULL);
    CHECK_ERROR(bine_tls_accept(client, 0, 0), EINVAL);
    CHECK_ERROR(bine_tls_connect(client, 0, NULL, 0), EINVAL);
    CHECK_ERROR(bine_tls_connect(client, -1, "x", 0), EINVAL);
    CHECK_ERROR(bine_tls_read(NULL, NULL, 0), EINVAL);
    CHECK_ERROR(bine_tls_write(NULL, NULL, 0), EINVAL);
    bine_tls_free(NULL, 0);
    bine_tls_context_free(client);
    bine_tls_context_free(NULL);
}
