/*
 * Visits: how the deeds of a choice are tried, and waited for, at the hub that owns their objects.
 *
 * A visit of another hub is made by messages, one of each: `go` there, `looked` back if the deeds now wait in their queues, and `left` back once that hub
 * no longer knows the visit, with the deed that was done there, if one was. When the choice is made, or given up, `stop` calls back the visits that have not
 * left. The chooser returns when all have left, so an object may be freed as soon as the choice is made; only a hub that has not looked
 * yet is not waited for.
 *
 * What a claim gives is filled in after it, so a claimed visit sends its own hub the message `served`, and leaves when that comes round.
 */
#ifndef BINE_CHOOSE_VISIT_H
#define BINE_CHOOSE_VISIT_H

#include "deed.h"

/* One wait. Its parts lie in one block behind it. */
struct bine_choosing {
    struct bine_party party; /* first */
    struct bine_hub *hub;    /* the chooser's ... */
    uint64_t life;           /* ... in that life of its record */
    bool waits;              /* the timeout is not 0 */
    bool far;                /* some deeds are other hubs': in the heap, and counted */
    atomic_int references;   /* the chooser's, and each message's that is on its way */
    size_t n;
    struct bine_deed *deeds; /* as the choices are numbered; those that are never taken belong to no visit */
    size_t *order;           /* of the deeds in the visits */
    struct bine_visit *visits;
    size_t visits_made;
    /* On the chooser's thread. */
    ssize_t taken; /* the deed that was done; -1 */
    struct bine_choosing *next, *previous;
};

struct bine_visit {
    struct bine_message go, stop, looked, served, left;
    struct bine_choosing *choosing;
    struct bine_hub *hub;
    size_t first, count; /* part of the order */
    atomic_int state;    /* SENT, TAKEN or ABANDONED */
    /* There. */
    ssize_t taken; /* the deed that was done; -1 */
    bool waiting;  /* its deeds lie in queues, or it was claimed and has not left */
    struct bine_visit *next, *previous;
    /* On the chooser's thread. */
    bool begun, has_looked, gone;
};

void bine_visit_init(struct bine_visit *visit, struct bine_choosing *choosing, struct bine_hub *hub, size_t first);

/* Of its own hub: try the deeds in their order; if none can be done and the chooser waits, let them wait. 0, or why they cannot wait. */
int bine_visit_look(struct bine_visit *visit);

/* To another hub. 0, or ESRCH: its thread has ended. */
int bine_visit_begin(struct bine_visit *visit);

/* What a party's `served` does. */
void bine_visit_served(struct bine_party_taker *taker);

/* The deeds of its own hub wait no longer, and the visits of others that have not left are called back. */
void bine_choosing_stop(struct bine_choosing *choosing);

/* The chooser waits, and no longer. The latter drops its reference. */
void bine_choosing_enter(struct bine_choosing *choosing);
void bine_choosing_leave(struct bine_choosing *choosing);

#endif
