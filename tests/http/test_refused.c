/* Requests that two programs could read in two ways are refused, with all that stands behind them;
 * and limits in bytes and in time hold. */
#include "talk.h"

static int handled;

static void handle(bine_http *http, void *arg)
{
    handled++;
    if (bine_http_read_all(http, NULL))
        bine_http_respond(http, 200, NULL, "ok", 2);
}

#define POST "POST /a HTTP/1.1\r\nHost: x\r\n"
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
#define TEXT(text) text, sizeof(text) - 1

static const struct {
    const char *what, *request;
    size_t size;
    int status;
} refusals[] = {
    {"length and chunks",
     TEXT(POST "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400},
    {"chunks and length",
     TEXT(POST "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n"), 400},
    {"two lengths", TEXT(POST "Content-Length: 4\r\nContent-Length: 6\r\n\r\nabcd"), 400},
    {"the same length twice", TEXT(POST "Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd"), 400},
    {"a list of lengths", TEXT(POST "Content-Length: 4, 4\r\n\r\nabcd"), 400},
    {"a length with a sign", TEXT(POST "Content-Length: +4\r\n\r\nabcd"), 400},
    {"a negative length", TEXT(POST "Content-Length: -4\r\n\r\nabcd"), 400},
    {"a length with a space", TEXT(POST "Content-Length: 4 4\r\n\r\nabcd"), 400},
    {"a length with a tail", TEXT(POST "Content-Length: 4x\r\n\r\nabcd"), 400},
    {"a hexadecimal length", TEXT(POST "Content-Length: 0x4\r\n\r\nabcd"), 400},
    {"an empty length", TEXT(POST "Content-Length:\r\n\r\nabcd"), 400},
    {"an endless length", TEXT(POST "Content-Length: 18446744073709551620\r\n\r\nabcd"), 400},
    {"a length that is too large", TEXT(POST "Content-Length: 1048577\r\n\r\nabcd"), 413},
    {"another coding", TEXT(POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"), 400},
    {"no coding", TEXT(POST "Transfer-Encoding: identity\r\n\r\n0\r\n\r\n"), 400},
    {"an empty coding", TEXT(POST "Transfer-Encoding:\r\n\r\n0\r\n\r\n"), 400},
    {"two codings", TEXT(POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), 400},
    {"chunked and then not", TEXT(POST "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
     400},
    {"chunked twice",
     TEXT(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400},
    {"chunked in quotes", TEXT(POST "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"), 400},
    {"chunks in HTTP/1.0", TEXT("POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
     400},
    {"a control character",
     TEXT(POST "Transfer-Encoding: \x0b"
               "chunked\r\n\r\n0\r\n\r\n"),
     400},
    {"a space before the colon", TEXT(POST "Content-Length : 4\r\n\r\nabcd"), 400},
    {"a tab before the colon", TEXT(POST "Content-Length\t: 4\r\n\r\nabcd"), 400},
    {"a field without a name", TEXT(POST ": 4\r\n\r\nabcd"), 400},
    {"a field without a colon", TEXT(POST "Content-Length\r\n\r\nabcd"), 400},
    {"a folded line", TEXT(POST "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"), 400},
    {"a line folded by a tab", TEXT(POST "A: b\r\n\tContent-Length: 4\r\n\r\nabcd"), 400},
    {"bare line feeds", TEXT("GET / HTTP/1.1\nHost: x\n\n"), 400},
    {"a bare line feed behind a field", TEXT(POST "A: b\nContent-Length: 4\r\n\r\nabcd"), 400},
    {"a bare line feed at the end", TEXT("GET / HTTP/1.1\r\nHost: x\r\n\n"), 400},
    {"a bare carriage return", TEXT("GET / HTTP/1.1\r\nHost: x\rA: b\r\n\r\n"), 400},
    {"NUL in the path", TEXT("GET /\0x HTTP/1.1\r\nHost: x\r\n\r\n"), 400},
    {"NUL in a name", TEXT(POST "A\0: b\r\n\r\n"), 400},
    {"NUL in a value", TEXT(POST "A: b\0c\r\n\r\n"), 400},
    {"DEL in a value", TEXT(POST "A: b\x7f\r\n\r\n"), 400},
    {"another character set in the target", TEXT("GET /\xe9 HTTP/1.1\r\nHost: x\r\n\r\n"), 400},
    {"two spaces", TEXT("GET  / HTTP/1.1\r\nHost: x\r\n\r\n"), 400},
    {"two spaces behind the target", TEXT("GET /  HTTP/1.1\r\nHost: x\r\n\r\n"), 400},
    {"a space behind the version", TEXT("GET / HTTP/1.1 \r\nHost: x\r\n\r\n"), 400},
    {"a tab in the request line", TEXT("GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n"), 400},
    {"no target", TEXT("GET HTTP/1.1\r\nHost: x\r\n\r\n"), 400},
    {"a target that is no path", TEXT("GET * HTTP/1.1\r\nHost: x\r\n\r\n"), 400},
    {"a method in small letters", TEXT("get / HTTP/1.1\r\nHost: x\r\n\r\n"), 400},
    {"an unknown method", TEXT("FETCH / HTTP/1.1\r\nHost: x\r\n\r\n"), 400},
    {"another protocol", TEXT("GET / RTSP/1.0\r\nHost: x\r\n\r\n"), 400},
    {"a protocol in small letters", TEXT("GET / http/1.1\r\nHost: x\r\n\r\n"), 400},
    {"another version", TEXT("GET / HTTP/1.2\r\nHost: x\r\n\r\n"), 400},
    {"HTTP/2", TEXT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505},
    {"HTTP/0.9", TEXT("GET /\r\n\r\n"), 505},
    {"a tunnel", TEXT("CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n"), 501},
    {"no host", TEXT("GET / HTTP/1.1\r\n\r\n"), 400},
    {"two hosts", TEXT("GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n"), 400},
    {"a list of hosts", TEXT("GET / HTTP/1.1\r\nHost: x, y\r\n\r\n"), 400},
    {"a host with a path", TEXT("GET / HTTP/1.1\r\nHost: x/y\r\n\r\n"), 400},
    {"a host with a user", TEXT("GET / HTTP/1.1\r\nHost: a@x\r\n\r\n"), 400},
    {"two empty lines before", TEXT("\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"), 400},
    {"a bare line feed before", TEXT("\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"), 400},
    {"a space before", TEXT(" GET / HTTP/1.1\r\nHost: x\r\n\r\n"), 400},
    {"a handshake of TLS", TEXT("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), 400},
    {"an endless chunk", TEXT(CHUNKED "fffffffffffffffff\r\n"), 400},
    {"a large chunk", TEXT(CHUNKED "100001\r\nabc"), 413},
    {"a chunk without its end", TEXT(CHUNKED "1\r\nab0\r\n\r\n"), 400},
    {"a chunk that is too short", TEXT(CHUNKED "3\r\nab\r\n0\r\n\r\n"), 400},
    {"a negative chunk", TEXT(CHUNKED "-1\r\n\r\n"), 400},
    {"a chunk with a prefix", TEXT(CHUNKED "0x1\r\na\r\n0\r\n\r\n"), 400},
    {"a chunk without a size", TEXT(CHUNKED "\r\na\r\n0\r\n\r\n"), 400},
    {"a space behind a chunk's size", TEXT(CHUNKED "1 \r\na\r\n0\r\n\r\n"), 400},
    {"line feeds alone around a chunk", TEXT(CHUNKED "1\na\n0\n\n"), 400},
    {"a line feed in an extension", TEXT(CHUNKED "0;a=\nb\r\n\r\n"), 400},
    {"NUL in an extension", TEXT(CHUNKED "0;a\0b\r\n\r\n"), 400},
    {"NUL in a trailer", TEXT(CHUNKED "0\r\nA: \0\r\n\r\n"), 400},
    {"a length in a trailer", TEXT(CHUNKED "0\r\nContent-Length: 4\r\n\r\n"), 400},
    {"a trailer that is folded", TEXT(CHUNKED "0\r\nA: b\r\n c\r\n\r\n"), 400},
};

/* Nothing behind what is refused is taken for a request: not the smuggled one, and not the next. */
static void refuse_all(bool in_pieces)
{
    start(handle);
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        char status[16];
        int fd = connect_to_server();
        handled = 0;
        for (size_t at = 0; at < refusals[i].size; at += in_pieces ? 1 : refusals[i].size) {
            if (bine_send(fd, refusals[i].request + at, in_pieces ? 1 : refusals[i].size,
                          MSG_NOSIGNAL) < 0)
                break; /* it has seen enough */
            if (in_pieces)
                bine_sleep(0);
        }
        bine_send(fd, GET("/smuggled"), sizeof GET("/smuggled") - 1, MSG_NOSIGNAL);
        shutdown(fd, SHUT_WR);
        hear(fd, NULL);
        bine_close(fd);
        snprintf(status, sizeof status, "HTTP/1.1 %d ", refusals[i].status);
        if (strncmp(heard, status, strlen(status)) != 0 || strstr(heard + 1, "HTTP/1.1") ||
            handled > 1)
            FAIL("%s: %d handled: %s", refusals[i].what, handled, heard);
        HAS(heard, "Connection: close\r\n");
    }
    stop();
}

TEST(hazard_92_http_refuses_what_others_may_read_differently, .seconds = 60)
{
    refuse_all(false);
}

TEST(hazard_92_http_refuses_it_also_in_pieces, .seconds = 60)
{
    refuse_all(true);
}

/* ---- limits ---------------------------------------------------------------------------------- */

static char *long_request(const char *begin, size_t size, const char *end)
{
    char *text = malloc(strlen(begin) + size + strlen(end) + 1), *at = stpcpy(text, begin);
    memset(at, 'x', size);
    strcpy(at + size, end);
    return text;
}

static void expect(const char *status, char *request)
{
    BEGINS(talk(request), status);
    free(request);
}

static char logged[300];

static void log_line(const bine_http_record *record, void *arg)
{
    snprintf(logged, sizeof logged, "%s %s %d", record->method, record->target, record->status);
}

/* The head was whole, and what refused it came behind the target. */
TEST(hazard_122_http_what_is_logged_of_a_refused_request_ends_with_its_target)
{
    static const struct {
        const char *request, *line;
    } lines[] = {
        {"GET /a HTTP/1.1\r\nCookie: secret\r\n\r\n", "GET /a 400"},
        {"GET /a?b HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", "GET /a?b 400"},
        {"GET  /two HTTP/1.1\r\nHost: x\r\n\r\n", "GET /two 400"},
        {POST "Content-Length: 1048577\r\n\r\n", "POST /a 413"},
        {POST "Transfer-Encoding: chunked\r\n\r\n100001\r\n", "POST /a 413"},
        {"GET /0123456789012345678901234567890 HTTP/1.1\r\nHost: x\r\n\r\n",
         "GET /0123456789012345678901234567890 414"},
        {"GET /h HTTP/1.1\r\nHost: x\r\nA: 0123456789012345678901234567890123456789\r\n\r\n",
         "GET /h 431"},
        {"GET /b HTTP/1.1\r\nHost: x\r\nno field\r\n\r\n", "  400"},
    };
    start_with((bine_http_server_options){.log = log_line, .limits = {.line = 30, .head = 70}},
               handle, NULL);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        talk(lines[i].request);
        CHECK_STRING(logged, lines[i].line);
    }
    stop();
}

TEST(http_limits_of_bytes_hold)
{
    start(handle);
    expect("HTTP/1.1 200",
           long_request("GET /", 8191, " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    expect("HTTP/1.1 414", long_request("GET /", 8192, " HTTP/1.1\r\nHost: x\r\n\r\n"));
    expect("HTTP/1.1 414", long_request("GET /", 100000, ""));
    expect("HTTP/1.1 200", long_request("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nA: ",
                                        16000, "\r\n\r\n"));
    expect("HTTP/1.1 431", long_request("GET / HTTP/1.1\r\nHost: x\r\nA: ", 16384, "\r\n\r\n"));
    expect("HTTP/1.1 431", long_request("GET / HTTP/1.1\r\nHost: x\r\nA: ", 100000, ""));
    expect("HTTP/1.1 400", long_request(CHUNKED "1;", 16384, "\r\na\r\n0\r\n\r\n"));
    expect("HTTP/1.1 400", long_request(CHUNKED "0\r\nA: ", 16384, "\r\n\r\n"));
    stop();
}

/* Many small chunks are no fault: five bytes around each, and more of them than the limit. */
TEST(http_small_chunks_are_taken)
{
    start(handle);
    char *text = malloc(sizeof CHUNKED + 60000 + 10), *at = stpcpy(text, CHUNKED);
    for (int i = 0; i < 10000; i++)
        at = stpcpy(at, "1\r\na\r\n");
    strcpy(at, "0\r\n\r\n");
    expect("HTTP/1.1 200", text);
    stop();
}

TEST(http_limits_of_time_hold, .seconds = 60)
{
    int64_t unit = harness_slower() * BINE_MS;
    start_with(
        (bine_http_server_options){.limits = {.head_time = 60 * unit, .idle_time = 400 * unit}},
        handle, NULL);
    int silent = connect_to_server(), slow = connect_to_server(), resting = connect_to_server();
    say(resting, GET("/"));
    CHECK(hear(resting, "ok"));
    int64_t begin = harness_now();
    say(slow, "GET / HT");
    CHECK(hear(slow, NULL));
    BEGINS(heard, "HTTP/1.1 408 Request Timeout\r\n");
    CHECK(hear(silent, NULL));
    CHECK_EQ(heard_size, 0); /* who said nothing hears nothing */
    CHECK(hear(resting, NULL));
    CHECK_EQ(heard_size, 0);
    CHECK_GE(harness_now() - begin, 390 * unit);
    bine_close(silent);
    bine_close(slow);
    bine_close(resting);
    stop();
}

static int late;

static void be_late(bine_http *http, void *arg)
{
    CHECK_ERROR(bine_sleep(10 * BINE_SECOND), ETIMEDOUT);
    CHECK_ERROR(bine_http_respond(http, 200, NULL, "late", 4), ETIMEDOUT);
    late++;
}

TEST(hazard_92_http_a_request_out_of_time_has_no_answer_and_no_more_time)
{
    start_with((bine_http_server_options){.limits = {.request_time = 50 * BINE_MS}}, be_late, NULL);
    talk(GET("/") GET("/") GET("/"));
    CHECK_EQ(heard_size, 0);
    CHECK_EQ(late, 1);
    stop();
}

static void much(bine_http *http, void *arg)
{
    char *data = calloc(1, 8 << 20);
    CHECK_ERROR(bine_http_respond(http, 200, NULL, data, 8 << 20), ETIMEDOUT);
    late++;
    free(data);
}

TEST(http_who_takes_no_answer_is_cut_off)
{
    start_with((bine_http_server_options){.limits = {.send_time = 50 * BINE_MS}}, much, NULL);
    int fd = connect_to_server();
    say(fd, GET("/"));
    while (!late)
        bine_sleep(10 * BINE_MS);
    bine_close(fd);
    stop();
}
