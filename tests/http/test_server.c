/* Answers of libbine-http's server, and its connections. */
#include "talk.h"

static void hello(bine_http *http, void *arg)
{
    CHECK_OK(bine_http_respond(http, 200, "text/plain", "hello, world\n", 13));
}

TEST(http_answers_and_keeps_the_connection)
{
    start(hello);
    int fd = connect_to_server();
    for (int i = 0; i < 3; i++) {
        say(fd, GET("/"));
        CHECK(hear(fd, "hello, world\n"));
        BEGINS(heard, "HTTP/1.1 200 OK\r\nDate: ");
        HAS(heard, "\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\n");
    }
    bine_close(fd);
    stop();
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;
    for (; (text = strstr(text, part)); text++)
        count++;
    return count;
}

TEST(http_answers_what_came_at_once_in_order)
{
    start(hello);
    const char *answers = talk(GET("/") GET("/") GET("/") LAST("/"));
    CHECK_EQ(count_of(answers, "HTTP/1.1 200 OK"), 4);
    CHECK_EQ(count_of(answers, "Connection: close"), 1);
    stop();
}

TEST(http_answers_with_figures_for_prometheus)
{
    start(bine_http_metrics);
    HAS(talk(LAST("/metrics")), "HTTP/1.1 200 OK");
    HAS(heard, "Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8");
    HAS(heard, "\n# TYPE bine_switches counter\n");
    CHECK(strcmp(heard + strlen(heard) - 6, "# EOF\n") == 0);
    /* this thread's hub, whose greenlets are the server's and this connection's at least */
    char hub[64];
    snprintf(hub, sizeof hub, "\nbine_greenlets{hub=\"%d\"} ", (int)getpid());
    const char *line = strstr(heard, hub);
    CHECK(line != NULL);
    CHECK_GE(atoi(line + strlen(hub)), 2);
    stop();
}

TEST(http_takes_requests_in_pieces)
{
    static const char request[] = "\r\n" GET("/");
    start(hello);
    int fd = connect_to_server();
    for (size_t i = 0; i < sizeof request - 1; i++) {
        say_bytes(fd, request + i, 1);
        bine_sleep(0);
    }
    CHECK(hear(fd, "hello, world\n"));
    bine_close(fd);
    stop();
}

TEST(http_1_0_keeps_the_connection_only_if_asked)
{
    start(hello);
    HAS(talk("GET / HTTP/1.0\r\n\r\n" GET("/")), "\r\nConnection: close\r\n");
    CHECK_EQ(count_of(heard, "HTTP/1.1 200"), 1);
    HAS(talk("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" LAST("/")),
        "\r\nConnection: keep-alive\r\n");
    CHECK_EQ(count_of(heard, "HTTP/1.1 200"), 2);
    stop();
}

static void describe(bine_http *http, void *arg)
{
    char text[512], *at = text;
    const char *name, *value, *query = bine_http_query(http);
    at += sprintf(at, "%s %s %s %s\n", bine_http_method(http), bine_http_target(http),
                  bine_http_path(http), query ? query : "-");
    for (size_t i = 0; bine_http_header_at(http, i, &name, &value); i++)
        at += sprintf(at, "%s=[%s]\n", name, value);
    CHECK(bine_http_header(http, "hOST") && strcmp(bine_http_header(http, "hOST"), "x") == 0);
    CHECK(bine_http_header(http, "Nothing") == NULL);
    CHECK(bine_http_connection(http)->fd >= 0);
    CHECK(bine_http_tls(http) == NULL);
    CHECK_OK(bine_http_set_header(http, "X-Own", "a value"));
    CHECK_OK(bine_http_respond(http, 201, "text/plain", text, strlen(text)));
}

