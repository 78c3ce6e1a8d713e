/* Visits of the chooser's own hub and of others. See visit.h. */
#include "visit.h"
#include "libc/carrier.h"
#include "libc/container_of.h"

enum {
    SENT,
    TAKEN,
    ABANDONED
};

#define VISIT_OF(pointer, member) BINE_CONTAINER_OF(pointer, struct bine_visit, member)

/* That wait at objects of this thread for choosers of others; and choosers of this thread that have
 * sent visits. */
static BINE_CARRIED struct bine_visit *visitors_;
#define visitors BINE_OF_CARRIER(visitors_)
static BINE_CARRIED struct bine_choosing *choosers_;
#define choosers BINE_OF_CARRIER(choosers_)

static void visit_release(struct bine_choosing *choosing)
{
    if (atomic_fetch_sub(&choosing->references, 1) == 1)
        free(choosing);
}

static void send_or_release(struct bine_hub *hub, struct bine_message *message,
                            struct bine_choosing *choosing)
{
    if (bine_hub_send(hub, message) != 0)
        visit_release(choosing);
}

static struct bine_deed *deed_at(const struct bine_visit *visit, size_t k)
{
    struct bine_choosing *choosing = visit->choosing;
    return &choosing->deeds[choosing->order[visit->first + k]];
}

/* ---- at the objects' hub --------------------------------------------------------------------- */

static void visit_take(struct bine_visit *visit, const struct bine_deed *deed)
{
    visit->taken = deed - visit->choosing->deeds;
}

static void unlink_deeds(struct bine_visit *visit)
{
    for (size_t k = 0; k < visit->count; k++)
        bine_deed_unlink(deed_at(visit, k));
}

int bine_visit_look(struct bine_visit *visit)
{
    for (size_t k = 0; k < visit->count; k++) {
        struct bine_deed *deed = deed_at(visit, k);
        int outcome = deed->kind->attempt(deed);
        if (outcome != EAGAIN) {
            deed->taker.taker.error = outcome;
            visit_take(visit, deed);
            return 0;
        }
    }
    int error = 0;
    struct bine_choosing *choosing = visit->choosing;
    visit->waiting = choosing->waits;
    /* As they are numbered, in whichever order they were tried: so two that wait in one queue come
     * in the program's. */
    for (size_t i = 0; visit->waiting && i < choosing->n && !error && visit->taken < 0; i++)
        if (choosing->deeds[i].visit == visit)
            error = bine_deed_wait(&choosing->deeds[i]);
    return error;
}

static void list_visitor(struct bine_visit *visit)
{
    visit->next = visitors;
    visit->previous = NULL;
    if (visitors)
        visitors->previous = visit;
    visitors = visit;
}

static void strike_visitor(struct bine_visit *visit)
{
    if (visit->previous)
        visit->previous->next = visit->next;
    else
        visitors = visit->next;
    if (visit->next)
        visit->next->previous = visit->previous;
}

static void visit_leave(struct bine_visit *visit)
{
    if (visit->waiting) {
        visit->waiting = false;
        strike_visitor(visit);
    }
    struct bine_deed *deed = visit->taken < 0 ? NULL : &visit->choosing->deeds[visit->taken];
    if (deed && !deed->taker.taker.error && deed->kind->finish)
        deed->kind->finish(deed);
    send_or_release(visit->choosing->hub, &visit->left, visit->choosing);
}

static void visit_arrived(struct bine_message *message)
{
    struct bine_visit *visit = VISIT_OF(message, go);
    int state = SENT;
    if (!atomic_compare_exchange_strong(&visit->state, &state, TAKEN)) {
        visit_release(visit->choosing);
        return;
    }
    /* Listed first: an object that it watches can claim it while it queues up. */
    list_visitor(visit);
    /* only descriptors fail to wait, and these are the chooser's own hub's */
    (void)bine_visit_look(visit);
    if (!visit->waiting) {
        strike_visitor(visit);
        visit_leave(visit);
    } else if (visit->taken < 0) {
        atomic_fetch_add(&visit->choosing->references, 1);
        send_or_release(visit->choosing->hub, &visit->looked, visit->choosing);
    }
}

/* Its thread has ended, or ends. */
static void visit_fail(struct bine_visit *visit)
{
    if (visit->taken >= 0 || !bine_party_decide(&visit->choosing->party))
        return;
    struct bine_deed *deed = deed_at(visit, 0);
    deed->taker.taker.error = ESRCH;
    visit_take(visit, deed);
}

static void not_arrived(struct bine_message *message)
{
    struct bine_visit *visit = VISIT_OF(message, go);
    int state = SENT;
    if (!atomic_compare_exchange_strong(&visit->state, &state, TAKEN)) {
        visit_release(visit->choosing);
        return;
    }
    visit_fail(visit);
    visit_leave(visit);
}

static void stopped(struct bine_message *message)
{
    struct bine_visit *visit = VISIT_OF(message, stop);
    struct bine_choosing *choosing = visit->choosing;
    if (visit->waiting && visit->taken < 0) {
        unlink_deeds(visit);
        visit_leave(visit);
    }
    visit_release(choosing);
}

static void not_stopped(struct bine_message *message)
{
    visit_release(VISIT_OF(message, stop)->choosing);
}

