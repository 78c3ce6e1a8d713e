/*
 * Fetch pages at the same time, and print the length of each:
 *
 *     http_client URL...
 */
#include <bine.h>
#include <bine/http.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static bine_http_client *client;

static void *fetch(void *url)
{
    char block[16384];
    ssize_t got;
    size_t size = 0;
    bine_http *http = bine_http_get(client, url, 10 * BINE_SECOND);
    if (!http) {
        printf("%s: %s %s\n", (char *)url, strerror(errno), bine_tls_reason());
        return NULL;
    }
    while ((got = bine_http_read(http, block, sizeof block)) > 0)
        size += (size_t)got;
    printf("%s: status %d, %zu bytes%s\n", bine_http_url(http), bine_http_status(http), size,
           got < 0 ? ", cut" : "");
    bine_http_close(http);
    return NULL;
}

int main(int count, char **urls)
{
    bine_tls_context *tls = bine_tls_client_new(&(bine_tls_options){.protocols = "http/1.1"});
    client =
        bine_http_client_new(&(bine_http_client_options){.tls = tls, .limits = {.body = 1 << 30}});
    bine_scope *scope = bine_scope_begin(BINE_FOREVER);
    for (int i = 1; client && i < count; i++)
        bine_scope_spawn(scope, fetch, urls[i]);
    bine_scope_end(scope);
    bine_http_client_free(client);
    bine_tls_context_free(tls);
    return client == NULL;
}
