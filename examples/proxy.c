/*
 * A TCP proxy: each connection gets two greenlets, one per direction. When one direction ends, its end is passed
 * on, and the other goes on until it ends as well.
 *
 *     proxy PORT ADDRESS        listen on the port, forward to the address: proxy 8000 localhost:7777
 */
#include <bine.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tcp.h"

static const char *target;

struct direction {
    int from, to;
};

static void *forward(void *arg)
{
    struct direction *way = arg;
    char buffer[16384];
    ssize_t got;
    while ((got = recv(way->from, buffer, sizeof buffer, 0)) > 0 && bine_send_all(way->to, buffer, (size_t)got) == 0)
        ;
    shutdown(way->to, SHUT_WR); /* say that no more will come */
    return NULL;
}

static void *serve(void *connection)
{
    int client = (int)(intptr_t)connection;
    int server = bine_dial(target, 10 * BINE_SECOND);
    if (server < 0) {
        perror(target);
    } else {
        /* Both live on this stack: this greenlet does not leave before the other one has ended. */
        struct direction there = {client, server}, back = {server, client};
        bine_greenlet *other = bine_spawn(forward, &back);
        if (other) {
            forward(&there);
            bine_join(other, NULL, BINE_FOREVER);
        }
        close(server);
    }
    close(client);
    return NULL;
}

int main(int count, char **arguments)
{
    const char *malformed = count == 3 ? bine_address_error(arguments[2]) : NULL;
    if (count != 3 || malformed) {
        fprintf(stderr, "usage: proxy PORT ADDRESS%s%s\n", malformed ? ": " : "", malformed ? malformed : "");
        return 2;
    }
    int port = atoi(arguments[1]);
    target = arguments[2];

    if (bine_patch_all() != 0) {
        perror("bine_patch_all");
        return 1;
    }
    int listener = tcp_listen(&port);
    if (listener < 0) {
        perror("listen");
        return 1;
    }
    printf("proxy: 127.0.0.1:%d to %s\n", port, target);
    fflush(stdout);

    int fd;
    while ((fd = tcp_accept(listener)) >= 0)
        if (bine_go(serve, (void *)(intptr_t)fd) != 0)
            close(fd); /* no memory for one more: the others go on */
    perror("accept");
    return 1;
}
