/* docs/errors.md: libcurl. */
#include <curl/curl.h>
#include <unistd.h>

#include "errors.h"

static int port;

static size_t drop(char *data, size_t one, size_t size, void *arg)
{
    (void)data, (void)one, (void)arg;
    return size;
}

static void perform(CURL *curl, int to, struct outcome *outcome)
{
    char url[100];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/1", to);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    outcome->code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &outcome->system_error);
    snprintf(outcome->message, sizeof outcome->message, "%.299s",
             curl_easy_strerror((CURLcode)outcome->code));
}

static void fetches(void *curl, struct outcome *outcome)
{
    perform(curl, port, outcome);
}

static void struck(bool kill, CURLcode code)
{
    struct outcome after = {.code = 0};
    int direct = library_port("BINE_HTTP_PORT");
    if (curl_version_info(CURLVERSION_NOW)->version_num < 0x075400)
        SKIP("this libcurl goes on after a poll that has failed (7.84 does not)");
    CHECK_OK(bine_patch_all());
    CURL *curl = curl_easy_init();
    port = proxy_start(direct, 3, 30 * BINE_SECOND);
    struct outcome struck = strike(fetches, curl, kill);
    CHECK_OUTCOME(struck, code, "A libcurl function was given a bad argument");
    CHECK_EQ(struck.system_error, 0);
    /* The handle is as good as ever; libcurl has closed the connection. */
    perform(curl, direct, &after);
    CHECK_EQ(after.code, CURLE_OK);
    curl_easy_cleanup(curl);
    proxy_stop();
}

TEST(a_kill_is_a_bad_argument, .seconds = 60)
{
    struck(true, CURLE_BAD_FUNCTION_ARGUMENT);
}

TEST(a_timeout_is_a_bad_argument, .seconds = 60)
{
    struck(false, CURLE_BAD_FUNCTION_ARGUMENT);
}

TEST(nobody_there_is_could_not_connect, .seconds = 60)
{
    struct outcome outcome = {.code = 0};
    library_port("BINE_HTTP_PORT");
    CHECK_OK(bine_patch_all());
    CURL *curl = curl_easy_init();
    perform(curl, 1, &outcome);
    CHECK_OUTCOME(outcome, CURLE_COULDNT_CONNECT, "connect");
    curl_easy_cleanup(curl);
}

static void leave(bine_connection *connection, void *answer)
{
    char request[1000];
    bine_recv(connection->fd, request, sizeof request, 0);
    bine_send_all(connection->fd, answer, strlen(answer));
}

static void left(const char *answer, CURLcode code)
{
    struct outcome outcome = {.code = 0};
    library_port("BINE_HTTP_PORT");
    CHECK_OK(bine_patch_all());
    bine_server *server =
        bine_server_new(&(bine_server_options){.address = "127.0.0.1:0"}, leave, (void *)answer);
    CHECK_OK(bine_server_start(server));
    CURL *curl = curl_easy_init();
    perform(curl, bine_server_port(server), &outcome);
    CHECK_OUTCOME(outcome, code, "");
    curl_easy_cleanup(curl);
    CHECK_OK(bine_server_stop(server, BINE_SECOND));
    CHECK_OK(bine_server_free(server));
}

TEST(a_server_that_leaves_has_its_own_errors, .seconds = 60)
{
    left("", CURLE_GOT_NOTHING);
    left("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", CURLE_PARTIAL_FILE);
}
