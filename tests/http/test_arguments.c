/* NULL and impossible arguments of libbine-http: every function of bine/http.h. See
 * ../arguments.h. */
#include <bine.h>
#include <bine/http.h>

#include "arguments.h"

static void exchanges_of_nothing(void)
{
    const char *name, *value;
    char byte;
    size_t size;
    NOTHING(bine_http_method, NULL);
    NOTHING(bine_http_target, NULL);
    NOTHING(bine_http_path, NULL);
    HARMLESS(bine_http_query, NULL, NULL);
    NOTHING(bine_http_connection, NULL);
    HARMLESS(bine_http_tls, NULL, NULL);
    HARMLESS(bine_http_header, NULL, NULL, "Host");
    HARMLESS(bine_http_header_at, false, NULL, 0, &name, &value);
    HARMLESS(bine_http_length, 0, NULL);
    REFUSED(bine_http_read, NULL, &byte, 1);
    NOTHING(bine_http_read_all, NULL, &size);
    REFUSED(bine_http_set_header, NULL, "X", "y");
    REFUSED(bine_http_respond, NULL, 200, NULL, NULL, 0);
    REFUSED(bine_http_begin, NULL, 200, NULL, 0);
    REFUSED(bine_http_write, NULL, "x", 1);
    REFUSED(bine_http_abort, NULL);
    IGNORED(bine_http_metrics, NULL, NULL);
    REFUSED(bine_http_status, NULL);
    NOTHING(bine_http_url, NULL);
    HARMLESS(bine_http_close, 0, NULL);
}

/* In a handler, where there is an exchange. */
static void exchanges(bine_http *http, void *files)
{
    HARMLESS(bine_http_header, NULL, http, NULL);
    HARMLESS(bine_http_header_at, false, http, 1000, NULL, NULL);
    REFUSED(bine_http_read, http, NULL, 1);
    REFUSED(bine_http_set_header, http, NULL, "y");
    REFUSED(bine_http_set_header, http, "X", NULL);
    REFUSED(bine_http_set_header, http, "no token", "y");
    REFUSED(bine_http_set_header, http, "X", "two\r\nlines");
    REFUSED(bine_http_set_header, http, "Content-Length", "1");
    REFUSED(bine_http_respond, http, 100, NULL, NULL, 0);
    REFUSED(bine_http_respond, http, 600, NULL, NULL, 0);
    REFUSED(bine_http_respond, http, 200, NULL, NULL, 1);
    REFUSED(bine_http_respond, http, 304, NULL, "x", 1);
    REFUSED(bine_http_respond, http, 200, "two\nlines", "x", 1);
    REFUSED(bine_http_begin, http, 0, NULL, 0);
    REFUSED(bine_http_begin, http, 200, NULL, -2);
    REFUSED(bine_http_status, http); /* a client's */
    NOTHING(bine_http_url, http);
    REFUSED(bine_http_close, http);
    REFUSED(bine_http_files_send, NULL, http, "/");
    REFUSED(bine_http_files_send, files, NULL, "/");
    REFUSED(bine_http_files_send, files, http, NULL);
    CHECK_OK(bine_http_respond(http, 200, NULL, "x", 1));
}

static void servers(void)
{
    bine_http_server_options here = {.listen = {.address = "127.0.0.1:0"}},
                             nowhere = {.listen = {.address = "nonsense"}}, negative = here,
                             newer = here, newer_limits = here, newer_listener = here;
    negative.limits.head_time = -1;
    newer.reserved[3] = newer_limits.limits.reserved[0] = newer_listener.listen.reserved[1] = 1;
    NOTHING(bine_http_server_new, NULL, exchanges, NULL);
    NOTHING(bine_http_server_new, &here, NULL, NULL);
    NOTHING(bine_http_server_new, &nowhere, exchanges, NULL);
    NOTHING(bine_http_server_new, &negative, exchanges, NULL);
    NOTHING(bine_http_server_new, &newer, exchanges, NULL);
    NOTHING(bine_http_server_new, &newer_limits, exchanges, NULL);
    NOTHING(bine_http_server_new, &newer_listener, exchanges, NULL);
    NOTHING(bine_http_server_share, NULL);
    REFUSED(bine_http_server_start, NULL);
    REFUSED(bine_http_server_serve, NULL);
    HARMLESS(bine_http_server_free, 0, NULL);
    NOTHING(bine_http_server_address, NULL);
    REFUSED(bine_http_server_port, NULL);
    REFUSED(bine_http_server_stop, NULL, 0);
    bine_http_server *server = bine_http_server_new(&here, exchanges, NULL);
    REFUSED(bine_http_server_stop, server, -1);
    CHECK_OK(bine_http_server_free(server));
    NOTHING(bine_http_files_new, NULL, 0);
    NOTHING(bine_http_files_new, "/tmp", 1u << 30);
    IGNORED(bine_http_files_free, NULL);
    IGNORED(bine_http_files_serve, NULL, NULL);
}