TEST(http_tells_what_was_asked)
{
    start(describe);
    talk("GET /a%20b/%C3%A9?c=d%20e HTTP/1.1\r\nHost: x\r\nA: \t b  \r\nEmpty:\r\nConnection: "
         "close\r\n\r\n");
    BEGINS(heard, "HTTP/1.1 201 Created\r\n");
    HAS(heard, "\r\nX-Own: a value\r\n");
    CHECK_STRING(body_of(heard), "GET /a%20b/%C3%A9?c=d%20e /a b/\xc3\xa9 "
                                 "c=d%20e\nHost=[x]\nA=[b]\nEmpty=[]\nConnection=[close]\n");
    HAS(talk("GET http://x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
        "GET http://x / -\n");
    stop();
}

static void in_pieces(bine_http *http, void *arg)
{
    int64_t length = strcmp(bine_http_target(http), "/length") == 0 ? 9 : -1;
    CHECK_ERROR(bine_http_write(http, "x", 1), EINVAL);
    CHECK_OK(bine_http_begin(http, 200, NULL, length));
    CHECK_ERROR(bine_http_begin(http, 200, NULL, length), EALREADY);
    CHECK_ERROR(bine_http_set_header(http, "A", "b"), EALREADY);
    CHECK_OK(bine_http_write(http, "one", 3));
    CHECK_OK(bine_http_write(http, "", 0));
    CHECK_OK(bine_http_write(http, "two", 3));
    if (length > 0)
        CHECK_ERROR(bine_http_write(http, "three", 5), EMSGSIZE);
    CHECK_OK(bine_http_write(http, "end", 3));
}

TEST(http_answers_in_pieces_with_a_length_or_in_chunks)
{
    start(in_pieces);
    CHECK_STRING(body_of(talk(LAST("/length"))), "onetwoend");
    HAS(heard, "Content-Length: 9\r\n");
    CHECK_STRING(body_of(talk(LAST("/"))), "3\r\none\r\n3\r\ntwo\r\n3\r\nend\r\n0\r\n\r\n");
    HAS(heard, "Transfer-Encoding: chunked\r\n");
    HAS_NOT(heard, "Content-Length");
    CHECK_STRING(body_of(talk("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")), "onetwoend");
    HAS(heard, "Connection: close\r\n");
    stop();
}

TEST(http_sends_no_body_to_head)
{
    start(in_pieces);
    CHECK_STRING(body_of(talk("HEAD /length HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")),
                 "");
    HAS(heard, "Content-Length: 9\r\n");
    CHECK_STRING(body_of(talk("HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")), "");
    HAS(heard, "Transfer-Encoding: chunked\r\n");
    stop();
}

static void badly(bine_http *http, void *arg)
{
    const char *target = bine_http_target(http);
    if (strcmp(target, "/less") == 0) {
        bine_http_begin(http, 200, NULL, 9);
        bine_http_write(http, "one", 3);
    } else if (strcmp(target, "/abort") == 0) {
        bine_http_begin(http, 200, NULL, -1);
        bine_http_write(http, "one", 3);
        bine_http_abort(http);
        CHECK_ERROR(bine_http_write(http, "two", 3), EALREADY);
    }
}

/* The client of HTTP/1.0 has nothing but the end of the connection to tell a whole body by. */
TEST(http_an_answer_that_is_not_completed_looks_so)
{
    start(badly);
    CHECK_STRING(body_of(talk(GET("/less") GET("/"))), "one");
    CHECK_STRING(body_of(talk(GET("/abort") GET("/"))), "3\r\none\r\n");
    int fd = connect_to_server();
    say(fd, "GET /abort HTTP/1.0\r\n\r\n");
    bool whole = hear(fd, NULL);
    CHECK(!whole);
    CHECK_EQ(errno, ECONNRESET);
    bine_close(fd);
    stop();
}

static int logged, failed;
static char last_log[256];

static void log_request(const bine_http_record *record, void *arg)
{
    CHECK(arg == &logged && record->duration >= 0 && record->connection->fd >= 0);
    snprintf(last_log, sizeof last_log, "%s %s %d %s", record->method, record->target,
             record->status, record->reason ? record->reason : "-");
    logged++;
}

static void log_error(const bine_http_record *record, void *arg)
{
    CHECK(record->reason != NULL);
    failed++;
}

TEST(http_a_handler_without_an_answer_is_status_500_and_the_hooks_hear_of_all)
{
    start_with(
        (bine_http_server_options){.log = log_request, .error = log_error, .hook_arg = &logged},
        badly, NULL);
    BEGINS(talk(LAST("/")), "HTTP/1.1 500 Internal Server Error\r\n");
    CHECK_STRING(last_log, "GET / 500 the handler gave no answer");
    CHECK_EQ(logged * 10 + failed, 11);
    talk("GET /\r\n\r\n");
    CHECK_STRING(last_log, "  505 a version other than HTTP/1.0 and 1.1");
    talk(GET("/less"));
    CHECK_STRING(last_log, "GET /less 200 the answer was cut short");
    CHECK_EQ(logged * 10 + failed, 33);
    stop();
}

static void wrong(bine_http *http, void *arg)
{
    CHECK_ERROR(bine_http_respond(http, 199, NULL, NULL, 0), EINVAL);
    CHECK_ERROR(bine_http_respond(http, 600, NULL, NULL, 0), EINVAL);
    CHECK_ERROR(bine_http_respond(http, 204, NULL, "x", 1), EINVAL);
    CHECK_ERROR(bine_http_respond(http, 200, NULL, NULL, 1), EINVAL);
    CHECK_ERROR(bine_http_respond(http, 200, "a\r\nb", NULL, 0), EINVAL);
    CHECK_ERROR(bine_http_begin(http, 200, NULL, -2), EINVAL);
    static const char *const fields[][2] = {{"A b", "c"},
                                            {"", "c"},
                                            {"A:", "c"},
                                            {"A", "b\r\nC: d"},
                                            {"A", "b\nC: d"},
                                            {"A", "\x01"},
                                            {"Content-Length", "1"},
                                            {"connection", "close"},
                                            {"Date", "now"},
                                            {"Transfer-Encoding", "chunked"}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        CHECK_ERROR(bine_http_set_header(http, fields[i][0], fields[i][1]), EINVAL);
    CHECK_OK(bine_http_respond(http, 204, NULL, NULL, 0));
    CHECK_ERROR(bine_http_respond(http, 204, NULL, NULL, 0), EALREADY);
    CHECK_ERROR(bine_http_write(http, "x", 1), EALREADY);
}

TEST(http_refuses_answers_that_are_none)
{
    start(wrong);
    BEGINS(talk(LAST("/")), "HTTP/1.1 204 No Content\r\n");
    HAS_NOT(heard, "Content-Length");
    stop();
}

/* ---- the end --------------------------------------------------------------------------------- */

static bine_event *go_on;

static void slow(bine_http *http, void *arg)
{
    if (strcmp(bine_http_target(http), "/slow") != 0 || bine_event_wait(go_on, BINE_FOREVER) == 0)
        bine_http_respond(http, 200, NULL, "done", 4);
}

static void *stop_it(void *arg)
{
    CHECK_OK(bine_http_server_stop(server, 10 * BINE_SECOND));
    return NULL;
}

static void stops(bine_greenlet *(*begin)(void))
{
    go_on = bine_event_new(0);
    start(slow);
    int resting = connect_to_server(), busy = connect_to_server();
    say(resting, GET("/"));
    CHECK(hear(resting, "done"));
    say(busy, GET("/slow"));
    bine_sleep(20 * BINE_MS);
    bine_greenlet *stopping = begin();
    CHECK(hear(resting, NULL)); /* closed at once */
    CHECK_EQ(heard_size, 0);
    bine_event_set(go_on);
    CHECK(hear(busy, NULL));
    HAS(heard, "Connection: close\r\n");
    HAS(heard, "done");
    CHECK_OK(bine_join(stopping, NULL, BINE_FOREVER));
    CHECK_OK(bine_http_server_free(server));
    CHECK_OK(bine_event_free(go_on));
    bine_close(resting);
    bine_close(busy);
}

static bine_greenlet *stop_here(void)
{
    return bine_spawn(stop_it, NULL);
}

TEST(http_stops_gracefully)
{
    stops(stop_here);
}

static void *on_another_thread(void *arg)
{
    bine_workers *workers = bine_workers_start(1, stop_it, NULL);
    CHECK_OK(bine_workers_join(workers, BINE_FOREVER));
    return NULL;
}

static bine_greenlet *stop_there(void)
{
    return bine_spawn(on_another_thread, NULL);
}

TEST(http_stops_gracefully_from_another_thread)
{
    stops(stop_there);
}

static int ended_with;

static void hang(bine_http *http, void *arg)
{
    CHECK_EQ(bine_sleep(BINE_FOREVER), -1);
    CHECK_ERROR(bine_http_respond(http, 200, NULL, "x", 1), ECANCELED);
    ended_with = ECANCELED;
}

TEST(http_kills_what_outlives_the_grace_and_says_nothing_more)
{
    start(hang);
    int fd = connect_to_server();
    say(fd, GET("/"));
    bine_sleep(20 * BINE_MS);
    CHECK_ERROR(bine_http_server_stop(server, 10 * BINE_MS), ETIMEDOUT);
    CHECK_EQ(ended_with, ECANCELED);
    hear(fd, NULL);
    CHECK_EQ(heard_size, 0);
    CHECK_OK(bine_http_server_free(server));
    bine_close(fd);
}

static void *serve_shared(void *arg)
{
    bine_http_server *shared = bine_http_server_share(server);
    CHECK(shared != NULL);
    CHECK_EQ(bine_http_server_port(shared), bine_http_server_port(server));
    CHECK_OK(bine_http_server_start(shared));
    for (int i = 0; i < 200 && logged == 0; i++)
        bine_sleep(10 * BINE_MS);
    CHECK_OK(bine_http_server_stop(shared, BINE_SECOND));
    CHECK_OK(bine_http_server_free(shared));
    return NULL;
}

static void *ask(void *arg)
{
    BEGINS(talk(LAST("/")), "HTTP/1.1 200 OK");
    logged = 1;
    return NULL;
}

/* The first one does not accept: the other takes its clients. */
TEST(http_servers_share_a_place)
{
    server = bine_http_server_new(&(bine_http_server_options){.listen.address = "127.0.0.1:0"},
                                  hello, NULL);
    bine_greenlet *asking = bine_spawn(ask, NULL);
    bine_workers *workers = bine_workers_start(1, serve_shared, NULL);
    CHECK_OK(bine_workers_join(workers, BINE_FOREVER));
    CHECK_OK(bine_join(asking, NULL, BINE_FOREVER));
    stop();
}

TEST(http_server_arguments)
{
    bine_http_server_options options = {.listen.address = "127.0.0.1:0"};
    CHECK_ERROR(bine_http_server_new(NULL, hello, NULL), EINVAL);
    CHECK_ERROR(bine_http_server_new(&options, NULL, NULL), EINVAL);
    options.limits.head_time = -1;
    CHECK_ERROR(bine_http_server_new(&options, hello, NULL), EINVAL);
    options.limits = (bine_http_limits){.head = SIZE_MAX};
    CHECK_ERROR(bine_http_server_new(&options, hello, NULL), EINVAL);
    CHECK_ERROR(
        bine_http_server_new(&(bine_http_server_options){.listen.address = "x"}, hello, NULL),
        EINVAL);
    CHECK_ERROR(bine_http_server_share(NULL), EINVAL);
    CHECK_ERROR(bine_http_server_start(NULL), EINVAL);
    CHECK_ERROR(bine_http_server_serve(NULL), EINVAL);
    CHECK_ERROR(bine_http_server_stop(NULL, 0), EINVAL);
    CHECK_ERROR(bine_http_server_address(NULL), EINVAL);
    CHECK_ERROR(bine_http_server_port(NULL), EINVAL);
    CHECK_OK(bine_http_server_free(NULL));
    CHECK_ERROR(bine_http_method(NULL), EINVAL);
    CHECK_ERROR(bine_http_target(NULL), EINVAL);
    CHECK_ERROR(bine_http_path(NULL), EINVAL);
    CHECK_ERROR(bine_http_query(NULL), EINVAL);
    CHECK_ERROR(bine_http_connection(NULL), EINVAL);
    CHECK_ERROR(bine_http_tls(NULL), EINVAL);
    CHECK_ERROR(bine_http_set_header(NULL, "A", "b"), EINVAL);
    CHECK_ERROR(bine_http_respond(NULL, 200, NULL, NULL, 0), EINVAL);
    CHECK_ERROR(bine_http_begin(NULL, 200, NULL, 0), EINVAL);
    CHECK_ERROR(bine_http_write(NULL, "x", 1), EINVAL);
    CHECK_ERROR(bine_http_abort(NULL), EINVAL);
    CHECK_ERROR(bine_http_read(NULL, &options, 1), EINVAL);
    CHECK_ERROR(bine_http_read_all(NULL, NULL), EINVAL);
    CHECK(bine_http_header(NULL, "A") == NULL && bine_http_length(NULL) == 0);
    CHECK(!bine_http_header_at(NULL, 0, NULL, NULL));
}
