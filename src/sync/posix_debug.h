/*
 * Reports for BINE_DEBUG_LOCKS=1: a greenlet that wants a lock whose owner has parked with it.
 */
#ifndef BINE_SYNC_POSIX_DEBUG_H
#define BINE_SYNC_POSIX_DEBUG_H

struct bine_greenlet;

/* `g` is about to wait for the lock at `address`. One line on standard error, once for each time the lock is held. */
void bine_debug_waits(struct bine_greenlet *g, const void *address);

#endif
