/* See last.c. */
#ifndef BINE_CORE_LAST_H
#define BINE_CORE_LAST_H

#include "core/hub/hub.h"

/* Kills all greenlets of the current thread but the root, also those that are spawned meanwhile.
 * Then waits for the ends of those that have begun. The root calls it. Neither a kill nor a timeout
 * ends the wait early. Returns at once if nothing can wake the greenlets any more. Kills at most 16
 * generations of greenlets that the cleanup of others spawns, and leaves the rest. */
void bine_hub_end_greenlets(struct bine_hub *hub);

#endif
