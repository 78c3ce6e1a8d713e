/* Limits: the gate itself. See limit.h; thunks are in thunk.c. */
#include "limit.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "core/schedule/park.h"
#include "libc/carrier.h"
#include "patch/table/greenlet_state.h"
#include "patch/table/hook.h"
#include "thunk.h"

/* Never freed: thunks point to it. */
struct bine_limit {
    struct bine_limit *next;
    unsigned greenlets, before; /* before the last change */
    char pattern[];
};

static struct bine_limit *limits, *last_changed;

int bine_limit_set(const char *pattern, unsigned greenlets)
{
    struct bine_limit *limit = limits;
    while (limit && strcmp(limit->pattern, pattern) != 0)
        limit = limit->next;
    if (!limit) {
        size_t size = strlen(pattern) + 1;
        limit = calloc(1, sizeof *limit + size);
        if (!limit)
            return ENOMEM;
        memcpy(limit->pattern, pattern, size);
        limit->next = limits;
        limits = limit;
    }
    limit->before = limit->greenlets;
    limit->greenlets = greenlets;
    last_changed = limit;
    return 0;
}

void bine_limit_revert(void)
{
    last_changed->greenlets = last_changed->before;
}

bool bine_limit_any(void)
{
    for (const struct bine_limit *limit = limits; limit; limit = limit->next)
        if (limit->greenlets)
            return true;
    return false;
}

struct bine_limit *bine_limit_of(const char *name)
{
    for (struct bine_limit *limit = limits; limit; limit = limit->next)
        if (limit->greenlets && fnmatch(limit->pattern, name, 0) == 0)
            return limit;
    return NULL;
}

/* ---- the greenlets inside -------------------------------------------------------------------- */

/* A greenlet inside, since its outermost call. */
struct visit {
    struct visit *next; /* newest first */
    struct bine_limit *limit;
    struct bine_greenlet *greenlet;
    const char *stack;
    void *return_address;
};

/* Of one thread and limit. */
struct gate_state {
    struct gate_state *next;
    struct bine_limit *limit;
    unsigned inside;
    struct bine_waiters waiting;
};

static BINE_CARRIED struct visit *visits_;
#define visits BINE_OF_CARRIER(visits_)
static BINE_CARRIED struct gate_state *states_;
#define states BINE_OF_CARRIER(states_)

/* Calls through the gate cannot fail: without memory they wait for some. */
static void *need_memory(struct bine_hub *hub, size_t size)
{
    void *memory;
    while (!(memory = calloc(1, size)))
        bine_park(hub, "waiting for memory", 0, bine_hub_deadline(hub, 10 * BINE_MS),
                  BINE_PARK_FIRM | BINE_PARK_EXTERNAL);
    return memory;
}

static struct gate_state *limit_state_of(struct bine_hub *hub, struct bine_limit *limit)
{
    struct gate_state *state = states;
    while (state && state->limit != limit)
        state = state->next;
    if (!state) {
        state = need_memory(hub, sizeof *state);
        state->limit = limit;
        state->next = states;
        states = state;
    }
    return state;
}

static void wait_for_turn(struct bine_hub *hub, struct gate_state *state)
{
    if (state->inside < state->limit->greenlets && bine_waiters_empty(&state->waiting)) {
        state->inside++;
        return;
    }
    struct bine_waiter waiter = {.greenlet = hub->current};
    bine_waiters_push(&state->waiting, &waiter);
    /* A greenlet that leaves hands its place over. Nothing else ends the wait: the call has no way
     * to say that it did not happen. */
    while (waiter.queue)
        bine_park(hub, "limit of library", (uintptr_t)state->limit, INT64_MAX, BINE_PARK_FIRM);
}

static void give_turn(struct gate_state *state)
{
    struct bine_waiter *next =
        state->inside <= state->limit->greenlets ? bine_waiters_pop(&state->waiting) : NULL;
    if (next)
        bine_unpark(next->greenlet);
    else
        state->inside--;
}

static void remove_visit(struct visit *visit)
{
    struct visit **link = &visits;
    while (*link != visit)
        link = &(*link)->next;
    *link = visit->next;
    for (struct gate_state *state = states; state; state = state->next)
        if (state->limit == visit->limit)
            give_turn(state);
    free(visit);
}

static struct visit *visit_of(const struct bine_greenlet *g, const struct bine_limit *limit)
{
    struct visit *visit = visits;
    while (visit && (visit->greenlet != g || visit->limit != limit))
        visit = visit->next;
    return visit;
}

void bine_limit_begin(const struct bine_gate *gate, void **return_address, const char *stack)
{
    struct bine_hub *hub = bine_hub_here();
    struct bine_limit *limit = gate->limit;
    if (!hub || hub->no_park || !limit->greenlets)
        return;
    int saved = errno;
    struct bine_greenlet *g = hub->current;
    struct visit *visit = visit_of(g, limit);
    /* Called back and in again, or on by a jump at the end of a function: it is inside. */
    if (visit && (stack < visit->stack || *return_address == (void *)bine_limit_leave)) {
        errno = saved;
        return;
    }
    if (!visit) {
        struct gate_state *state = limit_state_of(hub, limit);
        struct bine_greenlet_state *mark;
        while (!(mark = bine_greenlet_state_of(g, true)))
            bine_park(hub, "waiting for memory", 0, bine_hub_deadline(hub, 10 * BINE_MS),
                      BINE_PARK_FIRM | BINE_PARK_EXTERNAL);
        mark->limited = true;
        visit = need_memory(hub, sizeof *visit);
        wait_for_turn(hub, state);
        visit->limit = limit;
        visit->greenlet = g;
        visit->next = visits;
        visits = visit;
    }
    /* If there was a visit already it was left by longjmp, because the stack has been unwound. It
     * continues as this one. */
    visit->stack = stack;
    visit->return_address = *return_address;
    *return_address = (void *)bine_limit_leave;
    errno = saved;
}

void *bine_limit_end(const char *stack)
{
    int saved = errno;
    const struct bine_greenlet *g = bine_hub_here()->current;
    struct visit *visit = visits;
    while (visit->greenlet != g || visit->stack != stack)
        visit = visit->next;
    void *return_address = visit->return_address;
    remove_visit(visit);
    errno = saved;
    return return_address;
}

/* ---- ends ------------------------------------------------------------------------------------ */

static void limit_thread_ended(struct bine_hub *hub)
{
    (void)hub;
    while (states) {
        struct gate_state *next = states->next;
        free(states);
        states = next;
    }
}

/* Only the greenlet that forked is left. */
static void limit_forked(struct bine_hub *hub)
{
    for (struct gate_state *state = states; state; state = state->next) {
        state->inside = 0;
        state->waiting = (struct bine_waiters){0};
    }
    for (struct visit **link = &visits; *link;) {
        struct visit *visit = *link;
        if (visit->greenlet == hub->current) {
            for (struct gate_state *state = states; state; state = state->next)
                state->inside += state->limit == visit->limit;
            link = &visit->next;
        } else {
            *link = visit->next;
            free(visit);
        }
    }
}

static void limit_greenlet_ended(struct bine_greenlet *g, struct bine_greenlet_state *state)
{
    if (!state->limited)
        return;
    for (struct visit *visit = visits, *next; visit; visit = next) {
        next = visit->next;
        if (visit->greenlet == g)
            remove_visit(visit);
    }
}

__attribute__((constructor)) static void limit_register_ends(void)
{
    bine_greenlet_state_on_end(limit_greenlet_ended);
    bine_hub_on_end(limit_thread_ended);
    bine_hub_on_fork(limit_forked);
}
