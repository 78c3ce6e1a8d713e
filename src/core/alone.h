/*
 * How a greenlet waits until no other greenlet is left. hub->empty exists for this.
 */
#ifndef BINE_CORE_ALONE_H
#define BINE_CORE_ALONE_H

#include "core/hub/hub.h"

/*
 * Parks until the current greenlet (and the root) are alone, or until `deadline`. Returns 0, ETIME
 * or an error number of bine_park.
 *
 * With `or_stuck` the wait fails with EDEADLK as soon as nothing can wake any greenlet any more. It
 * then fails in any greenlet, not only in the root, without a report, and although its own deadline
 * is still to come. An `item` in its waiter in hub->empty marks such a wait.
 */
int bine_park_until_alone(struct bine_hub *hub, int64_t deadline, bool or_stuck);

#endif
