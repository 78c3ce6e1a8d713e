/*
 * The signal mask of each greenlet. See signals.h.
 *
 * The kernel knows one mask for the thread. The root's is the thread's. A greenlet that sets
 * another one carries it: it is in force while that greenlet runs, and is replaced by the thread's
 * when the greenlet parks. Only greenlets that have a mask of their own pay for that.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libc/carrier.h"
#include "own/own.h"
#include "own/preempt.h"
#include "patch/table/greenlet_state.h"
#include "patch/table/hook.h"
#include "signals.h"

/* Of one hub's thread, made when a greenlet first sets a mask. */
struct masks {
    struct bine_around around;       /* first: what the hub calls */
    const struct bine_around *inner; /* the functions that were set before, called first */
    sigset_t base;                   /* the thread's */
    unsigned short held[NSIG];       /* so many wait for this signal */
    bool any_held;
};

static BINE_CARRIED struct masks *masks_here_;
#define masks_here BINE_OF_CARRIER(masks_here_)

/* The 64 signals that Linux has, of a set with room for more: asking for one after the other costs
 * more than the system call. */
static uint64_t bits_of(const sigset_t *set)
{
    uint64_t bits;
    memcpy(&bits, set, sizeof bits);
    return bits;
}

static void set_bits(sigset_t *set, uint64_t bits)
{
    memcpy(set, &bits, sizeof bits);
}

/* ---- what greenlets have of their own -------------------------------------------------------- */

static void signal_mask_greenlet_ended(struct bine_greenlet *g, struct bine_greenlet_state *state);
static void signal_mask_hub_ended(struct bine_hub *hub);
static void signal_mask_hub_forked(struct bine_hub *hub);

__attribute__((constructor)) static void signal_mask_register_ends(void)
{
    bine_greenlet_state_on_end(signal_mask_greenlet_ended);
    bine_hub_on_end(signal_mask_hub_ended);
    bine_hub_on_fork(signal_mask_hub_forked);
}

static const sigset_t *own_mask(const struct bine_greenlet *g)
{
    const struct bine_greenlet_state *state = g->slots[BINE_SLOT_PATCH];
    return state && state->has_mask ? &state->mask : NULL;
}

/* Has g a mask that is not the thread's? */
static bool differs(const struct masks *masks, const struct bine_greenlet *g)
{
    const sigset_t *own = own_mask(g);
    return own && bits_of(own) != bits_of(&masks->base);
}

/* ---- the kernel's mask ----------------------------------------------------------------------- */

static void set_kernel(const struct masks *masks, const sigset_t *mask)
{
    if (!masks->any_held) {
        bine_libc.pthread_sigmask(SIG_SETMASK, mask, NULL);
        return;
    }
    sigset_t effective = *mask;
    for (int number = 1; number < NSIG; number++)
        if (masks->held[number])
            sigaddset(&effective, number);
    bine_libc.pthread_sigmask(SIG_SETMASK, &effective, NULL);
}

static void *signal_mask_leave(struct bine_hub *hub, struct bine_greenlet *g)
{
    struct masks *masks = masks_here;
    if (differs(masks, g))
        set_kernel(masks, &masks->base);
    return masks->inner ? masks->inner->leave(hub, g) : NULL;
}

static void back(struct bine_hub *hub, struct bine_greenlet *g, void *left, int error)
{
    struct masks *masks = masks_here;
    if (masks->inner)
        masks->inner->back(hub, g, left, error);
    if (differs(masks, g))
        set_kernel(masks, own_mask(g));
}

static int signal_mask_refuse(struct bine_hub *hub, struct bine_greenlet *g, int error,
                              uintptr_t object, unsigned flags)
{
    return masks_here->inner ? masks_here->inner->refuse(hub, g, error, object, flags) : error;
}

static void interrupted(struct bine_hub *hub, struct bine_greenlet *g)
{
    if (masks_here->inner)
        masks_here->inner->interrupted(hub, g);
}

/* A thread has a mask of its own, which the main thread's changes do not change. Those that began
 * before there was a record have the one that the thread had so far. */
