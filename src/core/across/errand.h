/*
 * Errands: calls that a greenlet has another thread's hub make.
 *
 * The other hub spawns a greenlet for the errand, which may wait like any other and keeps to the
 * order of all. The caller parks in its own hub until it is told the outcome. No thread touches
 * what belongs to another thread's hub, so calls that stay in one thread pay nothing for errands.
 */
#ifndef BINE_CORE_ACROSS_ERRAND_H
#define BINE_CORE_ACROSS_ERRAND_H

#include "core/hub/hub.h"

/* The errand is copied on its way there and back, so that neither side touches the other's stack. A
 * stack may go with its thread. */
struct bine_errand {
    /* Runs at the other hub, in a greenlet of its own. Returns 0 or an error number. If `run` is
     * NULL, function(item) is called directly. That is a function of the program's own, and its
     * value becomes the item. */
    int (*run)(struct bine_errand *errand);
    const char *verb; /* why the caller waits, for dumps */
    void *object;     /* what the errand is done with */
    void *item;       /* this and the next three are for run and the caller, both ways */
    size_t number;
    bine_run *function;
    const char *site;
    /* The caller's limit, which is kept at its side. `run` finds 0 (do not wait) or BINE_FOREVER
     * here: when the time is up its greenlet is killed. */
    int64_t timeout;
    const bine_spawn_options *options; /* lie on the heap until the caller has the outcome */
    /* neither kill nor timeout scope ends it: for errands that cannot fail for such a reason */
    bool firm;
    struct bine_greenlet *caller; /* is filled in; the other side can only compare it */
    /* Called if the caller has gone with its thread, so that nobody takes the outcome of `run`. It
     * gives back what the errand holds. `error` is that outcome, or ESRCH if `run` never ran. It
     * runs on any thread. NULL: there is nothing to give back. */
    void (*forsaken)(struct bine_errand *errand, int error);
};

/*
 * Has `hub` do the errand, and waits for the outcome.
 *
 * A kill, a timeout or an interrupt of the caller ends the errand. If it has not begun, it never
 * will. If it has, its greenlet is killed, and its outcome counts: that is success if the errand
 * was faster. For a function of the program's own it is success if the function ended before the
 * kill.
 *
 * Returns what run returned, or ETIMEDOUT, ECANCELED, EINTR, EDEADLK (parking is not allowed here),
 * ENOMEM, EAGAIN (this thread has no hub) or ESRCH (the other thread had ended, or ended
 * meanwhile). Switches: yes.
 */
int bine_errand(struct bine_hub *hub, struct bine_errand *errand);

#endif
