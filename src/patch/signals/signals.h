/*
 * Signals in a patched process: what the hooks of the signal family are made of. Four concepts, a file each:
 *
 *   signal_action.c  handlers run on the alternate stack, never on a greenlet's small one, and wake who waits (hazard
 * 32)
 *   signal_pipe.c    what SIGPIPE does belongs to the greenlet: libraries set it, call, and restore it (hazard 9)
 *   signal_mask.c    so does the signal mask
 *   signal_wait.c    waiting for signals
 *
 * All functions have libc's signatures and results and may be called on any thread; those without a hub get libc's own
 * behaviour.
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
/* The same without regard to greenlets: what the process does. */
int bine_signal_action_of_process(int number, const struct sigaction *action, struct sigaction *old);
/* Bring handlers that were installed before the family was patched under ours, and give all back. */
void bine_signals_adopt(void);
void bine_signals_release(void);
/* Run an action's handler as the kernel would. */
void bine_signal_call(const struct sigaction *action, int number, siginfo_t *info, void *context);
static inline bool bine_signal_has_handler(const struct sigaction *action)
{
    return action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN;
}

/* ---- signal_pipe.c ---- */

/* sigaction(SIGPIPE) of a greenlet other than the root: for itself alone. */
int bine_signal_action_of_pipe(struct bine_greenlet *g, const struct sigaction *action, struct sigaction *old);
/* The process's action for SIGPIPE, if it has been put aside: true, and *action is it. `change`: set it to this. */
bool bine_signal_pipe_aside(struct sigaction *action, const struct sigaction *change);

/* ---- signal_mask.c ---- */

/* signal_pipe.c: g ends. */
void bine_signal_pipe_ended(struct bine_greenlet_state *state);
/* In the child after fork; `state`: of the only greenlet that is left, or NULL. */
void bine_signal_pipe_forked(const struct bine_greenlet_state *state);

/* pthread_sigmask: an error number. */
int bine_signal_mask(int how, const sigset_t *set, sigset_t *old);
/* While these are held, every greenlet of the thread runs with them blocked, or (lend) with exactly this mask where it
 * has none of its own. */
int bine_signal_mask_hold(struct bine_hub *hub, const sigset_t *set);
void bine_signal_mask_unhold(struct bine_hub *hub, const sigset_t *set);
int bine_signal_mask_lend(struct bine_hub *hub, const sigset_t *mask, sigset_t *before);
void bine_signal_mask_return(struct bine_hub *hub, const sigset_t *before);

/* ---- signal_wait.c ---- */

int bine_signal_timedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout);
/* pause, or with a mask sigsuspend. */
int bine_signal_suspend(const sigset_t *mask);
/* In the child after fork: nobody else waits. */
void bine_signal_wait_forked(void);

#endif
