/* The barriers that the parking lot cannot serve: those shared between processes (or of an unknown
 * libc). */
#ifndef BINE_LOCKS_POSIX_BARRIER_H
#define BINE_LOCKS_POSIX_BARRIER_H

#include <pthread.h>
#include <stdbool.h>

/* Returns true if only libc's own pthread_barrier_wait works. That blocks the thread that calls
 * it. */
bool bine_barrier_is_libcs(const pthread_barrier_t *barrier);

#endif
