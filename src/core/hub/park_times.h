/*
 * Since when greenlets wait. Bine notes it if the process has BINE_PARK_TIMES=1, so that readers
 * from outside can say it (`bine ps`). A park costs a look at the clock then.
 *
 * It is done around a switch (struct bine_around), on the path that greenlets take anyway where
 * anything is around a switch. A process that does not ask for it executes no instruction more.
 */
#ifndef BINE_CORE_HUB_PARK_TIMES_H
#define BINE_CORE_HUB_PARK_TIMES_H

struct bine_around;
struct bine_hub;

/* Returns what hub->around has to be, so that `around` is called and the times are noted. */
const struct bine_around *bine_park_times_around(struct bine_hub *hub,
                                                 const struct bine_around *around);

#endif
