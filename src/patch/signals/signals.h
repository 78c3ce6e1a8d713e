/*
 * Signals in a patched process: what the hooks of the signal family are made of. There are four
 * concepts, a file for each:
 *
 *   signal_action.c  handlers run on the alternate stack, never on a greenlet's small one, and wake
 *                    the greenlets that wait (hazard 32)
 *   signal_pipe.c    the action of SIGPIPE belongs to the greenlet: libraries set it, call, and
 *                    restore it (hazard 9)
 *   signal_mask.c    the signal mask belongs to the greenlet, too
 *   signal_wait.c    waiting for signals
 *
 * All functions have libc's signatures and results and may be called on any thread. Threads without
 * a hub get libc's own behaviour.
 */
#ifndef BINE_PATCH_SIGNALS_SIGNALS_H
#define BINE_PATCH_SIGNALS_SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

struct bine_hub;
struct bine_greenlet;
struct bine_greenlet_state;

/* ---- signal_action.c ---- */

/* sigaction. */
int bine_signal_action(int number, const struct sigaction *action, struct sigaction *old);
/* Does the same without regard to greenlets: for the process. */
int bine_signal_action_of_process(int number, const struct sigaction *action,
                                  struct sigaction *old);
/* bine_signals_adopt wraps handlers that were installed before the family was patched.
 * bine_signals_release gives all handlers back. */
void bine_signals_adopt(void);
void bine_signals_release(void);
/* Runs an action's handler as the kernel would. */
void bine_signal_call(const struct sigaction *action, int number, siginfo_t *info, void *context);
static inline bool bine_signal_has_handler(const struct sigaction *action)
{
    return action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN;
}

/* ---- signal_pipe.c ---- */

/* sigaction(SIGPIPE) of a greenlet other than the root, for itself alone. */
int bine_signal_action_of_pipe(struct bine_greenlet *g, const struct sigaction *action,
                               struct sigaction *old);
/* If the process's action for SIGPIPE has been put aside, stores it in *action and returns true.
 * `change`: sets it to this. */
bool bine_signal_pipe_aside(struct sigaction *action, const struct sigaction *change);

/* ---- signal_mask.c ---- */

/* signal_pipe.c: called when g ends. */
void bine_signal_pipe_ended(struct bine_greenlet_state *state);
/* Called in the child after a fork. `state` is that of the only greenlet that is left, or NULL. */
void bine_signal_pipe_forked(const struct bine_greenlet_state *state);

/* pthread_sigmask. Returns an error number. */
int bine_signal_mask(int how, const sigset_t *set, sigset_t *old);
/* While a set is held, every greenlet of the thread runs with these signals blocked. While a mask
 * is lent, every greenlet that has no mask of its own runs with exactly this one. */
int bine_signal_mask_hold(struct bine_hub *hub, const sigset_t *set);
void bine_signal_mask_unhold(struct bine_hub *hub, const sigset_t *set);
int bine_signal_mask_lend(struct bine_hub *hub, const sigset_t *mask, sigset_t *before);
void bine_signal_mask_return(struct bine_hub *hub, const sigset_t *before);

/* ---- signal_wait.c ---- */

int bine_signal_timedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout);
/* pause, or with a mask sigsuspend. */
int bine_signal_suspend(const sigset_t *mask);
/* Called in the child after a fork, where no other thread waits. */
void bine_signal_wait_forked(void);

#endif
