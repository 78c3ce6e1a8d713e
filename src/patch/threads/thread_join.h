/*
 * Waiting for real threads without blocking the hub, and for barriers that other processes share (hazard 7).
 */
#ifndef BINE_PATCH_THREADS_THREAD_JOIN_H
#define BINE_PATCH_THREADS_THREAD_JOIN_H

#include <pthread.h>
#include <time.h>

struct bine_hub;

/* pthread_join and pthread_clockjoin_np (until NULL: for ever) of a real thread, for a greenlet of `hub`. Neither
 * kill nor timeout scopes end it: who joins a thread frees what the thread uses next. Results as libc's. Switches:
 * maybe. */
int bine_thread_join(struct bine_hub *hub, pthread_t thread, void **value, clockid_t clock,
                     const struct timespec *until);

/* pthread_barrier_wait in libc, on another thread. */
int bine_thread_barrier(struct bine_hub *hub, pthread_barrier_t *barrier);

#endif
