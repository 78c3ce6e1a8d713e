/* The offload pool of a process, by its figures. */
#ifndef BINE_INSPECT_SNAPSHOT_POOL_H
#define BINE_INSPECT_SNAPSHOT_POOL_H

#include "snapshot.h"

struct inspect_pool {
    uint64_t threads, running, queued; /* queued: calls for which no thread is free */
};

/* Returns false if the process has no pool that can be read. */
bool inspect_read_pool(const struct inspect_snapshot *snapshot, struct inspect_pool *pool);

#endif
