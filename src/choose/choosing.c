/*
 * One choice as a party. Its deeds are visited hub by hub, then the chooser parks until one was
 * done. See visit.h.
 */
#include "choosing.h"

#include <string.h>

#include "visit.h"

enum {
    ON_STACK = 4
};

/* What one choice needs, for few deeds of one's own hub. */
struct room {
    struct bine_choosing choosing;
    struct bine_deed deeds[ON_STACK];
    struct bine_visit visits[ON_STACK];
    size_t order[ON_STACK];
};

static size_t after(size_t i, size_t n, bool down)
{
    if (down)
        return i == 0 ? n - 1 : i - 1;
    return i + 1 == n ? 0 : i + 1;
}

/* ---- setting out ----------------------------------------------------------------------------- */

/* 0, or why the choice cannot be made. *far: some of it is for other hubs. */
static int check_all(struct bine_hub *hub, const bine_choice *choices, size_t n, bool *far)
{
    *far = false;
    for (size_t i = 0; i < n; i++) {
        struct bine_deed deed;
        struct bine_hub *owner;
        if ((unsigned)choices[i].operation > BINE_CHOOSE_TIMER)
            return EINVAL;
        int error = choices[i].object ? bine_deed_init(&deed, &choices[i], hub, &owner) : 0;
        if (error)
            return error;
        *far |= choices[i].object && owner != hub;
    }
    return *far && hub->no_park ? EDEADLK : 0;
}

/* Lay out `choosing` and what belongs to it. NULL: ENOMEM. */
static struct bine_choosing *choosing_make(struct room *room, size_t n, bool far)
{
    struct bine_choosing *choosing = &room->choosing;
    if (!far && n <= ON_STACK) {
        *choosing = (struct bine_choosing){
            .deeds = room->deeds, .visits = room->visits, .order = room->order};
    } else {
        size_t each = sizeof(struct bine_deed) + sizeof(struct bine_visit) + sizeof(size_t);
        choosing =
            n < (SIZE_MAX - sizeof *choosing) / each ? malloc(sizeof *choosing + n * each) : NULL;
        if (!choosing)
            return NULL;
        *choosing = (struct bine_choosing){.deeds = (struct bine_deed *)(choosing + 1)};
        choosing->visits = (struct bine_visit *)(choosing->deeds + n);
        choosing->order = (size_t *)(choosing->visits + n);
    }
    choosing->n = n;
    choosing->far = far;
    choosing->taken = -1;
    atomic_init(&choosing->references, 1);
    return choosing;
}

/* Divide the deeds into visits. Those that belong to one hub make one visit, or if they are to be
 * tried in order as many as they are apart. */
static void divide(struct bine_choosing *choosing, const bine_choice *choices, size_t start,
                   bool down, bool in_order)
{
    size_t n = choosing->n, placed = 0;
    for (size_t i = 0; i < n; i++)
        choosing->deeds[i].visit = NULL;
    for (size_t k = 0, i = start; k < n; k++, i = after(i, n, down)) {
        struct bine_hub *hub, *other;
        if (!choices[i].object || choosing->deeds[i].visit)
            continue;
        bine_deed_init(&choosing->deeds[i], &choices[i], choosing->hub, &hub);
        struct bine_visit *visit = &choosing->visits[choosing->visits_made++];
        bine_visit_init(visit, choosing, hub, placed);
        for (size_t l = k, j = i; l < n; l++, j = after(j, n, down)) {
            struct bine_deed *deed = &choosing->deeds[j];
            if (!choices[j].object || deed->visit)
                continue;
            bine_deed_init(deed, &choices[j], choosing->hub, &other);
            if (other == hub) {
                bine_party_prepare(&deed->taker, &choosing->party);
                deed->visit = visit;
                choosing->order[placed++] = j;
                visit->count++;
            } else if (in_order) {
                break;
            }
        }
    }
}

/* ---- waiting --------------------------------------------------------------------------------- */

struct patience {
    int64_t deadline;
    size_t timer; /* the deed that is due then; SIZE_MAX: it is the choice's own limit */
    unsigned flags;
};

/* Until when, and what may end it. */
static struct patience patience_of(const struct bine_choosing *choosing, int64_t timeout)
{
    struct patience patience = {INT64_MAX, SIZE_MAX, choosing->far ? BINE_PARK_EXTERNAL : 0};
    if (timeout > 0 && timeout != BINE_FOREVER)
        patience.deadline = bine_hub_deadline(choosing->hub, timeout);
    for (size_t i = 0; i < choosing->n; i++) {
        const struct bine_deed *deed = &choosing->deeds[i];
        if (!deed->visit || deed->visit->hub != choosing->hub)
            continue;
        if (bine_deed_external(deed))
            patience.flags |= BINE_PARK_EXTERNAL;
        if (timeout > 0 && bine_deed_is_timer(deed) && deed->deadline < patience.deadline) {
            patience.deadline = deed->deadline;
            patience.timer = i;
        }
    }
    return patience;
}

