/*
 * Since when greenlets wait. Bine notes it if the process has BINE_PARK_TIMES=1, so that readers
 * from outside can say it (`bine ps`). A park costs a look at the clock then.
 */
#ifndef BINE_CORE_HUB_PARK_TIMES_H
#define BINE_CORE_HUB_PARK_TIMES_H

/* Called once, before the first hub is made. */
void bine_park_times_obey(void);

#endif
