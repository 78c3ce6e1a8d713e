/*
 * The engine brings the slots of all loaded objects into the state that families and rules ask for.
 */
#ifndef BINE_PATCH_ENGINE_ENGINE_H
#define BINE_PATCH_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>

struct bine_symbol;

/* The lock lets one thread at a time in. Recursive use is an error. It is held for the length of a
 * walk, and never across a call to the program's code. */
void bine_engine_lock(void);
void bine_engine_unlock(void);

/* With the lock held: makes these families (BINE_PATCH_*, inner ones included) the ones that are
 * patched, in the objects that the rules allow. 0: none. `anew`: looks also at objects for which
 * nothing has changed. Returns 0, or ENOMEM or EPERM with every slot as before. */
int bine_engine_apply(unsigned families, bool anew);

/* With the lock held: patches objects that were loaded since, and forgets those that were unloaded.
 * Does nothing if nothing changed. */
int bine_engine_follow(void);

/* With the lock held: returns a `ret` instruction in the code of the loaded object in which
 * `address` lies. Returns NULL if there is none or the object is not known. */
void *bine_engine_return_in(const void *address);

/* With the lock held: is `function`, which the loader found under the symbol's name, that of the
 * C library (or of an object that stands before it), and not another library's function of that
 * name? */
bool bine_engine_is_libcs(const struct bine_symbol *symbol, const void *function);

/* With the lock held: returns the thunk for a function that was looked up in a limited library,
 * else the function itself. */
void *bine_engine_limited(void *function);

/* Returns how many slots hold a hook now. */
size_t bine_engine_slots(void);

#endif
