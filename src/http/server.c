/*
 * The server. Each connection has a greenlet, in which one exchange follows the other. This file
 * answers requests that are wrong, and ends those that are too slow.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <bine/clock.h>
#include <bine/greenlet.h>
#include <bine/hub.h>
#include <bine/io.h>
#include <bine/server.h>

#include "exchange.h"
#include "websocket.h"

enum {
    BODY = 1 << 20,  /* the limit, unless the program says otherwise */
    UNREAD = 4 << 20 /* so much of what was refused is read and dropped: see read_the_rest */
};

struct bine_http_server {
    bine_server *server;
    bine_hub *hub;
    bine_http_handler *handler;
    void *arg;
    bine_http_server_options options;
    struct bine_http *connections;
    bool stopping;
};

bool bine_http_server_is_stopping(const bine_http_server *server)
{
    return server->stopping;
}

/* ---- hooks ----------------------------------------------------------------------------------- */

static int64_t begun_at(const bine_http_server *server)
{
    return server->options.log || server->options.error ? bine_now() : 0;
}

static void server_tell(struct bine_http *http, int64_t begun, const char *reason)
{
    const bine_http_server_options *options = &http->server->options;
    if (!options->log && !(options->error && reason))
        return;
    bine_http_record record = {
        .connection = http->connection,
        .method = http->in.method,
        .target = http->in.method[0] ? bine_http_message_text(&http->in, http->in.target) : "",
        .status = http->out.status,
        .sent = http->out.sent,
        .duration = bine_now() - begun,
        .reason = reason};
    if (options->error && reason)
        options->error(&record, options->hook_arg);
    if (options->log)
        options->log(&record, options->hook_arg);
}

/* ---- a request's head ------------------------------------------------------------------------ */

/* Wait for the first byte. False: the connection has ended, or rested for too long. */
static bool wait_for_request(struct bine_http *http, bool first)
{
    if (bine_http_message_begun(&http->in))
        return true;
    if (!first && http->server->stopping)
        return false;
    /* A client that connects and says nothing is slow with its first request. */
    http->resting = !first;
    int got = bine_http_receive(http, first ? http->limits->head_time : http->limits->idle_time);
    http->resting = false;
    return got > 0;
}

/* Read the head as far as it goes. */
static enum bine_http_outcome read_head(struct bine_http *http)
{
    bine_timeout scope;
    enum bine_http_outcome outcome = bine_http_message_head(&http->in);
    if (outcome != BINE_HTTP_MORE || bine_timeout_begin(&scope, http->limits->head_time) != 0)
        return outcome;
    int got = 1;
    while (outcome == BINE_HTTP_MORE && (got = bine_http_receive(http, BINE_FOREVER)) > 0)
        outcome = bine_http_message_head(&http->in);
    int error = got < 0 ? errno : 0;
    bine_timeout_end(&scope);
    if (error == ETIMEDOUT && bine_check() == 0) {
        http->in.status = 408;
        http->in.reason = "no whole head within its time";
        return BINE_HTTP_BAD;
    }
    return outcome;
}

/* ---- a request ------------------------------------------------------------------------------- */

/* The client may still be sending what was refused: to close with that unread would reset the
 * connection, and take the answer back. So the rest is read, for a second and up to UNREAD
 * bytes. */
static void read_the_rest(struct bine_http *http)
{
    char unread[4096];
    size_t left = UNREAD;
    bine_timeout patience;
    if (http->out.broken || !http->out.sent || bine_timeout_begin(&patience, BINE_SECOND) != 0)
        return;
    if (!http->stream.tls)
        shutdown(http->stream.fd, SHUT_WR);
    ssize_t got;
    while (left > sizeof unread &&
           (got = bine_http_stream_receive(&http->stream, unread, sizeof unread, BINE_FOREVER)) > 0)
        left -= (size_t)got;
    bine_timeout_end(&patience);
}