/* What the claim gave is filled in by now. */
static void served_come_round(struct bine_message *message)
{
    visit_leave(VISIT_OF(message, served));
}

/* ---- at the chooser's hub -------------------------------------------------------------------- */

/* Has the chooser gone with its thread? */
static bool orphaned(const struct bine_choosing *choosing)
{
    return atomic_load_explicit(&choosing->hub->life, memory_order_relaxed) != choosing->life;
}

static void has_looked(struct bine_message *message)
{
    struct bine_visit *visit = VISIT_OF(message, looked);
    if (!orphaned(visit->choosing)) {
        visit->has_looked = true;
        bine_unpark(visit->choosing->party.greenlet);
    }
    visit_release(visit->choosing);
}

static void has_not_looked(struct bine_message *message)
{
    visit_release(VISIT_OF(message, looked)->choosing);
}

static void has_left(struct bine_message *message)
{
    struct bine_visit *visit = VISIT_OF(message, left);
    struct bine_choosing *choosing = visit->choosing;
    if (!orphaned(choosing)) {
        visit->gone = true;
        if (visit->taken >= 0)
            choosing->taken = visit->taken;
        bine_unpark(choosing->party.greenlet);
    }
    visit_release(choosing);
}

static void has_not_left(struct bine_message *message)
{
    visit_release(VISIT_OF(message, left)->choosing);
}

void bine_visit_served(struct bine_party_taker *taker)
{
    struct bine_deed *deed = (struct bine_deed *)taker;
    struct bine_visit *visit = deed->visit;
    struct bine_choosing *choosing = visit->choosing;
    visit_take(visit, deed);
    unlink_deeds(visit);
    if (visit->hub == choosing->hub) {
        choosing->taken = visit->taken;
        bine_unpark(choosing->party.greenlet);
    } else {
        /* If this thread ends just now the visit leaves with it: see hub_ended. */
        bine_hub_send(visit->hub, &visit->served);
    }
}

void bine_visit_init(struct bine_visit *visit, struct bine_choosing *choosing, struct bine_hub *hub,
                     size_t first)
{
    *visit = (struct bine_visit){.go = {NULL, visit_arrived, not_arrived},
                                 .stop = {NULL, stopped, not_stopped},
                                 .looked = {NULL, has_looked, has_not_looked},
                                 .served = {NULL, served_come_round, served_come_round},
                                 .left = {NULL, has_left, has_not_left},
                                 .choosing = choosing,
                                 .hub = hub,
                                 .first = first,
                                 .taken = -1};
}

int bine_visit_begin(struct bine_visit *visit)
{
    struct bine_choosing *choosing = visit->choosing;
    atomic_fetch_add(&choosing->references, 1);
    visit->begun = true;
    int error = bine_hub_send(visit->hub, &visit->go);
    if (error) {
        visit->gone = true;
        visit_fail(visit);
        if (visit->taken >= 0)
            choosing->taken = visit->taken;
        visit_release(choosing);
    }
    return error;
}

/* Call it back; it leaves, or does not begin. */
static void visit_stop(struct bine_visit *visit)
{
    int state = SENT;
    if (atomic_compare_exchange_strong(&visit->state, &state, ABANDONED)) {
        visit->gone = true;
        return;
    }
    atomic_fetch_add(&visit->choosing->references, 1);
    send_or_release(visit->hub, &visit->stop, visit->choosing);
}

void bine_choosing_stop(struct bine_choosing *choosing)
{
    for (size_t i = 0; i < choosing->visits_made; i++) {
        struct bine_visit *visit = &choosing->visits[i];
        if (visit->hub == choosing->hub)
            unlink_deeds(visit);
        else if (visit->begun && !visit->gone)
            visit_stop(visit);
    }
}

void bine_choosing_enter(struct bine_choosing *choosing)
{
    choosing->previous = NULL;
    choosing->next = choosers;
    if (choosers)
        choosers->previous = choosing;
    choosers = choosing;
}

void bine_choosing_leave(struct bine_choosing *choosing)
{
    if (choosing->previous)
        choosing->previous->next = choosing->next;
    else
        choosers = choosing->next;
    if (choosing->next)
        choosing->next->previous = choosing->previous;
    visit_release(choosing);
}

/* ---- ends and forks -------------------------------------------------------------------------- */

/* A chooser has gone with its thread. From now on nothing may be given to it. */
static void forsake(struct bine_choosing *choosing)
{
    (void)bine_party_decide(&choosing->party);
    bine_choosing_stop(choosing);
}

static void visit_hub_ended(struct bine_hub *hub)
{
    (void)hub;
    for (struct bine_visit *visit = visitors, *next; visit; visit = next) {
        next = visit->next;
        unlink_deeds(visit);
        visit_fail(visit);
        visit_leave(visit);
    }
    for (struct bine_choosing *choosing; (choosing = choosers);) {
        choosers = choosing->next;
        forsake(choosing);
        visit_release(choosing);
    }
}

/* Only the greenlet that forked lives on in the child, and it does not choose. */
static void visit_hub_forked(struct bine_hub *hub)
{
    (void)hub;
    visitors = NULL;
    choosers = NULL;
}

__attribute__((constructor)) static void visit_set_up(void)
{
    bine_hub_on_end(visit_hub_ended);
    bine_hub_on_fork(visit_hub_forked);
}
