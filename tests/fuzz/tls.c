/*
 * Bytes thrown at a TLS server and at a TLS client, in one process over a socketpair. The first
 * byte says to which. Both must fail or end, and must not wait for more when the other side has
 * hung up.
 *
 * SOURCES: src/tls/context.c src/tls/outgoing.c src/tls/protocols.c src/tls/reason.c src/tls/tls.c
 * LIBRARIES: -lbine -lssl -lcrypto
 * SANITIZE: undefined
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bine.h>
#include <bine/tls.h>

static bine_tls_context *server, *client;

static void set_up(void)
{
    char certificate[64], command[256];
    snprintf(certificate, sizeof certificate, "/tmp/bine-fuzz-%d.pem", (int)getpid());
    snprintf(command, sizeof command,
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout %s.key "
             "-out %s -days 2 -subj /CN=fuzz >/dev/null 2>&1 && cat %s.key >>%s",
             certificate, certificate, certificate, certificate);
    if (system(command) != 0)
        abort();
    server = bine_tls_server_new(
        &(bine_tls_options){.certificate = certificate, .authorities = certificate});
    client = bine_tls_client_new(&(bine_tls_options){.any_peer = 1});
    unlink(certificate);
    snprintf(command, sizeof command, "%s.key", certificate);
    unlink(command);
    if (!server || !client)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int pair[2];
    char buffer[256];
    if (!server)
        set_up();
    if (size == 0 || size > 65536 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        return 0;
    send(pair[0], data + 1, size - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    shutdown(pair[0], SHUT_WR);
    bine_tls *tls = data[0] & 1 ? bine_tls_connect(client, pair[1], "fuzz", 10 * BINE_SECOND)
                                : bine_tls_accept(server, pair[1], 10 * BINE_SECOND);
    if (!tls && errno == ETIMEDOUT)
        abort();
    while (tls && bine_tls_read(tls, buffer, sizeof buffer) > 0)
        ;
    bine_tls_free(tls, 0);
    bine_close(pair[0]);
    bine_close(pair[1]);
    return 0;
}
