/*
 * A small HTTP/1.1 server: keep-alive, pipelining, limits on what a client may send, slow clients
 * cut off, one hub per core, and a graceful end on Ctrl-C.
 *
 *     web [PORT [WORKERS [SECONDS]]]
 *
 * Then: curl http://127.0.0.1:PORT/, or wrk -c100 http://127.0.0.1:PORT/.
 *
 * A client has SECONDS (10) for a request, from its first byte to the last one of the answer, and
 * six times as long between two requests.
 */
#include <bine.h>
#include <bine/http.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void answer(bine_http *http, void *arg)
{
    const char *path = bine_http_path(http);
    if (!bine_http_read_all(http, NULL))
        return; /* malformed, too long or too slow: Bine answers */
    if (path && strcmp(path, "/") == 0)
        bine_http_respond(http, 200, "text/plain", "hello, world\n", 13);
    else if (path && strcmp(path, "/slow") == 0 && bine_sleep(BINE_SECOND) == 0)
        bine_http_respond(http, 200, "text/plain", "a second later\n", 15);
    else
        bine_http_respond(http, 404, "text/plain", "nothing here\n", 13);
}

static void start(bine_http_server *server)
{
    if (!server || bine_http_server_start(server) != 0) {
        perror("web: server");
        exit(1);
    }
}

/* Each worker tells the main thread, through this, which server it has to stop in the end. */
static bine_mailbox *ready;

static void *work(void *first)
{
    bine_http_server *server = bine_http_server_share(first);
    start(server);
    if (bine_mailbox_send(ready, server, BINE_FOREVER) != 0 || bine_http_server_serve(server) != 0)
        exit(1);
    bine_http_server_free(server);
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
        fprintf(stderr, "web: 1 to %d workers\n", MOST);
        return 1;
    }
    int64_t time = (int64_t)((count > 3 ? atof(arguments[3]) : 10) * (double)BINE_SECOND);
    /* Nothing here needs it. But while Bine sees every fcntl and setsockopt of the process it need
     * not ask the kernel, before each wait, whether a socket has been made non-blocking or given a
     * timeout: two system calls less per request. */
    if (bine_patch_all() != 0)
        perror("web: patching");
    snprintf(address, sizeof address, "127.0.0.1:%s", count > 1 ? arguments[1] : "8080");
    bine_http_server_options options = {
        .listen = {.address = address, .limit = 20000, .flags = BINE_SERVER_REUSE_PORT},
        .limits = {.head_time = time, .request_time = time, .idle_time = 6 * time}};
    bine_event *ends[] = {bine_signal_event_new(SIGINT), bine_signal_event_new(SIGTERM)};
    ready = bine_mailbox_new(MOST);
    /* The others listen at its port, which the kernel may have chosen. */
    bine_http_server *server = bine_http_server_new(&options, answer, NULL);
    start(server);
    bine_workers *others =
        workers > 1 ? bine_workers_start((unsigned)workers - 1, work, server) : NULL;
    void *servers[MOST];
    for (int i = 0; i < workers - 1; i++)
        bine_mailbox_receive(ready, &servers[i], BINE_FOREVER);
    printf("web: %s, %d worker%s\n", bine_http_server_address(server), workers,
           workers > 1 ? "s" : "");
    fflush(stdout);

    bine_wait((void **)ends, 2, NULL, 1, BINE_FOREVER);
    for (int i = 0; i < workers - 1; i++)
        bine_http_server_stop(servers[i], 5 * BINE_SECOND);
    bine_http_server_stop(server, 5 * BINE_SECOND);
    if (others)
        bine_workers_join(others, BINE_FOREVER);
    bine_http_server_free(server);
    printf("web: stopped\n");
    return 0;
}
