/*
 * A chat server: what one client types, all others see. Each client has two greenlets, one that reads what it types and
 * one that writes what the others typed, with a queue between them: a client that is slow to read delays nobody.
 *
 *     chat [PORT]      then, from several terminals: nc 127.0.0.1 PORT
 */
#include <bine.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tcp.h"

enum {
    LINES_PER_CLIENT = 100,
    LINE_SIZE = 512
};

struct client {
    FILE *stream;
    bine_queue *lines; /* of malloc'ed strings; NULL: no more */
    char name[32];
    struct client *next;
};

/* Greenlets of one thread never run at the same time: a plain list needs no lock, as long as nothing in the middle of
 * a change waits. */
static struct client *clients;

static void tell_all(const struct client *but, const char *format, const char *name, const char *text)
{
    char line[LINE_SIZE + 64];
    snprintf(line, sizeof line, format, name, text);
    for (struct client *client = clients; client; client = client->next) {
        char *copy = client == but ? NULL : strdup(line);
        /* Whoever has not read the last hundred lines misses this one. */
        if (copy && bine_queue_put_nowait(client->lines, copy) != 0)
            free(copy);
    }
}

static void *write_lines(void *arg)
{
    struct client *client = arg;
    void *line;
    while (bine_queue_get(client->lines, &line, BINE_FOREVER) == 0 && line) {
        bool sent = bine_send_all(fileno(client->stream), line, strlen(line)) == 0;
        free(line);
        if (!sent)
            break;
    }
    return NULL;
}

static void *serve(void *connection)
{
    struct client self = {.stream = fdopen((int)(intptr_t)connection, "r"),
                          .lines = bine_queue_new(LINES_PER_CLIENT, 0)};
    if (!self.stream || !self.lines) {
        close((int)(intptr_t)connection);
        return NULL;
    }
    static const char question[] = "Your name? ";
    char line[LINE_SIZE];
    bine_send_all(fileno(self.stream), question, sizeof question - 1);
    if (fgets(self.name, sizeof self.name, self.stream)) {
        self.name[strcspn(self.name, "\r\n")] = '\0';
        bine_greenlet *writer = bine_spawn(write_lines, &self);
        self.next = clients;
        clients = &self;
        tell_all(&self, "* %s has come%s\n", self.name, "");

        while (fgets(line, sizeof line, self.stream))
            tell_all(&self, "%s: %s", self.name, line);

        struct client **at = &clients;
        while (*at && *at != &self)
            at = &(*at)->next;
        if (*at)
            *at = self.next;
        tell_all(&self, "* %s has gone%s\n", self.name, "");
        bine_kill(writer); /* perhaps in the middle of a line that nobody reads */
        bine_join(writer, NULL, BINE_FOREVER);
    }
    void *unsent;
    while (bine_queue_get_nowait(self.lines, &unsent) == 0)
        free(unsent);
    bine_queue_free(self.lines);
    fclose(self.stream);
    return NULL;
}

int main(int count, char **arguments)
{
    int port = count > 1 ? atoi(arguments[1]) : 7778;
    if (bine_patch_all() != 0) {
        perror("bine_patch_all");
        return 1;
    }
    int listener = tcp_listen(&port);
    if (listener < 0) {
        perror("listen");
        return 1;
    }
    printf("chat: 127.0.0.1:%d\n", port);
    fflush(stdout);

    int fd;
    while ((fd = tcp_accept(listener)) >= 0)
        if (bine_go(serve, (void *)(intptr_t)fd) != 0)
            close(fd); /* no memory for one more: the others go on */
    perror("accept");
    return 1;
}
