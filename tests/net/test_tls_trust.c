/* Who is trusted by whom, and whose failure it was. */
#include <pthread.h>

#include "tls.h"

static const char *server_certificate, *client_certificate;
static int pair[2];

struct end {
    bine_tls_context *context;
    bine_tls *tls;
    int error;
    char reason[256];
};

static struct end server_end, client_end;

static void note(struct end *end)
{
    end->error = errno;
    snprintf(end->reason, sizeof end->reason, "%s", bine_tls_reason());
}

static void *serve(void *arg)
{
    char byte;
    server_end.tls = bine_tls_accept(server_end.context, pair[1], 50 * BINE_SECOND);
    if (!server_end.tls)
        note(&server_end);
    else if (bine_tls_read(server_end.tls, &byte, 1) == 1)
        CHECK_EQ(bine_tls_write(server_end.tls, "!", 1), 1);
    else
        note(&server_end);
    bine_tls_free(server_end.tls, 0);
    bine_close(pair[1]);
    return arg;
}

/* True: a byte went there and one came back. */
static bool talk(const bine_tls_options *server, const bine_tls_options *client)
{
    char byte = 0;
    memset(&server_end, 0, sizeof server_end);
    memset(&client_end, 0, sizeof client_end);
    server_end.context = bine_tls_server_new(server);
    client_end.context = bine_tls_client_new(client);
    if (!server_end.context || !client_end.context)
        FAIL("context: %s", bine_tls_reason());
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    bine_greenlet *g = bine_spawn(serve, NULL);
    client_end.tls = bine_tls_connect(client_end.context, pair[0], "localhost", 50 * BINE_SECOND);
    bool good = client_end.tls && bine_tls_write(client_end.tls, "?", 1) == 1 &&
                bine_tls_read(client_end.tls, &byte, 1) == 1 && byte == '!';
    if (!good)
        note(&client_end);
    bine_tls_free(client_end.tls, 0);
    bine_close(pair[0]);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    bine_tls_context_free(server_end.context);
    bine_tls_context_free(client_end.context);
    return good;
}

static void make_certificates(void)
{
    server_certificate = tls_certificate("server");
    client_certificate = tls_certificate("client");
}

/* ---- clients that must have a certificate ---------------------------------------------------- */

TEST(hazard_87_a_server_with_authorities_refuses_clients_without_a_certificate)
{
    make_certificates();
    CHECK(!talk(
        &(bine_tls_options){.certificate = server_certificate, .authorities = client_certificate},
        &(bine_tls_options){.authorities = server_certificate}));
    CHECK_EQ(server_end.error, EPROTO);
    CHECK(strstr(server_end.reason, "did not return a certificate") != NULL);
}

TEST(hazard_87_a_server_with_authorities_refuses_clients_of_others)
{
    make_certificates();
    CHECK(!talk(
        &(bine_tls_options){.certificate = server_certificate, .authorities = client_certificate},
        &(bine_tls_options){.authorities = server_certificate, .certificate = server_certificate}));
    CHECK_EQ(server_end.error, EPROTO);
    CHECK(strstr(server_end.reason, "certificate verify failed") != NULL);
}

TEST(hazard_87_a_server_with_authorities_lets_their_clients_in)
{
    make_certificates();
    CHECK(talk(
        &(bine_tls_options){.certificate = server_certificate, .authorities = client_certificate},
        &(bine_tls_options){.authorities = server_certificate, .certificate = client_certificate}));
    /* Without authorities it asks nobody. */
    CHECK(talk(&(bine_tls_options){.certificate = server_certificate},
               &(bine_tls_options){.authorities = server_certificate}));
}

TEST(hazard_87_options_that_would_be_ignored_are_refused)
{
    make_certificates();
    CHECK_ERROR(bine_tls_server_new(&(bine_tls_options){.certificate = server_certificate,
                                                        .authorities = client_certificate,
                                                        .any_peer = 1}),
                EINVAL);
    CHECK(bine_tls_reason()[0] != '\0');
    CHECK_ERROR(bine_tls_server_new(&(bine_tls_options){.certificate = server_certificate,
                                                        .authorities = "/nonexistent"}),
                EINVAL);
    CHECK(bine_tls_reason()[0] != '\0');
    CHECK_ERROR(bine_tls_client_new(&(bine_tls_options){.key = server_certificate}), EINVAL);
    CHECK(bine_tls_reason()[0] != '\0');
}

/* ---- keys ------------------------------------------------------------------------------------ */

