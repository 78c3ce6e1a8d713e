/*
 * A small HTTP/1.1 server: keep-alive, pipelining, limits on what a client may send, slow clients cut off, one
 * hub per core, and a graceful end on Ctrl-C. http_request.c reads the requests.
 *
 *     http [PORT [WORKERS [SECONDS]]]      then: curl http://127.0.0.1:PORT/   or: wrk -c100 http://127.0.0.1:PORT/
 *
 * A client has SECONDS (10) for a request, from its first byte to the last one of the answer, and six times as long between
 * two requests.
 */
#include <bine.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http_request.h"

#define GRACE (5 * BINE_SECOND)
enum {
    OUTPUT = 16384
};

static int64_t request_time = 10 * BINE_SECOND, idle_time = 60 * BINE_SECOND;

struct client {
    int fd;
    struct http_request request;
    bool close, failed, refused;
    char output[OUTPUT];
    size_t output_size;
};

static void flush(struct client *client)
{
    char *at = client->output;
    while (client->output_size > 0 && !client->failed) {
        ssize_t sent = bine_send(client->fd, at, client->output_size, MSG_NOSIGNAL);
        if (sent < 0) {
            client->failed = true;
            return;
        }
        at += sent;
        client->output_size -= (size_t)sent;
    }
}

static void respond(struct client *client, const char *status, const char *body)
{
    if (client->output_size > OUTPUT - URL_LIMIT - 256)
        flush(client);
    if (client->failed)
        return;
    client->output_size +=
        (size_t)snprintf(client->output + client->output_size, OUTPUT - client->output_size,
                         "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n%s\r\n%s", status,
                         strlen(body), client->close ? "Connection: close\r\n" : "", body);
}

/* ---- requests --------------------------------------------------------------------------------- */

static void answer(struct client *client)
{
    const char *url = client->request.url;
    client->close = !client->request.keep_alive;
    if (strcmp(url, "/") == 0) {
        respond(client, "200 OK", "hello, world\n");
    } else if (strcmp(url, "/slow") == 0) {
        if (bine_sleep(BINE_SECOND) == 0)
            respond(client, "200 OK", "a second later\n");
        else
            client->failed = true; /* the time is up, or the server ends: there is no answer */
    } else {
        respond(client, "404 Not Found", "nothing here\n");
    }
}

/* ---- a connection ----------------------------------------------------------------------------- */

/* From now on so much time, for whatever it is that the client does. */
static void allow(bine_timeout *patience, int64_t time)
{
    bine_timeout_end(patience);
    bine_timeout_begin(patience, time);
}

static void take(struct client *client, bine_timeout *patience, const char *data, size_t size)
{
    while (size > 0 && !client->close && !client->failed) {
        if (!client->request.begun)
            allow(patience, request_time);
        enum http_outcome outcome = http_take(&client->request, &data, &size);
        if (outcome == HTTP_REQUEST) {
            answer(client);
            http_begin(&client->request);
        } else if (outcome == HTTP_BAD) {
            client->close = client->refused = true;
            respond(client, "400 Bad Request", "I do not understand, or it is too much.\n");
        }
    }
}

/* The client may still be sending what was refused: to close with that unread would reset the connection, and take the answer back. So
 * the rest is read, for a second and up to 4 MiB. */
static void read_the_rest(struct client *client)
{
    char unread[4096];
    size_t left = 4 << 20;
    bine_timeout patience;
    shutdown(client->fd, SHUT_WR);
    bine_timeout_begin(&patience, BINE_SECOND);
    for (ssize_t got; left > sizeof unread && (got = bine_recv(client->fd, unread, sizeof unread, 0)) > 0;)
        left -= (size_t)got;
    bine_timeout_end(&patience);
}

static void serve(bine_connection *connection, void *arg)
{
    struct client client = {.fd = connection->fd};
    bine_timeout patience;
    http_begin(&client.request);
    bine_timeout_begin(&patience, idle_time);
    while (!client.close && !client.failed) {
        char input[4096];
        ssize_t got = bine_recv(client.fd, input, sizeof input, 0);
        if (got <= 0)
            break; /* gone, or too slow */
        take(&client, &patience, input, (size_t)got);
        /* Answers to all requests of this reading go out together. */
        flush(&client);
        if (!client.request.begun && !client.failed)
            allow(&patience, idle_time);
    }
    bine_timeout_end(&patience);
    if (client.refused && !client.failed)
        read_the_rest(&client);
}

/* ---- the servers ------------------------------------------------------------------------------ */

static void start(bine_server *server)
{
    if (!server || bine_server_start(server) != 0) {
        perror("http: server");
        exit(1);
    }
}

/* Each worker tells the main thread, through this, which server it has to stop in the end. */
static bine_mailbox *ready;

static void *work(void *first)
{
    bine_server *server = bine_server_share(first);
    start(server);
    if (bine_mailbox_send(ready, server, BINE_FOREVER) != 0 || bine_server_serve(server) != 0)
        exit(1);
    bine_server_free(server);
    return NULL;
}

int main(int count, char **arguments)
{
    enum {
        MOST = 64
    };
    char address[64];
    int workers = count > 2 ? atoi(arguments[2]) : 1;
    if (workers < 1 || workers > MOST) {
        fprintf(stderr, "http: 1 to %d workers\n", MOST);
        return 1;
    }
    if (count > 3) {
        request_time = (int64_t)(atof(arguments[3]) * (double)BINE_SECOND);
        idle_time = 6 * request_time;
    }
    /* Nothing here needs it. But while Bine sees every fcntl and setsockopt of the process it need not ask the
     * kernel, before each wait, whether a socket has been made non-blocking or given a timeout: two system
     * calls less per request. */
    if (bine_patch_all() != 0)
        perror("http: patching");
    snprintf(address, sizeof address, "127.0.0.1:%s", count > 1 ? arguments[1] : "8080");
    bine_event *ends[] = {bine_signal_event_new(SIGINT), bine_signal_event_new(SIGTERM)};
    ready = bine_mailbox_new(MOST);
    /* The others listen at its port, which the kernel may have chosen. */
    bine_server *server = bine_server_new(
        &(bine_server_options){.address = address, .limit = 20000, .flags = BINE_SERVER_REUSE_PORT}, serve, NULL);
    start(server);
    bine_workers *others = workers > 1 ? bine_workers_start((unsigned)workers - 1, work, server) : NULL;
    void *servers[MOST];
    for (int i = 0; i < workers - 1; i++)
        bine_mailbox_receive(ready, &servers[i], BINE_FOREVER);
    printf("http: %s, %d worker%s\n", bine_server_address(server), workers, workers > 1 ? "s" : "");
    fflush(stdout);

    bine_wait((void **)ends, 2, NULL, 1, BINE_FOREVER);
    for (int i = 0; i < workers - 1; i++)
        bine_server_stop(servers[i], GRACE);
    bine_server_stop(server, GRACE);
    if (others)
        bine_workers_join(others, BINE_FOREVER);
    bine_server_free(server);
    printf("http: stopped\n");
    return 0;
}
