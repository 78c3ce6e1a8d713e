/*
 * Limits: at most so many greenlets of a thread inside a library that cannot bear more (hazard 10).
 *
 * Such a library keeps state for each thread and believes that a call that has begun ends before
 * the next one begins. Its own calls park like any other's. The other greenlets are kept out
 * because calls *into* the library go through a gate. For each of its functions that another object
 * reaches there is a thunk, a few bytes of code, and the slots hold the thunk. The thunk lets the
 * greenlet wait until it may enter, puts an address of Bine's in the place of the return address,
 * and jumps on to the function with all registers and the stack as they came. When the function
 * returns, the gate opens for the next greenlet, and the caller continues.
 *
 *     caller -> thunk -> bine_limit_enter -> function -> bine_limit_leave -> caller
 */
#ifndef BINE_PATCH_ENGINE_LIMIT_H
#define BINE_PATCH_ENGINE_LIMIT_H

#include <stdbool.h>
#include <stddef.h>

struct bine_limit;

/* ---- rules; callers hold the engine's lock ---- */

/* From now on so many `greenlets` may be at once in objects whose name matches the pattern. 0: any
 * number. Returns 0, or ENOMEM. */
int bine_limit_set(const char *pattern, unsigned greenlets);
/* Takes the last change back. */
void bine_limit_revert(void);
/* Does any limit exist? */
bool bine_limit_any(void);
/* Returns the limit of the object with this file name, or NULL. */
struct bine_limit *bine_limit_of(const char *name);

/* ---- thunks; callers hold the engine's lock ---- */

/* Returns the thunk for a function under a limit, the same one each time. Returns NULL if there is
 * no memory for code. Thunks stay for ever, because the program may hold their address. */
void *bine_limit_thunk(struct bine_limit *limit, void *function);
/* Returns the function behind a thunk, or NULL if this is none. */
void *bine_limit_function(const void *thunk);

/* ---- assembly, and what it calls ---- */

/* The record that a thunk knows. Its first word is where the thunk jumps, its second the
 * function. */
struct bine_gate;
void bine_limit_enter(void);
void bine_limit_leave(void);
/* `return_address` is where the return address lies. It is replaced by bine_limit_leave unless the
 * caller is inside already. `stack` is the stack pointer of the caller as it will be when the
 * function has returned. */
void bine_limit_begin(const struct bine_gate *gate, void **return_address, const char *stack);
/* The function has returned with this stack pointer. Returns the address where the caller
 * continues. */
void *bine_limit_end(const char *stack);

#endif
