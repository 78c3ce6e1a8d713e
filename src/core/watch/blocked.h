/* The report of a greenlet that does not let others run. */
#ifndef BINE_CORE_WATCH_BLOCKED_H
#define BINE_CORE_WATCH_BLOCKED_H

#include <bine/watchdog.h>

#include "sample.h"

/* What the watchdog knows before it takes a sample. */
struct bine_stuck {
    bine_hub *hub;
    char name[256];
    int64_t duration;  /* ns */
    int64_t processor; /* how much of it the thread had the processor, ns; -1: not known */
    uint32_t ready;    /* so many greenlets are ready */
    bool timer_due, events_due;
};

/* Returns the report, and stores its line that says why in *cause. The caller frees both.
 * Returns NULL if there is no memory. */
char *bine_blocked_report(const struct bine_stuck *stuck, const struct bine_maps *maps,
                          const struct bine_sample *sample, char **cause);

#endif
