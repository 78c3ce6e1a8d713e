/* The end of a thread whose greenlets have not ended: they are killed, and the root waits for
 * them. */
#include "last.h"

#include "core/schedule/park.h"

/* Cleanup may spawn greenlets, whose cleanup may spawn others. A link that spawns a greenlet like
 * its own for ever is stopped here. The greenlets that are left are abandoned with the hub. */
enum {
    GENERATIONS = 16
};

/* May g be killed at the end of its thread? */
static bool concerned(const struct bine_greenlet *g)
{
    return !(g->flags & (BINE_G_ROOT | BINE_G_HIDDEN)) && g->state != BINE_DEAD;
}

/* Kill those that exist now. Links run for those that have not begun, which may spawn, and end
 * others: the next of the list is held, and if it has ended meanwhile the list is begun again. What
 * is spawned comes first in the list, so each is met once but for that. */
static void kill_all(struct bine_hub *hub)
{
    size_t most = hub->greenlets;
    struct bine_greenlet *g = hub->all;
    while (g && most > 0) {
        struct bine_greenlet *next = g->all_next;
        if (next)
            bine_ref(next);
        if (concerned(g) && !(g->attention & BINE_A_KILLED)) {
            most--;
            bine_kill(g);
        }
        bool lost = next && next->state == BINE_DEAD;
        if (next)
            bine_detach(next);
        g = lost ? hub->all : next;
    }
}

/* Is one of those that were killed, or of all, still to end? Those that have not begun end with the
 * hub. */
static bool some_left(const struct bine_hub *hub, bool killed)
{
    for (const struct bine_greenlet *g = hub->all; g; g = g->all_next)
        if (concerned(g) && g->state != BINE_NEW && (!killed || g->attention & BINE_A_KILLED))
            return true;
    return false;
}

/* Until one has ended. 0, or EDEADLK. */
static int wait_for_an_end(struct bine_hub *hub)
{
    struct bine_waiter waiter = {.greenlet = hub->current};
    bine_waiters_push(&hub->empty, &waiter);
    int error = bine_park(hub, "end greenlets of thread", 0, INT64_MAX, BINE_PARK_FIRM);
    bine_waiters_remove(&waiter);
    return error;
}

void bine_hub_end_greenlets(struct bine_hub *hub)
{
    for (int generation = 0; generation < GENERATIONS && some_left(hub, false); generation++) {
        kill_all(hub);
        while (some_left(hub, true))
            if (wait_for_an_end(hub) != 0)
                return;
    }
    kill_all(hub);
}
