/* See park_notes.h. */
#include "park_notes.h"

#include "hub.h"

static void *notes_leave(struct bine_hub *hub, struct bine_greenlet *g)
{
    const struct bine_around *inner = hub->around_noted;
    for (int i = 0; i < BINE_PARK_NOTES; i++)
        if (hub->park_notes[i])
            hub->park_notes[i](hub, g);
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

void bine_park_notes_set(struct bine_hub *hub, enum bine_park_noted noted, bine_park_note *note)
{
    const struct bine_around *around = bine_hub_get_around(hub);
    hub->park_notes[noted] = note;
    hub->notes = NULL;
    for (int i = 0; i < BINE_PARK_NOTES; i++)
        if (hub->park_notes[i])
            hub->notes = &notes;
    bine_hub_set_around(hub, around);
}
