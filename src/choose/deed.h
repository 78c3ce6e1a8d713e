/*
 * Deeds: what the operations of a choice are to a party. Each kind of deed knows its object, how it
 * is done without waiting, and where it waits.
 */
#ifndef BINE_CHOOSE_DEED_H
#define BINE_CHOOSE_DEED_H

#include <bine/choose.h>

#include "io/poller/watch.h"
#include "sync/party.h"

struct bine_visit;
struct bine_deed;

struct bine_deed_kind {
    /* Returns 0, or how the deed failed; then the party is decided. Returns EAGAIN if it cannot be
     * done now. Called on the thread of the object. */
    int (*attempt)(struct bine_deed *deed);
    /* Returns the queue to wait in. NULL: the deed is a descriptor or a timer. */
    struct bine_waiters *(*queue)(void *object);
    /* Called after the deed was done, on the thread of the object. Fills in what only that thread
     * may look at. May be NULL. */
    void (*finish)(struct bine_deed *deed);
};

/* One operation. It is a copy of the program's, which may go with its thread. */
struct bine_deed {
    struct bine_party_taker taker; /* first member; its item and error are those of the choice */
    const struct bine_deed_kind *kind;
    void *object;
    struct bine_visit *visit; /* the visit to which it belongs */
    union {
        struct {
            int fd;
            struct bine_watch *watch; /* NULL: none */
        };
        int64_t deadline;
        bool first; /* for a lock: its greenlet did not own it before */
    };
};

/*
 * Fills in the kind, the object and the item of a deed for the greenlets of `hub`. Stores the hub
 * that has to do it in *owner. Returns 0, EINVAL, EPERM or EDEADLK (the greenlet would join
 * itself).
 */
int bine_deed_init(struct bine_deed *deed, const bine_choice *choice, struct bine_hub *hub,
                   struct bine_hub **owner);

bool bine_deed_is_timer(const struct bine_deed *deed);
/* Did it fail for lack of memory? Then the choice as a whole fails. */
bool bine_deed_failed(const struct bine_deed *deed);
/* May another thread or the kernel bring it about? For a deed of this thread's hub. */
bool bine_deed_external(const struct bine_deed *deed);

/* Begins to wait for it, on the thread of the object. A descriptor may be ready at once. Returns 0,
 * or an error number that ends the choice: ENOMEM, EMFILE ... */
int bine_deed_wait(struct bine_deed *deed);
/* Ends that wait. Does nothing if the deed does not wait. */
void bine_deed_unlink(struct bine_deed *deed);

/* Called after the choice, on the chooser's thread. Does there what belongs to the deed that was
 * done. */
void bine_deed_arrive(struct bine_deed *deed, struct bine_hub *hub);

#endif
