/*
 * How greenlets wait without blocking the hub for real threads, and for barriers that other
 * processes share (hazard 7).
 */
#ifndef BINE_PATCH_THREADS_THREAD_JOIN_H
#define BINE_PATCH_THREADS_THREAD_JOIN_H

#include <pthread.h>
#include <time.h>

struct bine_hub;

/* pthread_join and pthread_clockjoin_np (until NULL: no limit) of a real thread, for a greenlet of
 * `hub`. Neither kill nor timeout scopes end the wait: the greenlet that joins a thread next frees
 * what the thread uses. Results are libc's. Switches: maybe. */
int bine_thread_join(struct bine_hub *hub, pthread_t thread, void **value, clockid_t clock,
                     const struct timespec *until);

/* pthread_barrier_wait in libc, on another thread. */
int bine_thread_barrier(struct bine_hub *hub, pthread_barrier_t *barrier);

#endif
