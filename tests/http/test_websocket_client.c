/* Websockets of clients: against the library's own server, and against servers that do as they are
 * told. */
#include "talk.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include "../net/tls.h"

static int last_code, last_error;

static void echo(bine_websocket *websocket)
{
    bine_websocket_message message;
    int result;
    while ((result = bine_websocket_receive(websocket, &message, BINE_FOREVER)) == 1)
        if (bine_websocket_send(websocket, message.kind, message.data, message.size) != 0)
            break;
    last_error = result < 0 ? errno : 0;
    last_code = bine_websocket_code(websocket);
}

static void serve(bine_http *http, void *arg)
{
    const char *path = bine_http_path(http), *token = bine_http_header(http, "X-Token");
    bine_websocket_options options = {.message = 1 << 20};
    if (strcmp(path, "/moved") == 0) {
        bine_http_set_header(http, "Location", "/echo");
        bine_http_respond(http, 302, NULL, NULL, 0);
        return;
    }
    if (strcmp(path, "/nothing") == 0) {
        bine_http_respond(http, 404, NULL, NULL, 0);
        return;
    }
    if (strcmp(path, "/ticks") == 0)
        options.protocol = "ticks";
    bine_websocket *websocket = bine_websocket_accept(http, &options);
    CHECK(websocket != NULL);
    if (strcmp(path, "/close") == 0)
        CHECK_OK(bine_websocket_close(websocket, 4000, "enough"));
    if (strcmp(path, "/speaks") == 0) {
        CHECK_OK(bine_websocket_send(websocket, BINE_WEBSOCKET_TEXT, token, strlen(token)));
        CHECK_OK(bine_websocket_ping(websocket, "p", 1));
        CHECK_OK(bine_websocket_send(websocket, BINE_WEBSOCKET_BINARY, "0123456789a", 11));
    }
    echo(websocket);
}

static bine_http_client *client;

static void begin(void)
{
    start(serve);
    client = bine_http_client_new(NULL);
    CHECK(client != NULL);
}

static void end(void)
{
    CHECK_OK(bine_http_client_free(client));
    stop();
}

static const char *url(const char *path)
{
    static char text[100];
    snprintf(text, sizeof text, "ws://127.0.0.1:%d%s", bine_http_server_port(server), path);
    return text;
}

static bine_websocket *open_at(const char *path, const bine_websocket_options *options)
{
    static const char *const headers[] = {"X-Token", "secret", NULL};
    return bine_websocket_connect(client,
                                  &(bine_http_request){.url = url(path), .headers = headers},
                                  options, 10 * BINE_SECOND);
}

static void expect(bine_websocket *websocket, int kind, const char *data, size_t size)
{
    bine_websocket_message message;
    CHECK_EQ(bine_websocket_receive(websocket, &message, 10 * BINE_SECOND), 1);
    CHECK_EQ(message.kind, kind);
    CHECK_EQ(message.size, size);
    CHECK_MEMORY(message.data, data, size);
    CHECK_EQ(message.data[size], '\0');
}

TEST(websocket_client_sends_and_receives_messages_of_all_sizes)
{
    static const size_t sizes[] = {0, 1, 125, 126, 4096, 65535, 65536, 300000};
    static char data[300000];
    begin();
    memset(data, 'x', sizeof data);
    bine_websocket *websocket = open_at("/echo", NULL);
    CHECK(websocket != NULL);
    CHECK_STRING(bine_websocket_protocol(websocket), "");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int kind = i % 2 ? BINE_WEBSOCKET_TEXT : BINE_WEBSOCKET_BINARY;
        CHECK_OK(bine_websocket_send(websocket, kind, sizes[i] ? data : NULL, sizes[i]));
        expect(websocket, kind, data, sizes[i]);
    }
    CHECK_ERROR(bine_http_client_free(client), EBUSY);
    CHECK_OK(bine_websocket_free(websocket));
    CHECK_OK(bine_websocket_free(NULL));
    end();
    CHECK_EQ(last_code, 1000);
}

TEST(websocket_client_agrees_upon_a_protocol)
{
    begin();
    bine_websocket *websocket =
        open_at("/ticks", &(bine_websocket_options){.protocol = "other, ticks"});
    CHECK(websocket != NULL);
    CHECK_STRING(bine_websocket_protocol(websocket), "ticks");
    CHECK_OK(bine_websocket_free(websocket));
    CHECK_ERROR(open_at("/ticks", &(bine_websocket_options){.protocol = "tick"}), EPROTO);
    CHECK_ERROR(open_at("/ticks", NULL), EPROTO);
    end();
}

