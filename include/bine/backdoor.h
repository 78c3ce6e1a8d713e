/*
 * Backdoor: a console inside a running program, on a Unix socket: who waits for what, figures, stopping a greenlet.
 *
 *      bine_backdoor_start("/run/user/1000/prog.sock");        // in the program
 *      $ socat - UNIX-CONNECT:/run/user/1000/prog.sock         // or nc -U
 *      bine> greenlets
 *
 * The socket can be used by its owner alone (mode 0600): whoever connects can kill greenlets.
 */
#ifndef BINE_BACKDOOR_H
#define BINE_BACKDOOR_H

#include "server.h"

BINE_BEGIN

/* Start the console of the calling thread's hub at this path. It is a server: stop it by bine_server_stop and
 * free it by bine_server_free. NULL: as bine_server_new and bine_server_start. Switches: no. */
BINE_API bine_server *bine_backdoor_start(const char *path);

BINE_END

#endif
