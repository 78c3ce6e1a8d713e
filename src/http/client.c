/* The client. It sends a request, receives the head of its answer, and follows redirects. */
#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include <bine/clock.h>
#include <bine/greenlet.h>
#include <bine/hub.h>

#include "link.h"

enum {
    REDIRECTS = 10,
    KEPT = 16,   /* connections at rest */
    INTERIM = 16 /* answers of status 1xx before the one that counts */
};

static int client_fail(int error)
{
    errno = error;
    return -1;
}

static void *invalid(int error)
{
    errno = error;
    return NULL;
}

/* ---- requests -------------------------------------------------------------------------------- */

/* Fields that the client writes itself. */
static bool is_library_s(const char *name)
{
    static const char *const names[] = {"Host",       "Content-Length", "Transfer-Encoding",
                                        "Connection", "Expect",         "Upgrade"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcasecmp(name, names[i]) == 0)
            return true;
    return false;
}

bool bine_http_request_valid(const bine_http_request *request)
{
    if (!request->url || (request->method && !bine_http_is_token(request->method)) ||
        BINE_RESERVED_USED(request) || (!request->body && request->size) ||
        (request->read && request->body) ||
        (request->method && strcmp(request->method, "CONNECT") == 0))
        return false;
    for (const char *const *at = request->headers; at && at[0]; at += 2)
        if (!at[1] || !bine_http_is_token(at[0]) || !bine_http_is_value(at[1]) ||
            is_library_s(at[0]))
            return false;
    return true;
}

static bool add(struct bine_http_text *text, const char *word)
{
    return bine_http_text_add(text, word, strlen(word));
}

/* Secrets are for the host that they were given for. */
static bool is_secret(const char *name)
{
    return strcasecmp(name, "Authorization") == 0 || strcasecmp(name, "Cookie") == 0;
}

static bool has_length(const bine_http_request *request)
{
    return request->size > 0 || (request->method && (strcmp(request->method, "POST") == 0 ||
                                                     strcmp(request->method, "PUT") == 0 ||
                                                     strcmp(request->method, "PATCH") == 0));
}

/* `fields`: further ones, whole lines; NULL: none. */
static bool format(struct bine_http_text *head, const bine_http_request *request,
                   const struct bine_http_url *url, bool elsewhere, const char *fields)
{
    char length[64];
    bool good = add(head, request->method ? request->method : "GET") && add(head, " ") &&
                add(head, url->target) && add(head, " HTTP/1.1\r\nHost: ") &&
                add(head, url->authority) && add(head, "\r\n");
    for (const char *const *at = request->headers; good && at && at[0]; at += 2)
        if (!elsewhere || !is_secret(at[0]))
            good = add(head, at[0]) && add(head, ": ") && add(head, at[1]) && add(head, "\r\n");
    if (fields)
        good = good && add(head, fields);
    if (request->read) {
        good = good && add(head, "Transfer-Encoding: chunked\r\n");
    } else if (has_length(request)) {
        snprintf(length, sizeof length, "Content-Length: %zu\r\n", request->size);
        good = good && add(head, length);
    }
    return good && add(head, "\r\n");
}

/* The body that the caller gives in pieces, in chunks. */
static int send_chunks(struct bine_http *http, const bine_http_request *request)
{
    char block[8192], line[20];
    ssize_t got;
    while ((got = request->read(request->arg, block, sizeof block)) > 0) {
        int length = snprintf(line, sizeof line, "%zx\r\n", (size_t)got);
        struct iovec parts[] = {{line, (size_t)length}, {block, (size_t)got}, {"\r\n", 2}};
        if (bine_http_stream_send(&http->stream, parts, 3, http->limits->send_time) != 0)
            return -1;
    }
    struct iovec last = {"0\r\n\r\n", 5};
    return got < 0 ? -1 : bine_http_stream_send(&http->stream, &last, 1, http->limits->send_time);
}

static int send_request(struct bine_http *http, const bine_http_request *request,
                        const struct bine_http_url *url, bool elsewhere, const char *fields)
{
    struct bine_http_text head = {NULL, 0, 0};
    int result = format(&head, request, url, elsewhere, fields) ? 0 : client_fail(ENOMEM);
    struct iovec parts[] = {{head.data, head.size}, {(void *)request->body, request->size}};
    if (result == 0)
        result = bine_http_stream_send(&http->stream, parts, 2, http->limits->send_time);
    if (result == 0 && request->read)
        result = send_chunks(http, request);
    int error = errno;
    free(head.data);
    errno = error;
    return result;
}

/* ---- answers --------------------------------------------------------------------------------- */

/* The head of the answer that counts. `switches`: another protocol has been asked for, so that may
 * be status 101. 0 or -1. */