TEST(websocket_client_closes_and_is_closed)
{
    bine_websocket_message message;
    begin();
    bine_websocket *websocket = open_at("/echo", NULL);
    CHECK_OK(bine_websocket_close(websocket, 4001, "bye"));
    CHECK_ERROR(bine_websocket_send(websocket, BINE_WEBSOCKET_TEXT, "x", 1), EPIPE);
    CHECK_EQ(bine_websocket_receive(websocket, &message, 10 * BINE_SECOND), 0);
    CHECK_EQ(bine_websocket_code(websocket), 4001);
    CHECK_OK(bine_websocket_free(websocket));
    CHECK_EQ(last_code, 4001);
    websocket = open_at("/close", NULL);
    CHECK_EQ(bine_websocket_receive(websocket, &message, 10 * BINE_SECOND), 0);
    CHECK_EQ(bine_websocket_code(websocket), 4000);
    CHECK_OK(bine_websocket_free(websocket));
    end();
    CHECK_EQ(last_error, 0);
}

TEST(websocket_client_answers_pings_and_sends_some)
{
    begin();
    bine_websocket *websocket = open_at("/speaks", NULL);
    expect(websocket, BINE_WEBSOCKET_TEXT, "secret", 6);
    CHECK_OK(bine_websocket_ping(websocket, "mine", 4));
    /* Behind a ping, which is answered. */
    expect(websocket, BINE_WEBSOCKET_BINARY, "0123456789a", 11);
    CHECK_OK(bine_websocket_send(websocket, BINE_WEBSOCKET_TEXT, "x", 1));
    expect(websocket, BINE_WEBSOCKET_TEXT, "x", 1);
    CHECK_OK(bine_websocket_free(websocket));
    end();
}

TEST(websocket_client_keeps_to_its_limit)
{
    bine_websocket_message message;
    begin();
    bine_websocket *websocket = open_at("/speaks", &(bine_websocket_options){.message = 10});
    expect(websocket, BINE_WEBSOCKET_TEXT, "secret", 6);
    CHECK_ERROR(bine_websocket_receive(websocket, &message, 10 * BINE_SECOND), EPROTO);
    CHECK_ERROR(bine_websocket_send(websocket, BINE_WEBSOCKET_TEXT, "x", 1), EPIPE);
    CHECK_OK(bine_websocket_free(websocket));
    end();
    CHECK_EQ(last_code, 1009);
}

TEST(websocket_client_waits_no_longer_than_it_may)
{
    bine_websocket_message message;
    begin();
    bine_websocket *websocket = open_at("/echo", NULL);
    CHECK_ERROR(bine_websocket_receive(websocket, &message, 0), ETIMEDOUT);
    CHECK_ERROR(bine_websocket_receive(websocket, &message, 5 * BINE_MS), ETIMEDOUT);
    CHECK_OK(bine_websocket_send(websocket, BINE_WEBSOCKET_TEXT, "x", 1));
    expect(websocket, BINE_WEBSOCKET_TEXT, "x", 1);
    CHECK_OK(bine_websocket_free(websocket));
    end();
}

TEST(websocket_client_says_what_the_server_answered_instead)
{
    int status = 0;
    begin();
    CHECK_ERROR(open_at("/nothing", &(bine_websocket_options){.status = &status}), ECONNREFUSED);
    CHECK_EQ(status, 404);
    CHECK_ERROR(open_at("/moved", &(bine_websocket_options){.status = &status}), ECONNREFUSED);
    CHECK_EQ(status, 302);
    end();
}

/* ---- servers by hand ------------------------------------------------------------------------- */

static const char *answer; /* %s: the right Sec-WebSocket-Accept */
static const char *frames; /* what the server says behind it */
static size_t frames_size;
static char got[200];           /* what it has heard from the client since */
static size_t got_size, wanted; /* it listens for so much */

static void accept_key(const char *request, char accept[29])
{
    char text[24 + 37];
    unsigned char hash[SHA_DIGEST_LENGTH];
    const char *key = strstr(request, "Sec-WebSocket-Key: ");
    CHECK(key != NULL);
    memcpy(text, key + 19, 24);
    memcpy(text + 24, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 37);
    SHA1((unsigned char *)text, 60, hash);
    EVP_EncodeBlock((unsigned char *)accept, hash, sizeof hash);
}

static void recite(bine_connection *connection, void *arg)
{
    char request[2000] = "", accept[29], head[500];
    size_t size = 0;
    (void)arg;
    while (!strstr(request, "\r\n\r\n")) {
        ssize_t more = bine_recv(connection->fd, request + size, sizeof request - 1 - size, 0);
        if (more <= 0)
            return;
        request[size += (size_t)more] = '\0';
    }
    accept_key(request, accept);
    size_t length = (size_t)snprintf(head, sizeof head - frames_size, answer, accept);
    memcpy(head + length, frames, frames_size); /* in one packet */
    CHECK_OK(bine_send_all(connection->fd, head, length + frames_size));
    for (got_size = 0; got_size < wanted;) {
        ssize_t more = bine_recv(connection->fd, got + got_size, sizeof got - got_size, 0);
        if (more <= 0)
            return;
        got_size += (size_t)more;
    }
}

