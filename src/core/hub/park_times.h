/*
 * Since when greenlets wait. Bine notes it if the process has BINE_PARK_TIMES=1, so that readers
 * from outside can say it (`bine ps`). A park costs a look at the clock then.
 */
#ifndef BINE_CORE_HUB_PARK_TIMES_H
#define BINE_CORE_HUB_PARK_TIMES_H

struct bine_greenlet;
struct bine_hub;

/* Called where g parks, if hub->timed. */
void bine_park_times_note(struct bine_hub *hub, const struct bine_greenlet *g);

#endif
