/*
 * What a hook is made of. A hook has the name hook_SYMBOL and libc's signature (table.h checks
 * both). It only chooses: the greenlet-aware function where a greenlet may park, libc's own
 * everywhere else.
 *
 *     ssize_t hook_recv(int fd, void *buffer, size_t size, int flags)
 *     {
 *         if (!bine_hook_here(BINE_PATCH_SOCKET))
 *             return bine_libc.recv(fd, buffer, size, flags);
 *         return bine_recv(fd, buffer, size, flags);
 *     }
 *
 * A new hook is one row in src/libc/libc.def and the function. Nothing else lists it.
 */
#ifndef BINE_PATCH_TABLE_HOOK_H
#define BINE_PATCH_TABLE_HOOK_H

#include <bine/patch.h>
#include <stdatomic.h>

#include "core/schedule/streak.h"
#include "libc/libc.h"
#include "table.h"

/* The families that are patched now, inner ones included. It is a plain flag, so that a hook needs
 * nothing else to be alive when it is called before the first patching, after the last unpatching
 * or while the process ends (hazard 14). */
extern atomic_uint bine_patch_active;

/* How many calls came from inside a hub's callback, where no greenlet can park, and therefore
 * blocked the thread (hazard 28). For the watchdog and dumps. */
extern atomic_ulong bine_patch_from_hub;

/* Set while this thread runs the child of a vfork, in its parent's memory (vfork_*.S). */
extern
    __attribute__((visibility("hidden"), tls_model("initial-exec"))) _Thread_local int bine_vforked;

/* Is any of these families patched? For hooks that only keep records and need no hub. */
static inline bool bine_hook_active(unsigned families)
{
    return (atomic_load_explicit(&bine_patch_active, memory_order_relaxed) & families) != 0 &&
           !bine_vforked;
}

/* Can the hub not park only because of a signal handler that was left by siglongjmp? Then it can
 * park again (signal_action.c). */
bool bine_signal_handler_was_left(struct bine_hub *hub);

/* Returns the hub of the calling thread if the caller is a greenlet that may park in a call of this
 * family. Returns NULL if the call is libc's: nothing is patched, the thread has no hub, or the
 * call comes from inside the hub itself. */
static inline struct bine_hub *bine_hook_here(unsigned families)
{
    if (!bine_hook_active(families))
        return NULL;
    struct bine_hub *hub = bine_hub_here();
    if (!hub)
        return NULL;
    if (__builtin_expect(hub->no_park, 0) && !bine_signal_handler_was_left(hub)) {
        atomic_fetch_add_explicit(&bine_patch_from_hub, 1, memory_order_relaxed);
        return NULL;
    }
    return hub;
}

/* For a call that always returns at once and leads to no greenlet-aware function. It counts for
 * fairness (streak.h) all the same, as a loop may use it to ask for what only another greenlet can
 * bring about. It is not for calls that only release or set something, nor for those that take what
 * is free: these are made where no other greenlet may run in between (allocators). */
static inline void bine_hook_counts(unsigned families)
{
    struct bine_hub *hub = bine_hook_active(families) ? bine_hub_here() : NULL;
    if (hub && !hub->no_park)
        bine_streak_firmly(hub);
}

#endif
