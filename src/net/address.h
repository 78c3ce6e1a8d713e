/* Addresses as text: their parts, and the socket addresses of the numeric ones. */
#ifndef BINE_NET_ADDRESS_H
#define BINE_NET_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

enum {
    BINE_ADDRESS_TEXT = sizeof(struct sockaddr_un) + 64,
    BINE_ADDRESS_HOST = 256, /* a name of the DNS has at most 253 bytes */
    BINE_ADDRESS_SERVICE = 64
};

struct bine_address_parts {
    bool local;                         /* "unix:" */
    bool bracketed;                     /* "[...]": IPv6, perhaps with a scope */
    char host[BINE_ADDRESS_HOST];       /* for a Unix socket its path */
    char service[BINE_ADDRESS_SERVICE]; /* a number or a name */
};

/* Fills in the parts of the text. Returns NULL, or a constant that says what is wrong with the
 * text. */
const char *bine_address_split(const char *text, struct bine_address_parts *parts);

/* Makes the socket address of parts that need no look-up: a Unix socket, or a numeric host and
 * port. An empty host is 0.0.0.0. Returns false if they need one. */
bool bine_address_parse(const struct bine_address_parts *parts, struct sockaddr_storage *address,
                        socklen_t *length);

/* Makes the text of a socket address. */
void bine_address_format(const struct sockaddr *address, socklen_t length,
                         char text[BINE_ADDRESS_TEXT]);

struct addrinfo;

/* Looks a host and a service up (lookup.c). `passive`: the address is to be bound. Returns 0 or an
 * error number. The caller frees the list by freeaddrinfo. May switch. */
int bine_address_look_up(const struct bine_address_parts *parts, int type, bool passive,
                         struct addrinfo **list);

#endif
