/*
 * Pauses of a call that is made again and again.
 *
 * The kernel reports some changes through no descriptor: a file lock that became free, room in a
 * System V queue, the end of a child where there are no pidfds. A greenlet that waits for one makes
 * the call without waiting, and again after a pause. The first pause is a millisecond, and each is
 * twice as long as the one before, up to the longest of this kind of call.
 */
#ifndef BINE_IO_WAIT_BACKOFF_H
#define BINE_IO_WAIT_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#include "core/schedule/signalled.h"

/* One call. bine_backoff_begin fills it in; the caller may set a deadline afterwards. */
struct bine_backoff {
    const char *verb; /* with `object`: what the greenlet waits for, for dumps */
    uintptr_t object;
    int64_t pause, longest; /* the next pause, and the longest; nanoseconds */
    int64_t deadline;       /* INT64_MAX: none */
    unsigned flags;         /* BINE_PARK_* */
    bool paused;            /* a pause has ended: the call was made before */
    bine_signal_mark signals;
};

/* `flags` has BINE_PARK_RESTARTS if a signal handler with SA_RESTART does not end the call
 * (signal(7)), and nothing else. */
static inline struct bine_backoff bine_backoff_begin(const struct bine_hub *hub, const char *verb,
                                                     uintptr_t object, int64_t longest,
                                                     unsigned flags)
{
    return (struct bine_backoff){.verb = verb,
                                 .object = object,
                                 .pause = BINE_MS,
                                 .longest = longest,
                                 .deadline = INT64_MAX,
                                 .flags = BINE_PARK_EXTERNAL | BINE_PARK_SIGNALS | flags,
                                 .signals = bine_signals_now(hub)};
}

/* Has a signal handler that ends the call run since it began? */
static inline bool bine_backoff_interrupted(const struct bine_hub *hub,
                                            const struct bine_backoff *backoff)
{
    return bine_signals_since(hub, backoff->signals, backoff->flags);
}

/* Parks the greenlet for the next pause. Returns 0 if the call shall be made again, and also if the
 * greenlet was woken early. Returns ETIME at the deadline, EINTR after a signal handler that ends
 * the call, or an error of bine_park. */
int bine_backoff_pause(struct bine_hub *hub, struct bine_backoff *backoff);

#endif
