/* See park_times.h. The times lie beside the records, by the greenlets' numbers. */
#include "park_times.h"

#include <stdlib.h>
#include <string.h>

#include "hub.h"
#include "libc/free.h"
#include "libc/layout.h"

BINE_LAYOUT(park_time_rows) = {
    BINE_FIELD("hub", struct bine_hub, park_times),
    BINE_FIELD("hub", struct bine_hub, park_times_room),
};

static void note_time(struct bine_hub *hub, const struct bine_greenlet *g)
{
    size_t number = g->timer / 2;
    if (number >= hub->park_times_room) {
        size_t room = hub->records_made > number ? hub->records_made : number + 1;
        int64_t *wider = realloc(hub->park_times, room * sizeof *wider);
        if (!wider)
            return; /* then it is not known */
        memset(wider + hub->park_times_room, 0, (room - hub->park_times_room) * sizeof *wider);
        hub->park_times = wider;
        hub->park_times_room = room;
    }
    hub->park_times[number] = bine_hub_now(hub);
}

static int times_begin(struct bine_hub *hub)
{
    bine_park_notes_set(hub, BINE_PARK_NOTE_TIME, note_time);
    return 0;
}

static void times_end(struct bine_hub *hub)
{
    bine_park_notes_set(hub, BINE_PARK_NOTE_TIME, NULL);
    bine_free(hub->park_times);
    hub->park_times = NULL;
    hub->park_times_room = 0;
}

void bine_park_times_obey(void)
{
    const char *text = secure_getenv("BINE_PARK_TIMES");
    if (!text || !*text || strcmp(text, "0") == 0)
        return;
    bine_hub_on_start(times_begin);
    bine_hub_on_end(times_end);
}
