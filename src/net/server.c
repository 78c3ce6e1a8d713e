/*
 * The stream server. One greenlet accepts; it takes a place in the pool before it accepts, so that connections
 * beyond the limit stay in the kernel's backlog instead of in our memory.
 */
#include <bine/io.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "../sync/pool.h"
#include "listener.h"

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

static void *handle(void *arg)
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

/* One connection. False: accepting has ended. */
static bool accept_one(struct bine_server *server)
{
    struct bine_listener *listener = &server->listener;
    if (bine_pool_wait_available(listener->pool, BINE_FOREVER) != 0)
        return bine_listener_go_on(listener, errno);
    bine_connection *connection = malloc(sizeof *connection);
    if (!connection)
        return bine_listener_go_on(listener, ENOMEM);
    connection->server = server;
    connection->peer_length = sizeof connection->peer;
    connection->fd =
        bine_accept4(listener->fd, (struct sockaddr *)&connection->peer, &connection->peer_length, SOCK_CLOEXEC);
    if (connection->fd < 0) {
        int error = errno;
        free(connection);
        return bine_listener_go_on(listener, error);
    }
    listener->accepted++;
    listener->pause = 0;
    if (listener->port && !server->delay) {
        int on = 1;
        setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    /* A place is free, and nobody else takes places of this pool. */
    struct bine_member member = {.ended = handled, .context = connection};
    if (!bine_pool_spawn_member(listener->pool, handle, connection, 0, BINE_SITE(handle), &member)) {
        int error = errno;
        bine_close(connection->fd);
        free(connection);
        return bine_listener_go_on(listener, error == EAGAIN ? ENOMEM : error);
    }
    return true;
}

static void *accept_connections(void *arg)
{
    while (accept_one(arg))
        ;
    return NULL;
}

bine_server *bine_server_new(const bine_server_options *options, bine_connection_handler *handler, void *arg)
{
    if (!options || !handler) {
        errno = EINVAL;
        return NULL;
    }
    struct bine_server *server = calloc(1, sizeof *server);
    if (!server)
        return NULL;
    int error = bine_listener_open(&server->listener, options, SOCK_STREAM);
    if (error) {
        free(server);
        errno = error;
        return NULL;
    }
    server->handler = handler;
    server->arg = arg;
    server->delay = options->flags & BINE_SERVER_DELAY;
    return server;
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
              : bine_listener_start(&server->listener, accept_connections, server, BINE_SITE(accept_connections)));
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
    int error = bine_listener_check(&server->listener);
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
    return server ? server->listener.fd : -1;
}

bine_server_figures bine_server_get_figures(const bine_server *server)
{
    if (!server)
        return (bine_server_figures){0, 0, 0};
    return (bine_server_figures){bine_pool_count(server->listener.pool), server->listener.accepted,
                                 server->listener.short_of_files};
}
