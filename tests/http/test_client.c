/* The client of libbine-http, against its server and against servers that say what they are told
 * to. */
#include "talk.h"

#include "net/tls.h"

static int connections, requests;

static void handle(bine_http *http, void *arg)
{
    const char *path = bine_http_path(http), *query = bine_http_query(http);
    char text[350];
    requests++;
    if (strcmp(path, "/echo") == 0) {
        size_t size;
        char *body = bine_http_read_all(http, &size);
        if (body)
            bine_http_respond(http, 200, "text/plain", body, size);
    } else if (strcmp(path, "/chunks") == 0) {
        bine_http_begin(http, 200, NULL, -1);
        for (int i = 0; i < 5; i++)
            bine_http_write(http, "chunk", 5);
    } else if (strcmp(path, "/redirect") == 0) {
        bine_http_set_header(http, "Location", query);
        bine_http_respond(
            http, bine_http_header(http, "Status") ? atoi(bine_http_header(http, "Status")) : 302,
            NULL, "x", 1);
    } else {
        const char *secret = bine_http_header(http, "Authorization");
        snprintf(text, sizeof text, "%s %s %s %s", bine_http_method(http), bine_http_target(http),
                 bine_http_header(http, "Host"), secret ? secret : "-");
        bine_http_respond(http, 200, "text/plain", text, strlen(text));
    }
}

static void count_connection(const bine_http_record *record, void *arg)
{
    static int last = -1;
    connections += record->connection->peer.ss_family == AF_INET &&
                   ((struct sockaddr_in *)&record->connection->peer)->sin_port != last;
    last = ((struct sockaddr_in *)&record->connection->peer)->sin_port;
}

static bine_http_client *client;

static void begin(void)
{
    start_with((bine_http_server_options){.log = count_connection}, handle, NULL);
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
    static char texts[4][400];
    static unsigned used;
    char *text = texts[used++ % 4];
    snprintf(text, sizeof texts[0], "http://127.0.0.1:%d%s", bine_http_server_port(server), path);
    return text;
}

static void expect(bine_http *http, int status, const char *body)
{
    if (!http)
        FAIL("no answer");
    CHECK_EQ(bine_http_status(http), status);
    CHECK_STRING(bine_http_read_all(http, NULL), body);
    CHECK_OK(bine_http_close(http));
}

TEST(http_client_gets_and_keeps_its_connection)
{
    char text[100];
    begin();
    snprintf(text, sizeof text, "GET /a?b=c 127.0.0.1:%d -", bine_http_server_port(server));
    for (int i = 0; i < 3; i++)
        expect(bine_http_get(client, url("/a?b=c#d"), BINE_SECOND), 200, text);
    expect(bine_http_get(client, url("/chunks"), BINE_SECOND), 200, "chunkchunkchunkchunkchunk");
    expect(bine_http_get(client, url("/echo"), BINE_SECOND), 200, "");
    expect(bine_http_fetch(client, &(bine_http_request){.url = url("/chunks"), .method = "HEAD"},
                           BINE_SECOND),
           200, "");
    CHECK_EQ(connections, 1);
    /* What has not been read cannot be skipped. */
    bine_http *http = bine_http_get(client, url("/chunks"), BINE_SECOND);
    CHECK_EQ(bine_http_length(http), -1);
    CHECK_ERROR(bine_http_client_free(client), EBUSY);
    CHECK_OK(bine_http_close(http));
    expect(bine_http_get(client, url("/echo"), BINE_SECOND), 200, "");
    CHECK_EQ(connections, 2);
    end();
}

static ssize_t three_times(void *arg, void *buffer, size_t size)
{
    int *left = arg;
    memcpy(buffer, "piece ", 6);
    return (*left)-- > 0 ? 6 : 0;
}

static ssize_t fails(void *arg, void *buffer, size_t size)
{
    errno = EIO;
    return -1;
}

