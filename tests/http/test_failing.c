/* Running out of memory and of descriptors at every place of an exchange: an error, an answer of
 * status 500 or 503, a closed connection; nothing is left behind, and the next exchange works. */
#include "talk.h"

#include "failing.h"

#define SOON (BINE_SECOND / 2 * harness_slower())

static void echo(bine_http *http, void *arg)
{
    size_t size;
    char *body = bine_http_read_all(http, &size);
    if (strcmp(bine_http_target(http), "/moved") == 0) {
        if (bine_http_set_header(http, "Location", "/here") == 0)
            bine_http_respond(http, 301, NULL, NULL, 0);
        return;
    }
    if (body &&
        bine_http_set_header(http, "X-Long", "0123456789012345678901234567890123456789") == 0 &&
        bine_http_path(http))
        bine_http_respond(http, 200, "text/plain", body, size);
}

static bine_http_client *client;

static void close_all(void)
{
    CHECK_OK(bine_http_client_free(client));
    bine_http_server_stop(server, BINE_SECOND);
    CHECK_OK(bine_http_server_free(server));
}

static bool begin(bine_http_handler *handler, void *arg)
{
    server = bine_http_server_new(&(bine_http_server_options){.listen.address = "127.0.0.1:0"},
                                  handler, arg);
    client = server ? bine_http_client_new(NULL) : NULL;
    if (client && bine_http_server_start(server) == 0)
        return true;
    failing_excuse();
    if (server)
        close_all();
    return false;
}

static void fetch(const char *method, const char *path, const char *body, const char *wanted)
{
    char url[100];
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", bine_http_server_port(server), path);
    bine_http *http = bine_http_fetch(
        client,
        &(bine_http_request){.method = method, .url = url, .body = body, .size = strlen(body)},
        SOON);
    if (!http) {
        CHECK(failing_struck());
        return;
    }
    /* What could not be followed for want of memory is no answer. */
    CHECK(bine_http_status(http) != 301);
    const char *got = bine_http_read_all(http, NULL);
    if (!got || bine_http_status(http) != 200)
        CHECK(failing_struck());
    else
        CHECK_STRING(got, wanted);
    CHECK_OK(bine_http_close(http));
}

static void exchanges(void)
{
    if (!begin(echo, NULL))
        return;
    fetch("POST", "/a%20b", "hello", "hello");
    fetch("GET", "/moved", "", "");
    close_all();
}

TEST(http_exchanges_survive_the_want_of_memory, .seconds = 170)
{
    CHECK_GT(failing_each(exchanges), 20u);
}

static char root[64];

static void file(void)
{
    bine_http_files *files = bine_http_files_new(root, 0);
    if (!files) {
        failing_excuse();
        return;
    }
    if (begin(bine_http_files_serve, files)) {
        fetch("GET", "/a.txt", "", "0123456789");
        close_all();
    }
    bine_http_files_free(files);
}

TEST(http_files_survive_the_want_of_memory, .seconds = 170)
{
    char path[100];
    strcpy(root, "/tmp/bine-http-XXXXXX");
    CHECK(mkdtemp(root) != NULL);
    snprintf(path, sizeof path, "%s/a.txt", root);
    FILE *out = fopen(path, "w");
    CHECK(out && fputs("0123456789", out) >= 0 && fclose(out) == 0);
    CHECK_GT(failing_each(file), 20u);
    CHECK_OK(unlink(path));
    CHECK_OK(rmdir(root));
}

static void websocket_echo(bine_http *http, void *arg)
{
    bine_websocket_message message;
    bine_websocket *websocket = bine_websocket_accept(http, NULL);
    while (websocket && bine_websocket_receive(websocket, &message, SOON) == 1)
        if (bine_websocket_send(websocket, message.kind, message.data, message.size) != 0)
            break;
}

static void websocket(void)
{
    static const char request[] =
        "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        "\x81\x82\0\0\0\0hi";
    if (!begin(websocket_echo, NULL))
        return;
    int fd = bine_dial(bine_http_server_address(server), BINE_SECOND);
    if (fd < 0) {
        failing_excuse();
        close_all();
        return;
    }
    bine_timeout scope;
    CHECK_OK(bine_timeout_begin(&scope, SOON));
    bool echoed =
        bine_send_all(fd, request, sizeof request - 1) == 0 && hear(fd, "\r\n\r\n\x81\x02hi");
    bine_timeout_end(&scope);
    CHECK(echoed || failing_struck());
    bine_close(fd);
    close_all();
}

static void websocket_client(void)
{
    char url[100];
    bine_websocket_message message;
    if (!begin(websocket_echo, NULL))
        return;
    snprintf(url, sizeof url, "ws://127.0.0.1:%d/", bine_http_server_port(server));
    bine_websocket *websocket = bine_websocket_connect(
        client, &(bine_http_request){.url = url}, &(bine_websocket_options){.message = 10}, SOON);
    if (!websocket || bine_websocket_send(websocket, BINE_WEBSOCKET_TEXT, "hi", 2) != 0 ||
        bine_websocket_receive(websocket, &message, SOON) != 1)
        CHECK(failing_struck());
    CHECK_OK(bine_websocket_free(websocket));
    close_all();
}

TEST(websocket_clients_survive_the_want_of_memory, .seconds = 170)
{
    CHECK_GT(failing_each(websocket_client), 20u);
}

TEST(websockets_survive_the_want_of_memory, .seconds = 170)
{
    CHECK_GT(failing_each(websocket), 20u);
}
