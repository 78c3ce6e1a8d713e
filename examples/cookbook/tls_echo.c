/*
 * TLS on both sides: a server that echoes lines, and its client.
 *
 *     tls_echo serve ADDRESS CERTIFICATE
 *     tls_echo ask HOST:PORT AUTHORITIES LINE...
 *
 * CERTIFICATE is a PEM file with the certificate and its key, AUTHORITIES one with the certificates
 * to trust. Each step has a time limit, so that a client that does not shake hands, does not send
 * or does not read costs nothing but a while. SIGTERM ends the server, after its connections.
 */
#include <bine.h>
#include <bine/tls.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLIENTS 1000
#define LINE_SIZE 16384
#define HANDSHAKE_TIME (2 * BINE_SECOND)
#define READ_TIME (30 * BINE_SECOND) /* for the first byte of something */
#define WRITE_TIME (2 * BINE_SECOND) /* for all of it */

static void complain(const char *what)
{
    const char *reason =
        errno == EPROTO || errno == EINVAL || errno == EPIPE ? bine_tls_reason() : "";
    fprintf(stderr, "tls_echo: %s: %s\n", what, *reason ? reason : strerror(errno));
}

static void echo(bine_connection *connection, void *context)
{
    bine_tls *tls = bine_tls_accept(context, connection->fd, HANDSHAKE_TIME);
    if (!tls) {
        complain("handshake"); /* a client's fault is no reason to end */
        return;
    }
    bine_tls_set_timeouts(tls, READ_TIME, WRITE_TIME);
    bine_reader *reader = bine_tls_reader_new(tls, LINE_SIZE);
    char *line;
    size_t size;
    int got = 0;
    while (reader && (got = bine_reader_line(reader, &line, &size)) == 1) {
        line[size] = '\n'; /* in place of the zero byte */
        if (bine_tls_write(tls, line, size + 1) < 0)
            break;
    }
    if (got != 0)
        complain("connection");
    bine_reader_free(reader);
    bine_tls_free(tls, BINE_SECOND);
}

static int serve(const char *address, const char *certificate)
{
    bine_event *term = bine_signal_event_new(SIGTERM);
    bine_tls_context *context =
        bine_tls_server_new(&(bine_tls_options){.certificate = certificate});
    bine_server_options options = {.address = address, .limit = CLIENTS};
    bine_server *server = context ? bine_server_new(&options, echo, context) : NULL;
    if (!term || !server || bine_server_start(server) != 0)
        return complain("server"), 1;
    printf("tls_echo: %s\n", bine_server_address(server));
    fflush(stdout);
    bine_event_wait(term, BINE_FOREVER);
    bine_server_stop(server, 3 * BINE_SECOND);
    bine_server_free(server);
    bine_tls_context_free(context);
    return 0;
}

/* -1: errno and the reason say why. */
static int ask_lines(bine_tls *tls, char **lines)
{
    bine_reader *reader = bine_tls_reader_new(tls, LINE_SIZE);
    char *answer;
    int result = reader ? 1 : -1;
    for (; result == 1 && *lines; lines++) {
        if (bine_tls_write(tls, *lines, strlen(*lines)) < 0 || bine_tls_write(tls, "\n", 1) < 0)
            result = -1;
        else if ((result = bine_reader_line(reader, &answer, NULL)) == 1)
            puts(answer);
    }
    bine_reader_free(reader);
    if (result == 0)
        errno = ENODATA; /* it hung up in good order, but too early */
    return result == 1 ? 0 : -1;
}

static int ask(char *address, const char *authorities, char **lines)
{
    bine_tls_context *context =
        bine_tls_client_new(&(bine_tls_options){.authorities = authorities});
    int fd = context ? bine_dial(address, HANDSHAKE_TIME) : -1;
    *strrchr(address, ':') = '\0'; /* the name that its certificate must have */
    bine_tls *tls = fd < 0 ? NULL : bine_tls_connect(context, fd, address, HANDSHAKE_TIME);
    int result = tls ? bine_tls_set_timeouts(tls, READ_TIME, WRITE_TIME) : -1;
    if (result != 0 || (result = ask_lines(tls, lines)) != 0)
        complain(address);
    bine_tls_free(tls, BINE_SECOND);
    if (fd >= 0)
        bine_close(fd);
    bine_tls_context_free(context);
    return result != 0;
}

int main(int count, char **arguments)
{
    signal(SIGPIPE, SIG_IGN); /* of standard output: sockets do not raise it */
    if (count == 4 && strcmp(arguments[1], "serve") == 0)
        return serve(arguments[2], arguments[3]);
    if (count > 4 && strcmp(arguments[1], "ask") == 0 && !bine_address_error(arguments[2]) &&
        strrchr(arguments[2], ':'))
        return ask(arguments[2], arguments[3], arguments + 4);
    fputs("usage: tls_echo serve ADDRESS PEM | tls_echo ask HOST:PORT AUTHORITIES LINE...\n",
          stderr);
    return 2;
}
