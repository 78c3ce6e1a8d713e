/*
 * Parties: waits for several operations of which exactly one may happen, at objects of several hubs.
 *
 * A greenlet that waits at objects of its own hub only is claimed by unparking it, since nobody else can come in between. A party is claimed by
 * whichever hub is the first to turn its one word from open to decided; all others then find it decided and pass it over. Where two parties meet,
 * one to send and the other to receive, both words are turned, or none: each is held first, for a few instructions, the one at the lower address
 * before the other, so that two hubs that bring two parties together never wait for each other.
 *
 * A party's takers lie in the same queues as everybody's. Each names a greenlet that is never parked, so the claims of the hot paths fail on it and
 * come to bine_taker_claim_slowly, which looks closer.
 */
#ifndef BINE_SYNC_PARTY_H
#define BINE_SYNC_PARTY_H

#include "object.h"

struct bine_party_taker;

struct bine_party {
    atomic_int decision;
    struct bine_hub *hub;
    struct bine_greenlet *greenlet; /* that waits; of another thread it can only be compared */
    /* One of its takers was claimed, on the hub that it lies on. What it is given is filled in after that. It may unlink the party's other takers of
     * this hub; it may not park. */
    void (*served)(struct bine_party_taker *taker);
};

struct bine_party_taker {
    struct bine_taker taker; /* first */
    struct bine_party *party;
};

/* Of the current greenlet. */
void bine_party_init(struct bine_party *party, struct bine_hub *hub, void (*served)(struct bine_party_taker *taker));

/* Before it lies in a queue, as a taker (its kind is 0) or as a watcher. */
void bine_party_prepare(struct bine_party_taker *taker, struct bine_party *party);

/* Decide: true, and nobody else has or will; false: it is decided. Any thread. */
bool bine_party_decide(struct bine_party *party);

/* In an operation that is about to succeed for the party, or for an ordinary greenlet (NULL). */
static inline bool bine_party_agrees(struct bine_party *party)
{
    return !party || bine_party_decide(party);
}

/*
 * bine_taker_claim on behalf of the party: decides it together with claiming. NULL: there is nobody but the party itself, or it
 * is decided.
 */
struct bine_taker *bine_party_claim(struct bine_waiters *queue, struct bine_party *party);

/* Is the taker a party's? */
static inline struct bine_party *bine_party_of(const struct bine_taker *taker)
{
    return taker->waiter.notify ? ((const struct bine_party_taker *)taker)->party : NULL;
}

#endif
