/*
 * Greenlets with a thread of their own.
 *
 * libc makes the thread, only the kernel does not: while libc's pthread_create runs, Syscall User
 * Dispatch catches its system calls (dispatch.h). The call that would make the thread is noted, and
 * answered with an invented id. So stack, thread-local variables and descriptor of the thread are
 * made as ever. A greenlet begins where clone would have returned, with the thread pointer of the
 * thread. What libc does at the end of a thread is caught likewise. The last of it, exit, parks the
 * greenlet for good, and the reaper, a greenlet on another stack, concludes it and clears the word
 * of its id, for which a join in libc waits.
 *
 * Only the main thread's hub has them, on x86-64 with Linux 5.11 and newer.
 */
#ifndef BINE_OWN_OWN_H
#define BINE_OWN_OWN_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#include "core/hub/own.h"

/* Makes what own threads need, once for each hub. Returns 0 or an error number: ENOTSUP (then
 * bine_own_thread_refusal says why), ENOMEM. */
int bine_own_ready(struct bine_hub *hub);

/* Does what pthread_create does, and makes a greenlet that runs the thread. Stores it in
 * *greenlet, with a reference for the caller. Returns 0 or pthread_create's errors, or those of
 * bine_own_ready. Switches: maybe, if malloc does. */
int bine_own_create(struct bine_hub *hub, pthread_t *thread, const pthread_attr_t *attributes,
                    void *(*run)(void *), void *arg, const char *site,
                    struct bine_greenlet **greenlet);

/* Does the current greenlet have a thread of its own, which is libc's business? */
static inline bool bine_own_here(const struct bine_hub *hub)
{
    return hub && hub->current->stack_class == BINE_CLASS_OWN;
}

/* Does g, a greenlet with a thread of its own, not end yet? */
bool bine_own_lives(const struct bine_greenlet *g);
/* Can handlers of signals run as g? It is the root, or has a thread of its own which runs the
 * program's code. */
bool bine_own_takes_signals(const struct bine_greenlet *g);
/* Set by a layer above: called in each greenlet with a thread of its own before it runs code of the
 * program. */
extern void (*bine_own_begins)(struct bine_hub *hub);

/* Does what bine_spawn_with does, for options that ask for a thread of its own. */
struct bine_greenlet *bine_own_spawn(const bine_spawn_options *options, bine_run *run, void *arg,
                                     const char *site);

/* How many were made on this hub. */
uint64_t bine_own_made(const struct bine_hub *hub);

/* Returns the invented id of the current greenlet's thread, or 0 if it has none. */
pid_t bine_own_id(const struct bine_hub *hub);

/* libc asks the kernel about a thread by its id. These give the thread the carrier's, around such a
 * call of libc for a thread that has not ended, and take it back. */
void bine_own_lend_id(struct bine_greenlet *g);
void bine_own_return_id(struct bine_greenlet *g);

/* The current greenlet, which has a thread of its own, is about to call libc's pthread_exit. */
void bine_own_exits(struct bine_hub *hub, void *value);

#endif
