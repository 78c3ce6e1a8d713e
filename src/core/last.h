/* See last.c. */
#ifndef BINE_CORE_LAST_H
#define BINE_CORE_LAST_H

#include "core/hub/hub.h"

/* Kill all greenlets of the current thread but the root, which calls it, and those that come meanwhile, and wait for the ends of those that
 * have begun. Neither a kill nor a timeout cuts it short. Comes back at once where nothing can wake
 * them any more, and leaves what is spawned by the cleanup of 16 generations. */
void bine_hub_end_greenlets(struct bine_hub *hub);

#endif
