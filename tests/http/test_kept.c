/*
 * What a stream keeps. A kill, a timeout or an interrupt ends the caller's wait, and the next call
 * goes on; a write that was cut is the last one. What the connection failed with is told again, so
 * that nobody takes the end behind it for a good one.
 */
#include "talk.h"

#include <netinet/tcp.h>

#include "../net/tls.h"

/* Errors that a caller may make of its own. */
static const int given[] = {EINTR, EIO, ECANCELED, ETIMEDOUT, ECONNRESET, EPIPE};
enum {
    GIVEN = sizeof given / sizeof *given
};

static void *interrupt_soon(void *error)
{
    static bine_greenlet *root;
    if (!error) {
        root = bine_getcurrent();
        return NULL;
    }
    CHECK_OK(bine_sleep(5 * BINE_MS));
    CHECK_OK(bine_interrupt(root, (int)(intptr_t)error));
    return NULL;
}

/* The current greenlet's wait, in some milliseconds. */
static void be_interrupted(int error)
{
    interrupt_soon(NULL);
    CHECK_OK(bine_go(interrupt_soon, (void *)(intptr_t)error));
}

/* ---- TCP that gives up ----------------------------------------------------------------------- */

static int ends[2];

static void make_tcp(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof to;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 4096;
    CHECK_OK(setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof small));
    CHECK_OK(bind(listener, (struct sockaddr *)&to, sizeof to));
    CHECK_OK(listen(listener, 1));
    CHECK_OK(getsockname(listener, (struct sockaddr *)&to, &size));
    ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_OK(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small));
    CHECK_OK(connect(ends[0], (struct sockaddr *)&to, sizeof to));
    ends[1] = accept(listener, NULL, NULL);
    CHECK_OK(ends[1]);
    close(listener);
}

/* The other side takes nothing of this: the kernel gives the connection up after a moment. A second
 * read would see a good end. */
static void let_tcp_give_up(int fd)
{
    static const char much[65536];
    int moment = 50;
    CHECK_OK(setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &moment, sizeof moment));
    while (send(fd, much, sizeof much, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
        ;
}

static void close_ends(void)
{
    bine_close(ends[0]);
    bine_close(ends[1]);
}

TEST(hazard_125_a_reader_keeps_the_timeout_of_tcp)
{
    char *line;
    make_tcp();
    bine_reader *reader = bine_reader_new(ends[0], 0);
    CHECK_OK(bine_send_all(ends[1], "half", 4));
    let_tcp_give_up(ends[0]);
    CHECK_ERROR(bine_reader_line(reader, &line, NULL), ETIMEDOUT);
    CHECK_ERROR(bine_reader_line(reader, &line, NULL), ETIMEDOUT);
    CHECK_EQ(bine_reader_buffered(reader), 4u);
    CHECK_OK(bine_reader_free(reader));
    close_ends();
}

/* ---- TLS ------------------------------------------------------------------------------------- */

static bine_tls_context *for_server, *for_client;
static bine_tls *near, *far;

static void *accept_far(void *arg)
{
    far = bine_tls_accept(for_server, ends[1], 50 * BINE_SECOND);
    return arg;
}

static void begin_tls(void)
{
    const char *certificate = tls_certificate("server");
    make_tcp();
    for_server = bine_tls_server_new(&(bine_tls_options){.certificate = certificate});
    for_client = bine_tls_client_new(&(bine_tls_options){.authorities = certificate});
    bine_greenlet *g = bine_spawn(accept_far, NULL);
    near = bine_tls_connect(for_client, ends[0], "localhost", 50 * BINE_SECOND);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK(near && far);
}

static void end_tls(void)
{
    bine_tls_free(near, 0);
    bine_tls_free(far, 0);
    close_ends();
    bine_tls_context_free(for_server);
    bine_tls_context_free(for_client);
}

TEST(tls_reads_on_after_an_interrupt_of_any_error)
{
    char text[8];
    begin_tls();
    for (int i = 0; i < GIVEN; i++) {
        be_interrupted(given[i]);
        CHECK_ERROR(bine_tls_read(near, text, sizeof text), given[i]);
        CHECK_EQ(bine_tls_write(far, "pong", 4), 4);
        CHECK_EQ(bine_tls_read(near, text, sizeof text), 4);
    }
    end_tls();
}

/* A send that has taken some bytes succeeds all the same, as with signals. */
static void *interrupt_again_and_again(void *root)
{
    while (bine_sleep(5 * BINE_MS) == 0)
        CHECK_OK(bine_interrupt(root, EIO));
    return NULL;
}

TEST(hazard_78_a_tls_write_that_an_interrupt_cut_is_the_last)
{
    static const char much[1000 * 1000];
    begin_tls();
    bine_greenlet *g = bine_spawn(interrupt_again_and_again, bine_getcurrent());
    CHECK_ERROR(bine_tls_write(near, much, sizeof much), EIO);
    CHECK_OK(bine_kill(g));
    CHECK_OK(bine_interrupt(bine_getcurrent(), 0));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_ERROR(bine_tls_write(near, "x", 1), EPIPE);
    HAS(bine_tls_reason(), "cut short: Input/output error");
    end_tls();
}

TEST(hazard_125_tls_keeps_the_timeout_of_tcp)
{
    char text[8];
    begin_tls();
    let_tcp_give_up(ends[0]);
    CHECK_ERROR(bine_tls_read(near, text, sizeof text), ETIMEDOUT);
    CHECK_ERROR(bine_tls_read(near, text, sizeof text), ETIMEDOUT);
    end_tls();
}

/* ---- HTTP ------------------------------------------------------------------------------------ */

/* A server that sends a head and part of a body whose end only the connection's end tells, and then
 * what is asked for. */
static enum {
    ENDS,
    RESETS,
    WAITS
} mode;
static bine_event *go_on;

static void answer_in_part(bine_connection *connection, void *arg)
{
    char request[2000];
    static const char words[] = "HTTP/1.1 200 OK\r\n\r\nabc";
    CHECK_GT(bine_recv(connection->fd, request, sizeof request, 0), 0);
    CHECK_OK(bine_send_all(connection->fd, words, sizeof words - 1));
    CHECK_OK(bine_event_wait(go_on, BINE_FOREVER));
    if (mode == RESETS)
        CHECK_OK(setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0},
                            sizeof(struct linger)));
    if (mode == ENDS)
        CHECK_OK(bine_send_all(connection->fd, "def", 3));
}

