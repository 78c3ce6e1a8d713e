/* The end of many greenlets that are killed, and what keeps a kill or a limit off: shields, timeout
 * scopes. */
#include <errno.h>

#include "core/across/errand.h"
#include "core/schedule/park.h"
#include "core/schedule/schedule.h"
#include "core/schedule/streak.h"

static int cancel_end_there(struct bine_errand *errand)
{
    bine_greenlet *g = errand->object;
    return bine_joinall_with(&g, 1, errand->timeout, 0, 0) >= 0 ? 0 : errno;
}

/* Wait for the end of a greenlet of another thread. 0 or an error number. */
static int cancel_end_elsewhere(struct bine_greenlet *g, int64_t timeout)
{
    int error = bine_errand(
        g->hub, &(struct bine_errand){cancel_end_there, "killall", g, .timeout = timeout});
    return error == ESRCH ? 0 : error;
}

int bine_killall(bine_greenlet *const *all, size_t n, int64_t timeout)
{
    struct bine_hub *hub = bine_hub_get();
    if (!hub)
        return -1;
    if ((!all && n) || timeout < 0) {
        errno = EINVAL;
        return -1;
    }
    for (size_t i = 0; i < n; i++)
        if (all[i] && bine_kill(all[i]) < 0)
            return -1;
    int64_t deadline = bine_hub_deadline(hub, timeout);
    for (size_t i = 0; i < n; i++) {
        if (!all[i])
            continue;
        if (all[i]->hub != hub) {
            int64_t left =
                timeout == 0 || timeout == BINE_FOREVER ? timeout : deadline - bine_hub_now(hub);
            int failed = cancel_end_elsewhere(all[i], left > 0 ? left : 0);
            if (!failed)
                continue;
            errno = failed;
            return -1;
        }
        if (all[i] == hub->current || all[i]->state == BINE_DEAD)
            continue;
        struct bine_waiter waiter = {.greenlet = hub->current};
        int error;
        if (!timeout) {
            error = bine_streak_refused(hub, ETIME);
        } else {
            bine_waiters_push(&all[i]->waitable.watchers, &waiter);
            error = bine_park(hub, "killall", (uintptr_t)all[i], deadline, 0);
            bine_waiters_remove(&waiter);
        }
        if (error) {
            errno = error == ETIME ? ETIMEDOUT : error;
            return -1;
        }
    }
    return 0;
}

void bine_shield_begin(void)
{
    struct bine_hub *hub = bine_hub_get();
    if (!hub)
        return;
    hub->current->shields++;
    hub->current->attention |= BINE_A_SHIELD;
}

void bine_shield_end(void)
{
    struct bine_hub *hub = bine_hub_of_thread;
    if (hub && hub->current->shields && --hub->current->shields == 0)
        hub->current->attention &= (uint8_t)~BINE_A_SHIELD;
}

/* ---- timeout scopes -------------------------------------------------------------------------- */

int bine_timeout_begin(bine_timeout *scope, int64_t duration)
{
    if (!scope || duration < 0) {
        errno = EINVAL;
        return -1;
    }
    struct bine_hub *hub = bine_hub_get();
    if (!hub)
        return -1;
    struct bine_greenlet *g = hub->current;
    scope->deadline = bine_hub_deadline(hub, duration);
    scope->outer = g->timeouts;
    scope->earliest = scope->outer && scope->outer->earliest < scope->deadline
                          ? scope->outer->earliest
                          : scope->deadline;
    scope->expired = false;
    g->timeouts = scope;
    g->attention |= BINE_A_SCOPE;
    return 0;
}

int bine_timeout_end(bine_timeout *scope)
{
    struct bine_hub *hub = bine_hub_of_thread;
    if (!scope || !hub || hub->current->timeouts != scope) {
        errno = EINVAL;
        return -1;
    }
    hub->current->timeouts = scope->outer;
    if (!scope->outer)
        hub->current->attention &= (uint8_t)~BINE_A_SCOPE;
    return scope->expired;
}

void bine_within_end(bine_within *within)
{
    if (!within || !within->open)
        return;
    struct bine_greenlet *g = bine_hub_of_thread->current;
    if (!g->timeouts)
        return; /* bine_exit closed it, and pthread_exit unwinds the root's stack */
    if (g->timeouts != &within->timeout) {
        /* Opened inside and left open: it may lie in a frame that is gone. */
        bine_greenlet_report_block(g);
        g->timeouts = &within->timeout;
    }
    bool expired = bine_timeout_end(&within->timeout) > 0;
    if (within->expired)
        *within->expired = expired;
}

bool bine_timeout_expired(const bine_timeout *scope)
{
    return scope && scope->expired;
}