static void server_refuse(struct bine_http *http, int64_t begun)
{
    http->out.close = true;
    http->in.minor = 1;
    bine_http_answer_status(http, http->in.status);
    server_tell(http, begun, http->in.reason);
    read_the_rest(http);
}

/* Answer what the handler left unanswered. Why it was cut short; NULL: it was not. */
static const char *complete(struct bine_http *http)
{
    bool unanswered = http->out.progress == BINE_HTTP_UNANSWERED;
    if (unanswered && bine_check() != 0) {
        http->out.close = http->out.broken = true;
        return "no answer in time";
    }
    if (unanswered && http->in.status) {
        http->out.close = true;
        bine_http_answer_status(http, http->in.status); /* it read the body, which was refused */
        return http->in.reason;
    }
    if (unanswered && !http->lost)
        bine_http_answer_status(http, 500);
    bine_http_answer_end(http);
    if (unanswered)
        return http->lost ? "the connection failed within the body" : "the handler gave no answer";
    return http->out.broken ? "the answer was cut short" : NULL;
}

/* True: the connection is good for another one. */
static bool serve_request(struct bine_http *http, int64_t begun)
{
    bine_http_server *server = http->server;
    server->handler(http, server->arg);
    if (http->websocket)
        bine_http_websocket_end(http);
    const char *reason = complete(http);
    bool stays = !http->out.close && !http->lost && bine_http_drain(http);
    server_tell(http, begun, reason);
    if (!stays && !http->in.complete && !http->lost)
        read_the_rest(http);
    return stays;
}

/* One exchange, with a limit on the whole of it if there is one. */
static bool serve_one(struct bine_http *http)
{
    bine_timeout patience;
    bool limited = http->limits->request_time != BINE_FOREVER;
    if (limited && bine_timeout_begin(&patience, http->limits->request_time) != 0)
        return false;
    int64_t begun = begun_at(http->server);
    enum bine_http_outcome outcome = read_head(http);
    bool stays = false;
    if (outcome == BINE_HTTP_DONE)
        stays = serve_request(http, begun);
    else if (outcome == BINE_HTTP_BAD)
        server_refuse(http, begun);
    if (limited)
        bine_timeout_end(&patience);
    return stays;
}

/* ---- a connection ---------------------------------------------------------------------------- */

static void link_connection(bine_http_server *server, struct bine_http *http)
{
    http->pointer = &server->connections;
    http->next = server->connections;
    if (http->next)
        http->next->pointer = &http->next;
    server->connections = http;
}

static void unlink_connection(struct bine_http *http)
{
    *http->pointer = http->next;
    if (http->next)
        http->next->pointer = http->pointer;
}

/* A context that offers another protocol as well may have agreed upon that. */
static bool speaks_http(const bine_tls *tls)
{
    const char *protocol = bine_tls_protocol(tls);
    return protocol[0] == '\0' || strcmp(protocol, "http/1.1") == 0 ||
           strcmp(protocol, "http/1.0") == 0;
}

static bool begin_tls(struct bine_http *http)
{
    bine_tls_context *context = http->server->options.tls;
    if (!context)
        return true;
    int64_t begun = begun_at(http->server);
    http->stream.tls = bine_tls_accept(context, http->stream.fd, http->limits->head_time);
    bool good = http->stream.tls && speaks_http(http->stream.tls);
    if (!good && http->server->options.error) {
        const char *reason =
            http->stream.tls ? "another protocol was agreed upon" : bine_tls_reason();
        bine_http_record record = {.connection = http->connection,
                                   .method = "",
                                   .target = "",
                                   .duration = bine_now() - begun,
                                   .reason = reason[0] ? reason : "no TLS handshake"};
        http->server->options.error(&record, http->server->options.hook_arg);
    }
    return good;
}

/* A cut answer must not look like a whole one, which may have no other end than the connection's:
 * it ends with a reset; with TLS nothing is announced. */
