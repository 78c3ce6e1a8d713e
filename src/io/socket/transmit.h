/*
 * Sending on a socket: one call of the send family, and how it waits. Shared by the public calls (send.c), write on a
 * socket and sendmmsg.
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

/* The call as libc's of the same meaning, but the greenlet waits. -1 with errno. */
ssize_t bine_transmit(struct bine_hub *hub, const struct bine_transmit *transmit);

/* The same for a caller that has tried once without waiting: `sent` bytes went, or -1 with errno; `saved` is errno as
 * it was before. */
ssize_t bine_transmit_rest(struct bine_hub *hub, const struct bine_transmit *transmit, ssize_t sent, int saved);

#endif