static void give_masks(struct bine_hub *hub, const sigset_t *mask)
{
    for (struct bine_greenlet *g = hub->all; g; g = g->all_next) {
        struct bine_greenlet_state *state =
            bine_own_lives(g) ? bine_greenlet_state_of(g, true) : NULL;
        if (state) {
            state->mask = *mask;
            state->has_mask = true;
        }
    }
}

/* This thread's masks with the hub told to call us. NULL: ENOMEM. */
static struct masks *masks_of(struct bine_hub *hub)
{
    struct masks *masks = masks_here;
    if (!masks) {
        masks = calloc(1, sizeof *masks);
        if (!masks)
            return NULL;
        masks->around =
            (struct bine_around){signal_mask_leave, back, signal_mask_refuse, interrupted};
        bine_libc.pthread_sigmask(SIG_SETMASK, NULL, &masks->base);
        masks_here = masks;
        give_masks(hub, &masks->base);
    }
    if (bine_hub_get_around(hub) != &masks->around) {
        masks->inner = bine_hub_get_around(hub);
        bine_hub_set_around(hub, &masks->around);
    }
    return masks;
}

static void signal_mask_greenlet_ended(struct bine_greenlet *g, struct bine_greenlet_state *state)
{
    if (state->has_mask && differs(masks_here, g))
        set_kernel(masks_here, &masks_here->base);
    bine_signal_directed_drop(state);
    bine_signal_pipe_ended(state);
}

static void signal_mask_hub_ended(struct bine_hub *hub)
{
    struct masks *masks = masks_here;
    bine_signal_directed_drop(hub->root->slots[BINE_SLOT_PATCH]);
    if (!masks)
        return;
    if (bine_hub_get_around(hub) == &masks->around)
        bine_hub_set_around(hub, masks->inner);
    masks_here = NULL;
    free(masks);
}

/* In the child only the greenlet that forked lives on, as the root: what it has of its own is the
 * process's now. */
static void signal_mask_hub_forked(struct bine_hub *hub)
{
    struct bine_greenlet_state *state = hub->current->slots[BINE_SLOT_PATCH];
    struct masks *masks = masks_here;
    if (masks) {
        memset(masks->held, 0, sizeof masks->held);
        masks->any_held = false;
        if (state && state->has_mask)
            masks->base = state->mask;
        set_kernel(masks, &masks->base);
    }
    bine_signal_pipe_forked(state);
    bine_signal_wait_forked();
    bine_signal_directed_drop(state);
    if (state)
        state->has_mask = state->has_pipe = false;
}

/* ---- pthread_sigmask ------------------------------------------------------------------------- */

static uint64_t bit_of(int number)
{
    return UINT64_C(1) << (number - 1);
}

/* What blocking, unblocking or setting makes of the mask `now`. SIGKILL and SIGSTOP cannot be
 * blocked: the kernel drops them silently. */
static int combine(int how, const sigset_t *set, uint64_t *now)
{
    switch (how) {
    case SIG_BLOCK:
        *now |= bits_of(set);
        break;
    case SIG_UNBLOCK:
        *now &= ~bits_of(set);
        break;
    case SIG_SETMASK:
        *now = bits_of(set);
        break;
    default:
        return EINVAL;
    }
    *now &= ~(bit_of(SIGKILL) | bit_of(SIGSTOP) | bine_preempt_unblocked());
    return 0;
}

static const sigset_t *current_mask(const struct masks *masks, struct bine_hub *hub)
{
    const sigset_t *own = own_mask(hub->current);
    return own ? own : &masks->base;
}

static int mask_of_root(struct bine_hub *hub, int how, const sigset_t *set, sigset_t *old)
{
    struct masks *masks = set && hub->owns ? masks_of(hub) : masks_here;
    if (!masks)
        return set && hub->owns ? ENOMEM : bine_libc.pthread_sigmask(how, set, old);
    uint64_t now = bits_of(&masks->base);
    int error = set ? combine(how, set, &now) : 0; /* first: `old` may be `set` */
    if (error)
        return error;
    if (old)
        *old = masks->base;
    if (set) {
        set_bits(&masks->base, now);
        set_kernel(masks, &masks->base);
    }
    return 0;
}

