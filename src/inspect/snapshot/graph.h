/*
 * Who waits for whom: greenlets and threads, each with the one that it waits for. A greenlet that
 * waits for any of several has no such edge, because each of them could end its wait.
 */
#ifndef BINE_INSPECT_SNAPSHOT_GRAPH_H
#define BINE_INSPECT_SNAPSHOT_GRAPH_H

#include "snapshot.h"

struct inspect_node {
    size_t to;       /* the node that it waits for, or INSPECT_NOBODY */
    uint64_t object; /* a thread: the mutex that it waits for in libc */
    bool guessed;    /* the holder is not recorded, but its stack shows the lock */
    unsigned cycle;  /* which deadlock it is part of; 0: none */
    unsigned waiters;
};

/* The nodes are the greenlets of the snapshot and then the threads of the target. */
struct inspect_graph {
    const struct inspect_snapshot *snapshot;
    struct inspect_node *nodes;
    size_t count;
    unsigned cycles;
};

/* Returns NULL, after saying so, for lack of memory. */
struct inspect_graph *inspect_graph_new(const struct inspect_snapshot *snapshot);
void inspect_graph_free(struct inspect_graph *graph);

static inline bool inspect_is_thread(const struct inspect_graph *graph, size_t node)
{
    return node >= graph->snapshot->greenlet_count;
}

static inline pid_t inspect_tid(const struct inspect_graph *graph, size_t node)
{
    return graph->snapshot->target->threads[node - graph->snapshot->greenlet_count].tid;
}

#endif
