/* Sockets bound to addresses. */
#ifndef BINE_NET_LISTEN_H
#define BINE_NET_LISTEN_H

#include <bine/server.h>

#include "address.h"

/* Makes a socket of this type as the options say. One of SOCK_STREAM listens. Returns 0 and the
 * descriptor, or an error number. May switch, to look a name up. */
int bine_listen(const bine_server_options *options, int type, int *fd);

/* What the server does after accept, or recvfrom, failed: it tries again at once, pauses and tries
 * again (SHORTAGE, POLICY), or gives up. */
enum bine_trouble {
    BINE_TROUBLE_PASSING,
    BINE_TROUBLE_SHORTAGE,
    BINE_TROUBLE_POLICY, /* a security module or a filter forbids it for now */
    BINE_TROUBLE_FINAL
};
enum bine_trouble bine_listen_trouble(int error);

#endif
