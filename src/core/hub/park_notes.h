/*
 * What is noted of each park where somebody asked for it: its time (park_times.h), its verb
 * (bine_hub_count_parks).
 *
 * It is done around a switch (struct bine_around), on the path that greenlets take anyway where
 * anything is around a switch. A process that does not ask for it executes no instruction more.
 */
#ifndef BINE_CORE_HUB_PARK_NOTES_H
#define BINE_CORE_HUB_PARK_NOTES_H

struct bine_greenlet;
struct bine_hub;

enum bine_park_noted {
    BINE_PARK_NOTE_TIME,
    BINE_PARK_NOTE_VERB,
    BINE_PARK_NOTES,
};

/* Called where g parks or yields; g->verb is NULL if it yields. */
typedef void bine_park_note(struct bine_hub *hub, const struct bine_greenlet *g);

/* Sets what notes the parks of this hub from now on. NULL: nothing does. */
void bine_park_notes_set(struct bine_hub *hub, enum bine_park_noted noted, bine_park_note *note);

#endif
