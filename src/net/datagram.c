/* The datagram server: one greenlet receives, one handles each datagram. */
#include <bine/io.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/hub/name.h"
#include "listener.h"
#include "sync/pool.h"

struct bine_datagram_server {
    struct bine_listener listener; /* first */
    bine_datagram_handler *handler;
    void *arg;
    size_t size;
    char *buffer;
};

static int result(int error)
{
    if (error)
        errno = error;
    return error ? -1 : 0;
}

/* A datagram and its bytes. */
struct arrived {
    bine_datagram datagram; /* first */
    char data[];
};

static void *datagram_handle(void *arg)
{
    struct arrived *arrived = arg;
    struct bine_datagram_server *server = arrived->datagram.server;
    server->handler(&arrived->datagram, server->arg);
    return NULL;
}

/* However it ended, also if it was killed before it ran. */
static void handled(struct bine_member *member)
{
    free(member->context);
}

static const char handler_site[] = "datagram\0";
static const char receiving_site[] = "receive datagrams\0";

static char *describe_datagram(const void *arg)
{
    const struct arrived *arrived = arg;
    char peer[BINE_ADDRESS_TEXT], *text;
    bine_address_format((const struct sockaddr *)&arrived->datagram.peer,
                        arrived->datagram.peer_length, peer);
    int length =
        asprintf(&text, "datagram of %s from %s", arrived->datagram.server->listener.address, peer);
    return length < 0 ? NULL : text;
}

static char *describe_receiving(const void *arg)
{
    const struct bine_datagram_server *server = arg;
    char *text;
    return asprintf(&text, "receive datagrams of %s", server->listener.address) < 0 ? NULL : text;
}

/* One datagram. False: receiving has ended. */
static bool receive_one(struct bine_datagram_server *server)
{
    struct bine_listener *listener = &server->listener;
    if (bine_pool_wait_available(listener->pool, BINE_FOREVER) != 0)
        return bine_listener_go_on(listener, errno);
    bine_datagram datagram = {.peer_length = sizeof datagram.peer, .server = server};
    ssize_t size = bine_recvfrom(listener->fd, server->buffer, server->size, 0,
                                 (struct sockaddr *)&datagram.peer, &datagram.peer_length);
    if (size < 0)
        return bine_listener_go_on(listener, errno);
    listener->accepted++;
    bine_listener_succeeded(listener);
    struct arrived *arrived = malloc(sizeof *arrived + (size_t)size);
    if (!arrived)
        return bine_listener_go_on(listener, ENOMEM); /* dropped, as datagrams may be */
    memcpy(arrived->data, server->buffer, (size_t)size);
    datagram.data = arrived->data;
    datagram.size = (size_t)size;
    arrived->datagram = datagram;
    struct bine_member member = {.ended = handled, .context = arrived};
    if (!bine_pool_spawn_member(listener->pool, datagram_handle, arrived, 0, handler_site,
                                &member)) {
        int error = errno;
        free(arrived);
        return bine_listener_go_on(listener, error == EAGAIN ? ENOMEM : error);
    }
    return true;
}

static void *receive_datagrams(void *arg)
{
    while (receive_one(arg))
        ;
    return NULL;
}

/* By options, or at the place of another server. */
static bine_datagram_server *make_server(const bine_server_options *options,
                                         const bine_datagram_server *other,
                                         bine_datagram_handler *handler, void *arg)
{
    struct bine_datagram_server *server = calloc(1, sizeof *server);
    if (!server)
        return NULL;
    size_t size = other ? other->size : options->size;
    server->size = size ? size : 65536;
    server->buffer = malloc(server->size);
    int error = ENOMEM;
    if (server->buffer)
        error = other ? bine_listener_share(&server->listener, &other->listener, SOCK_DGRAM)
                      : bine_listener_open(&server->listener, options, SOCK_DGRAM);
    if (error) {
        free(server->buffer);
        free(server);
        errno = error;
        return NULL;
    }
    server->handler = handler;
    server->arg = arg;
    bine_site_describe(handler_site, describe_datagram);
    bine_site_describe(receiving_site, describe_receiving);
    return server;
}

bine_datagram_server *bine_datagram_server_new(const bine_server_options *options,
                                               bine_datagram_handler *handler, void *arg)
{
    if (!options || !handler) {
        errno = EINVAL;
        return NULL;
    }
    return make_server(options, NULL, handler, arg);
}

bine_datagram_server *bine_datagram_server_share(const bine_datagram_server *server)
{
    if (!server) {
        errno = EINVAL;
        return NULL;
    }
    return make_server(NULL, server, server->handler, server->arg);
}

int bine_datagram_server_start(bine_datagram_server *server)
{
    int error = bine_listener_check((struct bine_listener *)server);
    return result(
        error ? error
              : bine_listener_start(&server->listener, receive_datagrams, server, receiving_site));
}

int bine_datagram_server_serve(bine_datagram_server *server)
{
    return bine_datagram_server_start(server) != 0 ? -1
                                                   : result(bine_listener_wait(&server->listener));
}

int bine_datagram_server_stop(bine_datagram_server *server, int64_t grace)
{
    return result(bine_listener_stop((struct bine_listener *)server, grace));
}

int bine_datagram_server_free(bine_datagram_server *server)
{
    if (!server)
        return 0;
    int error = bine_listener_check_free(&server->listener);
    if (!error)
        error = bine_listener_free(&server->listener);
    if (!error) {
        free(server->buffer);
        free(server);
    }
    return result(error);
}

const char *bine_datagram_server_address(const bine_datagram_server *server)
{
    if (!server)
        errno = EINVAL;
    return server ? server->listener.address : NULL;
}

int bine_datagram_server_port(const bine_datagram_server *server)
{
    return server ? server->listener.port : result(EINVAL);
}

int bine_datagram_server_fd(const bine_datagram_server *server)
{
    return server ? server->listener.fd : result(EINVAL);
}

int bine_datagram_send(bine_datagram_server *server, const struct sockaddr *peer, socklen_t length,
                       const void *data, size_t size)
{
    int error =
        !peer || (!data && size) ? EINVAL : bine_listener_check((struct bine_listener *)server);
    /* While the server stops, its handlers may still answer: the socket is closed then. */
    if (!error && server->listener.fd < 0)
        error = EBADF;
    if (error)
        return result(error);
    return bine_sendto(server->listener.fd, data, size, MSG_NOSIGNAL, peer, length) < 0 ? -1 : 0;
}

int bine_datagram_reply(bine_datagram *datagram, const void *data, size_t size)
{
    if (!datagram)
        return result(EINVAL);
    return bine_datagram_send(datagram->server, (struct sockaddr *)&datagram->peer,
                              datagram->peer_length, data, size);
}
