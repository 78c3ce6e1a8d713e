/* Addresses as text: what they consist of, and socket addresses of the numeric ones. */
#ifndef BINE_NET_ADDRESS_H
#define BINE_NET_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

enum {
    BINE_ADDRESS_TEXT = sizeof(struct sockaddr_un) + 64,
    BINE_ADDRESS_HOST = 256, /* a name of the DNS has 253 bytes at most */
    BINE_ADDRESS_SERVICE = 64
};

struct bine_address_parts {
    bool local;                         /* "unix:" */
    bool bracketed;                     /* "[...]": IPv6, perhaps with a scope */
    char host[BINE_ADDRESS_HOST];       /* of a Unix socket its path */
    char service[BINE_ADDRESS_SERVICE]; /* a number or a name */
};

/* What is wrong with the text: a constant, NULL if nothing is; then the parts are filled in. */
const char *bine_address_split(const char *text, struct bine_address_parts *parts);

/* The socket address of what needs no look-up: a Unix socket, or a numeric host and port; an empty host is 0.0.0.0.
 * False: it does. */
bool bine_address_parse(const struct bine_address_parts *parts, struct sockaddr_storage *address, socklen_t *length);

/* The same backwards. */
void bine_address_format(const struct sockaddr *address, socklen_t length, char text[BINE_ADDRESS_TEXT]);

struct addrinfo;

/* Look a host and a service up (lookup.c). `passive`: to bind to. Returns 0 or an error number; the list is freed by
 * freeaddrinfo. May switch. */
int bine_address_look_up(const struct bine_address_parts *parts, int type, bool passive, struct addrinfo **list);

#endif
