/* A key of greenlet-local values that a file makes for itself when it first needs one. */
#ifndef BINE_CORE_KEY_H
#define BINE_CORE_KEY_H

#include <bine/greenlet.h>
#include <stdatomic.h>
#include <stdbool.h>

/* The key that `made`, 0 at first, holds plus one; created by whichever thread comes first. False: ENOMEM or EAGAIN, nothing made. */
static inline bool bine_key_once(atomic_uint *made, void (*destructor)(void *), bine_key *key)
{
    unsigned known = atomic_load(made);
    if (known == 0) {
        bine_key fresh;
        if (bine_key_create(&fresh, destructor) != 0)
            return false;
        if (atomic_compare_exchange_strong(made, &known, fresh + 1))
            known = fresh + 1;
        else
            bine_key_delete(fresh);
    }
    *key = known - 1;
    return true;
}

#endif
