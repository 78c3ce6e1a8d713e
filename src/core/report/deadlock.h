/* What happens when nothing can wake any greenlet of a hub. */
#ifndef BINE_CORE_REPORT_DEADLOCK_H
#define BINE_CORE_REPORT_DEADLOCK_H

#include "core/hub/hub.h"

/* Reports that and wakes the root, whose wait fails with EDEADLK. Returns false if another thread
 * can still wake a greenlet. */
bool bine_deadlock(struct bine_hub *hub);

#endif
