/*
 * A server that ends gracefully. SIGTERM drains it: new clients are refused, requests that have
 * begun are answered, idle connections are closed. SIGHUP, a second SIGTERM, or the end of the time
 * of grace ends what is left at once.
 *
 *     graceful [PORT [GRACE]]      GRACE in seconds (30)
 *
 * Then: nc 127.0.0.1 PORT, and type a number of milliseconds. A request is a line with a number of
 * milliseconds; the answer, "done", comes after so long. Exit status: 0 if all requests were
 * answered, 1 if some were cut short.
 */
#include <bine.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define IDLE_TIME (60 * BINE_SECOND)
/* From a request's first byte to its last, and for an answer to be taken. */
#define REQUEST_TIME (10 * BINE_SECOND)

static bine_event *draining;

static int answer(int fd, const char *line)
{
    int milliseconds = atoi(line);
    if (milliseconds < 0 || milliseconds > 60000)
        return bine_send_all(fd, "at most 60000\n", 14);
    if (bine_sleep(milliseconds * BINE_MS) != 0)
        return -1; /* killed: the server gives up */
    int sent = -1;
    /* A client that does not read ends here. */
    BINE_WITHIN(REQUEST_TIME) sent = bine_send_all(fd, "done\n", 5);
    return sent;
}

/* Has another request begun? Not if the client has left, was idle for too long, or if the server
 * drains. */
static bool next_request(bine_connection *connection, bine_reader *reader)
{
    bine_choice choices[] = {{.operation = BINE_CHOOSE_READABLE, .object = &connection->fd},
                             {.operation = BINE_CHOOSE_READY, .object = draining}};
    return bine_reader_buffered(reader) || bine_choose_first(choices, 2, IDLE_TIME) == 0;
}

static void serve(bine_connection *connection, void *arg)
{
    (void)arg;
    bine_reader *reader = bine_reader_new(connection->fd, 64);
    bool more = reader != NULL;
    while (more && next_request(connection, reader)) {
        char *line = NULL;
        int got = -1;
        BINE_WITHIN(REQUEST_TIME) got = bine_reader_line(reader, &line, NULL);
        more = got == 1 && answer(connection->fd, line) == 0;
    }
    bine_reader_free(reader);
}

static int64_t grace = 30 * BINE_SECOND;

static void *drain(void *server)
{
    /* ETIMEDOUT: the time of grace was over; ECANCELED: this greenlet was killed. */
    if (bine_server_stop(server, grace) != 0)
        bine_fail(errno);
    return NULL;
}

/* Wait for the end of the drain, and cut it short if there is a second signal. */
static int finish(bine_greenlet *drained, bine_event *term, bine_event *hangup)
{
    bine_choice choices[] = {{.operation = BINE_CHOOSE_READY, .object = hangup},
                             {.operation = BINE_CHOOSE_READY, .object = term},
                             {.operation = BINE_CHOOSE_READY, .object = drained}};
    if (bine_choose_first(choices, 3, BINE_FOREVER) != 2)
        bine_kill(drained); /* bine_server_stop kills the handlers now, and waits for them */
    int result = bine_get(drained, NULL, BINE_FOREVER);
    if (result != 0)
        bine_detach(drained);
    return result;
}

int main(int count, char **arguments)
{
    char address[64];
    snprintf(address, sizeof address, "127.0.0.1:%s", count > 1 ? arguments[1] : "7779");
    if (count > 2)
        grace = (int64_t)(atof(arguments[2]) * (double)BINE_SECOND);
    bine_event *term = bine_signal_event_new(SIGTERM), *hangup = bine_signal_event_new(SIGHUP);
    draining = bine_event_new(0);
    bine_server *server =
        bine_server_new(&(bine_server_options){.address = address, .limit = 10000}, serve, NULL);
    if (!term || !hangup || !draining || !server || bine_server_start(server) != 0) {
        perror("graceful");
        return 1;
    }
    printf("graceful: %s\n", bine_server_address(server));
    fflush(stdout);

    bine_wait((void *[]){term, hangup}, 2, NULL, 1, BINE_FOREVER);
    bine_event_clear(term); /* ready for the second */
    bine_event_set(draining);
    bine_greenlet *drained = bine_spawn(drain, server);
    int result = drained ? finish(drained, term, hangup) : bine_server_stop(server, 0);
    printf("graceful: %s\n", result == 0 ? "drained" : "cut short");
    bine_server_free(server);
    return result != 0;
}
