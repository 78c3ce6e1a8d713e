/*
 * Dialling: connect to an address, and send all of something. What every client needs before it can say a word.
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
 * Addresses, here and for servers:
 *
 *      127.0.0.1:80        [::1]:80        [fe80::1%eth0]:80
 *      example.com:80      a host's name   localhost:http      a service's name (services(5))
 *      :80                 this machine; for a server: every IPv4 address of it
 *      unix:/run/x.sock    unix:@name      a Unix socket by its path, or by an abstract name (unix(7))
 */

/* What is wrong with an address, in words: "no port: write HOST:PORT". NULL: it is well formed, though its host need
 * not exist. The text is a constant. Any thread, with or without a hub. Switches: no. */
BINE_API const char *bine_address_error(const char *address);

/*
 * Connect a stream socket to `address`, within `timeout` for the look-up of its name and all else. It takes what
 * bine_server_address gives. A host's name may stand for several addresses: they are tried one after another, IPv6
 * and IPv4 in turn, and the next begins a quarter of a second after the one before, or when that has failed; the
 * first that is connected is taken, and the others are closed (RFC 8305). 32 are tried at most.
 *
 * Returns a descriptor, which is the caller's: blocking, close-on-exec, for TCP with TCP_NODELAY. Or -1, and no
 * descriptor is left open:
 *   EINVAL             address NULL or malformed (bine_address_error says how), timeout negative
 *   ENOENT             no such host or service, or no such Unix socket
 *   EAGAIN             the name service cannot answer now, or too many look-ups wait; no hub
 *   EIO                the name service failed for good
 *   EADDRNOTAVAIL      the host has no address of a kind that this machine has
 *   ETIMEDOUT          `timeout` or a scope around the call has passed, or TCP gave up
 *   ECANCELED, EDEADLK see base.h
 *   EMFILE, ENFILE, ENOMEM, ENOBUFS, EACCES, EPERM, ECONNREFUSED, ENETUNREACH, EHOSTUNREACH ...
 *                      as socket(2) and connect(2); if several addresses failed, of the first of them
 * Where parking is not allowed (links, posted functions) it blocks the thread, and `timeout` does not count. Makes
 * the thread's hub. Any thread. Switches: yes.
 */
BINE_API int bine_dial(const char *address, int64_t timeout);

/* Send all of it over a connected socket; a peer that has gone is an error, never a SIGPIPE. Returns 0, or -1: EINVAL
 * (data NULL, but size not 0), ECONNRESET, EPIPE, ETIMEDOUT, ECANCELED, EAGAIN (a non-blocking descriptor),
 * ENOTSOCK, or as send(2); some of it may have been sent then, so the connection is of no more use. Any thread.
 * Switches: maybe. */
BINE_API int bine_send_all(int fd, const void *data, size_t size);

BINE_END

#endif
