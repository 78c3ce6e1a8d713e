/*
 * Absolute times of POSIX calls as deadlines of a hub.
 */
#ifndef BINE_LOCKS_POSIX_CLOCK_H
#define BINE_LOCKS_POSIX_CLOCK_H

#include <stdint.h>
#include <time.h>

#include "core/hub/hub.h"

/* Stores the deadline on the hub's clock for `until` on `clock`. For a time that has passed it is a
 * deadline that has passed. Returns 0, or EINVAL (nanoseconds out of range, or a clock that libc
 * refuses, too). */
int bine_posix_deadline(struct bine_hub *hub, clockid_t clock, const struct timespec *until,
                        int64_t *deadline);

#endif
