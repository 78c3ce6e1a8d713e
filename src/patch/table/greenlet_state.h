/*
 * What the hooks keep for one greenlet. It is made when a greenlet first needs it, and freed at its
 * end. It lies in BINE_SLOT_PATCH.
 */
#ifndef BINE_PATCH_TABLE_GREENLET_STATE_H
#define BINE_PATCH_TABLE_GREENLET_STATE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct bine_greenlet;

struct bine_greenlet_state {
    bool has_mask, has_pipe;
    bool limited; /* has been inside a library with a limit: see engine/limit.h */
    sigset_t mask;
    struct sigaction pipe;
    struct bine_signal_item *directed; /* signals sent to it that it has not got yet */
    uint64_t awaited;                  /* those that it waits for, in sigwait */
    bool suspended;                    /* it is in sigsuspend or pause ... */
    uint64_t suspended_mask;           /* ... with this mask */
    stack_t stack; /* sigaltstack of a thread that is a greenlet: remembered and not used */
};

/* Returns the state of g. With `make` it makes one if need be, and returns NULL with errno ENOMEM
 * if that fails. Without it returns NULL if there is none. */
struct bine_greenlet_state *bine_greenlet_state_of(struct bine_greenlet *g, bool make);

/* `ended` is called at the end of each greenlet that has a state, before the state is freed. For
 * constructors. */
void bine_greenlet_state_on_end(void (*ended)(struct bine_greenlet *g,
                                              struct bine_greenlet_state *state));

#endif
