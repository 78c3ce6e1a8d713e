/*
 * Visits: how the deeds of a choice are tried, and waited for, at the hub that owns their objects.
 *
 * Messages make a visit of another hub, one of each kind: `go` there, `looked` back if the deeds
 * now wait in their queues, and `left` back once that hub no longer knows the visit. `left` brings
 * the deed that was done there, if one was. When the choice is made, or given up, `stop` calls back
 * the visits that have not left. The chooser returns when all have left, so an object may be freed
 * as soon as the choice is made. Only a hub that has not looked yet is not waited for.
 *
 * What a claim gives is filled in after it. So a claimed visit sends its own hub the message
 * `served`, and leaves when that arrives.
 */
#ifndef BINE_CHOOSE_VISIT_H
#define BINE_CHOOSE_VISIT_H

#include "deed.h"

/* One wait. Its parts lie in one block behind it. */
struct bine_choosing {
    struct bine_party party; /* first member */
    struct bine_hub *hub;    /* the chooser's ... */
    uint64_t life;           /* ... in that life of its record */
    bool waits;              /* the timeout is not 0 */
    bool far;                /* some deeds are other hubs': they lie on the heap, and are counted */
    atomic_int references;   /* the chooser's, and one for each message that is on its way */
    size_t n;
    /* They are numbered as the choices are. Deeds that are never taken belong to no visit. */
    struct bine_deed *deeds;
    size_t *order; /* the order of the deeds in the visits */
    struct bine_visit *visits;
    size_t visits_made;
    /* These belong to the chooser's thread. */
    ssize_t taken; /* the deed that was done, or -1 */
    struct bine_choosing *next, *previous;
};

struct bine_visit {
    struct bine_message go, stop, looked, served, left;
    struct bine_choosing *choosing;
    struct bine_hub *hub;
    size_t first, count; /* its part of the order */
    atomic_int state;    /* SENT, TAKEN or ABANDONED */
    /* These belong to the visited hub's thread. */
    ssize_t taken; /* the deed that was done, or -1 */
    bool waiting;  /* its deeds lie in queues, or it was claimed and has not left */
    struct bine_visit *next, *previous;
    /* These belong to the chooser's thread. */
    bool begun, has_looked, gone;
};

void bine_visit_init(struct bine_visit *visit, struct bine_choosing *choosing, struct bine_hub *hub,
                     size_t first);

/* A visit of the chooser's own hub. Tries the deeds in their order. If none can be done and the
 * chooser waits, they begin to wait. Returns 0, or why they cannot wait. */
int bine_visit_look(struct bine_visit *visit);

/* Begins a visit of another hub. Returns 0, or ESRCH: its thread has ended. */
int bine_visit_begin(struct bine_visit *visit);

/* What a party's `served` does. */
void bine_visit_served(struct bine_party_taker *taker);

/* Ends the waits of the deeds at the chooser's own hub, and calls back the other hubs' visits that
 * have not left. */
void bine_choosing_stop(struct bine_choosing *choosing);

/* bine_choosing_enter is called when the chooser begins to wait, bine_choosing_leave when it no
 * longer does. The latter drops its reference. */
void bine_choosing_enter(struct bine_choosing *choosing);
void bine_choosing_leave(struct bine_choosing *choosing);

#endif
