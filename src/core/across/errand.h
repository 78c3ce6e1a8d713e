/*
 * Errands: what a greenlet has another thread's hub do. There a greenlet is spawned for it, so it may wait like any
 * other and keeps to the order of all; here the caller parks until it is told the outcome. Nothing that belongs to a
 * hub is touched by another thread, so what does not cross threads pays nothing.
 */
#ifndef BINE_CORE_ACROSS_ERRAND_H
#define BINE_CORE_ACROSS_ERRAND_H

#include "core/hub/hub.h"

/* Copied on its way there and back, so that neither side touches the other's stack, which may go with its thread. */
struct bine_errand {
    /* There, in a greenlet of its own; 0 or an error number. NULL: function(item) is called as it is, a function of the
     * program's own, and its value becomes the item. */
    int (*run)(struct bine_errand *errand);
    const char *verb; /* why the caller waits, for dumps */
    void *object;     /* what it is done with */
    void *item;       /* the rest is run's and the caller's, both ways */
    size_t number;
    bine_run *function;
    const char *site;
    /* The caller's, kept here. `run` finds 0, do not wait, or BINE_FOREVER: when the time is up its greenlet is killed. */
    int64_t timeout;
    const bine_spawn_options *options; /* in the heap until the caller has the outcome */
    bool firm;                    /* neither kill nor timeout scope ends it: for what cannot fail for such a reason */
    struct bine_greenlet *caller; /* filled in; there it can only be compared */
    /* The caller has gone with its thread, and nobody takes what `run` came to (`error`, or ESRCH: it never ran): give back what the errand
     * holds. On any thread. NULL: nothing. */
    void (*forsaken)(struct bine_errand *errand, int error);
};

/*
 * Have it done by `hub` and wait for the outcome. Cut short (kill, timeout, interrupt): if it has not begun it never will; else
 * its greenlet is killed, and what that comes to counts: success if it was faster (for a function of the program's own: if it
 * ended before the kill). Returns what run returned, or ETIMEDOUT,
 * ECANCELED, EINTR, EDEADLK (parking is not allowed here), ENOMEM, EAGAIN (no hub here), ESRCH (the other thread has ended,
 * before or meanwhile). Switches: yes.
 */
int bine_errand(struct bine_hub *hub, struct bine_errand *errand);

#endif
