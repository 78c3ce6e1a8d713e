/* Websockets, as exchanges see them. */
#ifndef BINE_HTTP_WEBSOCKET_H
#define BINE_HTTP_WEBSOCKET_H

#include "exchange.h"

/* The handler has returned: close the websocket if that has not been done, and free it. */
void bine_http_websocket_end(struct bine_http *http);

#endif
