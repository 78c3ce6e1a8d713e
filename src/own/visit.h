/*
 * Running a function as another greenlet, which stays where it is: on its stack, below what it has
 * there, and with its thread pointer. For handlers of signals that are sent to one thread.
 */
#ifndef BINE_OWN_VISIT_H
#define BINE_OWN_VISIT_H

struct bine_hub;
struct bine_greenlet;

/* Calls function(arg) as `g`, a greenlet of the calling thread that does not run now: the root, or
 * one that has a thread of its own and has begun. The function may not park. Visits nest. Does not
 * switch to other greenlets. */
void bine_own_visit(struct bine_hub *hub, struct bine_greenlet *g, void (*function)(void *arg),
                    void *arg);

#endif
