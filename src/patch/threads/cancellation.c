/* Cancellation. See cancellation.h. */
#include "cancellation.h"

#include <errno.h>
#include <setjmp.h>
#include <stdlib.h>

#include "core/schedule/park.h"
#include "libc/libc.h"
#include "own/own.h"
#include "own/preempt.h"

/* ---- the state ------------------------------------------------------------------------------- */

static void free_state(struct bine_greenlet *g)
{
    struct bine_thread_state *state = g->slots[BINE_SLOT_THREAD];
    g->slots[BINE_SLOT_THREAD] = NULL;
    if (state && !state->embedded)
        free(state);
}

static void cancellation_hub_ended(struct bine_hub *hub)
{
    free_state(hub->root);
}

__attribute__((constructor)) static void cancellation_register_ends(void)
{
    bine_greenlet_on_end(BINE_SLOT_THREAD, free_state);
    bine_hub_on_end(cancellation_hub_ended);
}

struct bine_thread_state *bine_thread_state_of(struct bine_greenlet *g, bool make)
{
    struct bine_thread_state *state = g->slots[BINE_SLOT_THREAD];
    if (!state && make && (state = calloc(1, sizeof *state)))
        bine_greenlet_keep(g, BINE_SLOT_THREAD, state);
    return state;
}

void bine_thread_state_embed(struct bine_greenlet *g, struct bine_thread_state *state)
{
    state->embedded = true;
    bine_greenlet_keep(g, BINE_SLOT_THREAD, state);
}

/* The root's cancelability is libc's business: that of the thread. */
static bool is_disabled(const struct bine_greenlet *g, const struct bine_thread_state *state)
{
    if (!(g->flags & BINE_G_ROOT))
        return state->disabled;
    int before;
    bine_libc.pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    bine_libc.pthread_setcancelstate(before, NULL);
    return before == PTHREAD_CANCEL_DISABLE;
}

/* ---- requests -------------------------------------------------------------------------------- */

void bine_cancellation_request(struct bine_greenlet *g)
{
    struct bine_thread_state *state = bine_thread_state_of(g, false);
    if (!state || state->leaving || state->requested)
        return;
    state->requested = true;
    if (!is_disabled(g, state))
        bine_cancel(g);
}

bool bine_cancellation_due(struct bine_hub *hub)
{
    struct bine_greenlet *g = hub->current;
    const struct bine_thread_state *state = bine_thread_state_of(g, false);
    return state && state->requested && !state->leaving && !hub->no_park && !g->shields &&
           !is_disabled(g, state);
}

void bine_cancellation_exit(struct bine_hub *hub, void *value)
{
    struct bine_thread_state *state = bine_thread_state_of(hub->current, false);
    if (state)
        state->leaving = true;
    bine_uncancel(hub->current);
    /* In the child of its fork it is the thread. */
    if (!(hub->current->flags & BINE_G_ROOT))
        bine_own_exits(hub, value);
    bine_libc.pthread_exit(value);
    __builtin_unreachable();
}

void bine_cancellation_act(struct bine_hub *hub)
{
    struct bine_greenlet *g = hub->current;
    if (bine_own_here(hub))
        bine_cancellation_exit(hub, PTHREAD_CANCELED);
    /* Handlers may wait. */
    bine_uncancel(g);
    if (!(g->flags & BINE_G_ROOT))
        bine_cleanup_leave(hub, PTHREAD_CANCELED);
    bine_thread_state_of(g, false)->leaving = true;
    bine_libc.pthread_exit(PTHREAD_CANCELED);
    __builtin_unreachable();
}

/* Between two instructions. */
static void act_if_asynchronous(struct bine_hub *hub)
{
    const struct bine_thread_state *state = bine_thread_state_of(hub->current, false);
    if (state && state->asynchronous && bine_own_here(hub) && bine_cancellation_due(hub))
        bine_cancellation_act(hub);
}

__attribute__((constructor)) static void cancellation_set_up(void)
{
    bine_preempt_resumes = act_if_asynchronous;
}

