/* Websockets: handshake, messages, pings, closing, and what is refused. The client's frames are
 * made by hand. */
#include "talk.h"

#define HANDSHAKE(more)                                                                        \
    "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n" \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" more "\r\n"

static int ended, last_code, last_error;

static void echo(bine_http *http, void *arg)
{
    bine_websocket_message message;
    bine_websocket *websocket = bine_websocket_accept(http, arg);
    if (!websocket) {
        last_error = errno;
        return;
    }
    int result;
    while ((result = bine_websocket_receive(websocket, &message, BINE_FOREVER)) == 1) {
        CHECK_EQ(message.data[message.size], '\0');
        CHECK_OK(bine_websocket_send(websocket, message.kind, message.data, message.size));
    }
    last_error = result < 0 ? errno : 0;
    last_code = bine_websocket_code(websocket);
    ended++;
}

/* A client's frame: masked, at most 125 bytes. */
static void say_frame(int fd, int first, const char *data, size_t size)
{
    char frame[6 + 125] = {(char)first, (char)(0x80 | size), 1, 2, 3, 4};
    for (size_t i = 0; i < size; i++)
        frame[6 + i] = (char)(data[i] ^ (1 + i % 4));
    say_bytes(fd, frame, 6 + size);
}

static void hear_frame(int fd, int first, const char *data, size_t size)
{
    char frame[127];
    size_t have = 0;
    while (have < 2 + size) {
        ssize_t got = bine_recv(fd, frame + have, 2 + size - have, 0);
        CHECK_GT(got, 0);
        have += (size_t)got;
    }
    CHECK_EQ(frame[0], (char)first);
    CHECK_EQ(frame[1], (char)size);
    CHECK_MEMORY(frame + 2, data, size);
}

/* The answer's head and no byte more: frames may come right behind it. */
static const char *hear_head(int fd)
{
    static char head[1000];
    size_t size = 0;
    while (size < 4 || memcmp(head + size - 4, "\r\n\r\n", 4) != 0) {
        CHECK_LT(size, sizeof head - 1);
        CHECK_EQ(bine_recv(fd, head + size++, 1, 0), 1);
    }
    head[size] = '\0';
    return head;
}

static int open_websocket(void)
{
    int fd = connect_to_server();
    say(fd, HANDSHAKE(""));
    CHECK(hear(fd, "\r\n\r\n"));
    BEGINS(heard,
           "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n");
    HAS(heard, "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
    return fd;
}

static void expect_end(int fd)
{
    char byte;
    CHECK_EQ(bine_recv(fd, &byte, 1, 0), 0);
    bine_close(fd);
}

enum {
    TEXT = 0x81,
    BINARY = 0x82,
    CLOSE = 0x88,
    PING = 0x89,
    PONG = 0x8a
};

TEST(websocket_echoes_and_closes)
{
    start(echo);
    int fd = open_websocket();
    say_frame(fd, TEXT, "hello", 5);
    hear_frame(fd, TEXT, "hello", 5);
    say_frame(fd, BINARY, "\0\1", 2);
    hear_frame(fd, BINARY, "\0\1", 2);
    say_frame(fd, TEXT, "", 0);
    hear_frame(fd, TEXT, "", 0);
    say_frame(fd, CLOSE,
              "\x03\xe9"
              "bye",
              5);
    hear_frame(fd, CLOSE,
               "\x03\xe9"
               "bye",
               5);
    expect_end(fd);
    stop();
    CHECK_EQ(ended, 1);
    CHECK_EQ(last_code, 1001);
    CHECK_EQ(last_error, 0);
}

TEST(websocket_messages_in_fragments_with_pings_between)
{
    start(echo);
    int fd = open_websocket();
    say_frame(fd, 0x01, "one ", 4);
    say_frame(fd, PING, "alive?", 6);
    hear_frame(fd, PONG, "alive?", 6);
    say_frame(fd, 0x00, "two ", 4);
    say_frame(fd, 0x80, "three", 5);
    hear_frame(fd, TEXT, "one two three", 13);
    say_frame(fd, CLOSE, "", 0);
    hear_frame(fd, CLOSE, "", 0);
    expect_end(fd);
    stop();
    CHECK_EQ(last_code, 1005);
}

TEST(websocket_messages_that_come_at_once_and_behind_the_handshake)
{
    static const char both[] = HANDSHAKE("") "\x81\x81\1\2\3\4\x60\x81\x81\1\2\3\4\x63";
    start(echo);
    int fd = connect_to_server();
    say_bytes(fd, both, sizeof both - 1);
    hear_head(fd);
    hear_frame(fd, TEXT, "a", 1);
    hear_frame(fd, TEXT, "b", 1);
    bine_close(fd);
    stop();
    CHECK_EQ(last_error, ECONNRESET);
}

static void expect_refusal(int first, const char *data, size_t size, const char *code)
{
    int fd = open_websocket();
    say_frame(fd, first, data, size);
    char frame[2];
    CHECK_EQ(bine_recv(fd, frame, 2, MSG_WAITALL), 2);
    CHECK_EQ(frame[0], (char)CLOSE);
    CHECK_EQ(bine_recv(fd, frame, 2, MSG_WAITALL), 2);
    CHECK_MEMORY(frame, code, 2);
    hear(fd, NULL);
    bine_close(fd);
}

TEST(websocket_refuses_what_breaks_the_rules)
{
    bine_websocket_options options = {.message = 10};
    start_with((bine_http_server_options){0}, echo, &options);
    expect_refusal(TEXT, "\xff\xfe", 2, "\x03\xef");     /* no UTF-8: 1007 */
    expect_refusal(0x83, "x", 1, "\x03\xea");            /* no such frame: 1002 */
    expect_refusal(0x80, "x", 1, "\x03\xea");            /* a rest of nothing */
    expect_refusal(0xc1, "x", 1, "\x03\xea");            /* an extension that nobody asked for */
    expect_refusal(TEXT, "0123456789a", 11, "\x03\xf1"); /* too long: 1009 */
    stop();
    CHECK_EQ(ended, 5);
    CHECK_EQ(last_error, EPROTO);
}

TEST(websocket_says_1002_to_what_is_no_frame)
{
    static const struct {
        const char *bytes;
        size_t size;
    } none[] = {
        {"\x09\x81mask\0", 7},                    /* a ping in fragments */
        {"\x89\xfe\0\x7e", 4},                    /* a ping with 126 bytes */
        {"\x82\xfe\0\x05maskhello", 13},          /* a short length in the long form */
        {"\x82\xff\x80\0\0\0\0\0\0\x05mask", 14}, /* a negative length */
        {"\x81\x02hi", 4},                        /* not masked */
    };
    start(echo);
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        int fd = open_websocket();
        last_error = 0;
        say_frame(fd, TEXT, "before", 6);
        hear_frame(fd, TEXT, "before", 6);
        say_frame(fd, TEXT, "at once", 7);
        say_bytes(fd, none[i].bytes, none[i].size);
        hear_frame(fd, TEXT, "at once", 7);
        hear_frame(fd, CLOSE, "\x03\xea", 2);
        hear(fd, NULL);
        bine_close(fd);
        CHECK_EQ(last_error, EPROTO);
    }
    stop();
}