static void clients(bine_http_client *client, const char *url)
{
    bine_http_client_options negative = {.limits = {.head_time = -1}}, newer = {.reserved = {0, 1}};
    static const char *const half[] = {"name", NULL}, *const bad[] = {"X", "two\r\nlines", NULL};
    bine_http_request no_url = {.method = "GET"}, no_method = {.method = "no token", .url = url},
                      no_value = {.url = url, .headers = half},
                      no_header = {.url = url, .headers = bad}, no_body = {.url = url, .size = 1},
                      newer_request = {.url = url, .reserved = {0, 0, 1}};
    NOTHING(bine_http_client_new, &negative);
    NOTHING(bine_http_client_new, &newer);
    HARMLESS(bine_http_client_free, 0, NULL);
    NOTHING(bine_http_fetch, NULL, &no_url, 0);
    NOTHING(bine_http_fetch, client, NULL, 0);
    NOTHING(bine_http_fetch, client, &no_url, BINE_SECOND);
    NOTHING(bine_http_fetch, client, &no_method, BINE_SECOND);
    NOTHING(bine_http_fetch, client, &no_value, BINE_SECOND);
    NOTHING(bine_http_fetch, client, &no_header, BINE_SECOND);
    NOTHING(bine_http_fetch, client, &no_body, BINE_SECOND);
    NOTHING(bine_http_fetch, client, &newer_request, BINE_SECOND);
    NOTHING(bine_http_get, NULL, url, 0);
    NOTHING(bine_http_get, client, NULL, 0);
    NOTHING(bine_http_get, client, "nonsense", BINE_SECOND);
    NOTHING(bine_http_get, client, url, -1);
    static const char *const own[] = {"Sec-WebSocket-Key", "x", NULL};
    static const char *const lists[] = {"", ",", "a,", "a b", "a,,b", " ", "a;b"};
    bine_http_request there = {.url = url}, post = {.url = url, .method = "POST"},
                      key = {.url = url, .headers = own},
                      body = {.url = url, .body = "x", .size = 1}, other = {.url = "ftp://x/"};
    NOTHING(bine_websocket_connect, NULL, &there, NULL, 0);
    NOTHING(bine_websocket_connect, client, NULL, NULL, 0);
    NOTHING(bine_websocket_connect, client, &no_url, NULL, 0);
    NOTHING(bine_websocket_connect, client, &there,
            &(bine_websocket_options){.reserved = {0, 0, 1}}, BINE_SECOND);
    NOTHING(bine_websocket_connect, client, &there, NULL, -1);
    NOTHING(bine_websocket_connect, client, &post, NULL, BINE_SECOND);
    NOTHING(bine_websocket_connect, client, &key, NULL, BINE_SECOND);
    NOTHING(bine_websocket_connect, client, &body, NULL, BINE_SECOND);
    NOTHING(bine_websocket_connect, client, &other, NULL, BINE_SECOND);
    NOTHING(bine_websocket_connect, client, &no_header, NULL, BINE_SECOND);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        bine_websocket_options list = {.protocol = lists[i]};
        NOTHING(bine_websocket_connect, client, &there, &list, BINE_SECOND);
    }
}

/* Those of a websocket that is open, and of one that this side has closed. */
static void open_websocket(bine_http *http, void *arg)
{
    static const int impossible_kinds[] = {0, 3, 8, 9, 10, -1, 1 << 20};
    static const int impossible_codes[] = {0,    -1,   999,  1004, 1005, 1006,
                                           1015, 1016, 2999, 5000, 66536};
    static const char large[126 + 1] = "";
    char reason[124 + 1];
    bine_websocket_message message;
    bine_websocket_options no_token = {.protocol = "no token"};
    memset(reason, 'x', 124);
    reason[124] = '\0';
    NOTHING(bine_websocket_accept, http, &no_token);
    bine_websocket *websocket = bine_websocket_accept(http, NULL);
    CHECK(websocket != NULL);
    for (size_t i = 0; i < sizeof impossible_kinds / sizeof *impossible_kinds; i++)
        REFUSED(bine_websocket_send, websocket, impossible_kinds[i], "x", 1);
    for (size_t i = 0; i < sizeof impossible_codes / sizeof *impossible_codes; i++)
        REFUSED(bine_websocket_close, websocket, impossible_codes[i], NULL);
    REFUSED(bine_websocket_send, websocket, BINE_WEBSOCKET_TEXT, NULL, 1);
    REFUSED(bine_websocket_ping, websocket, NULL, 1);
    REFUSED(bine_websocket_ping, websocket, large, 126);
    REFUSED(bine_websocket_close, websocket, 1000, reason);
    REFUSED(bine_websocket_receive, websocket, NULL, 0);
    REFUSED(bine_websocket_receive, websocket, &message, -1);
    REFUSED(bine_websocket_free, websocket); /* a server's */
    CHECK_ERROR(bine_http_respond(http, 200, NULL, NULL, 0), EALREADY);
    CHECK_ERROR(bine_websocket_accept(http, NULL), EALREADY);
    /* Nothing of it has been sent: the first frame is this. */
    CHECK_OK(bine_websocket_close(websocket, 4999, reason + 1));
    CHECK_ERROR(bine_websocket_close(websocket, 1000, NULL), EPIPE);
    CHECK_ERROR(bine_websocket_send(websocket, BINE_WEBSOCKET_BINARY, NULL, 0), EPIPE);
    CHECK_ERROR(bine_websocket_ping(websocket, NULL, 0), EPIPE);
    REFUSED(bine_websocket_send, websocket, 0, "x", 1);
    CHECK_EQ(bine_websocket_code(websocket), 0);
    CHECK_EQ(bine_websocket_receive(websocket, &message, BINE_FOREVER), 0);
    CHECK_EQ(bine_websocket_code(websocket), 1000);
    CHECK_EQ(bine_websocket_receive(websocket, &message, 0), 0);
    *(bool *)arg = true;
}