static int read_head(struct bine_http *http, bool to_head, bool switches)
{
    for (int interim = 0; interim < INTERIM; interim++) {
        enum bine_http_outcome outcome;
        http->in.to_head = to_head;
        int64_t deadline = bine_deadline(http->limits->head_time);
        while ((outcome = bine_http_message_head(&http->in)) == BINE_HTTP_MORE) {
            bool begun = bine_http_message_begun(&http->in);
            int got = bine_http_receive(http, bine_left(deadline));
            if (got <= 0)
                return got == 0 ? client_fail(ECONNRESET) : -1;
            if (!begun)
                deadline = bine_deadline(http->limits->head_time);
        }
        if (outcome == BINE_HTTP_BAD || (http->in.code == 101 && !switches))
            return client_fail(bine_http_error_of(http->in.status));
        if (http->in.code >= 200 || http->in.code == 101)
            return 0;
        bine_http_message_begin(&http->in);
    }
    return client_fail(EPROTO);
}

static struct bine_http *exchange_new(struct bine_http_client *client, struct bine_http_link *link)
{
    struct bine_http *http = calloc(1, sizeof *http);
    if (!http)
        return NULL;
    http->client = client;
    http->link = link;
    http->stream = link->stream;
    http->limits = &client->limits;
    bine_http_message_init(&http->in, BINE_HTTP_ANSWERS, http->limits);
    client->exchanges++;
    return http;
}

/* The connection is kept if the answer has been read to its end and nothing came after it. */
static void exchange_free(struct bine_http *http)
{
    struct bine_http_client *client = http->client;
    struct bine_http_link *link = http->link;
    bool good = http->in.complete && http->in.piece_size == 0 && http->in.keep_alive &&
                !http->lost && !http->in.status && http->in.parsed == http->in.used &&
                http->in.code;
    client->exchanges--;
    bine_http_forget(http);
    bine_http_message_free(&http->in);
    free(http->url);
    free(http);
    if (good)
        bine_http_link_keep(client, link);
    else
        bine_http_link_close(link);
}

