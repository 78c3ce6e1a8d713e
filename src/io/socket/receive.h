/*
 * Receiving from a socket: one call of the recv family, and how it waits. The public calls
 * (receive.c), read on a socket (read.c) and recvmmsg share it.
 */
#ifndef BINE_IO_SOCKET_RECEIVE_H
#define BINE_IO_SOCKET_RECEIVE_H

#include <sys/socket.h>

#include "io/wait/wait.h"

struct bine_receive {
    int fd;
    int flags;
    void *buffer; /* recv, recvfrom */
    size_t size;
    struct sockaddr *address; /* recvfrom: may be NULL */
    socklen_t *length;
    struct msghdr *message; /* recvmsg, else NULL */
};

/* Does what libc's call of the same meaning does, but the greenlet waits. Returns -1 with errno. */
ssize_t bine_receive(struct bine_hub *hub, const struct bine_receive *receive);

/* A call failed with EAGAIN. Is the reason that a datagram socket was shut down? Then the result is
 * 0 bytes, and the message, if there is one, says so. */
bool bine_receive_ended(const struct bine_wait *wait);
/* Tells the poller of an EAGAIN, where that proves that the socket is exhausted. A datagram socket
 * may be shut down instead. */
void bine_receive_dry(const struct bine_wait *wait);
void bine_receive_nothing(struct msghdr *message);

#endif
