/* NULL and impossible arguments of libbine-http: every function of bine/http.h. See ../arguments.h. */
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
                             nowhere = {.listen = {.address = "nonsense"}}, negative = here;
    negative.limits.head_time = -1;
    NOTHING(bine_http_server_new, NULL, exchanges, NULL);
    NOTHING(bine_http_server_new, &here, NULL, NULL);
    NOTHING(bine_http_server_new, &nowhere, exchanges, NULL);
    NOTHING(bine_http_server_new, &negative, exchanges, NULL);
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
    bine_http_client_options negative = {.limits = {.head_time = -1}};
    static const char *const half[] = {"name", NULL}, *const bad[] = {"X", "two\r\nlines", NULL};
    bine_http_request no_url = {.method = "GET"}, no_method = {.method = "no token", .url = url},
                      no_value = {.url = url, .headers = half}, no_header = {.url = url, .headers = bad},
                      no_body = {.url = url, .size = 1};
    NOTHING(bine_http_client_new, &negative);
    HARMLESS(bine_http_client_free, 0, NULL);
    NOTHING(bine_http_fetch, NULL, &no_url, 0);
    NOTHING(bine_http_fetch, client, NULL, 0);
    NOTHING(bine_http_fetch, client, &no_url, BINE_SECOND);
    NOTHING(bine_http_fetch, client, &no_method, BINE_SECOND);
    NOTHING(bine_http_fetch, client, &no_value, BINE_SECOND);
    NOTHING(bine_http_fetch, client, &no_header, BINE_SECOND);
    NOTHING(bine_http_fetch, client, &no_body, BINE_SECOND);
    NOTHING(bine_http_get, NULL, url, 0);
    NOTHING(bine_http_get, client, NULL, 0);
    NOTHING(bine_http_get, client, "nonsense", BINE_SECOND);
    NOTHING(bine_http_get, client, url, -1);
}

static void websockets(void)
{
    bine_websocket_message message;
    NOTHING(bine_websocket_accept, NULL, NULL);
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
    bine_http *answer = bine_http_get(client, url, 10 * BINE_SECOND);
    CHECK(answer != NULL);
    CHECK_EQ(bine_http_status(answer), 200);
    NOTHING(bine_http_method, answer); /* a server's */
    REFUSED(bine_http_respond, answer, 200, NULL, NULL, 0);
    CHECK_OK(bine_http_close(answer));
    CHECK_OK(bine_http_client_free(client));
    CHECK_OK(bine_http_server_stop(server, 0));
    CHECK_OK(bine_http_server_free(server));
    bine_http_files_free(files);
    CHECK_GT(arguments_of_header("http.h"), 30);
    CHECK_EQ(arguments_wrong, 0);
}
