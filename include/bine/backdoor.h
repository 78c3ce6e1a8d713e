/*
 * Backdoor: a console inside a running program, on a Unix socket. It shows which greenlet waits for
 * what, shows figures, and stops greenlets.
 *
 *      bine_backdoor_start("/run/user/1000/prog.sock");        // in the program
 *      $ socat - UNIX-CONNECT:/run/user/1000/prog.sock         // or nc -U
 *      bine> greenlets
 *
 * Only the socket's owner can use it (mode 0600), since a client that connects can kill greenlets.
 */
#ifndef BINE_BACKDOOR_H
#define BINE_BACKDOOR_H

#include "server.h"

BINE_BEGIN

/* Start the console of the calling thread's hub at this path. It is a server: stop it by
 * bine_server_stop and free it by bine_server_free. Fails as bine_server_new and bine_server_start.
 * Switches: no. */
BINE_API bine_server *bine_backdoor_start(const char *path);

BINE_END

#endif
