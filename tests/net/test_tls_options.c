/* What was agreed upon, why a certificate is refused, client certificates, times of reads and
 * writes. */
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "tls.h"

static const char *authority, *other_authority;
static int pair[2];

static void run(const char *format, ...)
{
    char command[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    if (system(command) != 0)
        FAIL("%s", command);
}

/* A certificate of `name`, signed by the authority, good from and until so many days from now; with
 * its key. */
static const char *signed_certificate(const char *name, int from, int until)
{
    const char *path = tls_file(name);
    run("openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout %s.key -out %s.csr "
        "-subj /CN=%s >/dev/null 2>&1",
        path, path, name);
    run("touch %s.index && printf "
        "'[ca]\\ndefault_ca=d\\n[d]\\ndatabase=%s.index\\nrand_serial=yes\\ndefault_md=sha256\\n"
        "new_certs_dir=/"
        "tmp\\npolicy=p\\nunique_subject=no\\nx509_extensions=x\\n[p]\\ncommonName=supplied\\n[x]"
        "\\n"
        "subjectAltName=DNS:%s\\n' >%s.conf",
        path, path, name, path);
    run("openssl ca -batch -notext -config %s.conf -cert %s -keyfile %s.key -in %s.csr -out %s "
        "-startdate $(date -u -d '%d days' +%%Y%%m%%d%%H%%M%%SZ) -enddate $(date -u -d '%d days' "
        "+%%Y%%m%%d%%H%%M%%SZ) >/dev/null 2>&1 && rm -f /tmp/$(openssl x509 -in %s -noout -serial "
        "| cut -d= -f2).pem && cat %s.key >>%s",
        path, authority, authority, path, path, from, until, path, path, path);
    return path;
}

struct end {
    bine_tls_context *context;
    int error;
    char reason[256], again[256], protocol[32], version[16], peer[64];
};

static struct end server_end, client_end;

static void note(struct end *end)
{
    end->error = errno;
    snprintf(end->reason, sizeof end->reason, "%s", bine_tls_reason());
}

static void look_at(struct end *end, const bine_tls *tls)
{
    X509 *peer = SSL_get_peer_certificate(bine_tls_ssl(tls));
    snprintf(end->protocol, sizeof end->protocol, "%s", bine_tls_protocol(tls));
    snprintf(end->version, sizeof end->version, "%s", bine_tls_version(tls));
    if (peer)
        X509_NAME_get_text_by_NID(X509_get_subject_name(peer), NID_commonName, end->peer,
                                  sizeof end->peer);
    X509_free(peer);
}

static void *serve(void *arg)
{
    char byte;
    bine_tls *tls = bine_tls_accept(server_end.context, pair[1], 50 * BINE_SECOND);
    if (tls)
        look_at(&server_end, tls);
    if (!tls || bine_tls_read(tls, &byte, 1) != 1 || bine_tls_write(tls, "!", 1) != 1)
        note(&server_end);
    bine_tls_free(tls, 0);
    bine_close(pair[1]);
    return arg;
}

/* True: a byte went there and one came back. */
static bool talk(const bine_tls_options *server, const bine_tls_options *client, const char *host)
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
    bine_tls *tls = bine_tls_connect(client_end.context, pair[0], host, 50 * BINE_SECOND);
    bool good =
        tls && bine_tls_write(tls, "?", 1) == 1 && bine_tls_read(tls, &byte, 1) == 1 && byte == '!';
    if (!good)
        note(&client_end);
    if (tls)
        look_at(&client_end, tls);
    if (tls && !good && bine_tls_read(tls, &byte, 1) < 0)
        snprintf(client_end.again, sizeof client_end.again, "%s", bine_tls_reason());
    bine_tls_free(tls, 0);
    bine_close(pair[0]);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    bine_tls_context_free(server_end.context);
    bine_tls_context_free(client_end.context);
    return good;
}

static void make_authorities(void)
{
    authority = tls_certificate("authority");
    other_authority = tls_certificate("other");
}

/* ---- why a certificate is refused ------------------------------------------------------------ */

static void check_refused(const char *certificate, const char *trusted, const char *host,
                          const char *word)
{
    CHECK(!talk(&(bine_tls_options){.certificate = certificate},
                &(bine_tls_options){.authorities = trusted}, host));
    CHECK_EQ(client_end.error, EPROTO);
    if (!strstr(client_end.reason, "certificate verify failed") || !strstr(client_end.reason, word))
        FAIL("\"%s\" is not in \"%s\"", word, client_end.reason);
}