/* A little longer. 0 or an error number. */
static int park(struct bine_choosing *choosing, const struct patience *patience)
{
    int error =
        bine_park(choosing->hub, "choose among", choosing->n, patience->deadline, patience->flags);
    if (error != ETIME)
        return error;
    if (patience->timer == SIZE_MAX)
        return ETIMEDOUT;
    if (bine_party_decide(&choosing->party)) {
        choosing->deeds[patience->timer].taker.taker.error = 0;
        choosing->taken = (ssize_t)patience->timer;
    }
    return 0;
}

/* Try the deeds of the chooser's own hub. 0; or why they cannot wait, and the party is decided. */
static int look_here(struct bine_choosing *choosing, struct bine_visit *visit)
{
    visit->begun = visit->gone = true;
    int error = bine_visit_look(visit);
    if (visit->taken >= 0)
        choosing->taken = visit->taken;
    /* If another hub was faster its answer comes. */
    return error && bine_party_decide(&choosing->party) ? error : 0;
}

/* Make the visit to another hub until one of its deeds is done or all of them wait. 0, or what
 * ended the wait. */
static int visit_there(struct bine_choosing *choosing, struct bine_visit *visit,
                       const struct patience *patience)
{
    int error = 0;
    if (bine_visit_begin(visit) == 0)
        while (!visit->has_looked && !visit->gone && choosing->taken < 0 && !error)
            error = park(choosing, patience);
    return error;
}

/* Until a deed is done. 0; or an error number, and none is or will be; *late: what would have ended
 * the wait if the deed had not been done before. */
static int choosing_wait_for_one(struct bine_choosing *choosing, const struct patience *patience,
                                 int *late)
{
    int error = 0;
    for (size_t i = 0; i < choosing->visits_made && choosing->taken < 0 && !error; i++) {
        struct bine_visit *visit = &choosing->visits[i];
        int failure = visit->hub == choosing->hub ? look_here(choosing, visit) : 0;
        if (failure)
            return failure;
        if (visit->hub != choosing->hub)
            error = visit_there(choosing, visit, patience);
    }
    while (choosing->waits && choosing->taken < 0 && !error)
        error = park(choosing, patience);
    if (choosing->taken >= 0)
        return 0;
    if (bine_party_decide(&choosing->party))
        return error ? error : ETIMEDOUT;
    *late = error;
    return 0;
}

/* All hubs let go of the choice. */
static void part(struct bine_choosing *choosing)
{
    bine_choosing_stop(choosing);
    for (size_t i = 0; i < choosing->visits_made; i++) {
        struct bine_visit *visit = &choosing->visits[i];
        while (visit->begun && !visit->gone)
            bine_park(choosing->hub, "choose among", choosing->n, INT64_MAX,
                      BINE_PARK_EXTERNAL | BINE_PARK_FIRM);
    }
}

/* ---- one choice ------------------------------------------------------------------------------ */

/* What it came to is told to the program. 0, or an error number of the choice as a whole. */
static int arrive(struct bine_choosing *choosing, bine_choice *choices)
{
    struct bine_deed *deed = &choosing->deeds[choosing->taken];
    bine_choice *choice = &choices[choosing->taken];
    if (bine_deed_failed(deed))
        return ENOMEM;
    if (deed->visit->hub == choosing->hub && !deed->taker.taker.error && deed->kind->finish)
        deed->kind->finish(deed);
    bine_deed_arrive(deed, choosing->hub);
    choice->error = deed->taker.taker.error;
    choice->item = deed->taker.taker.item;
    return 0;
}

static int choosing_run(struct bine_choosing *choosing, bine_choice *choices, int64_t timeout)
{
    struct patience patience = patience_of(choosing, timeout);
    int late = 0;
    if (choosing->far)
        bine_choosing_enter(choosing);
    int error = choosing_wait_for_one(choosing, &patience, &late);
    part(choosing);
    /* A kill and a scope end the next park by themselves. An interrupt has to be told. */
    if (late && late != ETIMEDOUT && late != ECANCELED)
        bine_interrupt(choosing->hub->current, late);
    return error ? error : arrive(choosing, choices);
}

ssize_t bine_choosing_run(struct bine_hub *hub, bine_choice *choices, size_t n, int64_t timeout,
                          size_t start, bool down, bool in_order)
{
    bool far;
    int error = check_all(hub, choices, n, &far);
    if (error)
        return bine_result(error);
    struct room room;
    struct bine_choosing *choosing = choosing_make(&room, n, far);
    if (!choosing)
        return bine_result(ENOMEM);
    choosing->hub = hub;
    choosing->life = hub->life;
    choosing->waits = timeout != 0;
    bine_party_init(&choosing->party, hub, bine_visit_served);
    divide(choosing, choices, start, down, in_order);
    error = choosing_run(choosing, choices, timeout);
    ssize_t taken = choosing->taken;
    if (far)
        bine_choosing_leave(choosing);
    else if (choosing != &room.choosing)
        free(choosing);
    if (error == ETIMEDOUT && timeout == 0)
        error = bine_streak_refused(hub, ETIMEDOUT);
    return error ? bine_result(error) : taken;
}
