/* What SIGPIPE does to a process that is a server. */
#ifndef BINE_IO_DESCRIPTOR_SIGPIPE_H
#define BINE_IO_DESCRIPTOR_SIGPIPE_H

#include <signal.h>

/*
 * Keeps a peer that has gone from ending the process. If SIGPIPE has its default action, gives it a
 * handler that does nothing, so that calls fail with EPIPE. That happens once in the process's
 * life. SIG_IGN would be inherited through execve, and a program such as `yes | head` would never
 * end; a handler becomes the default again there. What the program sets before or afterwards stays.
 */
void bine_sigpipe_survive(void);

/* sigaction(SIGPIPE) for the process as a whole. NULL: libc's. While greenlets have actions of
 * their own, the patches keep the process's action elsewhere, and set this function to reach it. */
extern int (*bine_sigpipe_action)(const struct sigaction *action, struct sigaction *old);

#endif
