/* How a file makes a key of greenlet-local values when it first needs one. */
#ifndef BINE_CORE_KEY_H
#define BINE_CORE_KEY_H

#include <bine/greenlet.h>
#include <stdatomic.h>
#include <stdbool.h>

/* Stores in *key the key that a file shares. `made` is 0 at first and then holds that key plus one.
 * The first thread that calls creates the key. Returns false if no key could be made (ENOMEM or
 * EAGAIN). */
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
