/* What signals need of an event. */
#ifndef BINE_SYNC_EVENT_H
#define BINE_SYNC_EVENT_H

#include <bine/event.h>

#include "object.h"

/* Sets a shared event as another thread would, by a message to its hub. Async-signal-safe. Returns
 * 0 or ESRCH. */
int bine_event_set_remotely(bine_event *event);
/* Is there a waiter for it? */
bool bine_event_busy(const bine_event *event);

#endif
