/*
 * Errands, and calls into another hub. See errand.h.
 *
 * A trip takes three messages: `go` to the other hub, `answer` back, and `stop` after the go if the
 * caller no longer waits. Two of them can be under way at once, and either thread can end at any
 * moment. So the trip lies in the heap and is counted. Until the trip is taken, the caller can
 * leave with one exchange of `state`, and the go frees the trip. From then on the answer is certain
 * to come, and the caller waits for it.
 */
#include "errand.h"
#include "libc/container_of.h"

#include <errno.h>
#include <stdlib.h>

#include "core/schedule/park.h"
#include "core/schedule/schedule.h"

enum {
    SENT,
    TAKEN,
    ABANDONED
};

struct trip {
    struct bine_message go, stop, answer;
    struct bine_errand errand; /* here, there, and here again once it is answered */
    struct bine_hub *from, *to;
    uint64_t life; /* of `from`: a thread that has ended leaves its record to another */
    atomic_int state;
    atomic_int references; /* the caller's, or after it has abandoned it the go's; the stop's */
    int error;

    /* On the other thread. */
    struct bine_greenlet *agent; /* a reference; NULL when it has ended */
    bool broken_off;             /* the agent was killed, since the caller had given up */
    struct bine_waiter end;      /* of the agent */

    /* On the caller's thread. */
    struct trip *next, *previous; /* all that its hub waits for */
    bool answered;
};

#define TRIP_OF(pointer, member) BINE_CONTAINER_OF(pointer, struct trip, member)

static void errand_release(struct trip *trip)
{
    if (atomic_fetch_sub(&trip->references, 1) == 1)
        free(trip);
}

/* The caller has gone with its thread. */
static void forsake(struct trip *trip)
{
    if (trip->errand.forsaken)
        trip->errand.forsaken(&trip->errand, trip->error);
    errand_release(trip);
}

/* ---- there ----------------------------------------------------------------------------------- */

static void errand_answer(struct trip *trip, int error)
{
    trip->error = error;
    if (bine_hub_send(trip->from, &trip->answer) != 0)
        forsake(trip);
}

static void *errand_carry_out(void *arg)
{
    struct trip *trip = arg;
    trip->error = trip->errand.run(&trip->errand);
    return NULL;
}

/* A function of the program's own has ended. It may ignore that it was killed and return a value
 * like any other, so the value counts only if no kill of the caller's reached it. */
static int outcome_of_call(struct trip *trip)
{
    trip->errand.item = bine_value(trip->agent);
    return trip->broken_off ? ECANCELED : bine_error(trip->agent);
}

/* It has done its errand, or was killed before it began, or its thread ends. */
static void agent_ended(struct bine_waiter *waiter)
{
    struct trip *trip = TRIP_OF(waiter, end);
    int error = trip->errand.run ? bine_error(trip->agent) : outcome_of_call(trip);
    if (!error)
        error = trip->error;
    /* The caller did not end it, but it was killed: a worker that ends kills all its greenlets. */
    bool ends = error == ECANCELED && !trip->broken_off && bine_killed(trip->agent);
    if (ends || bine_inbox_closed(&trip->to->inbox))
        error = ESRCH;
    bine_detach(trip->agent);
    trip->agent = NULL;
    errand_answer(trip, error);
}

static void errand_arrived(struct bine_message *message)
{
    struct trip *trip = TRIP_OF(message, go);
    int state = SENT;
    if (!atomic_compare_exchange_strong(&trip->state, &state, TAKEN)) {
        errand_release(trip);
        return;
    }
    const struct bine_errand *errand = &trip->errand;
    trip->agent = errand->run ? bine_spawn(errand_carry_out, trip)
                              : bine_spawn_at(errand->function, errand->item, errand->site);
    if (!trip->agent) {
        errand_answer(trip, errno);
        return;
    }
    trip->end.notify = agent_ended;
    bine_waiters_push(&trip->agent->waitable.watchers, &trip->end);
}

/* The thread ended before it looked. */
static void not_arrived(struct bine_message *message)
{
    struct trip *trip = TRIP_OF(message, go);
    int state = SENT;
    if (atomic_compare_exchange_strong(&trip->state, &state, TAKEN))
        errand_answer(trip, ESRCH);
    else
        errand_release(trip);
}

static void stopped(struct bine_message *message)
{
    struct trip *trip = TRIP_OF(message, stop);
    if (trip->agent) {
        trip->broken_off = true;
        bine_kill(trip->agent);
    }
    errand_release(trip);
}

static void not_stopped(struct bine_message *message)
{
    errand_release(TRIP_OF(message, stop));
}

/* ---- here ------------------------------------------------------------------------------------ */

static void unlink_trip(struct trip *trip)
{
    if (trip->previous)
        trip->previous->next = trip->next;
    else
        trip->from->trips = trip->next;
    if (trip->next)
        trip->next->previous = trip->previous;
}

static void answered(struct bine_message *message)
{
    struct trip *trip = TRIP_OF(message, answer);
    if (trip->from->life != trip->life) {
        forsake(trip);
        return;
    }
    trip->answered = true;
    bine_unpark(trip->errand.caller);
}

