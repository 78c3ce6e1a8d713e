/* Parking and waking. See park.h. */
#include "park.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "core/hub/trace.h"
#include "libc/layout.h"
#include "refuse.h"
#include "streak.h"
#include "switch.h"

BINE_LAYOUT(park_rows) = {
    BINE_NUMBER("park.firm", BINE_PARK_FIRM),
    BINE_NUMBER("park.external", BINE_PARK_EXTERNAL),
    BINE_NUMBER("park.timed", BINE_PARK_TIMED),
};

/* Not every caller looks at what its calls fail with. So a greenlet whose calls all fail lets
 * others run now and then. */
static inline int pending_error_in_turn(struct bine_hub *hub, const struct bine_greenlet *g)
{
    if (!bine_pending_error(g))
        return 0;
    bine_streak_firmly(hub);
    return bine_pending_error(g);
}

int bine_cancelled(struct bine_hub *hub)
{
    struct bine_greenlet *g = hub->current;
    int error = g->attention && bine_park_listens(g, 0) ? pending_error_in_turn(hub, g) : 0;
    return error ? bine_park_refuse(hub, g, error, 0, 0) : 0;
}

/* The deadline of a park, or of a scope around it, has come. */
static void park_due(void *greenlet, int64_t deadline)
{
    struct bine_greenlet *g = greenlet;
    if (g->state != BINE_PARKED)
        return; /* woken in the same turn */
    g->park_flags &= (uint8_t)~BINE_PARK_TIMED;
    if (g->attention && bine_park_listens(g, g->park_flags) && g->timeouts &&
        g->timeouts->earliest <= deadline) {
        for (struct bine_timeout *scope = g->timeouts; scope; scope = scope->outer)
            if (scope->deadline <= deadline)
                scope->expired = true;
        bine_end_wait(g, ETIMEDOUT);
        return;
    }
    bine_unpark_error(g, ETIME);
}

/* The wait of the current greenlet, which may wait. */
static inline __attribute__((always_inline)) void begin(struct bine_hub *hub,
                                                        struct bine_greenlet *g, const char *verb,
                                                        uintptr_t object, int64_t deadline,
                                                        unsigned flags)
{
    g->verb = verb;
    g->object = object;
    g->park_flags = (uint8_t)flags;
    if (deadline != INT64_MAX) {
        g->park_flags |= BINE_PARK_TIMED;
        bine_timer_start(&hub->timers, g->timer, park_due, g, deadline);
    }
    if (flags & BINE_PARK_EXTERNAL)
        hub->external++;
    hub->streak = 0;
}

static inline __attribute__((always_inline)) int end(struct bine_hub *hub, struct bine_greenlet *g)
{
    if (g->park_flags & BINE_PARK_EXTERNAL)
        hub->external--;
    if (g->park_flags & BINE_PARK_TIMED)
        bine_timer_stop(&hub->timers, g->timer);
    return g->wake_error;
}

/* With everything that can be out of the ordinary. */
static __attribute__((noinline)) int park_with_care(struct bine_hub *hub, const char *verb,
                                                    uintptr_t object, int64_t deadline,
                                                    unsigned flags)
{
    struct bine_greenlet *g = hub->current;
    if (hub->no_park)
        return EDEADLK;
    if (g->attention && bine_park_listens(g, flags)) {
        int error = g->attention & BINE_A_CALLBACK ? EDEADLK : pending_error_in_turn(hub, g);
        if (error && (error = bine_park_refuse(hub, g, error, object, flags)))
            return error;
        if (g->timeouts && g->timeouts->earliest < deadline)
            deadline = g->timeouts->earliest;
    }
    begin(hub, g, verb, object, deadline, flags);
    const struct bine_around *around = hub->around;
    void *left = around ? around->leave(hub, g) : NULL;
    g->state = BINE_PARKED;
    if (__builtin_expect(hub->trace != NULL, 0))
        hub->trace->parks = true;
    bine_switch(hub, g, hub->simulated ? bine_schedule_next(hub) : bine_schedule_next_quick(hub));
    int error = end(hub, g);
    if (around)
        around->back(hub, g, left, error);
    return error;
}

int bine_park(struct bine_hub *hub, const char *verb, uintptr_t object, int64_t deadline,
              unsigned flags)
{
    struct bine_greenlet *g = hub->current;
    if (__builtin_expect(hub->unusual || g->attention, 0))
        return park_with_care(hub, verb, object, deadline, flags);
    begin(hub, g, verb, object, deadline, flags);
    g->state = BINE_PARKED;
    bine_switch_plain(hub, g, bine_schedule_next_quick(hub));
    return end(hub, g);
}

struct interrupt {
    struct bine_message message;
    struct bine_greenlet *g;
    int error;
};

static void interrupt_here(struct bine_message *message)
{
    struct interrupt interrupt = *(struct interrupt *)message;
    free(message);
    bine_interrupt(interrupt.g, interrupt.error);
}

static void interrupt_dropped(struct bine_message *message)
{
    free(message);
}

/* One of another thread, by a message to that. If the thread has ended, so has g. */
static __attribute__((noinline, cold)) int interrupt_elsewhere(struct bine_greenlet *g, int error)
{
    int saved = errno;
    struct interrupt *interrupt = malloc(sizeof *interrupt);
    if (!interrupt)
        return -1;
    *interrupt = (struct interrupt){{NULL, interrupt_here, interrupt_dropped}, g, error};
    if (bine_hub_send(g->hub, &interrupt->message) != 0)
        free(interrupt);
    errno = saved;
    return 0;
}

int bine_interrupt(bine_greenlet *g, int error)
{
    if (!g || error < 0 || error > UINT8_MAX || error == ETIME) {
        errno = EINVAL;
        return -1;
    }
    if (__builtin_expect(g->hub != bine_hub_of_thread, 0))
        return interrupt_elsewhere(g, error);
    if (error == 0)
        bine_interrupt_spent(g);
    else if (g->state == BINE_PARKED && bine_park_listens(g, g->park_flags))
        bine_end_wait(g, error);
    else if (g->state != BINE_DEAD) {
        g->interrupt = (uint8_t)error;
        g->attention |= BINE_A_INTERRUPT;
    }
    return 0;
}
