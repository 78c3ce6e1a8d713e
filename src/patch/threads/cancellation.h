/*
 * Cancellation as pthreads have it: of threads that are greenlets, and of threads that have a hub
 * (their root). A request is noted and ends the wait of the greenlet. It acts at the next
 * cancellation point (points.c) while cancellation is enabled: cleanup handlers and destructors
 * run, and join gives PTHREAD_CANCELED. Asynchronous cancellation acts there, too: nothing
 * interrupts a greenlet that computes.
 */
#ifndef BINE_PATCH_THREADS_CANCELLATION_H
#define BINE_PATCH_THREADS_CANCELLATION_H

#include <pthread.h>
#include <stdbool.h>
#include <unwind.h>

#include "core/hub/hub.h"

/* What libc keeps in a thread's descriptor. For the root only `requested` counts, the rest is
 * libc's. */
struct bine_thread_state {
    struct _Unwind_Exception exception; /* while the greenlet leaves its frames */
    void *value;
    __pthread_unwind_buf_t *cleanup; /* the innermost handler (pthread_cleanup_push in C) */
    bool requested, disabled, asynchronous;
    bool leaving;  /* requests are ignored */
    bool embedded; /* lies inside something that its owner frees */
};

/* Returns the state of g. With `make` it is made if need be. Returns NULL if there is none, or for
 * lack of memory. */
struct bine_thread_state *bine_thread_state_of(struct bine_greenlet *g, bool make);
/* Uses this state for g, which has none. */
void bine_thread_state_embed(struct bine_greenlet *g, struct bine_thread_state *state);

/* Cancels g, a greenlet of the calling thread that has such a state. It may be called where no
 * greenlet may park. */
void bine_cancellation_request(struct bine_greenlet *g);

/* pthread_cancel for a thread that has a hub, called by the same or another thread. ESRCH: the
 * thread has no hub. ENOMEM. */
int bine_cancellation_of_thread(pthread_t thread);

/* Has the current greenlet been cancelled, and must act now? */
bool bine_cancellation_due(struct bine_hub *hub);
/* libc's pthread_exit of the current greenlet, which has a thread of its own. */
_Noreturn void bine_cancellation_exit(struct bine_hub *hub, void *value);
/* Carries the cancellation out. */
_Noreturn void bine_cancellation_act(struct bine_hub *hub);

/* pthread_setcancelstate and pthread_setcanceltype of the current greenlet. */
int bine_cancellation_set_state(struct bine_hub *hub, int state, int *old);
int bine_cancellation_set_type(struct bine_hub *hub, int type, int *old);

/* Cleanup handlers of the current greenlet, which is not the root. bine_cleanup_leave runs those
 * that are left, then ends the greenlet. */
void bine_cleanup_push(struct bine_hub *hub, __pthread_unwind_buf_t *buffer);
void bine_cleanup_pop(struct bine_hub *hub, const __pthread_unwind_buf_t *buffer);
_Noreturn void bine_cleanup_next(struct bine_hub *hub, const __pthread_unwind_buf_t *buffer);
_Noreturn void bine_cleanup_leave(struct bine_hub *hub, void *value);

#endif
