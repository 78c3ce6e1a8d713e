/* Listening and accepting by plain libc calls: after bine_patch_all() only the calling greenlet
 * waits in them. */
#ifndef EXAMPLES_TCP_H
#define EXAMPLES_TCP_H

/* Listen on loopback; *port 0 means any that is free, and is filled in. -1 with errno. */
int tcp_listen(int *port);

/* The next connection. Goes on after trouble that passes: a client that is gone already, no
 * descriptor left (Bine's accept pauses before it says so). -1 if the listener cannot be accepted
 * from any more, or the greenlet was killed. */
int tcp_accept(int listener);

#endif
