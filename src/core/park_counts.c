/*
 * How often greenlets of a hub parked, by verb (bine/hub.h). Verbs are constants, so a verb is
 * counted by its address. One that is written in several files may have several addresses: the
 * reader adds them up.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/hub/hub.h"

enum {
    ROOM = 256, /* verbs: there are fewer, so that one is always found */
};

struct bine_park_counts {
    bine_park_count entries[ROOM];
};

static void note_verb(struct bine_hub *hub, const struct bine_greenlet *g)
{
    const char *verb = g->verb ? g->verb : "yield";
    bine_park_count *entries = hub->park_counts->entries;
    size_t at = ((uintptr_t)verb * UINT64_C(0x9e3779b97f4a7c15) >> 32) % ROOM;
    for (size_t i = 0; i < ROOM; i++, at = (at + 1) % ROOM) {
        if (!entries[at].verb)
            entries[at].verb = verb;
        if (entries[at].verb == verb) {
            entries[at].parks++;
            return;
        }
    }
}

static void counts_end(struct bine_hub *hub)
{
    bine_park_notes_set(hub, BINE_PARK_NOTE_VERB, NULL);
    free(hub->park_counts);
    hub->park_counts = NULL;
}

int bine_hub_count_parks(void)
{
    struct bine_hub *hub = bine_hub_get();
    if (!hub)
        return -1;
    if (hub->park_counts)
        return 0;
    int saved = errno;
    struct bine_park_counts *counts = calloc(1, sizeof *counts);
    if (!counts)
        return -1;
    hub->park_counts = counts;
    bine_park_notes_set(hub, BINE_PARK_NOTE_VERB, note_verb);
    bine_hub_on_end(counts_end);
    errno = saved;
    return 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(((const bine_park_count *)a)->verb, ((const bine_park_count *)b)->verb);
}

static int by_parks(const void *a, const void *b)
{
    uint64_t left = ((const bine_park_count *)a)->parks,
             right = ((const bine_park_count *)b)->parks;
    return left != right ? (left < right ? 1 : -1) : by_text(a, b);
}

size_t bine_hub_read_park_counts(bine_park_count *counts, size_t room)
{
    const struct bine_hub *hub = bine_hub_here();
    bine_park_count all[ROOM];
    size_t count = 0, merged = 0;
    if (!hub || !hub->park_counts)
        return 0;
    for (size_t i = 0; i < ROOM; i++)
        if (hub->park_counts->entries[i].verb)
            all[count++] = hub->park_counts->entries[i];
    qsort(all, count, sizeof *all, by_text);
    for (size_t i = 0; i < count; i++)
        if (merged && strcmp(all[merged - 1].verb, all[i].verb) == 0)
            all[merged - 1].parks += all[i].parks;
        else
            all[merged++] = all[i];
    qsort(all, merged, sizeof *all, by_parks);
    if (counts)
        memcpy(counts, all, (merged < room ? merged : room) * sizeof *all);
    return merged;
}