int bine_cancellation_set_state(struct bine_hub *hub, int wanted, int *old)
{
    struct bine_greenlet *g = hub->current;
    bool disable = wanted == PTHREAD_CANCEL_DISABLE, root = g->flags & BINE_G_ROOT;
    struct bine_thread_state *state = bine_thread_state_of(g, !root && disable);
    if (root) {
        int error = bine_libc.pthread_setcancelstate(wanted, old);
        if (error)
            return error;
    } else {
        if (!disable && wanted != PTHREAD_CANCEL_ENABLE)
            return EINVAL;
        if (old)
            *old = state && state->disabled ? PTHREAD_CANCEL_DISABLE : PTHREAD_CANCEL_ENABLE;
        if (disable && !state)
            return ENOMEM;
        if (state)
            state->disabled = disable;
    }
    if (!state || !state->requested || state->leaving)
        return 0;
    if (disable) {
        bine_uncancel(g);
    } else {
        bine_cancel(g);
        if (state->asynchronous && bine_cancellation_due(hub))
            bine_cancellation_act(hub);
    }
    return 0;
}

int bine_cancellation_set_type(struct bine_hub *hub, int type, int *old)
{
    struct bine_greenlet *g = hub->current;
    if (g->flags & BINE_G_ROOT) {
        int error = bine_libc.pthread_setcanceltype(type, old);
        if (!error && type == PTHREAD_CANCEL_ASYNCHRONOUS && bine_cancellation_due(hub))
            bine_cancellation_act(hub);
        return error;
    }
    bool asynchronous = type == PTHREAD_CANCEL_ASYNCHRONOUS;
    struct bine_thread_state *state = bine_thread_state_of(g, asynchronous);
    if (!asynchronous && type != PTHREAD_CANCEL_DEFERRED)
        return EINVAL;
    if (asynchronous && !state)
        return ENOMEM;
    if (old)
        *old = state && state->asynchronous ? PTHREAD_CANCEL_ASYNCHRONOUS : PTHREAD_CANCEL_DEFERRED;
    if (state)
        state->asynchronous = asynchronous;
    if (asynchronous && bine_cancellation_due(hub))
        bine_cancellation_act(hub);
    return 0;
}

/* ---- threads that have a hub ----------------------------------------------------------------- */

struct request {
    struct bine_message message;
    pthread_t thread;
    uint64_t life; /* of the hub: its record may be another thread's by now */
    struct bine_hub *hub;
    struct bine_thread_state *state; /* for the root, if it has none */
};

static void drop_request(struct bine_message *message)
{
    struct request *request = (struct request *)message;
    free(request->state);
    free(request);
}

static void deliver_request(struct bine_message *message)
{
    struct request *request = (struct request *)message;
    struct bine_hub *hub = request->hub;
    if (hub->life == request->life) {
        if (!hub->root->slots[BINE_SLOT_THREAD]) {
            bine_greenlet_keep(hub->root, BINE_SLOT_THREAD, request->state);
            request->state = NULL;
        }
        bine_cancellation_request(hub->root);
    }
    drop_request(message);
}

static void find_hub(struct bine_hub *hub, void *arg)
{
    struct request *request = arg;
    if (pthread_equal(hub->thread, request->thread)) {
        request->hub = hub;
        request->life = hub->life;
    }
}

int bine_cancellation_of_thread(pthread_t thread)
{
    struct request *request = calloc(1, sizeof *request);
    if (!request)
        return ENOMEM;
    *request = (struct request){{NULL, deliver_request, drop_request}, .thread = thread};
    bine_hub_each(find_hub, request);
    request->state = request->hub ? calloc(1, sizeof *request->state) : NULL;
    int error = !request->hub ? ESRCH : !request->state ? ENOMEM : 0;
    if (!error && request->hub == bine_hub_here()) {
        deliver_request(&request->message);
        return 0;
    }
    if (!error)
        error = bine_hub_send(request->hub, &request->message);
    if (error)
        drop_request(&request->message);
    return error;
}
