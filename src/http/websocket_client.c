/* Websockets of clients: the handshake (RFC 6455 4.1). After it both sides do the same
 * (websocket.c). */
#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <bine/greenlet.h>
#include <bine/hub.h>

#include "link.h"
#include "websocket.h"

enum {
    RANDOM = 16 /* bytes of a key */
};

static void *connect_failed(int error)
{
    errno = error;
    return NULL;
}

/* ---- protocols ------------------------------------------------------------------------------- */

/* Copies the next name of a list, "a, b", to `name`. Returns where the list continues, or NULL if
 * there is no name, or it is malformed or too long. */
static const char *next_name(const char *list, char *name, size_t room)
{
    list += strspn(list, " ");
    size_t size = strcspn(list, ", ");
    if (size == 0 || size >= room)
        return NULL;
    memcpy(name, list, size);
    name[size] = '\0';
    list += size;
    list += strspn(list, " ");
    if (!bine_http_is_token(name) || (*list && *list != ',') || (*list == ',' && !list[1]))
        return NULL;
    return *list ? list + 1 : list;
}

/* Is it a list of protocols? With `wanted`: and is this one of them? */
static bool offers(const char *list, const char *wanted)
{
    char name[256];
    bool found = !wanted;
    do {
        list = next_name(list, name, sizeof name);
        found |= list && wanted && strcmp(name, wanted) == 0;
    } while (list && *list);
    return list && found;
}

/* ---- the handshake --------------------------------------------------------------------------- */

static bool is_request(const bine_http_request *request)
{
    if (!bine_http_request_valid(request) || request->body || request->read ||
        (request->method && strcmp(request->method, "GET") != 0))
        return false;
    for (const char *const *at = request->headers; at && at[0]; at += 2)
        if (strncasecmp(at[0], "Sec-WebSocket-", 14) == 0)
            return false;
    return true;
}

/* "ws:" and "wss:" are "http:" and "https:". NULL: ENOMEM. */
static char *url_of_http(const char *url)
{
    char *text;
    bool plain = strncasecmp(url, "ws:", 3) == 0, secure = strncasecmp(url, "wss:", 4) == 0;
    int length = plain || secure
                     ? asprintf(&text, "http%s%s", secure ? "s" : "", url + (secure ? 3 : 2))
                     : asprintf(&text, "%s", url);
    return length < 0 ? connect_failed(ENOMEM) : text;
}

/* Only a server that has seen the request can answer it. Returns 0, or an error number. */
static int check_answer(const struct bine_http *http, const char *key, const char *offered)
{
    char wanted[BINE_WEBSOCKET_ANSWER + 1];
    const char *upgrade = bine_http_header(http, "Upgrade"),
               *answer = bine_http_header(http, "Sec-WebSocket-Accept"),
               *chosen = bine_http_header(http, "Sec-WebSocket-Protocol");
    if (http->in.code != 101)
        return ECONNREFUSED;
    bine_http_websocket_answer(key, wanted);
    bool switched = http->in.parser.flags & F_CONNECTION_UPGRADE && upgrade &&
                    strcasecmp(upgrade, "websocket") == 0;
    if (!switched || !answer || strcmp(answer, wanted) != 0 ||
        bine_http_header(http, "Sec-WebSocket-Extensions") ||
        (chosen && (!offered || !offers(offered, chosen))))
        return EPROTO;
    return 0;
}

static bine_websocket *open_websocket(bine_http_client *client, const bine_http_request *request,
                                      const bine_websocket_options *options)
{
    unsigned char random[RANDOM];
    char key[BINE_WEBSOCKET_KEY + 1], *fields;
    if (RAND_bytes(random, RANDOM) != 1)
        return connect_failed(ENOMEM);
    EVP_EncodeBlock((unsigned char *)key, random, RANDOM);
    if (asprintf(&fields,
                 "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: "
                 "13\r\nSec-WebSocket-Key: %s\r\n"
                 "%s%s%s",
                 key, options->protocol ? "Sec-WebSocket-Protocol: " : "",
                 options->protocol ? options->protocol : "", options->protocol ? "\r\n" : "") < 0)
        return connect_failed(ENOMEM);
    struct bine_http *http = bine_http_client_upgrade(client, request, fields);
    int error = errno;
    free(fields);
    if (!http)
        return connect_failed(error);
    if (options->status)
        *options->status = http->in.code;
    error = check_answer(http, key, options->protocol);
    const char *chosen = bine_http_header(http, "Sec-WebSocket-Protocol");
    struct bine_websocket *websocket =
        error ? NULL : bine_http_websocket_new(http, options->message, chosen);
    if (!websocket) {
        error = error ? error : errno;
        bine_http_client_end(http);
        return connect_failed(error);
    }
    bine_http_websocket_begin(websocket);
    return websocket;
}

bine_websocket *bine_websocket_connect(bine_http_client *client, const bine_http_request *request,
                                       const bine_websocket_options *options, int64_t timeout)
{
    static const bine_websocket_options defaults;
    bine_timeout scope;
    if (!client || !request || timeout < 0 || !is_request(request) || BINE_RESERVED_USED(request) ||
        (options && BINE_RESERVED_USED(options)) ||
        (options && options->protocol && !offers(options->protocol, NULL)))
        return connect_failed(EINVAL);
    if (client->hub != bine_hub_get())
        return connect_failed(EPERM);
    bine_http_request to = *request;
    bine_websocket *websocket = NULL;
    char *url = url_of_http(request->url);
    if (url && bine_timeout_begin(&scope, timeout) == 0) {
        to.url = url;
        client->exchanges++; /* also while it has no connection yet */
        websocket = open_websocket(client, &to, options ? options : &defaults);
        client->exchanges--;
        bine_timeout_end(&scope);
    }
    int error = errno;
    free(url);
    errno = error;
    return websocket;
}
