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
    int64_t until;     /* kept so long */
    char place[272];
};

struct bine_http_client {
    bine_http_limits limits;
    bine_tls_context *tls;
    bine_hub *hub;
    int redirects;
    size_t keep, kept;              /* connections at rest: at most, now */
    size_t exchanges;               /* that have not been closed */
    struct bine_http_link *resting; /* the latest first */
};

/* A connection to where the URL is, a kept one if there is one and `fresh` is not asked for. NULL: as bine_dial, bine_tls_connect;
 * EPROTONOSUPPORT: https without a context. */
struct bine_http_link *bine_http_link_take(struct bine_http_client *client, const struct bine_http_url *url,
                                           bool fresh);
/* Keep it for the next exchange. */
void bine_http_link_keep(struct bine_http_client *client, struct bine_http_link *link);
void bine_http_link_close(struct bine_http_link *link);

/* ---- client.c ---- */

/* Is it a request that can be sent, its URL aside? */
bool bine_http_request_valid(const bine_http_request *request);
/* Ask for another protocol on a connection of its own: the request with further fields, whole lines. The head of the answer has come, whatever its
 * status. NULL as bine_http_fetch. */
struct bine_http *bine_http_client_upgrade(struct bine_http_client *client, const bine_http_request *request,
                                           const char *fields);
/* End such an exchange, and close its connection. */
void bine_http_client_end(struct bine_http *http);

#endif
