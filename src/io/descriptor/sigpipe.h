/* What SIGPIPE does to a process that serves. */
#ifndef BINE_IO_DESCRIPTOR_SIGPIPE_H
#define BINE_IO_DESCRIPTOR_SIGPIPE_H

#include <signal.h>

/*
 * A peer that has gone shall not end the process: once in its life, if SIGPIPE has its default action, give it a handler
 * that does nothing, so that calls fail with EPIPE. Not SIG_IGN: that would be inherited through execve, and a program
 * such as `yes | head` would never end; a handler becomes the default again there. What the program sets before or
 * afterwards stands.
 */
void bine_sigpipe_survive(void);

/* sigaction(SIGPIPE) for the process as a whole. NULL: libc's. The patches put the process's action aside while
 * greenlets have actions of their own, and know where it is. */
extern int (*bine_sigpipe_action)(const struct sigaction *action, struct sigaction *old);

#endif
