/*
 * The clock that all waits use, and the time that is left until a deadline: for a call that has one
 * time limit and makes several waits.
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

/* Returns the nanoseconds of CLOCK_MONOTONIC, read anew. They count from some moment before the
 * process began. Under bine_simulate, on a thread whose poller is simulated, it returns the
 * simulator's clock. It cannot fail. Any thread may call it, also one without a hub, and it makes
 * none. Switches: no. */
BINE_API int64_t bine_now(void);

/* Returns the moment `duration` ns from now, on that clock. BINE_FOREVER stays BINE_FOREVER. A sum
 * that an int64_t cannot hold becomes BINE_FOREVER - 1. Returns -1 with EINVAL for a negative
 * duration; bine_left of that is 0. Any thread may call it. Switches: no. */
BINE_API int64_t bine_deadline(int64_t duration);

/* Returns how many ns are left until `deadline`, for any call that takes a timeout. Returns 0 if
 * the deadline has passed, and never less. Returns BINE_FOREVER for BINE_FOREVER. It cannot fail.
 * Any thread may call it. Switches: no. */
BINE_API int64_t bine_left(int64_t deadline);

BINE_END

#endif
