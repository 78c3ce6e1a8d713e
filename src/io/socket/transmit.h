/*
 * Sending on a socket: one call of the send family, and how it waits. The public calls (send.c),
 * write on a socket and sendmmsg share it.
 */
#ifndef BINE_IO_SOCKET_TRANSMIT_H
#define BINE_IO_SOCKET_TRANSMIT_H

#include <sys/socket.h>

#include "io/wait/wait.h"

struct bine_transmit {
    int fd;
    int flags;
    const void *buffer; /* send, sendto */
    size_t size;
    const struct sockaddr *address; /* sendto: may be NULL */
    socklen_t length;
    const struct msghdr *message; /* sendmsg, else NULL */
};

/* Does what libc's call of the same meaning does, but the greenlet waits. Returns -1 with errno. */
ssize_t bine_transmit(struct bine_hub *hub, const struct bine_transmit *transmit);

/* Does the same for a caller that has tried once without waiting. That try sent `sent` bytes, or
 * gave -1 with errno. `saved` is errno as it was before. */
ssize_t bine_transmit_rest(struct bine_hub *hub, const struct bine_transmit *transmit, ssize_t sent,
                           int saved);

#endif
