/* Addresses as text, and sockets bound to them. */
#ifndef BINE_NET_LISTEN_H
#define BINE_NET_LISTEN_H

#include <bine/server.h>
#include <sys/un.h>

enum {
    BINE_ADDRESS_TEXT = sizeof(struct sockaddr_un) + 64
};

/* Parse "127.0.0.1:80", "[::1]:80", ":80", "unix:/path", "unix:@name". 0 or EINVAL. */
int bine_address_parse(const char *text, struct sockaddr_storage *address, socklen_t *length);
/* The same backwards. */
void bine_address_format(const struct sockaddr *address, socklen_t length, char text[BINE_ADDRESS_TEXT]);

/* A socket of this type (SOCK_STREAM: listening) as the options say. Returns 0 and the descriptor, or an error
 * number. */
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