static bine_server *plain;
static bine_http_client *client;

static bine_http *ask(int how)
{
    char url[100];
    mode = how;
    go_on = bine_event_new(0);
    plain = bine_server_new(&(bine_server_options){.address = "127.0.0.1:0"}, answer_in_part, NULL);
    CHECK_OK(bine_server_start(plain));
    client = bine_http_client_new(NULL);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", bine_server_port(plain));
    bine_http *http = bine_http_get(client, url, 10 * BINE_SECOND);
    CHECK(http != NULL);
    return http;
}

static void end_asking(bine_http *http)
{
    CHECK_OK(bine_http_close(http));
    CHECK_OK(bine_http_client_free(client));
    CHECK_OK(bine_server_stop(plain, BINE_SECOND));
    CHECK_OK(bine_server_free(plain));
    CHECK_OK(bine_event_free(go_on));
}

TEST(http_bodies_go_on_after_an_interrupt_of_any_error)
{
    for (int i = 0; i < GIVEN; i++) {
        char text[8];
        bine_http *http = ask(ENDS);
        CHECK_EQ(bine_http_read(http, text, sizeof text), 3);
        be_interrupted(given[i]);
        CHECK_ERROR(bine_http_read(http, text, sizeof text), given[i]);
        CHECK_OK(bine_event_set(go_on));
        CHECK_EQ(bine_http_read(http, text, sizeof text), 3);
        CHECK_EQ(bine_http_read(http, text, sizeof text), 0);
        end_asking(http);
    }
}

TEST(hazard_125_http_a_body_that_ended_by_a_reset_is_never_whole)
{
    char text[8];
    bine_http *http = ask(RESETS);
    CHECK_EQ(bine_http_read(http, text, sizeof text), 3);
    CHECK_OK(bine_event_set(go_on));
    CHECK_ERROR(bine_http_read(http, text, sizeof text), ECONNRESET);
    CHECK_ERROR(bine_http_read(http, text, sizeof text), ECONNRESET);
    CHECK_ERROR(bine_http_read_all(http, NULL), ECONNRESET);
    end_asking(http);
}

static int first_error, second_error;

static void read_body_that_stops(bine_http *http, void *arg)
{
    char text[8];
    (void)arg;
    CHECK_EQ(bine_http_read(http, text, sizeof text), 3);
    let_tcp_give_up(bine_http_connection(http)->fd);
    first_error = bine_http_read(http, text, sizeof text) < 0 ? errno : 0;
    second_error = bine_http_read(http, text, sizeof text) < 0 ? errno : 0;
}

TEST(hazard_125_http_a_body_keeps_the_timeout_of_tcp)
{
    start(read_body_that_stops);
    int fd = connect_to_server();
    say(fd, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc");
    while (!second_error)
        CHECK_OK(bine_sleep(5 * BINE_MS));
    CHECK_EQ(first_error, ETIMEDOUT);
    CHECK_EQ(second_error, ETIMEDOUT);
    bine_close(fd);
    stop();
}

/* ---- websockets ------------------------------------------------------------------------------ */

static void be_interrupted_as_websocket(bine_http *http, void *arg)
{
    bine_websocket_message message;
    bine_websocket *websocket = bine_websocket_accept(http, NULL);
    (void)arg;
    for (int i = 0; i < GIVEN; i++) {
        be_interrupted(given[i]);
        CHECK_ERROR(bine_websocket_receive(websocket, &message, BINE_FOREVER), given[i]);
    }
    /* Before its first byte a send cuts nothing. */
    CHECK_OK(bine_interrupt(bine_getcurrent(), EIO));
    CHECK_ERROR(bine_websocket_send(websocket, BINE_WEBSOCKET_TEXT, "no", 2), EIO);
    CHECK_OK(bine_websocket_send(websocket, BINE_WEBSOCKET_TEXT, "yes", 3));
    CHECK_EQ(bine_websocket_receive(websocket, &message, BINE_FOREVER), 1);
    CHECK_STRING(message.data, "abc");
    CHECK_ERROR(bine_websocket_receive(websocket, &message, BINE_FOREVER), ECONNRESET);
    CHECK_ERROR(bine_websocket_receive(websocket, &message, BINE_FOREVER), ECONNRESET);
    first_error = 1;
}

TEST(websockets_go_on_after_an_interrupt_of_any_error)
{
    start(be_interrupted_as_websocket);
    int fd = connect_to_server();
    say(fd, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: "
            "websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    CHECK(hear(fd, "\x81\x03yes"));
    say_bytes(fd, "\x81\x83\0\0\0\0abc", 9);
    CHECK_OK(bine_sleep(20 * BINE_MS));
    CHECK_OK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger)));
    bine_close(fd);
    stop();
    CHECK_EQ(first_error, 1);
}
