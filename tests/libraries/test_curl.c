/*
 * libcurl's easy interface, over http or https (CURL_SCHEME), with both of its resolvers: a thread
 * for each name (Debian's build), or c-ares, which asks on the calling thread (CURL_ARES: the
 * library that tools/libcurl-ares built).
 */
#include <bine.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#include "library.h"

struct page {
    char *text;
    size_t size, room;
};

static size_t collect(char *bytes, size_t one, size_t size, void *arg)
{
    struct page *page = arg;
    (void)one;
    for (size_t i = 0; i < size; i++)
        if (page->size + 1 < page->room)
            page->text[page->size++] = bytes[i];
    page->text[page->size] = 0;
    return size;
}

/* By name: this goes through libcurl's resolver. */
static const char *host = "localhost";
static char name_server[32]; /* "" the machine's own */

struct connection {
    CURL *curl;
    int port;
};

static void *open_connection(int port)
{
    struct connection *connection = malloc(sizeof *connection);
    *connection = (struct connection){curl_easy_init(), port};
    return connection;
}

static bool ask(void *arg, int number, bool slow, char *answer, size_t size)
{
    struct connection *connection = arg;
    CURL *curl = connection->curl;
    struct page page = {answer, 0, size};
    char url[100], error[CURL_ERROR_SIZE] = "";
    (void)slow;
    snprintf(url, sizeof url, CURL_SCHEME "://%s:%d/%d", host, connection->port, number);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_IPRESOLVE, CURL_IPRESOLVE_V4);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &page);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 20L);
    if (name_server[0])
        curl_easy_setopt(curl, CURLOPT_DNS_SERVERS, name_server);
    if (getenv("BINE_CERTIFICATE"))
        curl_easy_setopt(curl, CURLOPT_CAINFO, getenv("BINE_CERTIFICATE"));
    if (curl_easy_perform(curl) == CURLE_OK)
        return true;
    snprintf(answer, size, "%s", error);
    return false;
}

static void close_connection(void *arg)
{
    struct connection *connection = arg;
    curl_easy_cleanup(connection->curl);
    free(connection);
}

__attribute__((constructor)) static void initialise(void)
{
    curl_global_init(CURL_GLOBAL_ALL);
}

TEST(the_resolver_is_the_one_meant)
{
    const curl_version_info_data *version = curl_version_info(CURLVERSION_NOW);
#ifdef CURL_ARES
    if (!version->ares)
        SKIP("tools/libcurl-ares has built no libcurl with c-ares here");
#else
    CHECK_EQ(version->ares, NULL);
#endif
    CHECK(version->features & CURL_VERSION_ASYNCHDNS);
}

#if LIBCURL_VERSION_NUM < 0x075400
#define GOES_ON "libcurl before 7.84 waits again after a poll that failed"
#else
#define GOES_ON NULL
#endif

static const struct library curl = {CURL_PORT,        open_connection, ask,
                                    close_connection, false,           GOES_ON};
LIBRARY_TESTS(curl)

#ifdef CURL_ARES

#include "dns.h"

static void *look_up_and_ask(void *arg)
{
    char answer[300];
    struct connection *connection = open_connection(library_port(CURL_PORT));
    bool good = ask(connection, *(int *)arg, false, answer, sizeof answer);
    close_connection(connection);
    if (!good)
        FAIL("%s", answer);
    return NULL;
}

/* c-ares waits for the name server by itself, on the thread that asked: ten slow look-ups take the
 * time of one. */
