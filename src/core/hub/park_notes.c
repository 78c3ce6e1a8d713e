/* See park_notes.h. */
#include "park_notes.h"

#include "hub.h"
#include "park_counts.h"
#include "park_times.h"

static void *notes_leave(struct bine_hub *hub, struct bine_greenlet *g)
{
    const struct bine_around *inner = hub->around_noted;
    if (hub->timed)
        bine_park_times_note(hub, g);
    if (hub->park_counts)
        bine_park_counts_note(hub, g);
    return inner ? inner->leave(hub, g) : NULL;
}

static void notes_back(struct bine_hub *hub, struct bine_greenlet *g, void *left, int error)
{
    const struct bine_around *inner = hub->around_noted;
    if (inner)
        inner->back(hub, g, left, error);
}

static int notes_refuse(struct bine_hub *hub, struct bine_greenlet *g, int error, uintptr_t object,
                        unsigned flags)
{
    const struct bine_around *inner = hub->around_noted;
    return inner ? inner->refuse(hub, g, error, object, flags) : error;
}

static void notes_interrupted(struct bine_hub *hub, struct bine_greenlet *g)
{
    const struct bine_around *inner = hub->around_noted;
    if (inner)
        inner->interrupted(hub, g);
}

static const struct bine_around notes = {notes_leave, notes_back, notes_refuse, notes_interrupted};

const struct bine_around *bine_park_notes_around(struct bine_hub *hub,
                                                 const struct bine_around *around)
{
    if (!hub->timed && !hub->park_counts)
        return around;
    hub->around_noted = around;
    return &notes;
}

void bine_park_notes_changed(struct bine_hub *hub, const struct bine_around *around)
{
    bine_hub_set_around(hub, around);
}
