/*
 * How greenlets wait for signals. See signals.h.
 *
 * sigtimedwait and its relatives take a signal that is pending. A signalfd tells whether one is
 * pending, and a greenlet can wait for it. While it waits, other greenlets run with those signals
 * blocked, because else they would be delivered instead of taken. pause and sigsuspend wait until a
 * handler has run on this thread.
 */
#include <bine/io.h>
#include <errno.h>
#include <string.h>

#include "core/schedule/signalled.h"
#include "libc/carrier.h"
#include "own/own.h"
#include "patch/table/greenlet_state.h"
#include "patch/table/hook.h"
#include "signals.h"

static uint64_t bits_of(const sigset_t *set)
{
    uint64_t bits;
    memcpy(&bits, set, sizeof bits);
    return bits;
}

/* What was sent to the thread comes first. */
static int signal_wait_take(struct bine_greenlet_state *state, const sigset_t *set, siginfo_t *info)
{
    int number = bine_signal_directed_take(state, bits_of(set), info);
    return number ? number : bine_libc.sigtimedwait(set, info, &(struct timespec){0, 0});
}

/* 0, or an error number: ETIME (the deadline), EINTR, ECANCELED, ETIMEDOUT ... */
static int wait_until_pending(struct bine_hub *hub, int fd, int64_t deadline)
{
    int64_t left = deadline == INT64_MAX ? INT64_MAX : deadline - bine_hub_now(hub);
    if (left <= 0)
        return ETIME;
    if (fd < 0) {
        /* No descriptor to be had: look again and again. */
        int64_t again = bine_hub_deadline(hub, left < 10 * BINE_MS ? left : 10 * BINE_MS);
        int error = bine_park(hub, "sigwait", 0, again, BINE_PARK_SIGNALS);
        return error == ETIME ? 0 : error;
    }
    struct pollfd entry = {.fd = fd, .events = POLLIN};
    struct timespec time = {left / BINE_SECOND, left % BINE_SECOND};
    int ready = bine_ppoll(&entry, 1, left == INT64_MAX ? NULL : &time, NULL);
    return ready > 0 ? 0 : ready == 0 ? ETIME : errno;
}

int bine_signal_timedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_SIGNAL);
    bool valid = !timeout ||
                 (timeout->tv_sec >= 0 && timeout->tv_nsec >= 0 && timeout->tv_nsec < BINE_SECOND);
    if (!hub || !valid)
        return bine_libc.sigtimedwait(set, info, timeout);
    bine_streak_firmly(hub);
    int saved = errno;
    struct bine_greenlet_state *state =
        bine_greenlet_state_of(hub->current, bine_own_takes_signals(hub->current));
    int number = signal_wait_take(state, set, info);
    if (number > 0 || errno != EAGAIN || (timeout && timeout->tv_sec == 0 && timeout->tv_nsec == 0))
        return number;
    int64_t deadline = INT64_MAX;
    if (timeout && timeout->tv_sec < INT64_MAX / BINE_SECOND - 1)
        deadline = bine_hub_deadline(hub, timeout->tv_sec * BINE_SECOND + timeout->tv_nsec);
    int error = bine_signal_mask_hold(hub, set);
    if (error) {
        errno = error;
        return -1;
    }
    bine_signal_mark signals = bine_signals_now(hub);
    if (state)
        state->awaited = bits_of(set);
    int fd = bine_libc.signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
    do {
        error = bine_signals_since(hub, signals, BINE_PARK_SIGNALS)
                    ? EINTR
                    : wait_until_pending(hub, fd, deadline);
        number = signal_wait_take(state, set, info);
    } while (number < 0 && errno == EAGAIN && !error);
    if (state)
        state->awaited = 0;
    if (fd >= 0)
        bine_close(fd);
    bine_signal_mask_unhold(hub, set);
    errno = number > 0 ? saved : error == ETIME ? EAGAIN : error ? error : errno;
    return number;
}

/* ---- pause and sigsuspend -------------------------------------------------------------------- */

/* Those of this thread that wait for a handler to have run. */
static BINE_CARRIED struct bine_waiter *pausing_;
#define pausing BINE_OF_CARRIER(pausing_)

static void signalled(struct bine_hub *hub)
{
    bine_signal_directed_noted(hub);
    struct bine_waiter *waiter = pausing;
    pausing = NULL;
    while (waiter) {
        struct bine_waiter *next = waiter->next;
        waiter->item = waiter; /* off the list */
        bine_unpark_error(waiter->greenlet, EINTR);
        waiter = next;
    }
}

__attribute__((constructor)) static void watch_signals(void)
{
    bine_hub_on_signal(signalled);
}

void bine_signal_wait_forked(void)
{
    pausing = NULL;
}

static void signal_wait_forget(struct bine_waiter *waiter)
{
    if (waiter->item)
        return;
    for (struct bine_waiter **link = &pausing; *link; link = &(*link)->next)
        if (*link == waiter) {
            *link = waiter->next;
            return;
        }
}

/* Has the current greenlet's list a signal that this mask lets through? Then it gets it, errno is
 * EINTR, and the call is over. Otherwise what is sent to it ends the wait that follows. */
static bool suspend_gets_directed(struct bine_hub *hub, struct bine_greenlet_state *state,
                                  const sigset_t *mask)
{
    state->suspended_mask = mask ? bits_of(mask) : bine_signal_mask_of(hub->current);
    state->suspended = true;
    if (!(bine_signal_directed_pending(state) & ~state->suspended_mask))
        return false;
    sigset_t before;
    bine_libc.pthread_sigmask(SIG_SETMASK, mask, &before);
    bine_signal_directed_unblocked(hub);
    bine_libc.pthread_sigmask(SIG_SETMASK, &before, NULL);
    state->suspended = false;
    errno = EINTR;
    return true;
}

int bine_signal_suspend(const sigset_t *mask)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_SIGNAL);
    if (!hub)
        return mask ? bine_libc.sigsuspend(mask) : bine_libc.pause();
    /* What ran before this call does not end it. */
    if (atomic_load(&hub->signals))
        bine_hub_take_signals(hub);
    struct bine_greenlet *g = hub->current;
    struct bine_greenlet_state *state = bine_greenlet_state_of(g, bine_own_takes_signals(g));
    if (state && suspend_gets_directed(hub, state, mask))
        return -1;
    struct bine_waiter waiter = {.greenlet = g, .next = pausing};
    pausing = &waiter;
    sigset_t before;
    int error = mask ? bine_signal_mask_lend(hub, mask, &before) : 0;
    if (!error) {
        error = bine_park(hub, mask ? "sigsuspend" : "pause", 0, INT64_MAX, BINE_PARK_EXTERNAL);
        if (mask)
            bine_signal_mask_return(hub, &before);
    }
    if (state)
        state->suspended = false;
    signal_wait_forget(&waiter);
    errno = error ? error : EINTR;
    return -1;
}