TEST(http_client_sends_bodies)
{
    int left = 3;
    static const char *const headers[] = {"Authorization", "me", "X-Own", "a", NULL};
    begin();
    expect(bine_http_fetch(client,
                           &(bine_http_request){
                               .method = "POST", .url = url("/echo"), .body = "abc", .size = 3},
                           BINE_SECOND),
           200, "abc");
    expect(bine_http_fetch(
               client,
               &(bine_http_request){
                   .method = "POST", .url = url("/echo"), .read = three_times, .arg = &left},
               BINE_SECOND),
           200, "piece piece piece ");
    CHECK_ERROR(
        bine_http_fetch(client,
                        &(bine_http_request){.method = "POST", .url = url("/echo"), .read = fails},
                        BINE_SECOND),
        EIO);
    bine_http *http = bine_http_fetch(
        client, &(bine_http_request){.url = url("/"), .headers = headers}, BINE_SECOND);
    HAS(bine_http_read_all(http, NULL), " me");
    CHECK_OK(bine_http_close(http));
    end();
}

static bine_http *post(const char *path, const char *const *headers)
{
    return bine_http_fetch(
        client,
        &(bine_http_request){
            .method = "POST", .url = url(path), .headers = headers, .body = "abc", .size = 3},
        BINE_SECOND);
}

TEST(http_client_follows_redirects)
{
    char text[350];
    static const char *const secret[] = {"Authorization", "me", NULL},
                             *const see_other[] = {"Status", "303", NULL},
                             *const temporary[] = {"Status", "307", NULL};
    begin();
    bine_http *http = bine_http_get(client, url("/redirect?/a/b?c"), BINE_SECOND);
    CHECK_STRING(bine_http_url(http), url("/a/b?c"));
    snprintf(text, sizeof text, "GET /a/b?c 127.0.0.1:%d -", bine_http_server_port(server));
    expect(http, 200, text);
    expect(bine_http_get(client, url("/redirect?echo"), BINE_SECOND), 200, "");
    expect(post("/redirect?/echo", temporary), 200, "abc"); /* the body goes along */
    expect(post("/redirect?/echo", see_other), 200, "");    /* as GET */
    expect(bine_http_get(client, url("/redirect?ftp://x/"), BINE_SECOND), 302, "x");
    /* The same place by another name is another host: it is not told the secret. */
    snprintf(text, sizeof text, "/redirect?http://localhost:%d/", bine_http_server_port(server));
    http = bine_http_fetch(client, &(bine_http_request){.url = url(text), .headers = secret},
                           BINE_SECOND);
    HAS(bine_http_read_all(http, NULL), " -");
    CHECK_OK(bine_http_close(http));
    requests = 0;
    expect(bine_http_get(client, url("/redirect?/redirect?/redirect"), BINE_SECOND), 302,
           "x"); /* the last one has no Location */
    CHECK_EQ(requests, 3);
    end();
}

static void around(bine_http *http, void *arg)
{
    requests++;
    bine_http_set_header(http, "Location", "/");
    bine_http_respond(http, 301, NULL, NULL, 0);
}

TEST(http_client_does_not_go_round_for_ever)
{
    start(around);
    client = bine_http_client_new(NULL);
    expect(bine_http_get(client, url("/"), BINE_SECOND), 301, "");
    CHECK_EQ(requests, 11);
    CHECK_OK(bine_http_client_free(client));
    client = bine_http_client_new(&(bine_http_client_options){.redirects = -1});
    expect(bine_http_get(client, url("/"), BINE_SECOND), 301, "");
    CHECK_EQ(requests, 12);
    end();
}

/* ---- servers that do wrong ------------------------------------------------------------------- */

static const char *words;

static void recite(bine_connection *connection, void *arg)
{
    char request[2000];
    if (bine_recv(connection->fd, request, sizeof request, 0) > 0)
        bine_send_all(connection->fd, words, strlen(words));
}

