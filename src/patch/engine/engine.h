/*
 * The engine: brings the slots of all loaded objects into the state that families and rules ask for.
 */
#ifndef BINE_PATCH_ENGINE_ENGINE_H
#define BINE_PATCH_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>

struct bine_symbol;

/* One at a time. Recursive use is an error. Held for the length of a walk, never across a call to the user's code. */
void bine_engine_lock(void);
void bine_engine_unlock(void);

/* With the lock held: make these families (BINE_PATCH_*, inner ones included) the ones that are patched, in the
 * objects that the rules allow, or 0: none. `anew`: look at objects too that nothing has changed for. Returns 0, or
 * ENOMEM or EPERM with every slot as before. */
int bine_engine_apply(unsigned families, bool anew);

/* With the lock held: patch objects that were loaded since, forget those that were unloaded. Does nothing if nothing
 * changed. */
int bine_engine_follow(void);

/* With the lock held: a `ret` instruction in the code of the loaded object that `address` lies in, NULL if there is
 * none or the object is not known. */
void *bine_engine_return_in(const void *address);

/* With the lock held: is `function`, which the loader found under the symbol's name, the one in the C library (or what
 * stands before it), and not another library's function of that name? */
bool bine_engine_is_libcs(const struct bine_symbol *symbol, const void *function);

/* With the lock held: the thunk for a function that was looked up in a limited library, else the function itself. */
void *bine_engine_limited(void *function);

/* How many slots hold a hook now. */
size_t bine_engine_slots(void);

#endif