TEST(a_client_says_why_it_refuses_a_certificate, .seconds = 60)
{
    make_authorities();
    const char *good = signed_certificate("good.example", -2, 2);
    CHECK(talk(&(bine_tls_options){.certificate = good},
               &(bine_tls_options){.authorities = authority}, "good.example"));
    check_refused(good, authority, "wrong.example", "ostname mismatch");
    check_refused(good, other_authority, "good.example", "issuer certificate");
    check_refused(signed_certificate("old.example", -9, -2), authority, "old.example",
                  "certificate has expired");
    check_refused(signed_certificate("new.example", 2, 9), authority, "new.example",
                  "not yet valid");
    check_refused(other_authority, authority, "localhost", "self");
}

TEST(a_server_says_why_it_refuses_a_client, .seconds = 60)
{
    make_authorities();
    const char *old = signed_certificate("old.example", -9, -2);
    CHECK(!talk(&(bine_tls_options){.certificate = authority, .authorities = authority},
                &(bine_tls_options){.authorities = authority, .certificate = old}, "localhost"));
    CHECK_EQ(server_end.error, EPROTO);
    CHECK(strstr(server_end.reason, "certificate has expired") != NULL);
    /* The client learns it by an alert, and each of its reads says so. */
    CHECK_EQ(client_end.error, EPROTO);
    CHECK(strstr(client_end.reason, "certificate expired") != NULL);
    CHECK_STRING(client_end.again, client_end.reason);
}

/* ---- client certificates --------------------------------------------------------------------- */

TEST(each_side_can_see_the_others_certificate, .seconds = 60)
{
    make_authorities();
    const char *ann = signed_certificate("ann", -2, 2);
    CHECK(talk(&(bine_tls_options){.certificate = authority, .authorities = authority},
               &(bine_tls_options){.authorities = authority, .certificate = ann}, "localhost"));
    CHECK_STRING(server_end.peer, "ann");
    CHECK_STRING(client_end.peer, "authority");
    /* A server that does not ask is told nothing. */
    CHECK(talk(&(bine_tls_options){.certificate = authority},
               &(bine_tls_options){.authorities = authority, .certificate = ann}, "localhost"));
    CHECK_STRING(server_end.peer, "");
    CHECK_EQ(bine_tls_ssl(NULL), NULL);
    CHECK_EQ(bine_tls_context_ssl(NULL), NULL);
}

TEST(the_context_of_openssl_can_be_set_up)
{
    make_authorities();
    bine_tls_context *context = bine_tls_client_new(NULL);
    CHECK(context != NULL);
    CHECK_EQ(SSL_CTX_set_max_proto_version(bine_tls_context_ssl(context), TLS1_2_VERSION), 1);
    bine_tls_context_free(context);
}

/* ---- protocols and versions ------------------------------------------------------------------ */

static void check_protocol(const char *server, const char *client, const char *agreed)
{
    bool good =
        talk(&(bine_tls_options){.certificate = authority, .protocols = server},
             &(bine_tls_options){.authorities = authority, .protocols = client}, "localhost");
    CHECK_EQ(good, agreed != NULL);
    if (agreed) {
        CHECK_STRING(client_end.protocol, agreed);
        CHECK_STRING(server_end.protocol, agreed);
    } else {
        CHECK_EQ(client_end.error, EPROTO);
        /* OpenSSL 1.1.1 has no words for this alert. */
        CHECK(strstr(client_end.reason, "no application protocol") != NULL ||
              strstr(client_end.reason, "reason(1120)") != NULL);
        CHECK_EQ(server_end.error, EPROTO);
    }
}

TEST(protocols_are_agreed_upon_by_the_servers_preference, .seconds = 60)
{
    make_authorities();
    check_protocol("h2,http/1.1", "h2,http/1.1", "h2");
    check_protocol("h2,http/1.1", "http/1.1,h2", "h2");
    check_protocol("http/1.1,h2", "h2,http/1.1", "http/1.1");
    check_protocol("h2,http/1.1", "http/1.1", "http/1.1");
    check_protocol("h2", "http/1.1", NULL);
    check_protocol("h2", NULL, "");
    check_protocol(NULL, "h2", "");
    CHECK_STRING(bine_tls_protocol(NULL), "");
}

TEST(malformed_protocols_and_versions_are_refused)
{
    make_authorities();
    char long_name[300] = "";
    memset(long_name, 'x', 256);
    static const char *const wrong[] = {"", ",", "h2,", ",h2", "h2,,http/1.1"};
    for (size_t i = 0; i <= sizeof wrong / sizeof *wrong; i++) {
        const char *list = i < sizeof wrong / sizeof *wrong ? wrong[i] : long_name;
        CHECK_ERROR(bine_tls_client_new(&(bine_tls_options){.protocols = list}), EINVAL);
        CHECK(strstr(bine_tls_reason(), "protocols") != NULL);
    }
    CHECK_ERROR(bine_tls_client_new(&(bine_tls_options){.min_version = 1}), EINVAL);
    CHECK(strstr(bine_tls_reason(), "version") != NULL);
}

