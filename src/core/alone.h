/*
 * Waiting until no other greenlet is left, which is what hub->empty is for.
 */
#ifndef BINE_CORE_ALONE_H
#define BINE_CORE_ALONE_H

#include "core/hub/hub.h"

/*
 * Park until the current greenlet (and the root) are alone, or until `deadline`. 0, ETIME or an error number of bine_park.
 *
 * `or_stuck`: where nothing can wake anybody any more it fails with EDEADLK, whoever the current greenlet is, without a report, and although its own
 * deadline is to come. Its waiter in hub->empty says so by an `item`.
 */
int bine_park_until_alone(struct bine_hub *hub, int64_t deadline, bool or_stuck);

#endif
