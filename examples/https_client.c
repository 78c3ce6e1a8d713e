/*
 * An HTTPS client: fetch one page and print its status and length. What goes wrong is said in
 * words, a certificate that has expired, or is another host's, included.
 *
 *     https_client HOST:PORT [PATH [AUTHORITIES [CERTIFICATE]]]
 *
 * AUTHORITIES is a PEM file of whom to trust ("": the system's), CERTIFICATE one with the client's
 * own certificate and key, for servers that ask for one.
 */
#include <bine.h>
#include <bine/tls.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PATIENCE (10 * BINE_SECOND) /* for connecting, for shaking hands, for each wait */

static int complain(const char *what)
{
    const char *reason = bine_tls_reason();
    fprintf(stderr, "https_client: %s: %s\n", what,
            errno == EPROTO || errno == EINVAL ? reason : strerror(errno));
    return 1;
}

/* The header fields say how long the body is, or it ends with the connection. */
static int read_response(bine_reader *reader)
{
    char *line, block[16384];
    long long announced = -1, size = 0;
    if (bine_reader_line(reader, &line, NULL) != 1)
        return complain("no answer");
    printf("%s\n", line);
    int result;
    while ((result = bine_reader_line(reader, &line, NULL)) == 1 && *line)
        if (strncasecmp(line, "Content-Length:", 15) == 0)
            announced = atoll(line + 15);
    if (result != 1)
        return complain("the head");
    ssize_t got = 1;
    while (got > 0 && size != announced) {
        size_t most = announced >= 0 && announced - size < (long long)sizeof block
                          ? (size_t)(announced - size)
                          : sizeof block;
        got = bine_reader_read(reader, block, most);
        size += got > 0 ? got : 0;
    }
    if (got < 0)
        return complain("the body");
    printf("%lld bytes\n", size);
    return announced >= 0 && size != announced;
}

static int fetch(bine_tls *tls, const char *host, const char *path)
{
    char request[2048];
    int length =
        snprintf(request, sizeof request, "GET %s HTTP/1.0\r\nHost: %s\r\n\r\n", path, host);
    bine_reader *reader = bine_tls_reader_new(tls, 0);
    bine_tls_set_timeouts(tls, PATIENCE, PATIENCE);
    int status = 1;
    if (length >= (int)sizeof request || !reader)
        fprintf(stderr, "https_client: the path is too long, or there is no memory\n");
    else if (bine_tls_write(tls, request, (size_t)length) < 0 && errno != EPIPE &&
             errno != ECONNRESET)
        complain("request");
    else
        status = read_response(reader); /* also of a server that hung up: it may have said why */
    bine_reader_free(reader);
    return status;
}

int main(int count, char **arguments)
{
    if (count < 2 || bine_address_error(arguments[1])) {
        fprintf(stderr, "usage: https_client HOST:PORT [PATH [AUTHORITIES [CERTIFICATE]]]\n%s\n",
                count < 2 ? "" : bine_address_error(arguments[1]));
        return 2;
    }
    char *host = strdup(arguments[1]), *colon = host ? strrchr(host, ':') : NULL;
    if (colon)
        *colon = '\0'; /* the name that its certificate must have */
    bine_tls_context *context = bine_tls_client_new(
        &(bine_tls_options){.authorities = count > 3 && *arguments[3] ? arguments[3] : NULL,
                            .certificate = count > 4 ? arguments[4] : NULL,
                            .protocols = "http/1.1"});
    if (!context) {
        free(host);
        return complain("certificates");
    }
    int status = 1, fd = bine_dial(arguments[1], PATIENCE);
    if (fd < 0) {
        perror(arguments[1]);
    } else {
        bine_tls *tls = bine_tls_connect(context, fd, host, PATIENCE);
        status =
            tls ? fetch(tls, arguments[1], count > 2 ? arguments[2] : "/") : complain(arguments[1]);
        bine_tls_free(tls, BINE_SECOND);
        bine_close(fd);
    }
    bine_tls_context_free(context);
    free(host);
    return status;
}
