/*
 * The clock that all waits go by, and what is left until a deadline: for a call that has one time limit and makes
 * several waits.
 *
 *      int64_t deadline = bine_deadline(5 * BINE_SECOND);
 *      while (more(job))
 *          if (bine_queue_get(queue, &job, bine_left(deadline)) != 0)
 *              return -1; // ETIMEDOUT once the five seconds are over, however many jobs there were
 */
#ifndef BINE_CLOCK_H
#define BINE_CLOCK_H

#include "base.h"

BINE_BEGIN

/* Nanoseconds of CLOCK_MONOTONIC, read anew: they count from some moment before the process began. Under
 * bine_simulate, on a thread whose poller is simulated, the simulator's clock. Cannot fail. Any thread, also one without
 * a hub, and makes none. Switches: no. */
BINE_API int64_t bine_now(void);

/* The moment `duration` ns from now, on that clock. BINE_FOREVER stays BINE_FOREVER; a sum that an int64_t cannot hold
 * becomes BINE_FOREVER - 1. Returns -1 with EINVAL for a negative duration; bine_left of that is 0. Any thread.
 * Switches: no. */
BINE_API int64_t bine_deadline(int64_t duration);

/* What is left until `deadline` in ns, for any call that takes a timeout: 0 if it has passed, never less; BINE_FOREVER of
 * BINE_FOREVER. Cannot fail. Any thread. Switches: no. */
BINE_API int64_t bine_left(int64_t deadline);

BINE_END

#endif
