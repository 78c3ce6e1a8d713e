/*
 * A websocket that says everything back, and a page to try it with:
 *
 *     websocket [PORT]      then open http://127.0.0.1:PORT/
 */
#include <bine.h>
#include <bine/http.h>
#include <stdio.h>
#include <string.h>

static const char page[] =
    "<!doctype html><title>echo</title><input id=i autofocus><pre id=o></pre><script>"
    "var s = new WebSocket('ws://' + location.host + '/echo');"
    "s.onmessage = function (e) { o.textContent += e.data + '\\n'; };"
    "i.onchange = function () { s.send(i.value); i.value = ''; };</script>";

static void echo(bine_http *http)
{
    bine_websocket_message message;
    bine_websocket *websocket = bine_websocket_accept(http, NULL);
    while (websocket && bine_websocket_receive(websocket, &message, 60 * BINE_SECOND) == 1)
        if (bine_websocket_send(websocket, message.kind, message.data, message.size) != 0)
            break;
}

static void answer(bine_http *http, void *arg)
{
    const char *path = bine_http_path(http);
    if (path && strcmp(path, "/echo") == 0)
        echo(http);
    else
        bine_http_respond(http, 200, "text/html", page, sizeof page - 1);
}

int main(int count, char **arguments)
{
    char address[64];
    snprintf(address, sizeof address, "127.0.0.1:%s", count > 1 ? arguments[1] : "8080");
    bine_http_server *server =
        bine_http_server_new(&(bine_http_server_options){.listen.address = address}, answer, NULL);
    if (!server) {
        perror(address);
        return 1;
    }
    printf("websocket: http://%s/\n", bine_http_server_address(server));
    fflush(stdout);
    return bine_http_server_serve(server) != 0;
}
