/* The connections of a client. */
#ifndef BINE_HTTP_LINK_H
#define BINE_HTTP_LINK_H

#include <bine/hub.h>

#include "exchange.h"
#include "url.h"

struct bine_http_link {
    struct bine_http_link *next;
    struct bine_http_stream stream;
    bool secure, used; /* used: it has carried an exchange */
    int64_t until;     /* it is kept until then */
    char place[272];
};

struct bine_http_client {
    bine_http_limits limits;
    bine_tls_context *tls;
    bine_hub *hub;
    int redirects;
    size_t keep, kept;              /* connections at rest: the most, and the present number */
    size_t exchanges;               /* exchanges that have not been closed */
    struct bine_http_link *resting; /* the connections at rest, the latest first */
};

/* Returns a connection to the URL's place. It is a kept one if there is one, unless `fresh` is set.
 * Returns NULL as bine_dial and bine_tls_connect do. EPROTONOSUPPORT: the URL is https, and there
 * is no context. */
struct bine_http_link *bine_http_link_take(struct bine_http_client *client,
                                           const struct bine_http_url *url, bool fresh);
/* Keeps it for the next exchange. */
void bine_http_link_keep(struct bine_http_client *client, struct bine_http_link *link);
void bine_http_link_close(struct bine_http_link *link);

/* ---- client.c ---- */

/* Can this request be sent, apart from its URL? */
bool bine_http_request_valid(const bine_http_request *request);
/* Asks for another protocol on a connection of its own: the request with further fields, whole
 * lines. When it returns the head of the answer has come, whatever its status. Returns NULL as
 * bine_http_fetch does. */
struct bine_http *bine_http_client_upgrade(struct bine_http_client *client,
                                           const bine_http_request *request, const char *fields);
/* Ends such an exchange, and closes its connection. */
void bine_http_client_end(struct bine_http *http);

#endif
