/* The hubs and greenlets of a target, as they were when they were read. */
#ifndef BINE_INSPECT_SNAPSHOT_SNAPSHOT_H
#define BINE_INSPECT_SNAPSHOT_SNAPSHOT_H

#include "inspect/target/table.h"

#define INSPECT_NEVER INT64_MAX
#define INSPECT_NOBODY SIZE_MAX

enum inspect_state {
    INSPECT_NEW,     /* has not begun */
    INSPECT_RUNNING, /* has the processor, or is the one in whose turn the hub
                      waits for events */
    INSPECT_READY,
    INSPECT_PARKED,
};

struct inspect_greenlet {
    uint64_t address;
    size_t hub;      /* its place among the snapshot's hubs */
    uint32_t number; /* within its hub, the same for its whole life */
    enum inspect_state state;
    bool current; /* its registers are the thread's, whatever its state */
    bool root, hidden, killed, named;
    uint8_t park_flags;
    uint64_t verb, object; /* of the wait, if it is parked */
    uint64_t site, arg, name, stack, sp;
    uint64_t python, python_state; /* its Greenlet and PyThreadState, or 0 */
    int64_t deadline;              /* absolute, CLOCK_MONOTONIC; INSPECT_NEVER: it has none */
    int64_t since;                 /* when it parked, if that is recorded; -1: it is not */
    uint32_t spawner_number;
    size_t spawner;       /* its place among the greenlets, or INSPECT_NOBODY */
    uint64_t top, bottom; /* of its stack; 0: it has none, or runs on the thread's */
};

struct inspect_hub {
    uint64_t address;
    const struct inspect_table *table;
    unsigned number; /* 1 is the oldest */
    pid_t tid;
    bool waiting; /* for events, in the kernel */
    uint64_t current, root;
    uint64_t turns, switches;
    uint32_t ready;
    uint32_t ready_head, ready_tail; /* they only grow: so many were ever ready */
    uint64_t greenlets;              /* so many it has by its own count, without the root */
    char driver[16];
    size_t first, count; /* its greenlets in the snapshot */
    bool incomplete;     /* its list changed while it was read, or is damaged */
};

struct inspect_snapshot {
    struct inspect_target *target;
    bool running; /* the process is never stopped for it */
    struct inspect_table *tables;
    size_t table_count;
    struct inspect_hub *hubs; /* the oldest first */
    size_t hub_count;
    struct inspect_greenlet *greenlets; /* by hub, the oldest first */
    size_t greenlet_count;
    /* the places of the greenlets, sorted by address and by Python's object */
    uint32_t *by_address, *by_python;
};

/* Reads all. Returns NULL after saying why not. A process that changes too
 * quickly is stopped for as long as this takes; see stop.h. */
struct inspect_snapshot *inspect_snapshot(struct inspect_target *target);
/* Does the same, and never stops the process. If a hub's list changes too quickly, the hub is
 * incomplete, and its youngest greenlets are missing. */
struct inspect_snapshot *inspect_snapshot_running(struct inspect_target *target);
void inspect_snapshot_free(struct inspect_snapshot *snapshot);

/* The greenlet whose record lies there, or NULL. */
const struct inspect_greenlet *inspect_find_greenlet(const struct inspect_snapshot *snapshot,
                                                     uint64_t address);
/* The greenlet that runs this Greenlet object of Python, or NULL. */
const struct inspect_greenlet *inspect_find_python(const struct inspect_snapshot *snapshot,
                                                   uint64_t object);

enum {
    INSPECT_RECORD = 4096 /* the room for a hub's or a greenlet's record */
};

/* Reads the record of a hub, and what it says of the hub itself. Returns false if it is not there,
 * or its thread has ended. */
bool inspect_read_hub(struct inspect_target *target, struct inspect_hub *hub,
                      unsigned char *record);
/* Reads one greenlet of a hub whose record was read. g->address and g->hub say which. Returns false
 * if no greenlet of this hub lies there. */
bool inspect_read_greenlet(struct inspect_target *target, const struct inspect_hub *hub,
                           const unsigned char *hub_record, struct inspect_greenlet *g);

static inline const struct inspect_table *inspect_table_of(const struct inspect_snapshot *snapshot,
                                                           const struct inspect_greenlet *g)
{
    return snapshot->hubs[g->hub].table;
}

#endif
