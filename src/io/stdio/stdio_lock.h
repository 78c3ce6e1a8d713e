/*
 * FILE locks owned by greenlets. libc's are recursive per thread, so that a second greenlet of the thread would walk
 * right in while the first is parked in the middle of a call (hazard 1).
 *
 * Two locks are held together: this one keeps the other greenlets of the hub out, libc's own keeps the other
 * threads out.
 */
#ifndef BINE_IO_STDIO_STDIO_LOCK_H
#define BINE_IO_STDIO_STDIO_LOCK_H

#include <stdbool.h>
#include <stdio.h>

#include "core/hub/hub.h"

/* Take it, recursively; waits while another greenlet or thread holds it. `firm`: whatever happens. 0, or an error
 * number (ECANCELED, ETIMEDOUT, EINTR, ENOMEM). */
int bine_stdio_lock(struct bine_hub *hub, FILE *file, bool firm);
/* Take it if that needs no wait. */
bool bine_stdio_trylock(struct bine_hub *hub, FILE *file);
void bine_stdio_unlock(struct bine_hub *hub, FILE *file);

/* Of a lock that this greenlet's thread has and no other greenlet: note the owner, before it parks. bine_stdio_unlock
 * gives both back. 0, or ENOMEM. */
int bine_stdio_own(struct bine_hub *hub, FILE *file);

/* Keep the other greenlets out, waiting for them if need be, but let go of libc's lock, however often this thread has it:
 * for a call that another thread makes in our name. Returns how often that was, for bine_stdio_take_back; or -1 and an
 * error number in errno as of bine_stdio_lock. */
int bine_stdio_lend(struct bine_hub *hub, FILE *file);
void bine_stdio_take_back(struct bine_hub *hub, FILE *file, int times);

/* Does the running greenlet hold it? */
bool bine_stdio_locked_by_me(struct bine_hub *hub, FILE *file);

/* Is it another greenlet of this hub that holds it? */
bool bine_stdio_locked_by_other(struct bine_hub *hub, FILE *file);

#endif
