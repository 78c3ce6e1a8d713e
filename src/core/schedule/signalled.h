/*
 * Signals that come during one call of the root.
 *
 * A call that parks once learns of them from its park (BINE_PARK_SIGNALS). A call that asks, parks,
 * and asks again would miss signals that come between two of its parks: while it asks, or when the
 * root is ready and others run. So it remembers at its beginning which signals had come, and
 * compares before and after each park.
 */
#ifndef BINE_CORE_SCHEDULE_SIGNALLED_H
#define BINE_CORE_SCHEDULE_SIGNALLED_H

#include "park.h"

/* The signals that had come at some moment. It is only good for a comparison. */
typedef uint64_t bine_signal_mark;

static inline bine_signal_mark bine_signals_now(const struct bine_hub *hub)
{
    return atomic_load_explicit(&hub->handled, memory_order_relaxed);
}

/* Does the call of the current greenlet that began at `mark` end with EINTR? `flags` are those of
 * its parks. Only a call of the root does. */
static inline bool bine_signals_since(const struct bine_hub *hub, bine_signal_mark mark,
                                      unsigned flags)
{
    uint64_t came = bine_signals_now(hub) ^ mark;
    if (__builtin_expect(came == 0, 1) || hub->current != hub->root || !(flags & BINE_PARK_SIGNALS))
        return false;
    return !(flags & BINE_PARK_RESTARTS) || came >= BINE_HANDLED_BREAK;
}

#endif
