/* libcurl's easy interface, over http or https (CURL_SCHEME), with whichever resolver it was built with. */
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
    /* By name for http: this goes through libcurl's resolver (a thread of its own, in Debian's build). */
    snprintf(url, sizeof url, CURL_SCHEME "://%s:%d/%d", strcmp(CURL_SCHEME, "http") == 0 ? "localhost" : "127.0.0.1",
             connection->port, number);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_IPRESOLVE, CURL_IPRESOLVE_V4);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &page);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 20L);
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

static const struct library curl = {CURL_PORT, open_connection, ask, close_connection, false};
LIBRARY_TESTS(curl)
