/*
 * Many looks at the hubs of a process during some time: which greenlet runs at each look, and
 * whether its thread then has the processor. The process does nothing for it and is not stopped.
 *
 * A share of looks is an estimate. A greenlet that runs for 1 % of the time is missed by 100 looks
 * about once in three times.
 */
#ifndef BINE_INSPECT_WINDOW_H
#define BINE_INSPECT_WINDOW_H

#include "inspect/snapshot/delays.h"
#include "inspect/snapshot/snapshot.h"

enum {
    INSPECT_RUNNER_NAME = 100
};

/* A greenlet that ran at a look. One that ended, and another that got its record and runs the same
 * function with the same argument, count as one. */
struct inspect_runner {
    uint64_t address, site, arg;
    size_t hub;         /* its place in the window */
    unsigned number;    /* of the greenlet in its hub */
    unsigned looks;     /* at which it ran */
    unsigned computing; /* of these, with the processor or waiting for one */
    bool met;           /* a view has found its greenlet in a snapshot */
    char name[INSPECT_RUNNER_NAME];
};

struct inspect_hub_window {
    struct inspect_hub hub; /* as it was at the last look */
    bool ended;
    unsigned looks;
    unsigned busy;            /* the hub did not wait for events */
    unsigned computing;       /* of these, its thread had the processor or waited for one */
    uint64_t turns, switches; /* before the first look */
    int64_t processor;        /* ns of its thread before the first look; -1: not known */
    struct inspect_delays delays;
    /* The longest time in which one greenlet was seen running, at look after look, without a
     * switch. Then what runs now, and since when. */
    int64_t longest, held_since;
    struct inspect_runner *longest_runner; /* NULL: the hub's own turn */
    bool held;
    uint32_t held_head;
    uint64_t held_turns, held_address;
};

struct inspect_window {
    int64_t began, last; /* CLOCK_MONOTONIC, ns: of the first and the last look */
    unsigned looks;
    struct inspect_hub_window *hubs;
    size_t hub_count;
    struct inspect_runner **runners; /* by hash; the room is a power of two */
    size_t room, count;
};

int64_t inspect_now(void);

/* Begins to look at the hubs of a snapshot, which must stay as long as looks are taken. `before` is
 * the window before it, or NULL. Returns false for lack of memory. */
bool inspect_window_begin(struct inspect_window *window, const struct inspect_snapshot *snapshot,
                          const struct inspect_window *before);
/* Looks at all hubs once. Returns false for lack of memory. Hubs that cannot be read any more are
 * marked as ended. */
bool inspect_window_look(struct inspect_window *window, const struct inspect_snapshot *snapshot);
/* The window of a hub of a later snapshot, or NULL. */
const struct inspect_hub_window *inspect_window_hub(const struct inspect_window *window,
                                                    const struct inspect_hub *hub);
/* The runner that a greenlet of this hub is, or NULL if it never ran at a look. */
struct inspect_runner *inspect_window_runner(const struct inspect_window *window,
                                             const struct inspect_hub_window *hub,
                                             const struct inspect_greenlet *g);
/* The processor time that a thread has used, in ns. -1: not known. */
int64_t inspect_processor(pid_t pid, pid_t tid);
void inspect_window_free(struct inspect_window *window);

#endif