TEST(a_minimum_version_is_kept)
{
    make_authorities();
    CHECK(talk(&(bine_tls_options){.certificate = authority, .min_version = BINE_TLS_1_3},
               &(bine_tls_options){.authorities = authority}, "localhost"));
    CHECK_STRING(client_end.version, "TLSv1.3");
    CHECK(talk(&(bine_tls_options){.certificate = authority, .min_version = BINE_TLS_1_2},
               &(bine_tls_options){.authorities = authority}, "localhost"));

    bine_tls_context *old = bine_tls_client_new(&(bine_tls_options){.authorities = authority});
    server_end.context = bine_tls_server_new(
        &(bine_tls_options){.certificate = authority, .min_version = BINE_TLS_1_3});
    CHECK_EQ(SSL_CTX_set_max_proto_version(bine_tls_context_ssl(old), TLS1_2_VERSION), 1);
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    bine_greenlet *g = bine_spawn(serve, NULL);
    CHECK_ERROR(bine_tls_connect(old, pair[0], "localhost", 50 * BINE_SECOND), EPROTO);
    CHECK(strstr(bine_tls_reason(), "protocol version") != NULL);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    bine_close(pair[0]);
    bine_tls_context_free(old);
    bine_tls_context_free(server_end.context);
}

/* ---- times ----------------------------------------------------------------------------------- */

enum {
    MUCH = 4 << 20
};

static void *say_hello_and_wait(void *until)
{
    bine_tls *tls = bine_tls_accept(server_end.context, pair[1], 50 * BINE_SECOND);
    CHECK(tls != NULL);
    CHECK_OK(bine_event_wait(until, BINE_FOREVER));
    CHECK_EQ(bine_tls_write(tls, "hello", 5), 5);
    CHECK_OK(bine_event_clear(until));
    CHECK_OK(bine_event_wait(until, BINE_FOREVER));
    bine_tls_free(tls, 0);
    bine_close(pair[1]);
    return NULL;
}

TEST(reads_and_writes_keep_to_their_times)
{
    char buffer[16], *much = calloc(1, MUCH);
    make_authorities();
    bine_event *go = bine_event_new(0);
    server_end.context = bine_tls_server_new(&(bine_tls_options){.certificate = authority});
    client_end.context = bine_tls_client_new(&(bine_tls_options){.authorities = authority});
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    bine_greenlet *g = bine_spawn(say_hello_and_wait, go);
    bine_tls *tls = bine_tls_connect(client_end.context, pair[0], "localhost", 50 * BINE_SECOND);
    CHECK(tls != NULL);
    CHECK_ERROR(bine_tls_set_timeouts(NULL, 0, 0), EINVAL);
    CHECK_ERROR(bine_tls_set_timeouts(tls, -1, 0), EINVAL);
    CHECK_ERROR(bine_tls_set_timeouts(tls, 0, -1), EINVAL);
    CHECK_OK(bine_tls_set_timeouts(tls, 20 * BINE_MS, 20 * BINE_MS));
    CHECK_ERROR(bine_tls_read(tls, buffer, sizeof buffer), ETIMEDOUT);
    CHECK_OK(bine_tls_set_timeouts(tls, 50 * BINE_SECOND, 20 * BINE_MS));
    /* A scope around it that is shorter counts. */
    bine_timeout scope;
    CHECK_OK(bine_timeout_begin(&scope, BINE_MS));
    CHECK_ERROR(bine_tls_read(tls, buffer, sizeof buffer), ETIMEDOUT);
    CHECK_EQ(bine_timeout_end(&scope), 1);
    CHECK_OK(bine_event_set(go));
    size_t got = 0;
    while (got < 5) {
        ssize_t n = bine_tls_read(tls, buffer + got, sizeof buffer - got);
        CHECK_GT(n, 0);
        got += (size_t)n;
    }
    CHECK_MEMORY(buffer, "hello", 5);
    /* Nobody reads: the write is cut short, and is the last one. */
    CHECK_ERROR(bine_tls_write(tls, much, MUCH), ETIMEDOUT);
    CHECK_ERROR(bine_tls_write(tls, "x", 1), EPIPE);
    CHECK_OK(bine_event_set(go));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    bine_tls_free(tls, 0);
    bine_close(pair[0]);
    bine_tls_context_free(server_end.context);
    bine_tls_context_free(client_end.context);
    CHECK_OK(bine_event_free(go));
    free(much);
}