static void not_answered(struct bine_message *message)
{
    struct trip *trip = TRIP_OF(message, answer);
    if (trip->from->life == trip->life)
        unlink_trip(trip);
    forsake(trip);
}

/* The caller does not want to wait any longer. True: it need not. */
static bool give_up(struct trip *trip)
{
    int state = SENT;
    if (atomic_compare_exchange_strong(&trip->state, &state, ABANDONED))
        return true;
    atomic_fetch_add(&trip->references, 1);
    if (bine_hub_send(trip->to, &trip->stop) != 0)
        errand_release(trip);
    return false;
}

static void trips_end(struct bine_hub *hub)
{
    /* A thread that finds no inbox for its answer frees the trip. */
    for (struct trip *trip = hub->trips, *next; trip; trip = next) {
        next = trip->next;
        if (trip->answered) {
            forsake(trip);
            continue;
        }
        /* what has not begun is its receiver's to free at any moment */
        atomic_fetch_add(&trip->references, 1);
        if (give_up(trip) && trip->errand.forsaken)
            trip->errand.forsaken(&trip->errand, ESRCH);
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the reference taken above keeps it */
        errand_release(trip);
    }
    hub->trips = NULL;
}

static void link_trip(struct trip *trip)
{
    struct bine_hub *hub = trip->from;
    trip->next = hub->trips;
    trip->previous = NULL;
    if (hub->trips)
        hub->trips->previous = trip;
    hub->trips = trip;
    hub->trips_end = trips_end;
}

/* Until it has been answered (true), or given up before it began. *error: why the wait ended early,
 * else 0. */
static bool wait_for_answer(struct trip *trip, int64_t deadline, int *error)
{
    const struct bine_errand *errand = &trip->errand;
    unsigned flags = BINE_PARK_EXTERNAL | (errand->firm ? BINE_PARK_FIRM : 0);
    const char *verb = errand->verb;
    uintptr_t object = (uintptr_t)errand->object;
    while (!trip->answered && !*error)
        *error = bine_park(trip->from, verb, object, deadline, flags);
    if (!trip->answered) {
        unlink_trip(trip); /* which may be the other thread's from now on */
        if (give_up(trip))
            return false;
        link_trip(trip);
    }
    while (!trip->answered)
        bine_park(trip->from, verb, object, INT64_MAX, BINE_PARK_EXTERNAL | BINE_PARK_FIRM);
    return true;
}

/* Wait, and bring back what there is to bring. */
static int return_from(struct trip *trip, int64_t deadline, struct bine_errand *errand)
{
    int error = 0;
    bool came = wait_for_answer(trip, deadline, &error);
    int given_up = error == ETIME ? ETIMEDOUT : error, outcome = ECANCELED;
    if (came) {
        outcome = trip->error;
        unlink_trip(trip);
        *errand = trip->errand;
        errand_release(trip);
    }
    if (error && outcome == ECANCELED)
        return given_up;
    /* The errand was faster. A kill and a scope end the next park by themselves. An interrupt has
     * to be told. */
    if (given_up && given_up != ETIMEDOUT && given_up != ECANCELED)
        bine_interrupt(errand->caller, given_up);
    return outcome;
}

int bine_errand(struct bine_hub *hub, struct bine_errand *errand)
{
    struct bine_hub *here = bine_hub_get();
    if (!here)
        return errno;
    if (here->no_park)
        return EDEADLK;
    struct trip *trip = calloc(1, sizeof *trip);
    if (!trip)
        return ENOMEM;
    errand->caller = here->current;
    trip->go = (struct bine_message){NULL, errand_arrived, not_arrived};
    trip->stop = (struct bine_message){NULL, stopped, not_stopped};
    trip->answer = (struct bine_message){NULL, answered, not_answered};
    trip->errand = *errand;
    trip->errand.timeout = errand->timeout == 0 ? 0 : BINE_FOREVER;
    trip->from = here;
    trip->to = hub;
    trip->life = here->life;
    atomic_init(&trip->state, SENT);
    atomic_init(&trip->references, 1);
    int64_t deadline = errand->timeout == 0 ? INT64_MAX : bine_hub_deadline(here, errand->timeout);
    int error = bine_hub_send(hub, &trip->go);
    if (error) {
        free(trip);
        return error;
    }
    link_trip(trip);
    return return_from(trip, deadline, errand);
}

/* ---- calling another hub --------------------------------------------------------------------- */

int bine_call(bine_hub *hub, bine_run *run, void *arg, void **value, int64_t timeout)
{
    struct bine_errand errand = {.verb = "call in hub",
                                 .object = hub,
                                 .item = arg,
                                 .function = run,
                                 .site = BINE_SITE(bine_call),
                                 .timeout = timeout};
    int error;
    if (!hub || !run || timeout < 0)
        error = EINVAL;
    else if (timeout == 0)
        error = ETIMEDOUT;
    else
        error = bine_errand(hub, &errand);
    if (error) {
        errno = error;
        return -1;
    }
    if (value)
        *value = errand.item;
    return 0;
}
