/* With BINE_DEBUG_LOCKS=1 Bine reports each greenlet that waits for a lock whose owner has parked
 * while it holds the lock. */
#ifndef BINE_LOCKS_POSIX_DEBUG_H
#define BINE_LOCKS_POSIX_DEBUG_H

struct bine_greenlet;

/* `g` is about to wait for the lock at `address`, which `owner` holds (NULL: the owner is not
 * known). Writes one line on standard error. */
void bine_debug_waits(struct bine_greenlet *g, const void *address,
                      const struct bine_greenlet *owner);

#endif
