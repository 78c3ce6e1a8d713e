/*
 * A web server:   http [PORT]      then: curl http://127.0.0.1:PORT/
 *
 * Several cores, and an end that loses no request: cookbook/web.c.
 */
#include <bine.h>
#include <bine/http.h>
#include <stdio.h>
#include <string.h>

static void answer(bine_http *http, void *arg)
{
    const char *path = bine_http_path(http);
    if (path && strcmp(path, "/") == 0)
        bine_http_respond(http, 200, "text/plain", "hello, world\n", 13);
    else
        bine_http_respond(http, 404, "text/plain", "nothing here\n", 13);
}

int main(int count, char **arguments)
{
    char address[64];
    snprintf(address, sizeof address, "127.0.0.1:%s", count > 1 ? arguments[1] : "8080");
    bine_http_server_options options = {.listen.address = address};
    bine_http_server *server = bine_http_server_new(&options, answer, NULL);
    if (server) {
        printf("http: %s\n", bine_http_server_address(server));
        fflush(stdout);
        bine_http_server_serve(server);
    }
    perror("http");
    return 1;
}