static bool is_repeatable(const bine_http_request *request)
{
    static const char *const methods[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (!request->read && strcmp(request->method ? request->method : "GET", methods[i]) == 0)
            return true;
    return false;
}

/* One request and the head of its answer. A server may close a kept connection at the very moment
 * at which it is used again: then, if that does no harm, the request goes out once more on another
 * one. */
static struct bine_http *client_ask(struct bine_http_client *client,
                                    const bine_http_request *request,
                                    const struct bine_http_url *url, bool elsewhere)
{
    for (bool fresh = false;; fresh = true) {
        struct bine_http_link *link = bine_http_link_take(client, url, fresh);
        if (!link)
            return NULL;
        struct bine_http *http = exchange_new(client, link);
        if (!http) {
            bine_http_link_close(link);
            return invalid(ENOMEM);
        }
        bool to_head = request->method && strcmp(request->method, "HEAD") == 0;
        if (send_request(http, request, url, elsewhere, NULL) == 0 &&
            read_head(http, to_head, false) == 0)
            return http;
        int error = errno;
        bool again = link->used && !fresh && !bine_http_message_begun(&http->in) &&
                     is_repeatable(request) && (error == ECONNRESET || error == EPIPE);
        http->lost = true;
        exchange_free(http);
        errno = error;
        if (!again)
            return NULL;
    }
}

struct bine_http *bine_http_client_upgrade(struct bine_http_client *client,
                                           const bine_http_request *request, const char *fields)
{
    struct bine_http_url url;
    struct bine_http *http = NULL;
    struct bine_http_link *link = NULL;
    if (bine_http_url_parse(&url, request->url, NULL) == 0)
        link = bine_http_link_take(client, &url, true);
    if (link && !(http = exchange_new(client, link)))
        bine_http_link_close(link);
    if (http && (send_request(http, request, &url, false, fields) != 0 ||
                 read_head(http, false, true) != 0)) {
        int error = errno;
        bine_http_client_end(http);
        http = invalid(error);
    }
    int error = errno;
    bine_http_url_free(&url);
    errno = error;
    return http;
}

void bine_http_client_end(struct bine_http *http)
{
    http->lost = true;
    exchange_free(http);
}

/* ---- redirects ------------------------------------------------------------------------------- */

static bool is_redirect(int code)
{
    return code == 301 || code == 302 || code == 303 || code == 307 || code == 308;
}

/* What to ask for next, in *request and *to: 1. 0: the answer is the caller's as it is. -1:
 * ENOMEM. */
static int follow(const struct bine_http *http, const struct bine_http_url *from,
                  bine_http_request *request, struct bine_http_url *to)
{
    const char *location = is_redirect(http->in.code) ? bine_http_header(http, "Location") : NULL;
    const char *method = request->method ? request->method : "GET";
    bool to_get = (http->in.code == 303 && strcmp(method, "HEAD") != 0) ||
                  (http->in.code < 303 && strcmp(method, "POST") == 0);
    if (!location || (request->read && !to_get))
        return 0;
    /* What was asked for in private is not asked for in public. */
    int error = bine_http_url_parse(to, location, from) == 0 ? 0 : errno;
    if (error || (from->secure && !to->secure)) {
        bine_http_url_free(to);
        return error == ENOMEM ? client_fail(ENOMEM) : 0;
    }
    if (to_get) {
        request->method = "GET";
        request->body = NULL;
        request->size = 0;
        request->read = NULL;
    }
    return 1;
}

static char *text_of(const struct bine_http_url *url)
{
    char *text;
    return asprintf(&text, "%s://%s%s", url->secure ? "https" : "http", url->authority,
                    url->target) < 0
               ? NULL
               : text;
}

static struct bine_http *fetch(struct bine_http_client *client, bine_http_request request)
{
    struct bine_http_url url, next;
    struct bine_http *http = NULL;
    if (bine_http_url_parse(&url, request.url, NULL) != 0) {
        int error = errno;
        bine_http_url_free(&url);
        return invalid(error);
    }
    bool elsewhere = false;
    int followed;
    for (int redirects = 0;; redirects++) {
        http = client_ask(client, &request, &url, elsewhere);
        followed = http && redirects < client->redirects ? follow(http, &url, &request, &next) : 0;
        if (followed != 1)
            break;
        elsewhere = elsewhere || strcmp(url.place, next.place) != 0 || url.secure != next.secure;
        http->lost = !bine_http_drain(http);
        exchange_free(http);
        bine_http_url_free(&url);
        url = next;
    }
    if (http && (followed < 0 || !(http->url = text_of(&url)))) {
        http->lost = true;
        exchange_free(http);
        http = invalid(ENOMEM);
    }
    int error = errno;
    bine_http_url_free(&url);
    errno = error;
    return http;
}

/* ---- the public side ------------------------------------------------------------------------- */

bine_http_client *bine_http_client_new(const bine_http_client_options *options)
{
    static const bine_http_client_options defaults;
    bine_http_limits limits;
    if (!options)
        options = &defaults;
    if (!bine_http_limits_complete(&limits, &options->limits, UINT64_MAX / 2) ||
        options->redirects < -1 || BINE_RESERVED_USED(options))
        return invalid(EINVAL);
    struct bine_http_client *client = calloc(1, sizeof *client);
    if (!client)
        return NULL;
    client->limits = limits;
    client->tls = options->tls;
    client->redirects = options->redirects ? options->redirects : REDIRECTS;
    client->keep = options->keep ? options->keep : KEPT;
    client->hub = bine_hub_get();
    if (client->hub)
        return client;
    free(client);
    return invalid(EAGAIN);
}

int bine_http_client_free(bine_http_client *client)
{
    if (!client)
        return 0;
    if (client->hub != bine_hub_get())
        return client_fail(EPERM);
    if (client->exchanges)
        return client_fail(EBUSY);
    struct bine_http_link *resting = client->resting;
    client->resting = NULL;
    for (struct bine_http_link *link; (link = resting);) {
        resting = link->next;
        bine_http_link_close(link);
    }
    free(client);
    return 0;
}

bine_http *bine_http_fetch(bine_http_client *client, const bine_http_request *request,
                           int64_t timeout)
{
    bine_timeout scope;
    if (!client || !request || timeout < 0 || !bine_http_request_valid(request))
        return invalid(EINVAL);
    if (client->hub != bine_hub_get())
        return invalid(EPERM);
    if (bine_timeout_begin(&scope, timeout) != 0)
        return NULL;
    client->exchanges++; /* also while it has no connection yet */
    bine_http *http = fetch(client, *request);
    client->exchanges--;
    bine_timeout_end(&scope);
    return http;
}

bine_http *bine_http_get(bine_http_client *client, const char *url, int64_t timeout)
{
    return bine_http_fetch(client, &(bine_http_request){.url = url}, timeout);
}

int bine_http_status(const bine_http *http)
{
    return http && http->client ? http->in.code : client_fail(EINVAL);
}

const char *bine_http_url(const bine_http *http)
{
    return http && http->client ? http->url : invalid(EINVAL);
}

int bine_http_close(bine_http *http)
{
    if (!http)
        return 0;
    if (!http->client)
        return client_fail(EINVAL);
    exchange_free(http);
    return 0;
}
