/* What bine top does again and again: a window of looks, a snapshot, a view of both. */
#ifndef BINE_INSPECT_TOP_H
#define BINE_INSPECT_TOP_H

#include "view.h"

struct inspect_top {
    const struct inspect_options *options;
    struct inspect_choice choice;
    struct inspect_target *target;
    int process; /* a descriptor that tells the end of the process; -1: there is none */
    struct inspect_snapshot *snapshot; /* the last one */
    /* What is looked at now, and what is shown: the window that ended with the last snapshot. */
    struct inspect_window looking, shown;
    struct inspect_view view;     /* of the last snapshot and `shown`, once there is one */
    int64_t look_due, window_due; /* CLOCK_MONOTONIC, ns */
    uint64_t random;
};

enum inspect_top_step {
    INSPECT_TOP_WAITS,  /* until look_due */
    INSPECT_TOP_SHOWS,  /* there is a new view */
    INSPECT_TOP_ENDED,  /* the process has ended */
    INSPECT_TOP_FAILED, /* it was said on standard error why */
};

/* Does what is due: a look, or the end of a window. */
enum inspect_top_step inspect_top_step(struct inspect_top *top);
bool inspect_top_ended(const struct inspect_top *top);
/* Makes the view again, after `choice` has changed. Returns false for lack of memory. */
bool inspect_top_view(struct inspect_top *top);

/* screen.c: shows views in a terminal until a key, a signal or the end of the process ends it.
 * Returns the exit status. */
int inspect_screen(struct inspect_top *top);

#endif
