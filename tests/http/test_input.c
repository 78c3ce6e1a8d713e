/* Bodies of requests: by their length, in chunks, held back, too long, too slow; and all of it
 * through TLS. */
#include "talk.h"

#include "net/tls.h"

static void echo(bine_http *http, void *arg)
{
    size_t size;
    char *body = bine_http_read_all(http, &size);
    if (body) {
        CHECK_EQ(body[size], '\0');
        CHECK_OK(bine_http_respond(http, 200, NULL, body, size));
    }
}

static void by_bytes(bine_http *http, void *arg)
{
    char byte, text[64];
    ssize_t got;
    int length = (int)bine_http_length(http), count = 0, sum = 0;
    while ((got = bine_http_read(http, &byte, 1)) == 1) {
        count++;
        sum += byte;
    }
    CHECK_EQ(got, 0);
    CHECK_EQ(bine_http_read(http, &byte, 1), 0);
    sprintf(text, "%d %d %d", length, count, sum);
    CHECK_OK(bine_http_respond(http, 200, NULL, text, strlen(text)));
}

#define POST "POST / HTTP/1.1\r\nHost: x\r\n"
#define CHUNKS "Transfer-Encoding: chunked\r\n\r\n"

TEST(http_reads_bodies_by_length_and_in_chunks)
{
    start(echo);
    CHECK_STRING(body_of(talk(POST "Connection: close\r\nContent-Length: 5\r\n\r\nabcde")),
                 "abcde");
    CHECK_STRING(body_of(talk(POST "Connection: close\r\n" CHUNKS
                                   "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: t\r\n\r\n")),
                 "abcde");
    HAS(talk(POST "Content-Length: 5\r\n\r\nabcde" POST CHUNKS "1\r\nf\r\n0\r\n\r\n" LAST("/")),
        "\r\n\r\nabcdeHTTP/1.1 200 OK");
    HAS(heard, "\r\n\r\nfHTTP/1.1 200 OK");
    stop();
}

TEST(http_reads_bodies_byte_by_byte)
{
    start(by_bytes);
    CHECK_STRING(body_of(talk(POST "Connection: close\r\nContent-Length: 5\r\n\r\nabcde")),
                 "5 5 495");
    CHECK_STRING(
        body_of(talk(POST "Connection: close\r\n" CHUNKS "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")),
        "-1 5 495");
    CHECK_STRING(body_of(talk(LAST("/"))), "0 0 0");
    stop();
}

TEST(http_reads_bodies_that_come_in_pieces)
{
    static const char request[] =
        POST "Connection: close\r\n" CHUNKS "3\r\nabc\r\n0010\r\n0123456789abcdef\r\n0\r\n\r\n";
    start(echo);
    int fd = connect_to_server();
    for (size_t i = 0; i < sizeof request - 1; i++) {
        say_bytes(fd, request + i, 1);
        bine_sleep(0);
    }
    hear(fd, NULL);
    CHECK_STRING(body_of(heard), "abc0123456789abcdef");
    bine_close(fd);
    stop();
}

enum {
    LONG = 700000
};

static void *send_long(void *arg)
{
    char *data = malloc(LONG), head[200];
    memset(data, 'x', LONG);
    sprintf(head, POST "Connection: close\r\nContent-Length: %d\r\n\r\n", LONG);
    say((int)(long)arg, head);
    say_bytes((int)(long)arg, data, LONG);
    free(data);
    return NULL;
}

TEST(http_reads_and_sends_long_bodies)
{
    start(echo);
    int fd = connect_to_server();
    bine_greenlet *sender = bine_spawn(send_long, (void *)(long)fd);
    hear(fd, NULL);
    CHECK_OK(bine_join(sender, NULL, BINE_FOREVER));
    CHECK_EQ(strspn(body_of(heard), "x"), LONG);
    bine_close(fd);
    stop();
}

TEST(http_asks_for_a_body_that_is_held_back)
{
    start(echo);
    int fd = connect_to_server();
    say(fd, POST "Content-Length: 5\r\nExpect: 100-Continue\r\n\r\n");
    CHECK(hear(fd, "\r\n\r\n"));
    CHECK_STRING(heard, "HTTP/1.1 100 Continue\r\n\r\n");
    say(fd, "abcde");
    CHECK(hear(fd, "abcde"));
    BEGINS(heard, "HTTP/1.1 200 OK\r\n");
    HAS_NOT(heard, "Connection: close");
    bine_close(fd);
    BEGINS(talk(POST "Content-Length: 5\r\nExpect: a miracle\r\n\r\nabcde"), "HTTP/1.1 417 ");
    stop();
}

