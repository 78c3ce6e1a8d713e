/*
 * Dialling: connect to an address, and send all of some data.
 *
 *      int fd = bine_dial("db.example:5432", 5 * BINE_SECOND);
 *      if (fd < 0)
 *          return -1;
 *      if (bine_send_all(fd, "PING\r\n", 6) == 0)
 *          ...                                 // reader.h reads the answer
 *      bine_close(fd);
 */
#ifndef BINE_DIAL_H
#define BINE_DIAL_H

#include "base.h"

BINE_BEGIN

/*
 * Addresses, here and for servers, have these forms:
 *
 *      127.0.0.1:80        [::1]:80        [fe80::1%eth0]:80
 *      example.com:80      a host's name   localhost:http      a service's name (services(5))
 *      :80                 this machine; for a server: every IPv4 address of it
 *      unix:/run/x.sock    unix:@name      a Unix socket by its path, or an abstract name (unix(7))
 */

/* Returns what is wrong with an address, in words: "no port: write HOST:PORT". Returns NULL if it
 * is well formed; its host need not exist. The text is a constant. Any thread may call it, with or
 * without a hub. Switches: no. */
BINE_API const char *bine_address_error(const char *address);

/*
 * Connect a stream socket to `address`, within `timeout` (ns) for the look-up of its name and all
 * else. It accepts the addresses that bine_server_address returns. A host's name may stand for
 * several addresses. The call tries them one after another, IPv6 and IPv4 in turn. It begins the
 * next attempt a quarter of a second after the one before, or when that one has failed. It takes
 * the first that is connected, and closes the others (RFC 8305). It tries at most 32.
 *
 * Returns a descriptor, which is the caller's: blocking, close-on-exec, for TCP with TCP_NODELAY.
 * Otherwise returns -1, leaves no descriptor open, and sets errno:
 *
 *  - EINVAL: address is NULL or malformed (bine_address_error says how), or timeout is negative
 *  - ENOENT: there is no such host or service, or no such Unix socket
 *  - EAGAIN: the name service cannot answer now, too many look-ups wait, or no hub could be made
 *  - EIO: the name service failed for good
 *  - EADDRNOTAVAIL: the host has no address of a kind that this machine has
 *  - ETIMEDOUT: `timeout` or a scope around the call has passed, or TCP gave up
 *  - ECANCELED, EDEADLK: see base.h
 *  - EMFILE, ENFILE, ENOMEM, ENOBUFS, EACCES, EPERM, ECONNREFUSED, ENETUNREACH, EHOSTUNREACH and
 *    others: as socket(2) and connect(2); if several addresses failed, the error of the first of
 *    them
 *
 * Where parking is not allowed (links, posted functions) the call blocks the thread and ignores
 * `timeout`. It makes the thread's hub. Any thread may call it. Switches: yes.
 */
BINE_API int bine_dial(const char *address, int64_t timeout);

/* Send all `size` bytes over a connected socket. If the peer has gone, the call fails; it never
 * raises SIGPIPE. Returns 0, or -1 with EINVAL (data is NULL, but size is not 0), ECONNRESET,
 * EPIPE, ETIMEDOUT, ECANCELED, EAGAIN (the descriptor is non-blocking), ENOTSOCK, or as send(2).
 * Some of the bytes may have been sent then, so the connection cannot be used any more. Any thread
 * may call it. Switches: maybe. */
BINE_API int bine_send_all(int fd, const void *data, size_t size);

BINE_END

#endif
