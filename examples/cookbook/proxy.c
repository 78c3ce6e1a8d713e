/*
 * A TCP proxy. Each connection has two greenlets, one for each direction. When one side has sent
 * its last byte, the other side is told, and may still send.
 *
 *     proxy PORT ADDRESS [IDLE [GRACE]]      proxy 8000 localhost:7777
 *
 * A connection over which nothing passes for IDLE seconds (300) is closed, and so is one whose
 * reader takes nothing for so long. SIGTERM refuses new clients and gives those that are connected
 * GRACE seconds (10). Exit status: 1 if some did not end by then.
 */
#include <bine.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define LIMIT 1000 /* clients at a time; others wait in the kernel */
#define DIAL_TIME (10 * BINE_SECOND)

static const char *target;
static int64_t idle = 300 * BINE_SECOND, grace = 10 * BINE_SECOND;

struct direction {
    int from, to;
    int64_t *deadline; /* of both directions: one may be quiet while the other is busy */
};

static ssize_t receive(struct direction *way, void *bytes, size_t size)
{
    ssize_t got = -1;
    bool late;
    do {
        late = false;
        BINE_WITHIN(bine_left(*way->deadline), &late)
        {
            got = bine_recv(way->from, bytes, size, 0);
        }
    } while (late && bine_left(*way->deadline) > 0); /* the other direction was busy meanwhile */
    return got;
}

static void *forward(void *arg)
{
    struct direction *way = arg;
    char bytes[16384];
    ssize_t got;
    while ((got = receive(way, bytes, sizeof bytes)) > 0) {
        int sent = -1;
        *way->deadline = bine_deadline(idle);
        BINE_WITHIN(idle)
        {
            sent = bine_send_all(way->to, bytes, (size_t)got);
        }
        if (sent != 0)
            bine_fail(errno);
        *way->deadline = bine_deadline(idle);
    }
    if (got < 0)
        bine_fail(errno); /* the scope then ends the other direction, too */
    shutdown(way->to, SHUT_WR);
    return NULL;
}

static void serve(bine_connection *connection, void *arg)
{
    int client = connection->fd, server = bine_dial(target, DIAL_TIME);
    bine_scope *scope = server >= 0 ? bine_scope_begin(BINE_FOREVER) : NULL;
    if (!scope) {
        fprintf(stderr, "proxy: %s: %s\n", target, strerror(errno)); /* EMFILE, for one */
    } else {
        int64_t deadline = bine_deadline(idle);
        struct direction ways[] = {{client, server, &deadline}, {server, client, &deadline}};
        for (int i = 0; i < 2; i++)
            if (!bine_scope_spawn(scope, forward, &ways[i]))
                bine_scope_cancel(scope, errno);
        bine_scope_end(scope); /* both have ended. If this greenlet is killed, so are they. */
    }
    if (server >= 0)
        bine_close(server);
}

int main(int count, char **arguments)
{
    const char *malformed = count >= 3 ? bine_address_error(arguments[2]) : "no address";
    if (malformed)
        return fprintf(stderr, "usage: proxy PORT ADDRESS [IDLE [GRACE]]: %s\n", malformed), 2;
    char address[64];
    snprintf(address, sizeof address, "127.0.0.1:%s", arguments[1]);
    target = arguments[2];
    idle = count > 3 ? (int64_t)(atof(arguments[3]) * (double)BINE_SECOND) : idle;
    grace = count > 4 ? (int64_t)(atof(arguments[4]) * (double)BINE_SECOND) : grace;
    bine_event *term = bine_signal_event_new(SIGTERM);
    bine_server_options options = {.address = address, .limit = LIMIT};
    bine_server *server = bine_server_new(&options, serve, NULL);
    if (!term || !server || bine_server_start(server) != 0) {
        perror("proxy");
        return 1;
    }
    printf("proxy: %s to %s\n", bine_server_address(server), target);
    fflush(stdout);
    bine_event_wait(term, BINE_FOREVER);
    int result = bine_server_stop(server, grace);
    bine_server_free(server);
    return result != 0;
}