static void reset(struct bine_http *http)
{
    struct linger now = {.l_onoff = 1};
    if (http->stream.tls)
        shutdown(http->stream.fd, SHUT_RDWR);
    else
        setsockopt(http->stream.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

static void server_serve(bine_connection *connection, void *arg)
{
    bine_http_server *server = arg;
    struct bine_http *http = calloc(1, sizeof *http);
    if (!http)
        return;
    http->server = server;
    http->connection = connection;
    http->stream.fd = connection->fd;
    http->limits = &server->options.limits;
    bine_http_message_init(&http->in, BINE_HTTP_REQUESTS, http->limits);
    link_connection(server, http);
    bool stays = begin_tls(http), cut = false;
    for (bool first = true; stays && wait_for_request(http, first); first = false) {
        stays = serve_one(http);
        cut = http->out.broken;
        bine_http_forget(http);
        bine_http_answer_reset(http);
        bine_http_message_begin(&http->in);
    }
    unlink_connection(http);
    if (cut)
        reset(http);
    bine_tls_free(http->stream.tls, BINE_SECOND);
    bine_http_message_free(&http->in);
    free(http->out.head.data);
    free(http->out.fields.data);
    free(http);
}

/* ---- the server ------------------------------------------------------------------------------ */

static int server_fail(int error)
{
    errno = error;
    return -1;
}

/* `listener`: NULL with errno if there is none. */
static bine_http_server *with_listener(struct bine_http_server *server, bine_server *listener)
{
    server->server = listener;
    server->hub = listener ? bine_hub_get() : NULL;
    if (listener)
        return server;
    int error = errno;
    free(server);
    errno = error;
    return NULL;
}

bine_http_server *bine_http_server_new(const bine_http_server_options *options,
                                       bine_http_handler *handler, void *arg)
{
    bine_http_limits limits;
    if (!options || !handler || BINE_RESERVED_USED(options) ||
        !bine_http_limits_complete(&limits, &options->limits, BODY)) {
        errno = EINVAL;
        return NULL;
    }
    struct bine_http_server *server = calloc(1, sizeof *server);
    if (!server)
        return NULL;
    server->options = *options;
    server->options.limits = limits;
    server->handler = handler;
    server->arg = arg;
    return with_listener(server, bine_server_new(&options->listen, server_serve, server));
}

bine_http_server *bine_http_server_share(const bine_http_server *server)
{
    if (!server) {
        errno = EINVAL;
        return NULL;
    }
    struct bine_http_server *shared = calloc(1, sizeof *shared);
    if (!shared)
        return NULL;
    shared->options = server->options;
    shared->handler = server->handler;
    shared->arg = server->arg;
    shared = with_listener(shared, bine_server_share(server->server));
    if (shared)
        bine_server_set_handler(shared->server, server_serve, shared);
    return shared;
}

int bine_http_server_start(bine_http_server *server)
{
    return server ? bine_server_start(server->server) : server_fail(EINVAL);
}

int bine_http_server_serve(bine_http_server *server)
{
    return server ? bine_server_serve(server->server) : server_fail(EINVAL);
}

/* A connection that rests has nothing to lose: its wait ends as if the client had hung up. */
static void close_resting(void *arg)
{
    struct bine_http_server *server = arg;
    server->stopping = true;
    for (struct bine_http *http = server->connections; http; http = http->next)
        if (http->resting)
            shutdown(http->stream.fd, SHUT_RD);
}

int bine_http_server_stop(bine_http_server *server, int64_t grace)
{
    if (!server || grace < 0)
        return server_fail(EINVAL);
    if (bine_hub_exists() && bine_hub_get() == server->hub)
        close_resting(server);
    else if (bine_post(server->hub, close_resting, server) != 0)
        return -1;
    return bine_server_stop(server->server, grace);
}

int bine_http_server_free(bine_http_server *server)
{
    if (!server)
        return 0;
    if (bine_server_free(server->server) != 0)
        return -1;
    free(server);
    return 0;
}

const char *bine_http_server_address(const bine_http_server *server)
{
    return bine_server_address(server ? server->server : NULL);
}

int bine_http_server_port(const bine_http_server *server)
{
    return bine_server_port(server ? server->server : NULL);
}
