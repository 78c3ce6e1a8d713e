/*
 * An echo server: one greenlet per connection, each a loop of recv and send as in any textbook.
 *
 *     echo [PORT]      then, elsewhere: nc 127.0.0.1 PORT
 */
#include <bine.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tcp.h"

static void *serve(void *connection)
{
    int fd = (int)(intptr_t)connection;
    char buffer[4096];
    ssize_t got;
    while ((got = recv(fd, buffer, sizeof buffer, 0)) > 0 &&
           bine_send_all(fd, buffer, (size_t)got) == 0)
        ;
    close(fd);
    return NULL;
}

int main(int count, char **arguments)
{
    int port = count > 1 ? atoi(arguments[1]) : 7777;
    if (bine_patch_all() != 0) {
        perror("bine_patch_all");
        return 1;
    }
    int listener = tcp_listen(&port);
    if (listener < 0) {
        perror("listen");
        return 1;
    }
    printf("echo: 127.0.0.1:%d\n", port);
    fflush(stdout);

    int fd;
    while ((fd = tcp_accept(listener)) >= 0) {
        bine_greenlet *g = bine_spawn(serve, (void *)(intptr_t)fd);
        if (!g)
            close(fd); /* no memory for one more: this one has bad luck, the others go on */
        bine_detach(g);
    }
    perror("accept");
    return 1;
}
