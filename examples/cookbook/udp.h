/* The words of udp_send and udp_receive. */
#ifndef COOKBOOK_UDP_H
#define COOKBOOK_UDP_H

#include <arpa/inet.h>
#include <bine.h>
#include <stdlib.h>

enum {
    MOST_LINES = 4096,
    LINE_SIZE = 1000
};

struct packet {
    uint32_t number; /* of the line, in network order; alone, as an answer: the line has arrived */
    char text[LINE_SIZE];
};

/* Everything that leaves goes through here, so that a loss (percent, for trying) hits lines and
 * answers. */
static inline void send_packet(bine_datagram_server *from, const struct sockaddr *to,
                               socklen_t length, const struct packet *packet, size_t size, int loss)
{
    if (rand() % 100 >= loss)
        bine_datagram_send(from, to, length, packet, size); /* what fails is lost, and sent again */
}

#endif
