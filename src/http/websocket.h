/* Websockets, as exchanges see them. */
#ifndef BINE_HTTP_WEBSOCKET_H
#define BINE_HTTP_WEBSOCKET_H

#include "exchange.h"

enum {
    BINE_WEBSOCKET_KEY = 24,   /* characters of a client's key */
    BINE_WEBSOCKET_ANSWER = 28 /* of the answer to it */
};

/* The answer to a client's key (RFC 6455 4.2.2), with a NUL behind it. */
void bine_http_websocket_answer(const char *key, char answer[BINE_WEBSOCKET_ANSWER + 1]);

/* The exchange's websocket, whose handshake is not over. `protocol`: what was agreed upon, NULL: none. NULL: ENOMEM. */
struct bine_websocket *bine_http_websocket_new(struct bine_http *http, size_t message, const char *protocol);
/* The handshake is over: what has come behind it are frames. */
void bine_http_websocket_begin(struct bine_websocket *websocket);

/* The handler has returned, or the client has no more use for it: close the websocket if that has not been done, and free it. */
void bine_http_websocket_end(struct bine_http *http);

#endif
