/*
 * How often greenlets of a hub parked, by verb. Counted from the call of bine_hub_count_parks on
 * (bine/hub.h).
 */
#ifndef BINE_CORE_HUB_PARK_COUNTS_H
#define BINE_CORE_HUB_PARK_COUNTS_H

struct bine_greenlet;
struct bine_hub;

/* Called where g parks or yields, if hub->park_counts is set. */
void bine_park_counts_note(struct bine_hub *hub, const struct bine_greenlet *g);

#endif
