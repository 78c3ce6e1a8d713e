/* How parties are decided, and their takers claimed. See party.h. */
#include "party.h"

#include "libc/spin.h"

enum {
    OPEN,
    HELD, /* by a hub that brings it together with another one */
    DECIDED
};

enum meeting {
    BOTH_DECIDED,
    ONE_WAS, /* the first of the two had been decided before */
    OTHER_WAS
};

/* The takers of parties name this greenlet: it is never unparked. */
static struct bine_greenlet nobody = {.state = BINE_DEAD};

/* From open to `next`; false: it was decided. */
static bool party_turn(struct bine_party *party, int next)
{
    unsigned rounds = 0;
    for (int seen = OPEN; !atomic_compare_exchange_weak(&party->decision, &seen, next);
         seen = OPEN) {
        if (seen == DECIDED)
            return false;
        if (seen == HELD)
            bine_spin_pause(&rounds);
    }
    return true;
}

bool bine_party_decide(struct bine_party *party)
{
    return party_turn(party, DECIDED);
}

static enum meeting decide_both(struct bine_party *one, struct bine_party *other)
{
    bool in_order = (uintptr_t)one < (uintptr_t)other;
    struct bine_party *lower = in_order ? one : other, *upper = in_order ? other : one;
    if (!party_turn(lower, HELD))
        return lower == one ? ONE_WAS : OTHER_WAS;
    if (!party_turn(upper, HELD)) {
        atomic_store(&lower->decision, OPEN);
        return upper == one ? ONE_WAS : OTHER_WAS;
    }
    atomic_store(&lower->decision, DECIDED);
    atomic_store(&upper->decision, DECIDED);
    return BOTH_DECIDED;
}

void bine_party_init(struct bine_party *party, struct bine_hub *hub,
                     void (*served)(struct bine_party_taker *taker))
{
    atomic_init(&party->decision, OPEN);
    party->hub = hub;
    party->greenlet = hub->current;
    party->greenlet->wake_error = 0; /* see given_up */
    party->served = served;
}

/* Has a kill or the time ended its wait, although its greenlet has not run since to say so? What
 * came first counts. For another thread's party that cannot be known. */
static bool given_up(const struct bine_party *party)
{
    const struct bine_greenlet *g = party->greenlet;
    return party->hub == bine_hub_of_thread && g->state != BINE_PARKED && g->wake_error != 0;
}

static bool claim(struct bine_party_taker *taker)
{
    if (given_up(taker->party) || !bine_party_decide(taker->party))
        return false;
    taker->taker.error = 0;
    taker->party->served(taker);
    return true;
}

/* An object that a party watches became ready. As a taker's it only says that the taker is a
 * party's. */
static void notified(struct bine_waiter *waiter)
{
    claim((struct bine_party_taker *)waiter);
}

void bine_party_prepare(struct bine_party_taker *taker, struct bine_party *party)
{
    taker->party = party;
    taker->taker.error = BINE_UNSERVED;
    taker->taker.kind = 0;
    taker->taker.waiter = (struct bine_waiter){.greenlet = &nobody, .notify = notified};
}

struct bine_taker *bine_taker_claim_slowly(struct bine_waiters *queue, struct bine_waiter *waiter)
{
    do {
        struct bine_taker *taker = (struct bine_taker *)waiter;
        if (waiter->notify) {
            if (claim((struct bine_party_taker *)taker))
                return taker;
        } else if (bine_unpark_on(bine_hub_of_thread, waiter->greenlet, 0)) {
            taker->error = 0;
            return taker;
        }
    } while ((waiter = bine_waiters_pop(queue)));
    return NULL;
}

/* The next waiter of the queue that is not the party's own. */
static struct bine_waiter *skip_own(struct bine_waiter *waiter, const struct bine_party *party)
{
    while (waiter && bine_party_of((struct bine_taker *)waiter) == party)
        waiter = waiter->next;
    return waiter;
}

struct bine_taker *bine_party_claim(struct bine_waiters *queue, struct bine_party *party)
{
    struct bine_waiter *waiter, *next;
    for (waiter = skip_own(queue->first, party); waiter; waiter = skip_own(next, party)) {
        next = waiter->next;
        struct bine_taker *taker = (struct bine_taker *)waiter;
        struct bine_party *other = bine_party_of(taker);
        enum meeting meeting;
        if (other)
            meeting = given_up(other) ? OTHER_WAS : decide_both(party, other);
        else if (waiter->greenlet->state != BINE_PARKED)
            meeting = OTHER_WAS;
        else
            meeting = bine_party_decide(party) ? BOTH_DECIDED : ONE_WAS;
        if (meeting == ONE_WAS)
            return NULL;
        bine_waiters_remove(waiter);
        if (meeting == OTHER_WAS)
            continue;
        taker->error = 0;
        if (other)
            other->served((struct bine_party_taker *)taker);
        else
            bine_unpark_on(bine_hub_of_thread, waiter->greenlet, 0);
        return taker;
    }
    return NULL;
}
