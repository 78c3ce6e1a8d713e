/* Websockets, as exchanges see them. */
#ifndef BINE_HTTP_WEBSOCKET_H
#define BINE_HTTP_WEBSOCKET_H

#include "exchange.h"

enum {
    BINE_WEBSOCKET_KEY = 24,   /* characters of a client's key */
    BINE_WEBSOCKET_ANSWER = 28 /* characters of the answer to it */
};

/* Makes the answer to a client's key (RFC 6455 4.2.2), with a NUL after it. */
void bine_http_websocket_answer(const char *key, char answer[BINE_WEBSOCKET_ANSWER + 1]);

/* Makes the exchange's websocket, whose handshake is not over. `protocol` is the one that was
 * agreed upon, NULL: none. Returns NULL for ENOMEM. */
struct bine_websocket *bine_http_websocket_new(struct bine_http *http, size_t message,
                                               const char *protocol);
/* The handshake is over. The bytes that have come after it are frames. */
void bine_http_websocket_begin(struct bine_websocket *websocket);

/* The handler has returned, or the client no longer needs the websocket. Closes it if that has not
 * been done, and frees it. */
void bine_http_websocket_end(struct bine_http *http);

#endif
