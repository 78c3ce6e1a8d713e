/*
 * Signals in a patched process: what the hooks of the signal family are made of. There are five
 * concepts, a file for each:
 *
 *   signal_action.c  handlers run on the alternate stack, never on a greenlet's small one, and wake
 *                    the greenlets that wait (hazard 32)
 *   signal_pipe.c    the action of SIGPIPE belongs to the greenlet: libraries set it, call, and
 *                    restore it (hazard 9)
 *   signal_mask.c    the signal mask belongs to the greenlet, too
 *   signal_wait.c    waiting for signals
 *   signal_directed.c  what is sent to one thread that is a greenlet with a thread of its own
 *
 * All functions have libc's signatures and results and may be called on any thread. Threads without
 * a hub get libc's own behaviour.
 */
#ifndef BINE_PATCH_SIGNALS_SIGNALS_H
#define BINE_PATCH_SIGNALS_SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
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
/* Does a handler run on this thread that the kernel has called? */
bool bine_signal_handler_runs(void);
/* The signal that comes next was sent by the greenlet to itself: it ends no wait of the root. */
extern bool bine_signal_for_itself;
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

/* The signals that g, a greenlet of this hub, blocks. Signal N is the bit 1 << (N - 1).
 * Those that greenlets wait for are held, and blocked in the kernel. */
uint64_t bine_signal_mask_of(const struct bine_greenlet *g);
uint64_t bine_signal_mask_held(void);
/* g, which begins, gets the mask of the current greenlet for its own, as threads do. */
void bine_signal_mask_inherit(struct bine_hub *hub, struct bine_greenlet *g);
/* In a thread of its own, before its first step: its mask is in force, and it gets what was sent to
 * it already. */
void bine_signal_thread_begins(struct bine_hub *hub);

/* ---- signal_directed.c ---- */

/* Sends a signal to a thread of this hub, a greenlet with a thread of its own or the root. `code`
 * is SI_TKILL or SI_QUEUE. The handler may run before it returns. Any thread. Returns 0, EINVAL or
 * EAGAIN. */
int bine_signal_directed(struct bine_hub *hub, pthread_t thread, int number, int code,
                         union sigval value);
/* thread_greenlets.c: the greenlet of this hub that has this pthread_t, or NULL. */
extern struct bine_greenlet *(*bine_signal_target)(struct bine_hub *hub, pthread_t thread);
/* The signals in its list; takes one of `wanted` out of it (0: there is none); empties it. `state`
 * may be NULL. */
uint64_t bine_signal_directed_pending(const struct bine_greenlet_state *state);
int bine_signal_directed_take(struct bine_greenlet_state *state, uint64_t wanted, siginfo_t *info);
void bine_signal_directed_drop(struct bine_greenlet_state *state);
/* Delivers what the current greenlet does not block any more. */
void bine_signal_directed_unblocked(struct bine_hub *hub);
/* In the hub's turn: sends what handlers have noted. */
void bine_signal_directed_noted(struct bine_hub *hub);

/* ---- signal_wait.c ---- */

int bine_signal_timedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout);
/* pause, or with a mask sigsuspend. */
int bine_signal_suspend(const sigset_t *mask);
/* Called in the child after a fork, where no other thread waits. */
void bine_signal_wait_forked(void);

#endif