static const struct {
    const char *what, *answer;
    int error; /* of the head, or 0 */
    const char *body;
    int body_error;
} answers[] = {
    {"until the end", "HTTP/1.1 200 OK\r\n\r\nabc", 0, "abc", 0},
    {"behind others",
     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: b\r\n\r\nHTTP/1.1 200 "
     "OK\r\nContent-Length: 3\r\n\r\nabc",
     0, "abc", 0},
    {"no body", "HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", 0, "", 0},
    {"cut", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc", 0, NULL, ECONNRESET},
    {"cut in a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabc", 0, NULL,
     ECONNRESET},
    {"cut behind a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", 0,
     NULL, ECONNRESET},
    {"a malformed chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 0, NULL,
     EPROTO},
    {"too long", "HTTP/1.1 200 OK\r\n\r\n0123456789a", 0, NULL, EMSGSIZE},
    {"announced too long", "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n0123456789a", EMSGSIZE,
     NULL, 0},
    {"cut in the head", "HTTP/1.1 200 OK\r\nContent-", ECONNRESET, NULL, 0},
    {"nothing", "", ECONNRESET, NULL, 0},
    {"no HTTP", "SSH-2.0-OpenSSH\r\n", EPROTO, NULL, 0},
    {"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", EPROTO,
     NULL, 0},
    {"length and chunks",
     "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", EPROTO,
     NULL, 0},
    {"another coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
     EPROTO, NULL, 0},
    {"a folded line", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", EPROTO, NULL, 0},
    {"bare line feeds", "HTTP/1.1 200 OK\nContent-Length: 3\n\nabc", EPROTO, NULL, 0},
    {"another protocol unasked",
     "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", EPROTO, NULL,
     0},
};

TEST(http_client_takes_no_answer_for_whole_or_plain_that_is_not)
{
    bine_server *plain =
        bine_server_new(&(bine_server_options){.address = "127.0.0.1:0"}, recite, NULL);
    CHECK_OK(bine_server_start(plain));
    client = bine_http_client_new(&(bine_http_client_options){.limits = {.body = 10}});
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        char text[100];
        words = answers[i].answer;
        snprintf(text, sizeof text, "http://127.0.0.1:%d/", bine_server_port(plain));
        bine_http *http = bine_http_get(client, text, 5 * BINE_SECOND);
        if ((http == NULL) != (answers[i].error != 0) || (!http && errno != answers[i].error))
            FAIL("%s: %s", answers[i].what, strerror(errno));
        const char *body = http ? bine_http_read_all(http, NULL) : NULL;
        if (http && ((body == NULL) != (answers[i].body == NULL) ||
                     (!body && errno != answers[i].body_error) ||
                     (body && strcmp(body, answers[i].body) != 0)))
            FAIL("%s: body %s: %s", answers[i].what, body ? body : "none", strerror(errno));
        CHECK_OK(bine_http_close(http));
    }
    CHECK_OK(bine_http_client_free(client));
    CHECK_OK(bine_server_stop(plain, BINE_SECOND));
    CHECK_OK(bine_server_free(plain));
}

static void once(bine_connection *connection, void *arg)
{
    requests++;
    words = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
    recite(connection, NULL);
}

/* The server closes behind its answer without a word: the client notices before it asks again, or
 * asks once more. */
TEST(http_client_does_without_a_kept_connection_that_was_closed)
{
    char text[100];
    bine_server *plain =
        bine_server_new(&(bine_server_options){.address = "127.0.0.1:0"}, once, NULL);
    CHECK_OK(bine_server_start(plain));
    client = bine_http_client_new(NULL);
    snprintf(text, sizeof text, "http://127.0.0.1:%d/", bine_server_port(plain));
    for (int i = 0; i < 4; i++) {
        expect(bine_http_get(client, text, 5 * BINE_SECOND), 200, "abc");
        if (i % 2)
            bine_sleep(10 * BINE_MS);
    }
    CHECK_EQ(requests, 4);
    CHECK_OK(bine_http_client_free(client));
    CHECK_OK(bine_server_stop(plain, BINE_SECOND));
    CHECK_OK(bine_server_free(plain));
}

static void *get(void *text)
{
    expect(bine_http_get(client, text, 5 * BINE_SECOND), 200, "abc");
    return NULL;
}

/* Looking for a kept connection lets others run when enough calls did not wait: they close one that
 * was passed over. */
TEST(http_client_looks_for_a_kept_connection_while_others_close_some)
{
    char closes[100], byte;
    bine_server *plain =
        bine_server_new(&(bine_server_options){.address = "127.0.0.1:0"}, once, NULL);
    CHECK_OK(bine_server_start(plain));
    begin();
    snprintf(closes, sizeof closes, "http://127.0.0.1:%d/", bine_server_port(plain));
    int nothing = connect_to_server();
    for (int calls = 30; calls <= 70; calls++) {
        expect(bine_http_get(client, url("/echo"), 5 * BINE_SECOND), 200, "");
        expect(bine_http_get(client, closes, 5 * BINE_SECOND), 200, "abc");
        CHECK_OK(bine_sleep(BINE_MS));
        bine_greenlet *other = bine_spawn(get, closes);
        for (int i = 0; i < calls; i++)
            CHECK_ERROR(bine_recv(nothing, &byte, 1, MSG_DONTWAIT), EAGAIN);
        expect(bine_http_get(client, url("/echo"), 5 * BINE_SECOND), 200, "");
        CHECK_OK(bine_join(other, NULL, BINE_FOREVER));
    }
    bine_close(nothing);
    end();
    CHECK_OK(bine_server_stop(plain, BINE_SECOND));
    CHECK_OK(bine_server_free(plain));
}

static void silent(bine_http *http, void *arg)
{
    bine_sleep(BINE_FOREVER);
}

TEST(http_client_waits_no_longer_than_it_may)
{
    start(silent);
    client = bine_http_client_new(NULL);
    CHECK_ERROR(bine_http_get(client, url("/"), 20 * BINE_MS), ETIMEDOUT);
    CHECK_OK(bine_http_client_free(client));
    client =
        bine_http_client_new(&(bine_http_client_options){.limits = {.head_time = 20 * BINE_MS}});
    CHECK_ERROR(bine_http_get(client, url("/"), BINE_FOREVER), ETIMEDOUT);
    CHECK_OK(bine_http_client_free(client));
    bine_http_server_stop(server, 0);
    CHECK_OK(bine_http_server_free(server));
}

/* Byte after byte, each in time. */
static void drip(bine_connection *connection, void *arg)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: "
                               "0123456789012345678901234567890123456789\r\n\r\n";
    for (size_t i = 0; i < sizeof head - 1 && bine_send_all(connection->fd, head + i, 1) == 0;
         i++, requests++)
        bine_sleep(10 * BINE_MS);
}

