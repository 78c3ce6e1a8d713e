/* The watchdog's beginning. What it does is told in bine/watchdog.h. */
#ifndef BINE_CORE_WATCH_WATCHDOG_H
#define BINE_CORE_WATCH_WATCHDOG_H

/* Called on the thread of a hub that has been made. Starts what BINE_WATCHDOG asks for, once for
 * the process. */
void bine_watchdog_meet(void);

#endif