static int mask_of_current(struct bine_hub *hub, int how, const sigset_t *set, sigset_t *old)
{
    struct bine_greenlet *g = hub->current;
    if (g == hub->root)
        return mask_of_root(hub, how, set, old);
    struct masks *masks = masks_of(hub);
    struct bine_greenlet_state *state = masks ? bine_greenlet_state_of(g, true) : NULL;
    if (!state)
        return ENOMEM;
    const sigset_t *before = state->has_mask ? &state->mask : &masks->base;
    uint64_t now = bits_of(before);
    int error = set ? combine(how, set, &now) : 0;
    if (error)
        return error;
    if (old)
        *old = *before;
    if (set) {
        set_bits(&state->mask, now);
        state->has_mask = now != bits_of(&masks->base) || bine_own_lives(g);
        set_kernel(masks, &state->mask);
    }
    return 0;
}

int bine_signal_mask(int how, const sigset_t *set, sigset_t *old)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_SIGNAL);
    if (!hub)
        return bine_libc.pthread_sigmask(how, set, old);
    int error = mask_of_current(hub, how, set, old);
    const struct bine_greenlet_state *state = hub->current->slots[BINE_SLOT_PATCH];
    if (!error && state && state->directed)
        bine_signal_directed_unblocked(hub);
    return error;
}

uint64_t bine_signal_mask_of(const struct bine_greenlet *g)
{
    const struct bine_greenlet_state *state = g->slots[BINE_SLOT_PATCH];
    sigset_t now;
    if (state && state->suspended)
        return state->suspended_mask;
    if (state && state->has_mask)
        return bits_of(&state->mask);
    if (masks_here)
        return bits_of(&masks_here->base);
    bine_libc.pthread_sigmask(SIG_SETMASK, NULL, &now);
    return bits_of(&now);
}

uint64_t bine_signal_mask_held(void)
{
    const struct masks *masks = masks_here;
    uint64_t bits = 0;
    for (int number = 1; masks && masks->any_held && number < NSIG; number++)
        if (masks->held[number])
            bits |= bit_of(number);
    return bits;
}

void bine_signal_mask_inherit(struct bine_hub *hub, struct bine_greenlet *g)
{
    const struct masks *masks = masks_here;
    struct bine_greenlet_state *state = masks ? bine_greenlet_state_of(g, true) : NULL;
    if (!state)
        return;
    state->mask = *current_mask(masks, hub);
    state->has_mask = true;
}

void bine_signal_thread_begins(struct bine_hub *hub)
{
    if (masks_here && differs(masks_here, hub->current))
        set_kernel(masks_here, own_mask(hub->current));
    bine_signal_directed_unblocked(hub);
}

/* ---- for greenlets that wait ----------------------------------------------------------------- */

static void change_held(struct masks *masks, const sigset_t *set, int by)
{
    masks->any_held = false;
    for (int number = 1; number < NSIG; number++) {
        if (sigismember(set, number) == 1)
            masks->held[number] = (unsigned short)(masks->held[number] + by);
        masks->any_held |= masks->held[number] != 0;
    }
}

int bine_signal_mask_hold(struct bine_hub *hub, const sigset_t *set)
{
    struct masks *masks = masks_of(hub);
    if (!masks)
        return ENOMEM;
    change_held(masks, set, 1);
    set_kernel(masks, current_mask(masks, hub));
    return 0;
}

void bine_signal_mask_unhold(struct bine_hub *hub, const sigset_t *set)
{
    struct masks *masks = masks_here;
    change_held(masks, set, -1);
    set_kernel(masks, current_mask(masks, hub));
}

int bine_signal_mask_lend(struct bine_hub *hub, const sigset_t *mask, sigset_t *before)
{
    struct masks *masks = masks_of(hub);
    if (!masks)
        return ENOMEM;
    *before = masks->base;
    masks->base = *mask;
    sigdelset(&masks->base, SIGKILL);
    sigdelset(&masks->base, SIGSTOP);
    set_kernel(masks, &masks->base);
    return 0;
}

void bine_signal_mask_return(struct bine_hub *hub, const sigset_t *before)
{
    struct masks *masks = masks_here;
    masks->base = *before;
    set_kernel(masks, current_mask(masks, hub));
}