TEST(hazard_121_http_client_ends_in_time_a_head_that_drips)
{
    char text[100];
    bine_server *plain =
        bine_server_new(&(bine_server_options){.address = "127.0.0.1:0"}, drip, NULL);
    CHECK_OK(bine_server_start(plain));
    client =
        bine_http_client_new(&(bine_http_client_options){.limits = {.head_time = 100 * BINE_MS}});
    snprintf(text, sizeof text, "http://127.0.0.1:%d/", bine_server_port(plain));
    CHECK_ERROR(bine_http_get(client, text, BINE_FOREVER), ETIMEDOUT);
    CHECK_GT(requests, 0);
    CHECK_OK(bine_http_client_free(client));
    CHECK_OK(bine_server_stop(plain, BINE_SECOND));
    CHECK_OK(bine_server_free(plain));
}

static void *get_what_does_not_connect(void *text)
{
    CHECK_ERROR(bine_http_get(client, text, BINE_FOREVER), ECANCELED);
    return NULL;
}

/* The backlog of a server that accepts nothing is full, so that connecting lasts. */
TEST(http_client_is_busy_while_it_connects)
{
    char text[100];
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof to;
    int listener = socket(AF_INET, SOCK_STREAM, 0), others[4];
    CHECK_OK(bind(listener, (struct sockaddr *)&to, length));
    CHECK_OK(listen(listener, 0));
    CHECK_OK(getsockname(listener, (struct sockaddr *)&to, &length));
    for (int i = 0; i < 4; i++) {
        others[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(others[i], (struct sockaddr *)&to, length);
    }
    client = bine_http_client_new(NULL);
    snprintf(text, sizeof text, "http://127.0.0.1:%d/", ntohs(to.sin_port));
    bine_greenlet *getter = bine_spawn(get_what_does_not_connect, text);
    CHECK_OK(bine_sleep(10 * BINE_MS));
    CHECK(!bine_dead(getter));
    CHECK_ERROR(bine_http_client_free(client), EBUSY);
    bine_kill(getter);
    CHECK_OK(bine_join(getter, NULL, BINE_FOREVER));
    CHECK_OK(bine_http_client_free(client));
    for (int i = 0; i < 4; i++)
        bine_close(others[i]);
    bine_close(listener);
}

TEST(http_client_through_tls, .seconds = 60)
{
    char text[100];
    const char *certificate = tls_certificate("server");
    bine_tls_context *for_server = bine_tls_server_new(
        &(bine_tls_options){.certificate = certificate, .protocols = "http/1.1"});
    bine_tls_context *for_client = bine_tls_client_new(
        &(bine_tls_options){.authorities = certificate, .protocols = "http/1.1"});
    start_with((bine_http_server_options){.tls = for_server, .log = count_connection}, handle,
               NULL);
    client = bine_http_client_new(&(bine_http_client_options){.tls = for_client});
    snprintf(text, sizeof text, "https://localhost:%d/chunks", bine_http_server_port(server));
    for (int i = 0; i < 3; i++)
        expect(bine_http_get(client, text, 20 * BINE_SECOND), 200, "chunkchunkchunkchunkchunk");
    CHECK_EQ(connections, 1);
    snprintf(text, sizeof text, "https://127.0.0.2:%d/chunks", bine_http_server_port(server));
    /* No such name in the certificate, or nobody there. */
    CHECK(bine_http_get(client, text, 20 * BINE_SECOND) == NULL);
    CHECK_OK(bine_http_client_free(client));
    client = bine_http_client_new(NULL);
    CHECK_ERROR(bine_http_get(client, text, BINE_SECOND), EPROTONOSUPPORT);
    end();
    bine_tls_context_free(for_server);
    bine_tls_context_free(for_client);
}

TEST(http_client_arguments)
{
    static const char *const urls[] = {"",
                                       "x",
                                       "ftp://x/",
                                       "http://",
                                       "http:///",
                                       "http://a@x/",
                                       "http://x:y/",
                                       "http://x:123456/",
                                       "http://x/ y",
                                       "http://x/\r\nA: b",
                                       "http://[::1/",
                                       "http://x%00/",
                                       "http://[::1]x/",
                                       "//x/",
                                       "/"};
    static const char *const fields[][3] = {
        {"Host", "x"}, {"content-length", "1"}, {"A", "b\r\nC: d"}, {"A b", "c"}, {"A"}};
    client = bine_http_client_new(NULL);
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++)
        CHECK_ERROR(bine_http_get(client, urls[i], BINE_SECOND), EINVAL);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        CHECK_ERROR(bine_http_fetch(
                        client,
                        &(bine_http_request){.url = "http://127.0.0.1:1/", .headers = fields[i]},
                        BINE_SECOND),
                    EINVAL);
    CHECK_ERROR(bine_http_fetch(
                    client, &(bine_http_request){.url = "http://127.0.0.1:1/", .method = "A B"}, 1),
                EINVAL);
    CHECK_ERROR(
        bine_http_fetch(client, &(bine_http_request){.url = "http://127.0.0.1:1/", .size = 1}, 1),
        EINVAL);
    CHECK_ERROR(bine_http_fetch(client, NULL, 1), EINVAL);
    CHECK_ERROR(bine_http_get(client, "http://127.0.0.1:1/", -1), EINVAL);
    CHECK_ERROR(bine_http_get(client, NULL, 1), EINVAL);
    CHECK_ERROR(bine_http_get(NULL, "http://127.0.0.1:1/", 1), EINVAL);
    CHECK_ERROR(bine_http_status(NULL), EINVAL);
    CHECK_ERROR(bine_http_url(NULL), EINVAL);
    CHECK_OK(bine_http_close(NULL));
    CHECK_ERROR(bine_http_client_new(&(bine_http_client_options){.redirects = -2}), EINVAL);
    CHECK_OK(bine_http_client_free(client));
    CHECK_OK(bine_http_client_free(NULL));
}
