/*
 * What is noted of each park where somebody asked for it: its time (park_times.h), its verb
 * (park_counts.h).
 *
 * It is done around a switch (struct bine_around), on the path that greenlets take anyway where
 * anything is around a switch. A process that does not ask for it executes no instruction more.
 */
#ifndef BINE_CORE_HUB_PARK_NOTES_H
#define BINE_CORE_HUB_PARK_NOTES_H

struct bine_around;
struct bine_hub;

/* Returns what hub->around has to be, so that `around` is called and parks are noted as hub->timed
 * and hub->park_counts say. */
const struct bine_around *bine_park_notes_around(struct bine_hub *hub,
                                                 const struct bine_around *around);
/* One of the two has changed. `around` is what bine_hub_get_around returned before. */
void bine_park_notes_changed(struct bine_hub *hub, const struct bine_around *around);

#endif
