/* How greenlets wait for others to end. */
#include <errno.h>
#include <stdlib.h>

#include "core/across/errand.h"
#include "core/schedule/streak.h"
#include "core/schedule/switch.h"

static int join_fail(int error)
{
    errno = error;
    return -1;
}

/* A greenlet of another thread: references are counted, and ends are told, by its own. */
static int join_there(struct bine_errand *errand)
{
    return bine_join(errand->object, &errand->item, errand->timeout) == 0 ? 0 : errno;
}

static int get_there(struct bine_errand *errand)
{
    return bine_get(errand->object, &errand->item, errand->timeout) == 0 ? 0 : errno;
}

static __attribute__((noinline, cold)) int elsewhere(int (*run)(struct bine_errand *),
                                                     struct bine_greenlet *g, void **value,
                                                     int64_t timeout)
{
    struct bine_errand errand = {.run = run, .verb = "join", .object = g, .timeout = timeout};
    int error = bine_errand(g->hub, &errand);
    if (error)
        return join_fail(error);
    if (value)
        *value = errand.item;
    return 0;
}

int bine_join(bine_greenlet *g, void **value, int64_t timeout)
{
    struct bine_hub *hub = bine_hub_of_thread;
    if (!g || timeout < 0)
        return join_fail(EINVAL);
    if (__builtin_expect(g->hub != hub, 0))
        return elsewhere(join_there, g, value, timeout);
    if (g->state != BINE_DEAD) {
        if (g == hub->current)
            return join_fail(EDEADLK);
        if (timeout == 0)
            return join_fail(bine_streak_refused(hub, ETIMEDOUT));
        struct bine_greenlet *current = hub->current;
        struct bine_waiter waiter;
        bine_waiter_init(&waiter, current);
        bine_waiters_push(&g->waitable.watchers, &waiter);
        struct bine_greenlet *next = timeout == BINE_FOREVER ? bine_park_peek(hub, current) : NULL;
        int error = next ? bine_park_over(hub, current, "join", (uintptr_t)g, next)
                         : bine_park(hub, "join", (uintptr_t)g, bine_hub_deadline(hub, timeout), 0);
        if (error) {
            bine_waiters_remove(&waiter);
            return join_fail(error == ETIME ? ETIMEDOUT : error);
        }
    }
    if (value)
        *value = g->arg;
    bine_greenlet_release(g);
    return 0;
}

int bine_get(bine_greenlet *g, void **value, int64_t timeout)
{
    if (!g || timeout < 0)
        return join_fail(EINVAL);
    if (g->hub != bine_hub_of_thread)
        return elsewhere(get_there, g, value, timeout);
    g->references++; /* the join takes one */
    if (bine_join(g, NULL, timeout) != 0) {
        g->references--;
        return -1;
    }
    if (g->error)
        return join_fail(g->error);
    if (value)
        *value = g->arg;
    bine_greenlet_release(g);
    return 0;
}

/* EINVAL and EDEADLK of the calls below. */
static int join_check(struct bine_hub *hub, bine_greenlet *const *all, size_t n, int64_t timeout)
{
    if ((!all && n) || timeout < 0)
        return EINVAL;
    for (size_t i = 0; i < n; i++) {
        if (!all[i])
            continue;
        if (all[i]->hub != hub)
            return EINVAL;
        if (all[i]->state == BINE_DEAD)
            continue;
        if (all[i] == hub->current)
            return EDEADLK;
    }
    return 0;
}

int bine_joinall(bine_greenlet *const *all, size_t n, int64_t timeout)
{
    struct bine_hub *hub = bine_hub_get();
    if (!hub)
        return -1;
    int error = join_check(hub, all, n, timeout);
    if (error)
        return join_fail(error);
    int64_t deadline = bine_hub_deadline(hub, timeout);
    /* All must end, so waiting for one after the other is enough, and needs no memory. */
    for (size_t i = 0; i < n; i++) {
        if (!all[i] || all[i]->state == BINE_DEAD)
            continue;
        if (timeout == 0)
            return join_fail(bine_streak_refused(hub, ETIMEDOUT));
        struct bine_waiter waiter = {.greenlet = hub->current};
        bine_waiters_push(&all[i]->waitable.watchers, &waiter);
        error = bine_park(hub, "joinall", (uintptr_t)all[i], deadline, 0);
        if (error) {
            bine_waiters_remove(&waiter);
            return join_fail(error == ETIME ? ETIMEDOUT : error);
        }
    }
    for (size_t i = 0; i < n; i++)
        if (all[i])
            bine_greenlet_release(all[i]);
    return 0;
}

/* Waiting for some of many: each end is counted, the waiting greenlet is woken when it has seen
 * enough. */
struct some {
    struct bine_greenlet *waiting;
    size_t ended, wanted;
    unsigned flags;
    int error; /* of the first that failed */
};

struct one {
    struct bine_waiter waiter; /* first */
    struct some *some;
    struct bine_greenlet *g;
};

static bool satisfied(const struct some *some)
{
    return some->ended >= some->wanted || (some->error && (some->flags & BINE_RAISE_ERROR));
}

static void count_one(struct some *some, const struct bine_greenlet *g)
{
    some->ended++;
    if (g->error && !some->error)
        some->error = g->error;
}

static void one_ended(struct bine_waiter *waiter)
{
    struct one *one = (struct one *)waiter;
    count_one(one->some, one->g);
    if (satisfied(one->some))
        bine_unpark(one->some->waiting);
}

ssize_t bine_joinall_with(bine_greenlet *const *all, size_t n, int64_t timeout, size_t count,
                          unsigned flags)
{
    struct bine_hub *hub = bine_hub_get();
    if (!hub)
        return -1;
    int error = flags & ~BINE_RAISE_ERROR ? EINVAL : join_check(hub, all, n, timeout);
    if (error)
        return join_fail(error);
    size_t present = 0;
    struct some some = {.waiting = hub->current, .flags = flags};
    for (size_t i = 0; i < n; i++) {
        if (!all[i])
            continue;
        present++;
        if (all[i]->state == BINE_DEAD)
            count_one(&some, all[i]);
    }
    some.wanted = count == 0 || count > present ? present : count;
    if (!satisfied(&some)) {
        if (timeout == 0)
            return join_fail(bine_streak_refused(hub, ETIMEDOUT));
        struct one *ones = calloc(n, sizeof *ones);
        if (!ones)
            return join_fail(ENOMEM);
        for (size_t i = 0; i < n; i++) {
            if (!all[i] || all[i]->state == BINE_DEAD)
                continue;
            ones[i] = (struct one){{.greenlet = hub->current, .notify = one_ended}, &some, all[i]};
            bine_waiters_push(&all[i]->waitable.watchers, &ones[i].waiter);
        }
        error = bine_park(hub, "joinall", (uintptr_t)all, bine_hub_deadline(hub, timeout), 0);
        for (size_t i = 0; i < n; i++)
            bine_waiters_remove(&ones[i].waiter);
        free(ones);
        if (error)
            return join_fail(error == ETIME ? ETIMEDOUT : error);
    }
    if (some.error && (flags & BINE_RAISE_ERROR))
        return join_fail(some.error);
    return (ssize_t)some.ended;
}
