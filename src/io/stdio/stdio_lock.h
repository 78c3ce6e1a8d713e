/*
 * FILE locks that greenlets own. libc's lock is recursive for the thread, so it would let a second
 * greenlet of the thread in while the first is parked in the middle of a call (hazard 1).
 *
 * Two locks are held together. This one keeps the other greenlets of the hub out. libc's own keeps
 * the other threads out.
 */
#ifndef BINE_IO_STDIO_STDIO_LOCK_H
#define BINE_IO_STDIO_STDIO_LOCK_H

#include <stdbool.h>
#include <stdio.h>

#include "core/hub/hub.h"

/* Takes the lock, recursively, and waits while another greenlet or thread holds it. With `firm`
 * nothing ends the wait early. Returns 0, or an error number (ECANCELED, ETIMEDOUT, EINTR,
 * ENOMEM). */
int bine_stdio_lock(struct bine_hub *hub, FILE *file, bool firm);
/* Takes it if that needs no wait. */
bool bine_stdio_trylock(struct bine_hub *hub, FILE *file);
void bine_stdio_unlock(struct bine_hub *hub, FILE *file);

/* Notes the owner of a lock that this greenlet's thread has and no other greenlet has, before the
 * greenlet parks. bine_stdio_unlock gives both back. Returns 0, or ENOMEM. */
int bine_stdio_own(struct bine_hub *hub, FILE *file);

/* Keeps the other greenlets out, and waits for them if need be. But lets go of libc's lock, however
 * often this thread has it, for a call that another thread makes in this one's name. Returns how
 * often that was, for bine_stdio_take_back. Returns -1 with errno as of bine_stdio_lock. */
int bine_stdio_lend(struct bine_hub *hub, FILE *file);
void bine_stdio_take_back(struct bine_hub *hub, FILE *file, int times);

/* Does the running greenlet hold it? */
bool bine_stdio_locked_by_me(struct bine_hub *hub, FILE *file);

/* Is it another greenlet of this hub that holds it? */
bool bine_stdio_locked_by_other(struct bine_hub *hub, FILE *file);

#endif