TEST(hazard_94_an_encrypted_key_is_refused_and_nobody_is_asked)
{
    char command[512];
    const char *plain = tls_certificate("plain"), *encrypted = tls_file("encrypted");
    snprintf(command, sizeof command,
             "openssl ec -in %s -out %s -aes128 -passout pass:secret 2>/dev/null", plain,
             encrypted);
    CHECK_OK(system(command));
    /* OpenSSL asks the terminal that controls the process, whatever its standard input is. */
    CHECK_ERROR(bine_tls_server_new(&(bine_tls_options){.certificate = plain, .key = encrypted}),
                EINVAL);
    CHECK(strstr(bine_tls_reason(), "encrypted") != NULL);
    CHECK_ERROR(bine_tls_client_new(&(bine_tls_options){.certificate = plain, .key = encrypted}),
                EINVAL);
    CHECK(strstr(bine_tls_reason(), "encrypted") != NULL);
}

/* ---- reasons --------------------------------------------------------------------------------- */

TEST(hazard_79_a_reason_is_not_that_of_an_earlier_call)
{
    make_certificates();
    bine_tls_context *client =
        bine_tls_client_new(&(bine_tls_options){.authorities = server_certificate});
    CHECK(client != NULL);
    char byte;
    for (int call = 0; call < 6; call++) {
        CHECK_ERROR(bine_tls_server_new(&(bine_tls_options){.certificate = "/nonexistent"}),
                    EINVAL);
        CHECK(strstr(bine_tls_reason(), "No such file") != NULL);
        switch (call) {
        case 0:
            CHECK_ERROR(bine_tls_connect(client, 0, NULL, BINE_SECOND), EINVAL);
            CHECK(strstr(bine_tls_reason(), "name") != NULL);
            break;
        case 1:
            CHECK_ERROR(bine_tls_accept(client, 0, BINE_SECOND), EINVAL);
            CHECK(strstr(bine_tls_reason(), "for clients") != NULL);
            break;
        case 2:
            CHECK_ERROR(bine_tls_connect(client, -1, "x", BINE_SECOND), EINVAL);
            break;
        case 3:
            CHECK_ERROR(bine_tls_read(NULL, &byte, 1), EINVAL);
            break;
        case 4:
            CHECK_ERROR(bine_tls_write(NULL, &byte, 1), EINVAL);
            break;
        case 5:
            CHECK_ERROR(bine_tls_server_new(NULL), EINVAL);
            CHECK(strstr(bine_tls_reason(), "needs a certificate") != NULL);
            break;
        }
        CHECK(strstr(bine_tls_reason(), "No such file") == NULL);
    }
    bine_tls_context_free(client);
}

static void *fails_otherwise(void *arg)
{
    CHECK_EQ(strcmp(bine_tls_reason(), ""), 0); /* it has called nothing yet */
    CHECK_ERROR(bine_tls_server_new(NULL), EINVAL);
    return arg;
}

TEST(hazard_79_a_reason_is_the_greenlets_own)
{
    CHECK(bine_hub_get() != NULL);
    CHECK_ERROR(bine_tls_server_new(&(bine_tls_options){.certificate = "/nonexistent"}), EINVAL);
    bine_greenlet *g = bine_spawn(fails_otherwise, NULL);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK(strstr(bine_tls_reason(), "No such file") != NULL);
}

TEST(hazard_79_each_side_of_a_handshake_has_its_reason)
{
    make_certificates();
    CHECK(!talk(&(bine_tls_options){.certificate = server_certificate},
                &(bine_tls_options){.authorities = client_certificate}));
    CHECK_EQ(client_end.error, EPROTO);
    CHECK(strstr(client_end.reason, "certificate verify failed") != NULL);
    CHECK(strstr(client_end.reason, "self") != NULL); /* and why: it is self-signed */
    CHECK(strstr(server_end.reason, "alert") != NULL);
}

static void fail_in_thread(void *(*fail)(void *))
{
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, fail, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
}

static void *fail_otherwise_without_a_hub(void *arg)
{
    fails_otherwise(arg);
    CHECK(strstr(bine_tls_reason(), "needs a certificate") != NULL);
    CHECK(!bine_hub_exists());
    return arg;
}

static void *fail_without_a_hub(void *arg)
{
    CHECK_ERROR(bine_tls_server_new(&(bine_tls_options){.certificate = "/nonexistent"}), EINVAL);
    fail_in_thread(fail_otherwise_without_a_hub);
    CHECK(strstr(bine_tls_reason(), "No such file") != NULL);
    CHECK(!bine_hub_exists());
    return arg;
}

TEST(hazard_79_a_thread_without_a_hub_has_a_reason_and_gets_no_hub)
{
    CHECK(bine_hub_get() != NULL);
    CHECK(bine_hub_exists());
    fail_in_thread(fail_without_a_hub);
    CHECK_EQ(strcmp(bine_tls_reason(), ""), 0);
}
