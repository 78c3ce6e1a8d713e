/*
 * Deeds: what the operations of a choice are to a party. Each kind says which object it takes, how it is done without waiting, and where it waits.
 */
#ifndef BINE_CHOOSE_DEED_H
#define BINE_CHOOSE_DEED_H

#include <bine/choose.h>

#include "io/poller/watch.h"
#include "sync/party.h"

struct bine_visit;
struct bine_deed;

struct bine_deed_kind {
    /* 0, or how the deed failed, and the party is decided; or EAGAIN. On the thread of the object. */
    int (*attempt)(struct bine_deed *deed);
    /* The queue to wait in. NULL: it is a descriptor or a timer. */
    struct bine_waiters *(*queue)(void *object);
    /* After it was done, on the thread of the object: fill in what only that thread may look at. May be NULL. */
    void (*finish)(struct bine_deed *deed);
};

/* One operation. A copy of the program's, which may go with its thread. */
struct bine_deed {
    struct bine_party_taker taker; /* first; its item and error are those of the choice */
    const struct bine_deed_kind *kind;
    void *object;
    struct bine_visit *visit; /* it belongs to */
    union {
        struct {
            int fd;
            struct bine_watch *watch; /* NULL: none */
        };
        int64_t deadline;
        bool first; /* of a lock: its greenlet did not own it before */
    };
};

/*
 * Fill in the kind, the object and the item of a deed for the greenlets of `hub`. *owner: the hub that has to do it. 0, EINVAL, EPERM, EDEADLK (joining
 * oneself).
 */
int bine_deed_init(struct bine_deed *deed, const bine_choice *choice, struct bine_hub *hub, struct bine_hub **owner);

bool bine_deed_is_timer(const struct bine_deed *deed);
/* Did it fail for want of memory? Then the choice as a whole does. */
bool bine_deed_failed(const struct bine_deed *deed);
/* May somebody outside this thread bring it about? A deed of one's own hub. */
bool bine_deed_external(const struct bine_deed *deed);

/* Wait for it. On the thread of the object; a descriptor may be ready at once. 0, or an error number that ends the choice: ENOMEM,
 * EMFILE ... */
int bine_deed_wait(struct bine_deed *deed);
/* And no longer. Nothing happens if it does not. */
void bine_deed_unlink(struct bine_deed *deed);

/* After the choice, on the chooser's thread: what the deed that was done does there. */
void bine_deed_arrive(struct bine_deed *deed, struct bine_hub *hub);

#endif
