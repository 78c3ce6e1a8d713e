/* What signals need of an event. */
#ifndef BINE_SYNC_EVENT_H
#define BINE_SYNC_EVENT_H

#include <bine/event.h>

#include "object.h"

/* Set a shared event as another thread would, by a message to its hub. Async-signal-safe. 0 or ESRCH. */
int bine_event_set_remotely(bine_event *event);
/* Does anybody wait for it? */
bool bine_event_busy(const bine_event *event);

#endif
