/* Parking and waking. See park.h. */
#include "park.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "core/hub/trace.h"
#include "libc/layout.h"
#include "streak.h"
#include "switch.h"

BINE_LAYOUT(park_rows) = {
    BINE_NUMBER("park.firm", BINE_PARK_FIRM),
    BINE_NUMBER("park.external", BINE_PARK_EXTERNAL),
    BINE_NUMBER("park.timed", BINE_PARK_TIMED),
};

/* Does this park listen to kill, scopes and interrupts? */
static inline bool listens(const struct bine_greenlet *g, unsigned flags)
{
    return !(flags & BINE_PARK_FIRM) && !g->shields;
}

/* The error that ends a listening park before it begins; 0: none. */
static inline int pending_error(const struct bine_greenlet *g)
{
    if (g->attention & BINE_A_KILLED)
        return ECANCELED;
    for (const struct bine_timeout *scope = g->timeouts; scope; scope = scope->outer)
        if (scope->expired)
            return ETIMEDOUT;
    return g->interrupt;
}

/* The same. Not every caller looks at what its calls fail with: who only makes calls that fail lets
 * others run now and then. */
static inline int pending_error_in_turn(struct bine_hub *hub, const struct bine_greenlet *g)
{
    if (!pending_error(g))
        return 0;
    bine_streak_firmly(hub);
    return pending_error(g);
}

static void clear_interrupt(struct bine_greenlet *g)
{
    g->interrupt = 0;
    g->attention &= (uint8_t)~BINE_A_INTERRUPT;
}

/* What a park fails with, or a call that would park, because `error` is pending. It spends an
 * interrupt. 0: it waits all the same. */
static int park_refuse(struct bine_hub *hub, struct bine_greenlet *g, int error, uintptr_t object,
                       unsigned flags)
{
    if (error == g->interrupt && !(g->attention & BINE_A_KILLED))
        clear_interrupt(g);
    if (hub->around)
        error = hub->around->refuse(hub, g, error, object, flags);
    g->interruptions += error != 0;
    return error;
}

unsigned bine_interruptions(void)
{
    return bine_hub_of_thread ? bine_hub_of_thread->current->interruptions : 0;
}

bool bine_error_passes(int error, unsigned interruptions)
{
    return error == EINTR || error == EAGAIN || error == EDEADLK || error == ENOMEM ||
           bine_interruptions() != interruptions;
}

int bine_cancelled(struct bine_hub *hub)
{
    struct bine_greenlet *g = hub->current;
    int error = g->attention && listens(g, 0) ? pending_error_in_turn(hub, g) : 0;
    return error ? park_refuse(hub, g, error, 0, 0) : 0;
}

int bine_cancelled_now(struct bine_hub *hub)
{
    struct bine_greenlet *g = hub->current;
    int error = g->attention && listens(g, 0) ? pending_error(g) : 0;
    return error ? park_refuse(hub, g, error, 0, 0) : 0;
}

int bine_cancelled_for_good(struct bine_hub *hub)
{
    struct bine_greenlet *g = hub->current;
    int error = g->attention && listens(g, 0) ? pending_error(g) : 0;
    return error && error == g->interrupt && !(g->attention & BINE_A_KILLED) ? 0 : error;
}

void bine_interrupted(void)
{
    struct bine_hub *hub = bine_hub_here();
    if (hub && hub->around)
        hub->around->interrupted(hub, hub->current);
}

/* The deadline of a park, or of a scope around it, has come. */
static void park_due(void *greenlet, int64_t deadline)
{
    struct bine_greenlet *g = greenlet;
    if (g->state != BINE_PARKED)
        return; /* woken in the same turn */
    g->park_flags &= (uint8_t)~BINE_PARK_TIMED;
    if (g->attention && listens(g, g->park_flags) && g->timeouts &&
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
    if (g->attention && listens(g, flags)) {
        int error = g->attention & BINE_A_CALLBACK ? EDEADLK : pending_error_in_turn(hub, g);
        if (error && (error = park_refuse(hub, g, error, object, flags)))
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

void bine_yield(struct bine_hub *hub)
{
    struct bine_greenlet *g = hub->current;
    if (__builtin_expect(hub->no_park, 0))
        return;
    hub->streak = 0;
    const struct bine_around *around = hub->around;
    void *left = NULL;
    if (around) {
        g->verb = NULL; /* it does not park */
        left = around->leave(hub, g);
    }
    /* Not before `leave`, which may make others ready. */
    bine_ready_push(&hub->ready, g);
    bine_switch(hub, g, hub->simulated ? bine_schedule_next(hub) : bine_schedule_next_quick(hub));
    if (around)
        around->back(hub, g, left, 0);
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
        clear_interrupt(g);
    else if (g->state == BINE_PARKED && listens(g, g->park_flags))
        bine_end_wait(g, error);
    else if (g->state != BINE_DEAD) {
        g->interrupt = (uint8_t)error;
        g->attention |= BINE_A_INTERRUPT;
    }
    return 0;
}
