/* Pauses of a call that is made again and again: see backoff.h. */
#include "backoff.h"

#include <errno.h>

#include "core/schedule/park.h"

int bine_backoff_pause(struct bine_hub *hub, struct bine_backoff *backoff)
{
    if (bine_backoff_interrupted(hub, backoff))
        return EINTR;
    int64_t until = bine_hub_deadline(hub, backoff->pause);
    bool last = backoff->deadline <= until;
    backoff->pause = 2 * backoff->pause < backoff->longest ? 2 * backoff->pause : backoff->longest;
    int error = bine_park(hub, backoff->verb, backoff->object, last ? backoff->deadline : until,
                          backoff->flags);
    backoff->paused = true;
    return error == ETIME && !last ? 0 : error;
}
