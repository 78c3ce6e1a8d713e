/*
 * Limits: at most so many greenlets of a thread inside a library that cannot bear more (hazard 10).
 *
 * Such a library keeps state per thread and believes that a call that has begun ends before the next one begins. Its
 * own calls step aside like any other's; what keeps the others out is that calls *into* it go through a gate. For each
 * of its functions that another object reaches there is a thunk, a few bytes of code, and the slots hold the thunk. It
 * lets the greenlet wait for its turn, puts an address of ours in the place of the return address, and jumps on to the
 * function with all registers and the stack as they came. When the function returns, the gate opens for the next, and
 * the caller goes on.
 *
 *     caller -> thunk -> bine_limit_enter -> function -> bine_limit_leave -> caller
 */
#ifndef BINE_PATCH_ENGINE_LIMIT_H
#define BINE_PATCH_ENGINE_LIMIT_H

#include <stdbool.h>
#include <stddef.h>

struct bine_limit;

/* ---- rules; callers hold the engine's lock ---- */

/* From now on `greenlets` at once in objects whose name matches the pattern, 0: any number. 0, or ENOMEM. */
int bine_limit_set(const char *pattern, unsigned greenlets);
/* Take the last change back. */
void bine_limit_revert(void);
/* Does any limit exist? */
bool bine_limit_any(void);
/* The limit of the object with this file name, or NULL. */
struct bine_limit *bine_limit_of(const char *name);

/* ---- thunks; callers hold the engine's lock ---- */

/* The thunk for a function under a limit; the same one each time. NULL: no memory for code. Thunks stay for ever:
 * somebody may hold their address. */
void *bine_limit_thunk(struct bine_limit *limit, void *function);
/* The function behind a thunk, or NULL if this is none. */
void *bine_limit_function(const void *thunk);

/* ---- assembly, and what it calls ---- */

struct bine_gate; /* what a thunk knows: its first word is where it jumps, its second the function */
void bine_limit_enter(void);
void bine_limit_leave(void);
/* `return_address`: where it lies; replaced by bine_limit_leave unless the caller is inside already. `stack`: the
 * stack pointer of the caller as it will be when the function has returned. */
void bine_limit_begin(const struct bine_gate *gate, void **return_address, const char *stack);
/* The function has returned with this stack pointer: where to? */
void *bine_limit_end(const char *stack);

#endif
