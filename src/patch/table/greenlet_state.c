/* What the hooks keep for one greenlet. See greenlet_state.h. */
#include "greenlet_state.h"

#include <stdlib.h>

#include "core/hub/greenlet.h"

/* As many as there are files that register one. */
static void (*ended_hooks[4])(struct bine_greenlet *g, struct bine_greenlet_state *state);

static void greenlet_state_greenlet_ended(struct bine_greenlet *g)
{
    struct bine_greenlet_state *state = g->slots[BINE_SLOT_PATCH];
    if (!state)
        return;
    for (size_t i = 0; i < sizeof ended_hooks / sizeof *ended_hooks && ended_hooks[i]; i++)
        ended_hooks[i](g, state);
    g->slots[BINE_SLOT_PATCH] = NULL;
    free(state);
}

void bine_greenlet_state_on_end(void (*ended)(struct bine_greenlet *g,
                                              struct bine_greenlet_state *state))
{
    size_t i = 0;
    while (i < sizeof ended_hooks / sizeof *ended_hooks && ended_hooks[i])
        i++;
    if (i == sizeof ended_hooks / sizeof *ended_hooks)
        abort(); /* one file more: the array is ours to make longer */
    ended_hooks[i] = ended;
    bine_greenlet_on_end(BINE_SLOT_PATCH, greenlet_state_greenlet_ended);
}

struct bine_greenlet_state *bine_greenlet_state_of(struct bine_greenlet *g, bool make)
{
    struct bine_greenlet_state *state = g->slots[BINE_SLOT_PATCH];
    if (!state && make) {
        state = calloc(1, sizeof *state);
        if (state)
            bine_greenlet_keep(g, BINE_SLOT_PATCH, state);
    }
    return state;
}