static void live_websockets(void)
{
    static const char handshake[] =
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    bool done = false;
    char heard[1000], *frame = NULL;
    size_t size = 0;
    bine_http_server_options options = {.listen = {.address = "127.0.0.1:0"}};
    bine_http_server *server = bine_http_server_new(&options, open_websocket, &done);
    CHECK_OK(bine_http_server_start(server));
    int fd = bine_dial(bine_http_server_address(server), 10 * BINE_SECOND);
    CHECK_OK(bine_send_all(fd, handshake, sizeof handshake - 1));
    while (!frame || heard + size < frame + 4 + 2 + 2 + 123) {
        ssize_t got = bine_recv(fd, heard + size, sizeof heard - 1 - size, 0);
        CHECK_GT(got, 0);
        heard[size += (size_t)got] = '\0';
        frame = strstr(heard, "\r\n\r\n");
    }
    CHECK_MEMORY(frame + 4, "\x88\x7d\x13\x87xxx", 7);
    CHECK_OK(bine_send_all(fd, "\x88\x82\0\0\0\0\x03\xe8", 8));
    CHECK_EQ(bine_recv(fd, heard, 1, 0), 0);
    CHECK(done);
    CHECK_OK(bine_close(fd));
    CHECK_OK(bine_http_server_stop(server, 10 * BINE_SECOND));
    CHECK_OK(bine_http_server_free(server));
}

static void websockets(void)
{
    bine_websocket_message message;
    NOTHING(bine_websocket_accept, NULL, NULL);
    HARMLESS(bine_websocket_free, 0, NULL);
    EXCEPTED(bine_websocket_protocol, "says \"\" for NULL");
    CHECK_STRING(bine_websocket_protocol(NULL), "");
    REFUSED(bine_websocket_receive, NULL, &message, 0);
    REFUSED(bine_websocket_send, NULL, BINE_WEBSOCKET_TEXT, "x", 1);
    REFUSED(bine_websocket_ping, NULL, NULL, 0);
    REFUSED(bine_websocket_close, NULL, 1000, NULL);
    HARMLESS(bine_websocket_code, 0, NULL);
}

TEST(null_and_impossible_arguments_are_einval_everywhere)
{
    bine_http_files *files = bine_http_files_new("/tmp", 0);
    bine_http_server_options options = {.listen = {.address = "127.0.0.1:0"}};
    bine_http_server *server = bine_http_server_new(&options, exchanges, files);
    CHECK(files != NULL && server != NULL);
    CHECK_OK(bine_http_server_start(server));
    bine_http_client *client = bine_http_client_new(NULL);
    char url[100];
    snprintf(url, sizeof url, "http://%s/", bine_http_server_address(server));
    exchanges_of_nothing();
    servers();
    clients(client, url);
    websockets();
    live_websockets();
    bine_http *answer = bine_http_get(client, url, 10 * BINE_SECOND);
    CHECK(answer != NULL);
    CHECK_EQ(bine_http_status(answer), 200);
    NOTHING(bine_http_method, answer); /* a server's */
    REFUSED(bine_http_respond, answer, 200, NULL, NULL, 0);
    CHECK_OK(bine_http_close(answer));
    CHECK_OK(bine_http_client_free(client));
    CHECK_OK(bine_http_server_stop(server, 10 * BINE_SECOND));
    CHECK_OK(bine_http_server_free(server));
    bine_http_files_free(files);
    CHECK_GT(arguments_of_header("http.h"), 30);
    CHECK_EQ(arguments_wrong, 0);
}