static void ignore(bine_http *http, void *arg)
{
    CHECK_OK(bine_http_respond(http, 200, NULL, "ok", 2));
}

/* A body that nobody asked for may come or not: the connection cannot go on. One that is short is
 * read and dropped. */
TEST(http_what_the_handler_leaves_of_a_body_is_no_request)
{
    start(ignore);
    HAS(talk(POST "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"), "Connection: close");
    HAS_NOT(heard, "100 Continue");
    talk(POST "Content-Length: 27\r\n\r\n" GET("/") LAST("/"));
    CHECK(strstr(strstr(heard, "200 OK") + 1, "200 OK"));
    HAS_NOT(strstr(strstr(heard, "200 OK") + 1, "200 OK") + 1, "200 OK");
    char *head = malloc(200000), *end = stpcpy(head, POST "Content-Length: 100000\r\n\r\n");
    memset(end, 'x', 100000);
    end[100000] = '\0';
    HAS(talk(head), "Connection: close");
    free(head);
    stop();
}

static int read_error;

static void note_error(bine_http *http, void *arg)
{
    read_error = bine_http_read_all(http, NULL) ? 0 : errno;
}

TEST(http_answers_bodies_that_are_refused)
{
    start_with((bine_http_server_options){.limits = {.body = 10, .body_time = 50 * BINE_MS}},
               note_error, NULL);
    BEGINS(talk(POST "Content-Length: 11\r\n\r\nabcdefghijk"),
           "HTTP/1.1 413 Content Too Large\r\n");
    BEGINS(talk(POST CHUNKS "b\r\nabcdefghijk\r\n0\r\n\r\n" GET("/")),
           "HTTP/1.1 413 Content Too Large\r\n");
    CHECK_EQ(read_error, EMSGSIZE);
    BEGINS(talk(POST CHUNKS "zz\r\n" GET("/")), "HTTP/1.1 400 Bad Request\r\n");
    CHECK_EQ(read_error, EPROTO);
    HAS_NOT(heard + 1, "HTTP/1.1");
    BEGINS(talk(POST "Content-Length: 5\r\n\r\nab"), "HTTP/1.1 400 Bad Request\r\n");
    CHECK_EQ(read_error, ECONNRESET);
    int fd = connect_to_server();
    say(fd, POST "Content-Length: 5\r\n\r\nab");
    hear(fd, NULL);
    BEGINS(heard, "HTTP/1.1 408 Request Timeout\r\n");
    CHECK_EQ(read_error, ETIMEDOUT);
    bine_close(fd);
    stop();
}

/* ---- TLS ------------------------------------------------------------------------------------- */

TEST(http_through_tls, .seconds = 60)
{
    const char *certificate = tls_certificate("server");
    bine_tls_context *for_server =
        bine_tls_server_new(&(bine_tls_options){.certificate = certificate});
    bine_tls_context *for_client =
        bine_tls_client_new(&(bine_tls_options){.authorities = certificate});
    start_with((bine_http_server_options){.tls = for_server}, echo, NULL);
    for (int round = 0; round < 2; round++) {
        size_t size = round ? 200000 : 20, have = 0;
        char *body = malloc(size), *answer = malloc(size + 1000), head[200];
        memset(body, 'y', size);
        int fd = connect_to_server();
        bine_tls *tls = bine_tls_connect(for_client, fd, "localhost", BINE_FOREVER);
        CHECK(tls != NULL);
        sprintf(head, POST "Connection: close\r\nContent-Length: %zu\r\n\r\n", size);
        CHECK_OK(bine_tls_write(tls, head, strlen(head)));
        CHECK_OK(bine_tls_write(tls, body, size));
        ssize_t got;
        while ((got = bine_tls_read(tls, answer + have, size + 999 - have)) > 0)
            have += (size_t)got;
        CHECK_EQ(got, 0); /* the end was announced */
        answer[have] = '\0';
        BEGINS(answer, "HTTP/1.1 200 OK\r\n");
        CHECK_EQ(strlen(body_of(answer)), size);
        bine_tls_free(tls, BINE_SECOND);
        bine_close(fd);
        free(body);
        free(answer);
    }
    stop();
    bine_tls_context_free(for_server);
    bine_tls_context_free(for_client);
}

TEST(http_who_does_not_speak_tls_is_dropped)
{
    bine_tls_context *for_server =
        bine_tls_server_new(&(bine_tls_options){.certificate = tls_certificate("server")});
    start_with((bine_http_server_options){.tls = for_server}, echo, NULL);
    talk(GET("/"));
    HAS_NOT(heard, "HTTP");
    stop();
    bine_tls_context_free(for_server);
}