static bine_server *plain;

static bine_websocket *open_by_hand(const char *head, const char *data, size_t size, size_t listen)
{
    char text[100];
    answer = head;
    frames = data;
    frames_size = size;
    wanted = listen;
    if (!plain) {
        plain = bine_server_new(&(bine_server_options){.address = "127.0.0.1:0"}, recite, NULL);
        CHECK_OK(bine_server_start(plain));
        client = bine_http_client_new(NULL);
    }
    snprintf(text, sizeof text, "http://127.0.0.1:%d/", bine_server_port(plain));
    return bine_websocket_connect(client, &(bine_http_request){.url = text}, NULL,
                                  10 * BINE_SECOND);
}

static void end_by_hand(void)
{
    CHECK_OK(bine_http_client_free(client));
    CHECK_OK(bine_server_stop(plain, BINE_SECOND));
    CHECK_OK(bine_server_free(plain));
}

#define SWITCH "HTTP/1.1 101 Switching Protocols\r\n"
#define RIGHT                                                                                \
    SWITCH "Connection: keep-alive, upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Accept: " \
           "%s\r\n\r\n"

TEST(websocket_client_takes_no_wrong_answer)
{
    static const struct {
        const char *what, *answer;
        int error;
    } wrong[] = {
        {"another key",
         SWITCH "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: "
                "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
         EPROTO},
        {"no key", SWITCH "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", EPROTO},
        {"no upgrade", SWITCH "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", EPROTO},
        {"another upgrade",
         SWITCH "Connection: Upgrade\r\nUpgrade: h2c\r\nSec-WebSocket-Accept: %s\r\n\r\n", EPROTO},
        {"no connection", SWITCH "Upgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n\r\n", EPROTO},
        {"an extension",
         SWITCH "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n"
                "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
         EPROTO},
        {"a protocol",
         SWITCH "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n"
                "Sec-WebSocket-Protocol: x\r\n\r\n",
         EPROTO},
        {"no HTTP", "hello\r\n\r\n", EPROTO},
        {"nothing", "", ECONNRESET},
        {"status 200", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ECONNREFUSED},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (open_by_hand(wrong[i].answer, "", 0, 0) || errno != wrong[i].error)
            FAIL("%s: %s", wrong[i].what, strerror(errno));
    end_by_hand();
}

TEST(websocket_client_takes_frames_that_come_with_the_handshake)
{
    bine_websocket *websocket = open_by_hand(RIGHT, "\x81\x02hi\x01\x01\x61\x80\x01\x62", 10, 0);
    CHECK(websocket != NULL);
    expect(websocket, BINE_WEBSOCKET_TEXT, "hi", 2);
    expect(websocket, BINE_WEBSOCKET_TEXT, "ab", 2);
    bine_websocket_message message;
    CHECK_ERROR(bine_websocket_receive(websocket, &message, 10 * BINE_SECOND), ECONNRESET);
    CHECK_OK(bine_websocket_free(websocket));
    end_by_hand();
}

/* The payload of a masked frame of at most 125 bytes. */
static const char *unmasked(const char *frame, size_t size)
{
    static char text[126];
    CHECK_EQ((unsigned char)frame[1], 0x80 | size);
    for (size_t i = 0; i < size; i++)
        text[i] = (char)(frame[6 + i] ^ frame[2 + i % 4]);
    text[size] = '\0';
    return text;
}

TEST(websocket_client_masks_its_frames_each_in_another_way)
{
    bine_websocket *websocket = open_by_hand(RIGHT, "", 0, 3 * 11);
    CHECK_OK(bine_websocket_send(websocket, BINE_WEBSOCKET_TEXT, "hello", 5));
    CHECK_OK(bine_websocket_send(websocket, BINE_WEBSOCKET_TEXT, "hello", 5));
    CHECK_OK(bine_websocket_ping(websocket, "hello", 5));
    bine_websocket_message message;
    CHECK_ERROR(bine_websocket_receive(websocket, &message, 10 * BINE_SECOND), ECONNRESET);
    CHECK_EQ(got_size, 3 * 11);
    CHECK_EQ((unsigned char)got[0], 0x81);
    CHECK_EQ((unsigned char)got[22], 0x89);
    for (int i = 0; i < 3; i++)
        CHECK_STRING(unmasked(got + i * 11, 5), "hello");
    CHECK(memcmp(got + 2, got + 13, 4) != 0 || memcmp(got + 2, got + 24, 4) != 0);
    CHECK_OK(bine_websocket_free(websocket));
    end_by_hand();
}

TEST(websocket_client_refuses_what_breaks_the_rules)
{
    static const struct {
        const char *what, *frames;
        size_t size;
        int code;
    } broken[] = {
        {"a masked frame", "\x81\x81\x01\x02\x03\x04\x60", 7, 1002},
        {"a reserved bit", "\xc1\x01x", 3, 1002},
        {"an unknown opcode", "\x83\x01x", 3, 1002},
        {"a text that is none", "\x81\x02\xff\xff", 4, 1007},
        {"a ping in fragments", "\x09\x01x", 3, 1002},
    };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        bine_websocket_message message;
        bine_websocket *websocket = open_by_hand(RIGHT, broken[i].frames, broken[i].size, 8);
        CHECK(websocket != NULL);
        if (bine_websocket_receive(websocket, &message, 10 * BINE_SECOND) != -1 || errno != EPROTO)
            FAIL("%s: %s", broken[i].what, strerror(errno));
        CHECK_OK(bine_websocket_free(websocket));
        for (int turn = 0; turn < 1000 && got_size < 8; turn++)
            bine_sleep(BINE_MS);
        CHECK_GE(got_size, 8);
        CHECK_EQ((unsigned char)got[0], 0x88);
        const char *code = unmasked(got, (unsigned char)got[1] & 0x7f);
        if (((unsigned char)code[0] << 8 | (unsigned char)code[1]) != broken[i].code)
            FAIL("%s: code %d", broken[i].what,
                 (unsigned char)code[0] << 8 | (unsigned char)code[1]);
    }
    end_by_hand();
}

