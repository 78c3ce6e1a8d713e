/*
 * A chat server that no client can hold up: what one types, all others see, and who does not read
 * is put out.
 *
 *     chat [PORT [BACKLOG]]      then, from several terminals: nc 127.0.0.1 PORT
 *
 * One greenlet reads what a client types, another writes what the others typed, from a bounded
 * queue. To tell all never waits: a client whose queue is full (BACKLOG lines, 100) is evicted.
 */
#include <bine.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_SIZE 512
#define NAME_SIZE 32

struct client {
    int fd;
    char name[NAME_SIZE];
    bine_queue *lines; /* of malloc'ed strings */
    struct client *next;
};

/* A plain list needs no lock: greenlets of one thread take turns, and only where they wait. */
static struct client *clients;

static void tell_all(const struct client *but, const char *form, const char *name, const char *text)
{
    char line[LINE_SIZE + NAME_SIZE + 16];
    snprintf(line, sizeof line, form, name, text);
    for (struct client *client = clients; client; client = client->next) {
        char *copy = client == but ? NULL : strdup(line);
        if (!copy || bine_queue_put_nowait(client->lines, copy) == 0)
            continue;
        free(copy);
        shutdown(client->fd, SHUT_RDWR); /* its greenlets see the end, and clean up by themselves */
    }
}

static void *write_lines(void *arg)
{
    struct client *client = arg;
    void *line;
    while (bine_queue_get(client->lines, &line, BINE_FOREVER) == 0) {
        if (bine_send_all(client->fd, line, strlen(line)) != 0)
            bine_queue_shutdown(client->lines, true);
        free(line);
    }
    return arg;
}

/* What others are shown goes to their terminals: no control characters. */
static void read_name(struct client *client, const char *line)
{
    snprintf(client->name, sizeof client->name, "%s", line);
    for (char *at = client->name; *at; at++)
        *at = iscntrl((unsigned char)*at) ? '?' : *at;
}

static void take_part(struct client *self, bine_reader *reader)
{
    bine_greenlet *writer = bine_spawn(write_lines, self);
    if (!writer)
        return;
    self->next = clients;
    clients = self;
    tell_all(self, "* %s has come%s\n", self->name, "");
    char *line;
    while (bine_reader_line(reader, &line, NULL) == 1) {
        tell_all(self, "%s: %s\n", self->name, line);
        bine_sleep(0); /* the writers come to their turn, however fast this one types */
    }
    struct client **at = &clients;
    while (*at != self)
        at = &(*at)->next;
    *at = self->next;
    tell_all(self, "* %s has gone%s\n", self->name, "");
    /* The writer uses this frame: wait for its end even if the server has killed this greenlet. */
    bine_shield_begin();
    bine_kill(writer);
    bine_join(writer, NULL, BINE_FOREVER);
    bine_shield_end();
}

static void serve(bine_connection *connection, void *arg)
{
    bine_queue_options options = {.capacity = *(size_t *)arg, .discard = free};
    struct client self = {.fd = connection->fd, .lines = bine_queue_new_with(&options)};
    bine_reader *reader = bine_reader_new(connection->fd, LINE_SIZE); /* a longer line ends it */
    char *line;
    int named = 0;
    if (self.lines && reader && bine_send_all(self.fd, "Your name? ", 11) == 0)
        BINE_WITHIN(30 * BINE_SECOND) named = bine_reader_line(reader, &line, NULL);
    if (named == 1) {
        read_name(&self, line);
        take_part(&self, reader);
    }
    bine_reader_free(reader);
    bine_queue_free(self.lines);
}

int main(int count, char **arguments)
{
    char address[64];
    snprintf(address, sizeof address, "127.0.0.1:%s", count > 1 ? arguments[1] : "7778");
    size_t backlog = count > 2 ? strtoul(arguments[2], NULL, 10) : 100;
    bine_event *term = bine_signal_event_new(SIGTERM);
    bine_server *server =
        bine_server_new(&(bine_server_options){.address = address, .limit = 1000}, serve, &backlog);
    if (!term || !server || bine_server_start(server) != 0)
        return perror("chat"), 1;
    printf("chat: %s\n", bine_server_address(server));
    fflush(stdout);
    bine_event_wait(term, BINE_FOREVER);
    bine_server_stop(server, 0); /* kills the handlers, and waits for them */
    return bine_server_free(server) != 0;
}
