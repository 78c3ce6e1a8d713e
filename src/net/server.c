/*
 * The stream server. One greenlet accepts. It takes a place in the pool before it accepts, so that
 * connections beyond the limit stay in the kernel's backlog and take no memory of the process.
 */
#include <bine/io.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/hub/name.h"
#include "listener.h"
#include "sync/pool.h"

struct bine_server {
    struct bine_listener listener; /* first */
    bine_connection_handler *handler;
    void *arg;
    bool delay;
};

static int result(int error)
{
    if (error)
        errno = error;
    return error ? -1 : 0;
}

static void *server_handle(void *arg)
{
    bine_connection *connection = arg;
    struct bine_server *server = connection->server;
    server->handler(connection, server->arg);
    if (connection->fd >= 0)
        bine_close(connection->fd);
    connection->fd = -1;
    return NULL;
}

/* However it ended: a greenlet that was killed before it ran has not closed anything. */
static void handled(struct bine_member *member)
{
    bine_connection *connection = member->context;
    if (connection->fd >= 0)
        bine_close(connection->fd);
    free(connection);
}

/* ---- names ----------------------------------------------------------------------------------- */

static const char handler_site[] = "connection\0";
static const char accepting_site[] = "accept connections\0";

static char *describe_connection(const void *arg)
{
    const bine_connection *connection = arg;
    char peer[BINE_ADDRESS_TEXT], *text;
    bine_address_format((const struct sockaddr *)&connection->peer, connection->peer_length, peer);
    int length =
        asprintf(&text, "connection of %s from %s", connection->server->listener.address, peer);
    return length < 0 ? NULL : text;
}

static char *describe_accepting(const void *arg)
{
    char *text;
    return asprintf(&text, "accept connections of %s",
                    ((const struct bine_server *)arg)->listener.address) < 0
               ? NULL
               : text;
}

/* ---- accepting ------------------------------------------------------------------------------- */

