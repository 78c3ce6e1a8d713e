/* URLs of http and https. */
#ifndef BINE_HTTP_URL_H
#define BINE_HTTP_URL_H

#include <stdbool.h>

#include "text.h"

struct bine_http_url {
    bool secure;
    char host[256];  /* without brackets */
    char place[272]; /* "host:port" for bine_dial and as the key of connections */
    char *authority; /* for the Host field */
    char *target;    /* path and query, "/" at least */
    struct bine_http_text text;
};

/* Takes a URL apart. `base` (may be NULL) is the URL to which a relative one is relative. Returns 0
 * or -1: EINVAL (no URL of http or https, or it has a user), ENOMEM. The caller calls
 * bine_http_url_free, also after a failure. */
int bine_http_url_parse(struct bine_http_url *url, const char *text,
                        const struct bine_http_url *base);
void bine_http_url_free(struct bine_http_url *url);

#endif
