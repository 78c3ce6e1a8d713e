/*
 * Which greenlets can still be reached: from global variables, from stacks of threads and of
 * greenlets that will run again, and from memory that these lead to. Words that look like addresses
 * count as addresses.
 */
#ifndef BINE_INSPECT_SNAPSHOT_REACH_H
#define BINE_INSPECT_SNAPSHOT_REACH_H

#include "snapshot.h"

struct inspect_reach;

/* Returns NULL after saying why: there is not enough memory, or the target has too much. */
struct inspect_reach *inspect_reach_new(const struct inspect_snapshot *snapshot);
void inspect_reach_free(struct inspect_reach *reach);
/* The greenlet at this place in the snapshot. */
bool inspect_reached(const struct inspect_reach *reach, size_t place);

/* Does only another greenlet or thread of the process wake it? A greenlet that waits with a limit,
 * for a descriptor, a child or another thread is woken from outside. */
bool inspect_may_leak(const struct inspect_snapshot *snapshot, const struct inspect_greenlet *g);

#endif
