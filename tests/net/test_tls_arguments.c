/* NULL and impossible arguments of libbine-tls: every function of bine/tls.h. See
 * ../arguments.h. */
#include "arguments.h"
#include "tls.h"

static bine_tls_context *server, *client;
static int ends[2];
static bine_tls *accepted;

static void *accept_one(void *arg)
{
    accepted = bine_tls_accept(server, ends[1], BINE_SECOND * 10);
    return arg;
}

static void contexts(const char *certificate)
{
    bine_tls_options no_certificate = {.authorities = certificate},
                     both = {.certificate = certificate, .authorities = certificate, .any_peer = 1},
                     no_file = {.certificate = "/nonexistent"},
                     nobody = {.authorities = "/nonexistent"}, lone_key = {.key = certificate},
                     protocols = {.certificate = certificate, .protocols = ","},
                     version = {.certificate = certificate, .min_version = 7},
                     newer = {.certificate = certificate, .reserved = {0, 0, 0, 1}};
    NOTHING(bine_tls_server_new, NULL);
    NOTHING(bine_tls_server_new, &no_certificate);
    NOTHING(bine_tls_server_new, &both);
    NOTHING(bine_tls_server_new, &no_file);
    NOTHING(bine_tls_server_new, &protocols);
    NOTHING(bine_tls_server_new, &version);
    NOTHING(bine_tls_server_new, &newer);
    NOTHING(bine_tls_client_new, &nobody);
    NOTHING(bine_tls_client_new, &lone_key);
    NOTHING(bine_tls_client_new, &protocols);
    NOTHING(bine_tls_client_new, &version);
    NOTHING(bine_tls_client_new, &newer);
    IGNORED(bine_tls_context_free, NULL);
    HARMLESS(bine_tls_context_ssl, NULL, NULL);
    EXCEPTED(bine_tls_reason, "has no arguments");
}

static void shakes_hands(void)
{
    NOTHING(bine_tls_accept, NULL, ends[0], 0);
    NOTHING(bine_tls_accept, client, ends[0], 0);
    NOTHING(bine_tls_accept, server, -1, 0);
    NOTHING(bine_tls_accept, server, ends[0], -1);
    NOTHING(bine_tls_connect, NULL, ends[0], "localhost", 0);
    NOTHING(bine_tls_connect, server, ends[0], "localhost", 0);
    NOTHING(bine_tls_connect, client, -1, "localhost", 0);
    NOTHING(bine_tls_connect, client, ends[0], NULL, 0);
    NOTHING(bine_tls_connect, client, ends[0], "localhost", -1);
}

static void connections(bine_tls *tls)
{
    char byte;
    REFUSED(bine_tls_read, NULL, &byte, 1);
    REFUSED(bine_tls_read, tls, NULL, 1);
    REFUSED(bine_tls_write, NULL, "x", 1);
    REFUSED(bine_tls_write, tls, NULL, 1);
    NOTHING(bine_tls_reader_new, NULL, 0);
    REFUSED(bine_tls_set_timeouts, NULL, 0, 0);
    REFUSED(bine_tls_set_timeouts, tls, -1, 0);
    REFUSED(bine_tls_set_timeouts, tls, 0, -1);
    IGNORED(bine_tls_free, NULL, 0);
    CHECK(bine_tls_version(NULL) != NULL && bine_tls_protocol(NULL) != NULL);
    EXCEPTED(bine_tls_version, "\"\" for nothing");
    EXCEPTED(bine_tls_protocol, "\"\" for nothing");
    HARMLESS(bine_tls_ssl, NULL, NULL);
}

TEST(null_and_impossible_arguments_are_einval_everywhere)
{
    const char *certificate = tls_certificate("arguments");
    server = bine_tls_server_new(&(bine_tls_options){.certificate = certificate});
    client = bine_tls_client_new(&(bine_tls_options){.authorities = certificate});
    CHECK(server != NULL && client != NULL);
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    contexts(certificate);
    shakes_hands();
    bine_greenlet *g = bine_spawn(accept_one, NULL);
    bine_tls *tls = bine_tls_connect(client, ends[0], "localhost", BINE_SECOND * 10);
    CHECK(tls != NULL);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    connections(tls);
    bine_tls_free(tls, 0);
    bine_tls_free(accepted, 0);
    close(ends[0]);
    close(ends[1]);
    bine_tls_context_free(server);
    bine_tls_context_free(client);
    CHECK_GT(arguments_of_header("tls.h"), 10);
    CHECK_EQ(arguments_wrong, 0);
}
