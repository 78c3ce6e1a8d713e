/*
 * How long greenlets are ready before they run, by the counters of the ready queue.
 *
 * The queue is first in, first out, and both of its ends only grow. So the greenlet in place n
 * became ready when the tail passed n, and ran when the head did. Both are known as well as the
 * looks are close: between two looks the counters are taken to grow evenly. Delays that are shorter
 * than the time between two looks are not told apart: each counts as the average of all of them.
 */
#ifndef BINE_INSPECT_SNAPSHOT_DELAYS_H
#define BINE_INSPECT_SNAPSHOT_DELAYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct inspect_delay_look {
    int64_t when;
    uint64_t head, tail; /* counted from the head of the first look on */
};

struct inspect_delays {
    struct inspect_delay_look *looks;
    size_t count;
    uint32_t head, tail; /* as they were at the last look */
};

/* Adds a look, later than the one before. Returns false for lack of memory. Ends that contradict
 * each other are left out. */
bool inspect_delays_add(struct inspect_delays *delays, int64_t when, uint32_t head, uint32_t tail);
/* Stores the delays, in ns, that half of the greenlets and 99 of 100 did not exceed. Those that are
 * still ready count with the delay that they have had. Returns false if none was ready. */
bool inspect_delays_find(const struct inspect_delays *delays, int64_t *median, int64_t *most);
void inspect_delays_free(struct inspect_delays *delays);

#endif
