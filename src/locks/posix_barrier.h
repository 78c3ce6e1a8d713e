/* Which barriers the parking lot cannot serve: those shared between processes (or of an unknown libc). */
#ifndef BINE_LOCKS_POSIX_BARRIER_H
#define BINE_LOCKS_POSIX_BARRIER_H

#include <pthread.h>
#include <stdbool.h>

/* True: only libc's own pthread_barrier_wait will do, and it blocks the thread that calls it. */
bool bine_barrier_is_libcs(const pthread_barrier_t *barrier);

#endif
