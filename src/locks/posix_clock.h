/*
 * Absolute times of POSIX calls as deadlines of a hub.
 */
#ifndef BINE_LOCKS_POSIX_CLOCK_H
#define BINE_LOCKS_POSIX_CLOCK_H

#include <stdint.h>
#include <time.h>

#include "core/hub/hub.h"

/* The deadline on the hub's clock for `until` on `clock`; a time that has passed gives a deadline that has. 0, or
 * EINVAL (nanoseconds out of range, or a clock that libc refuses too). */
int bine_posix_deadline(struct bine_hub *hub, clockid_t clock, const struct timespec *until, int64_t *deadline);

#endif
