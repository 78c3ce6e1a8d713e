/*
 * Sends each line that it reads to a websocket, and prints what the server answers.
 *
 *     websocket_client [URL]
 *     websocket_client ws://127.0.0.1:8080/echo      beside: websocket
 */
#include <bine.h>
#include <bine/http.h>
#include <errno.h>
#include <stdio.h>

static void *print_answers(void *websocket)
{
    bine_websocket_message message;
    while (bine_websocket_receive(websocket, &message, BINE_FOREVER) == 1) {
        printf("%.*s\n", (int)message.size, message.data);
        fflush(stdout);
    }
    return NULL;
}

int main(int count, char **arguments)
{
    int status = 0;
    bine_tls_context *tls = bine_tls_client_new(NULL);
    bine_http_client *client = bine_http_client_new(&(bine_http_client_options){.tls = tls});
    bine_http_request request = {.url = count > 1 ? arguments[1] : "ws://127.0.0.1:8080/echo"};
    bine_websocket *websocket = bine_websocket_connect(
        client, &request, &(bine_websocket_options){.status = &status}, 10 * BINE_SECOND);
    if (!websocket) {
        fprintf(stderr, "%s: %s (status %d)\n", request.url, bine_strerror(errno), status);
        return 1;
    }
    bine_greenlet *printer = bine_spawn(print_answers, websocket);
    bine_reader *input = bine_reader_new(0, 0);
    char *line;
    size_t size;
    while (bine_reader_line(input, &line, &size) == 1)
        if (bine_websocket_send(websocket, BINE_WEBSOCKET_TEXT, line, size) != 0)
            break;
    bine_websocket_close(websocket, 1000, NULL);
    bine_join(printer, NULL, 5 * BINE_SECOND); /* until the server has closed, too */
    int code = bine_websocket_code(websocket);
    fprintf(stderr, "closed with %d\n", code);
    bine_reader_free(input);
    bine_websocket_free(websocket);
    bine_http_client_free(client);
    bine_tls_context_free(tls);
    return code != 1000;
}
