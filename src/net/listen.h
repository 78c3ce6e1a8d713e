/* Sockets bound to addresses. */
#ifndef BINE_NET_LISTEN_H
#define BINE_NET_LISTEN_H

#include <bine/server.h>

#include "address.h"

/* A socket of this type (SOCK_STREAM: listening) as the options say. Returns 0 and the descriptor, or an error
 * number. May switch, to look a name up. */
int bine_listen(const bine_server_options *options, int type, int *fd);

/* What accept, or recvfrom, failed with: go on at once, pause and go on (SHORTAGE, POLICY), or give up? */
enum bine_trouble {
    BINE_TROUBLE_PASSING,
    BINE_TROUBLE_SHORTAGE,
    BINE_TROUBLE_POLICY, /* a security module or a filter forbids it, now */
    BINE_TROUBLE_FINAL
};
enum bine_trouble bine_listen_trouble(int error);

#endif
