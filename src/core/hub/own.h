/*
 * What core knows of a greenlet that has a thread of its own: a thread pointer, and with it
 * thread-local variables, made by libc (src/own). Such a greenlet has no stack of the pool, and
 * lies in the ready queue as one that has run before. It does not end by itself: it parks for good,
 * and src/own concludes it from another greenlet.
 */
#ifndef BINE_CORE_HUB_OWN_H
#define BINE_CORE_HUB_OWN_H

#include "arch/thread.h"
#include "hub.h"

/* Ids of threads begin here, above those of the kernel (at most 2^22). They fit into the 30 bits
 * that a futex has for its owner. */
enum {
    BINE_OWN_FIRST_ID = 0x20000000,
    BINE_OWN_LAST_ID = 0x3fffffff,
};

struct bine_own {
    void *thread_pointer;
    char *bottom; /* of the stack */
    size_t size;
    /* bine_exit and bine_fail of the greenlet */
    __attribute__((noreturn)) void (*leave)(struct bine_greenlet *g, void *value, int error);
};

/* NULL: g runs on the carrier's thread pointer. */
static inline struct bine_own *bine_own_of(const struct bine_greenlet *g)
{
    return g->stack_class == BINE_CLASS_OWN ? g->slots[BINE_SLOT_APART] : NULL;
}

static inline void *bine_own_pointer(const struct bine_hub *hub, const struct bine_greenlet *g)
{
    const struct bine_own *own = bine_own_of(g);
    return own ? own->thread_pointer : hub->thread_pointer;
}

/* From now on each switch of this hub looks for thread pointers. */
void bine_own_begin(struct bine_hub *hub);

/* Makes the record of a greenlet with a thread of its own, which is in no queue yet. Returns NULL
 * for ENOMEM. It has two references: the caller's, and its own until it is concluded. */
struct bine_greenlet *bine_greenlet_new_own(struct bine_hub *hub, const char *site,
                                            struct bine_own *own);
/* What a greenlet does first at its end, on its own stack. May park. */
void bine_greenlet_begin_end(struct bine_hub *hub, struct bine_greenlet *g, bool returned);
/* Ends such a greenlet, which never runs again, from another one. Drops its own reference. */
void bine_greenlet_conclude(struct bine_greenlet *g, void *value, int error);

#endif