TEST(websocket_client_waits_no_longer_for_the_handshake)
{
    char text[100];
    bine_server *silent =
        bine_server_new(&(bine_server_options){.address = "127.0.0.1:0"}, recite, NULL);
    client = bine_http_client_new(NULL); /* it listens and accepts nothing */
    snprintf(text, sizeof text, "ws://127.0.0.1:%d/", bine_server_port(silent));
    CHECK_ERROR(
        bine_websocket_connect(client, &(bine_http_request){.url = text}, NULL, 20 * BINE_MS),
        ETIMEDOUT);
    CHECK_OK(bine_server_free(silent));
    CHECK_OK(bine_http_client_free(client));
}

/* ---- greenlets and TLS ----------------------------------------------------------------------- */

static void *receive_until_the_end(void *websocket)
{
    bine_websocket_message message;
    while (bine_websocket_receive(websocket, &message, BINE_FOREVER) == 1)
        ;
    return (void *)(intptr_t)errno;
}

TEST(hazard_123_websocket_greenlets_have_left_when_a_client_frees_it)
{
    void *error;
    begin();
    bine_websocket *websocket = open_at("/speaks", NULL);
    bine_greenlet *g = bine_spawn(receive_until_the_end, websocket);
    CHECK_OK(bine_sleep(20 * BINE_MS));
    CHECK_OK(bine_websocket_free(websocket));
    CHECK(bine_dead(g));
    CHECK_OK(bine_join(g, &error, BINE_FOREVER));
    CHECK_EQ((intptr_t)error, ECONNRESET);
    end();
}

TEST(websocket_client_through_tls, .seconds = 60)
{
    const char *certificate = tls_certificate("server");
    char text[100];
    bine_tls_context *for_server =
                         bine_tls_server_new(&(bine_tls_options){.certificate = certificate}),
                     *for_client =
                         bine_tls_client_new(&(bine_tls_options){.authorities = certificate});
    start_with((bine_http_server_options){.tls = for_server}, serve, NULL);
    client = bine_http_client_new(&(bine_http_client_options){.tls = for_client});
    snprintf(text, sizeof text, "wss://localhost:%d/echo", bine_http_server_port(server));
    bine_websocket *websocket =
        bine_websocket_connect(client, &(bine_http_request){.url = text}, NULL, 10 * BINE_SECOND);
    CHECK(websocket != NULL);
    CHECK_OK(bine_websocket_send(websocket, BINE_WEBSOCKET_TEXT, "hello", 5));
    expect(websocket, BINE_WEBSOCKET_TEXT, "hello", 5);
    CHECK_OK(bine_websocket_free(websocket));
    CHECK_OK(bine_http_client_free(client));
    client = bine_http_client_new(NULL);
    CHECK_ERROR(
        bine_websocket_connect(client, &(bine_http_request){.url = text}, NULL, BINE_SECOND),
        EPROTONOSUPPORT);
    CHECK_OK(bine_http_client_free(client));
    stop();
    bine_tls_context_free(for_server);
    bine_tls_context_free(for_client);
}