TEST(slow_name_servers_are_waited_for_side_by_side, .seconds = 60)
{
    enum {
        LOOK_UPS = 10
    };
    if (!curl_version_info(CURLVERSION_NOW)->ares)
        SKIP("tools/libcurl-ares has built no libcurl with c-ares here");
    bine_greenlet *all[LOOK_UPS];
    int numbers[LOOK_UPS];
    library_port(CURL_PORT);
    CHECK_OK(bine_patch_all());
    snprintf(name_server, sizeof name_server, "127.0.0.1:%d", dns_start(200 * BINE_MS));
    host = "slow.test";
    int64_t begin = harness_now();
    for (int i = 0; i < LOOK_UPS; i++) {
        numbers[i] = i;
        CHECK((all[i] = bine_spawn(look_up_and_ask, &numbers[i])) != NULL);
    }
    CHECK_OK(bine_joinall(all, LOOK_UPS, BINE_FOREVER));
    int64_t taken = harness_now() - begin;
    CHECK_GE(taken, 200 * BINE_MS);
    CHECK_LT(taken, 200 * BINE_MS * LOOK_UPS / 2 * harness_slower());
    CHECK_GE(dns_stop(), LOOK_UPS);
}
#endif

/* ---- what a kill and a time limit look like -------------------------------------------------- */

/* Counts clients that have begun to ask. Such a client waits in poll. One that has only just
 * connected may be struck in the midst of its first bytes, which TLS has another word for. */
static void say_nothing(bine_connection *connection, void *asked)
{
    char first;
    if (bine_recv(connection->fd, &first, 1, MSG_PEEK) == 1)
        ++*(int *)asked;
    bine_sleep(BINE_FOREVER);
}

struct cut {
    char url[100];
    int64_t limit;
    CURLcode code;
    bool killed, expired;
};

static void *fetch_in_scope(void *arg)
{
    struct cut *cut = arg;
    bine_timeout scope;
    CURL *easy = curl_easy_init();
    curl_easy_setopt(easy, CURLOPT_URL, cut->url);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    CHECK_OK(bine_timeout_begin(&scope, cut->limit));
    cut->code = curl_easy_perform(easy);
    cut->killed = bine_killed(bine_getcurrent());
    cut->expired = bine_timeout_expired(&scope);
    bine_timeout_end(&scope);
    curl_easy_cleanup(easy);
    return NULL;
}

/* A kill that meets a call within TLS's handshake, and not the poll between two of them, is that
 * handshake's failure. */
static bool cut_short(CURLcode code)
{
    return code == CURLE_BAD_FUNCTION_ARGUMENT ||
           (CURL_SCHEME[4] == 's' && code == CURLE_SSL_CONNECT_ERROR);
}

/* docs/compatibility.md says so. libcurl has one word for both, which says neither: Bine tells them
 * apart. */
TEST(a_kill_and_a_time_limit_are_a_bad_argument_to_libcurl)
{
    int asked = 0;
    if (curl.goes_on)
        SKIP("%s", curl.goes_on);
    CHECK_OK(bine_patch_all());
    bine_server *silent =
        bine_server_new(&(bine_server_options){.address = "127.0.0.1:0"}, say_nothing, &asked);
    CHECK_OK(bine_server_start(silent));
    struct cut killed = {.limit = BINE_FOREVER}, timed = {.limit = 200 * BINE_MS};
    snprintf(killed.url, sizeof killed.url, CURL_SCHEME "://%s/", bine_server_address(silent));
    memcpy(timed.url, killed.url, sizeof timed.url);
    bine_greenlet *a = bine_spawn(fetch_in_scope, &killed), *b = bine_spawn(fetch_in_scope, &timed);
    while (asked < 2)
        CHECK_OK(bine_sleep(BINE_MS));
    CHECK_OK(bine_kill(a));
    CHECK_OK(bine_join(a, NULL, BINE_FOREVER));
    CHECK_OK(bine_join(b, NULL, BINE_FOREVER));
    CHECK(cut_short(killed.code));
    CHECK(cut_short(timed.code));
    CHECK(killed.killed && !killed.expired);
    CHECK(timed.expired && !timed.killed);
    CHECK_ERROR(bine_server_stop(silent, 0), ETIMEDOUT); /* its handlers were killed */
    CHECK_OK(bine_server_free(silent));
}
