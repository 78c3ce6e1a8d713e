/*
 * Stopping a live process for a moment, to read registers or what changes too quickly.
 *
 * The kernel lets the process continue by itself if the reader ends, however it ends. A thread that
 * was stopped inside epoll_wait or a similar call finds that the call ended with EINTR, as after
 * SIGSTOP and SIGCONT.
 */
#ifndef BINE_INSPECT_TARGET_STOP_H
#define BINE_INSPECT_TARGET_STOP_H

#include "target.h"

/* Stops all threads that can be stopped within two seconds, and reads their registers. Does nothing
 * for a core. */
void inspect_stop(struct inspect_target *target);
void inspect_continue(struct inspect_target *target);

#endif