/* NULL with errno if there is none. */
static bine_connection *take_connection(struct bine_server *server)
{
    struct bine_listener *listener = &server->listener;
    bine_connection *connection = malloc(sizeof *connection);
    if (!connection)
        return NULL;
    connection->server = server;
    connection->peer_length = sizeof connection->peer;
    connection->fd = bine_accept4(listener->fd, (struct sockaddr *)&connection->peer,
                                  &connection->peer_length, SOCK_CLOEXEC);
    if (connection->fd < 0) {
        int error = errno;
        free(connection);
        errno = error;
        return NULL;
    }
    listener->accepted++;
    bine_listener_succeeded(listener);
    if (listener->port && !server->delay) {
        int on = 1;
        setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    return connection;
}

/* Spawn the handler, waiting until `deadline` for a place. 0 or an error number; the connection is
 * gone in either case. */
static int handle_connection(struct bine_server *server, bine_connection *connection,
                             int64_t deadline)
{
    struct bine_member member = {.ended = handled, .context = connection};
    if (bine_pool_spawn_member(server->listener.pool, server_handle, connection, deadline,
                               handler_site, &member))
        return 0;
    int error = errno;
    bine_close(connection->fd);
    free(connection);
    return error;
}

/* One connection. False: accepting has ended. */
static bool accept_one(struct bine_server *server)
{
    struct bine_listener *listener = &server->listener;
    if (bine_pool_wait_available(listener->pool, BINE_FOREVER) != 0)
        return bine_listener_go_on(listener, errno);
    bine_connection *connection = take_connection(server);
    if (!connection)
        return bine_listener_go_on(listener, errno);
    /* A place is free, and only this greenlet takes places of this pool. */
    int error = handle_connection(server, connection, 0);
    return !error || bine_listener_go_on(listener, error == EAGAIN ? ENOMEM : error);
}

static void *accept_connections(void *arg)
{
    while (accept_one(arg))
        ;
    return NULL;
}

/* ---- the clients that are connected when the server stops ------------------------------------ */

struct waiting {
    bine_connection *connection;
    struct waiting *next;
};

/* Take one that is in the kernel's backlog. The time counts only if another process that shares the
 * socket was quicker. */
static bine_connection *take_waiting(struct bine_server *server)
{
    struct pollfd readable = {.fd = server->listener.fd, .events = POLLIN};
    bine_timeout scope;
    if (bine_poll(&readable, 1, 0) != 1 || bine_timeout_begin(&scope, BINE_SECOND / 10) != 0)
        return NULL;
    bine_connection *connection = take_connection(server);
    bine_timeout_end(&scope);
    return connection;
}

/* First all of them, so that the listening socket can be closed: its end would reset them. Then
 * they are handled, as places get free. Killed when the time of grace is over. */
static void *serve_waiting(void *arg)
{
    struct bine_server *server = arg;
    struct waiting *first = NULL, **last = &first;
    bine_connection *connection;
    for (int count = 0; count < SOMAXCONN && (connection = take_waiting(server)); count++) {
        struct waiting *waiting = malloc(sizeof *waiting);
        if (!waiting) {
            bine_close(connection->fd);
            free(connection);
            break;
        }
        *waiting = (struct waiting){connection, NULL};
        *last = waiting;
        last = &waiting->next;
    }
    bine_listener_close(&server->listener);
    while (first) {
        struct waiting *waiting = first;
        first = waiting->next;
        handle_connection(server, waiting->connection, INT64_MAX);
        free(waiting);
    }
    return NULL;
}

/* By options, or at the place of another server. */
static bine_server *make_server(const bine_server_options *options, const bine_server *other,
                                bine_connection_handler *handler, void *arg)
{
    struct bine_server *server = calloc(1, sizeof *server);
    if (!server)
        return NULL;
    int error = other ? bine_listener_share(&server->listener, &other->listener, SOCK_STREAM)
                      : bine_listener_open(&server->listener, options, SOCK_STREAM);
    if (error) {
        free(server);
        errno = error;
        return NULL;
    }
    server->handler = handler;
    server->arg = arg;
    server->delay = server->listener.options.flags & BINE_SERVER_DELAY;
    server->listener.serve_waiting = serve_waiting;
    bine_site_describe(handler_site, describe_connection);
    bine_site_describe(accepting_site, describe_accepting);
    return server;
}

bine_server *bine_server_new(const bine_server_options *options, bine_connection_handler *handler,
                             void *arg)
{
    if (!options || !handler) {
        errno = EINVAL;
        return NULL;
    }
    return make_server(options, NULL, handler, arg);
}

bine_server *bine_server_share(const bine_server *server)
{
    if (!server) {
        errno = EINVAL;
        return NULL;
    }
    return make_server(NULL, server, server->handler, server->arg);
}

int bine_server_set_handler(bine_server *server, bine_connection_handler *handler, void *arg)
{
    int error = handler ? bine_listener_check((struct bine_listener *)server) : EINVAL;
    if (!error) {
        server->handler = handler;
        server->arg = arg;
    }
    return result(error);
}

int bine_server_start(bine_server *server)
{
    int error = bine_listener_check((struct bine_listener *)server);
    return result(
        error ? error
              : bine_listener_start(&server->listener, accept_connections, server, accepting_site));
}

int bine_server_serve(bine_server *server)
{
    return bine_server_start(server) != 0 ? -1 : result(bine_listener_wait(&server->listener));
}

int bine_server_stop(bine_server *server, int64_t grace)
{
    return result(bine_listener_stop((struct bine_listener *)server, grace));
}

int bine_server_free(bine_server *server)
{
    if (!server)
        return 0;
    int error = bine_listener_check_free(&server->listener);
    if (!error)
        error = bine_listener_free(&server->listener);
    if (!error)
        free(server);
    return result(error);
}

const char *bine_server_address(const bine_server *server)
{
    if (!server)
        errno = EINVAL;
    return server ? server->listener.address : NULL;
}

int bine_server_port(const bine_server *server)
{
    return server ? server->listener.port : result(EINVAL);
}

int bine_server_fd(const bine_server *server)
{
    return server ? server->listener.fd : result(EINVAL);
}

int bine_server_read_figures(const bine_server *server, bine_server_figures *figures, size_t size)
{
    if (!server || !figures || !size)
        return result(EINVAL);
    bine_server_figures known = {bine_pool_count(server->listener.pool), server->listener.accepted,
                                 server->listener.short_of_files};
    memset(figures, 0, size);
    memcpy(figures, &known, size < sizeof known ? size : sizeof known);
    return 0;
}

bine_server_figures bine_server_get_figures(const bine_server *server)
{
    bine_server_figures figures = {0, 0, 0};
    if (server)
        bine_server_read_figures(server, &figures, sizeof figures);
    return figures;
}