/* A time limit holds for the call, whatever comes meanwhile that is no message. */
static void receive_for_a_while(bine_http *http, void *arg)
{
    (void)arg;
    bine_websocket_message message;
    bine_websocket *websocket = bine_websocket_accept(http, NULL);
    CHECK(websocket != NULL);
    CHECK_ERROR(bine_websocket_receive(websocket, &message, 50 * BINE_MS), ETIMEDOUT);
    ended++;
    CHECK_EQ(bine_websocket_receive(websocket, &message, BINE_FOREVER), 1);
    CHECK_MEMORY(message.data, "slow", 4); /* nothing was lost */
}

TEST(hazard_121_websocket_receive_ends_in_time_whatever_comes_meanwhile)
{
    char frame[6 + 125] = {(char)TEXT, (char)(0x80 | 125), 0, 0, 0, 0, 's', 'l', 'o', 'w'};
    start(receive_for_a_while);
    int pings = open_websocket();
    for (int i = 0; i < 1000 && !ended; i++) {
        say_frame(pings, PING, "p", 1);
        CHECK_OK(bine_sleep(5 * BINE_MS));
    }
    CHECK_EQ(ended, 1);
    say_frame(pings, TEXT, "slow", 4);
    int drips = open_websocket();
    size_t said = 0;
    for (; said < sizeof frame && ended == 1; said++) {
        say_bytes(drips, frame + said, 1);
        CHECK_OK(bine_sleep(5 * BINE_MS));
    }
    CHECK_EQ(ended, 2);
    say_bytes(drips, frame + said, sizeof frame - said);
    bine_close(pings);
    bine_close(drips);
    stop();
}

TEST(websocket_refuses_handshakes_that_are_none)
{
    start(echo);
    BEGINS(talk(LAST("/ws")), "HTTP/1.1 400 ");
    CHECK_EQ(last_error, EPROTO);
    BEGINS(talk("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: "
                "websocket\r\nSec-WebSocket-Version: 8\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"),
           "HTTP/1.1 426 ");
    HAS(heard, "\r\nSec-WebSocket-Version: 13\r\n");
    BEGINS(talk("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: "
                "websocket\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: short\r\n\r\n"),
           "HTTP/1.1 400 ");
    BEGINS(talk("POST / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: "
                "websocket\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"),
           "HTTP/1.1 400 ");
    stop();
}

