/*
 * Parties: waits for several operations of which exactly one may happen, at objects of several
 * hubs.
 *
 * A greenlet that waits only at objects of its own hub is claimed by unparking it, since no other
 * thread can come in between. A party is claimed by the first hub that turns its one word from open
 * to decided. All other hubs then find it decided and pass it over. Where two parties meet, one to
 * send and the other to receive, both words are turned, or none. Each word is held first, for a few
 * instructions. The word at the lower address is held before the other, so that two hubs that bring
 * two parties together never wait for each other.
 *
 * A party's takers lie in the same queues as all others. Each names a greenlet that is never
 * parked. So the claims of the hot paths fail on it and call bine_taker_claim_slowly, which looks
 * closer.
 */
#ifndef BINE_SYNC_PARTY_H
#define BINE_SYNC_PARTY_H

#include "object.h"

struct bine_party_taker;

struct bine_party {
    atomic_int decision;
    struct bine_hub *hub;
    /* the greenlet that waits; another thread can only compare it */
    struct bine_greenlet *greenlet;
    /* One of its takers was claimed, on the hub on which it lies. What it is given is filled in
     * after that. The function may unlink the party's other takers of this hub. It may not park. */
    void (*served)(struct bine_party_taker *taker);
};

struct bine_party_taker {
    struct bine_taker taker; /* first member */
    struct bine_party *party;
};

/* Makes a party of the current greenlet. */
void bine_party_init(struct bine_party *party, struct bine_hub *hub,
                     void (*served)(struct bine_party_taker *taker));

/* Prepares a taker before it lies in a queue, as a taker (its kind is 0) or as a watcher. */
void bine_party_prepare(struct bine_party_taker *taker, struct bine_party *party);

/* Decides the party. Returns true if this call did it. Returns false if it was decided before. Any
 * thread. */
bool bine_party_decide(struct bine_party *party);

/* Called in an operation that is about to succeed for the party, or for an ordinary greenlet
 * (NULL). */
static inline bool bine_party_agrees(struct bine_party *party)
{
    return !party || bine_party_decide(party);
}

/*
 * bine_taker_claim on behalf of the party, which it decides together with the claim. Returns NULL
 * if there is no taker but the party's own, or the party is decided.
 */
struct bine_taker *bine_party_claim(struct bine_waiters *queue, struct bine_party *party);

/* Returns the taker's party, or NULL if it is not a party's. */
static inline struct bine_party *bine_party_of(const struct bine_taker *taker)
{
    return taker->waiter.notify ? ((const struct bine_party_taker *)taker)->party : NULL;
}

#endif