/* ---- a server that speaks first, from two greenlets ------------------------------------------ */

static void *send_ten(void *websocket)
{
    for (int i = 0; i < 10; i++)
        CHECK_OK(bine_websocket_send(websocket, BINE_WEBSOCKET_TEXT, "tick", 4));
    return NULL;
}

static void speak(bine_http *http, void *arg)
{
    bine_websocket_message message;
    bine_websocket_options options = {.protocol = "ticks"};
    CHECK_OK(bine_http_set_header(http, "X-Own", "kept"));
    bine_websocket_options newer = options;
    newer.reserved[2] = 1;
    CHECK(bine_websocket_accept(http, &newer) == NULL && errno == EINVAL);
    bine_websocket *websocket = bine_websocket_accept(http, &options);
    CHECK(websocket != NULL);
    CHECK_ERROR(bine_websocket_accept(http, NULL), EALREADY);
    CHECK_ERROR(bine_http_respond(http, 200, NULL, "x", 1), EALREADY);
    CHECK_ERROR(bine_websocket_receive(websocket, &message, BINE_MS), ETIMEDOUT);
    bine_greenlet *all[2] = {bine_spawn(send_ten, websocket), bine_spawn(send_ten, websocket)};
    CHECK_OK(bine_joinall(all, 2, BINE_FOREVER));
    CHECK_OK(bine_websocket_ping(websocket, "p", 1));
    CHECK_OK(bine_websocket_close(websocket, 1000, "enough"));
    CHECK_ERROR(bine_websocket_send(websocket, BINE_WEBSOCKET_TEXT, "x", 1), EPIPE);
    CHECK_EQ(bine_websocket_receive(websocket, &message, BINE_FOREVER), 0);
    CHECK_EQ(bine_websocket_code(websocket), 1000);
    ended++;
}

TEST(websocket_a_server_that_speaks_first)
{
    start(speak);
    int fd = connect_to_server();
    say(fd, HANDSHAKE("Sec-WebSocket-Protocol: other, ticks\r\n"));
    const char *head = hear_head(fd);
    HAS(head, "\r\nSec-WebSocket-Protocol: ticks\r\n");
    HAS(head, "\r\nX-Own: kept\r\n");
    for (int i = 0; i < 20; i++)
        hear_frame(fd, TEXT, "tick", 4);
    hear_frame(fd, PING, "p", 1);
    say_frame(fd, PONG, "p", 1);
    hear_frame(fd, CLOSE,
               "\x03\xe8"
               "enough",
               8);
    say_frame(fd, CLOSE, "\x03\xe8", 2);
    expect_end(fd);
    stop();
    CHECK_EQ(ended, 1);
}

static bine_websocket *shared;
static int sender_error, receiver_error;

/* To a client that does not read. */
static void *send_much(void *arg)
{
    static char much[1 << 20];
    while (bine_websocket_send(shared, BINE_WEBSOCKET_BINARY, much, sizeof much) == 0)
        ;
    sender_error = errno;
    return arg;
}

static void *receive_one(void *arg)
{
    bine_websocket_message message;
    receiver_error = bine_websocket_receive(shared, &message, BINE_FOREVER) == -1 ? errno : 0;
    return arg;
}

static void lend(bine_http *http, void *arg)
{
    (void)arg;
    shared = bine_websocket_accept(http, NULL);
    CHECK_OK(bine_go(send_much, NULL));
    CHECK_OK(bine_go(send_much, NULL)); /* waits for its turn */
    CHECK_OK(bine_go(receive_one, NULL));
    bine_sleep(BINE_FOREVER);
}

TEST(hazard_123_websocket_greenlets_that_use_it_have_left_when_it_ends)
{
    start(lend);
    int fd = open_websocket();
    CHECK_OK(bine_sleep(20 * BINE_MS));
    CHECK_EQ(sender_error, 0);
    CHECK_ERROR(bine_http_server_stop(server, 0), ETIMEDOUT);
    CHECK(sender_error != 0);
    CHECK(receiver_error != 0);
    CHECK_OK(bine_http_server_free(server));
    bine_close(fd);
}

TEST(websocket_arguments)
{
    bine_websocket_message message;
    CHECK_ERROR(bine_websocket_accept(NULL, NULL), EINVAL);
    CHECK_ERROR(bine_websocket_receive(NULL, &message, 0), EINVAL);
    CHECK_ERROR(bine_websocket_send(NULL, BINE_WEBSOCKET_TEXT, "x", 1), EINVAL);
    CHECK_ERROR(bine_websocket_ping(NULL, "x", 1), EINVAL);
    CHECK_ERROR(bine_websocket_close(NULL, 1000, NULL), EINVAL);
    CHECK_EQ(bine_websocket_code(NULL), 0);
}
