/*
 * C++'s record of exceptions in flight follows the greenlets. Each C++ runtime in the process has one of its own for each thread: a shared
 * one, which is found by name, and those that objects have linked statically, which these objects name (bine_cxx_runtime_add).
 *
 * The first that a hub knows lies in hub->exception_globals, and the switch itself exchanges it (switch.h). Where there are more, the hub
 * takes the way of those that exchange something, and here is what that way does: one runtime costs nothing for there being several.
 */
#ifndef BINE_CORE_HUB_EXCEPTIONS_H
#define BINE_CORE_HUB_EXCEPTIONS_H

#include "hub.h"

/* How many runtimes are known in the process; only ever more. */
extern __attribute__((visibility("hidden"))) atomic_uint bine_exceptions_runtimes;

/* Look (again) for a runtime by name, and have the calling thread's hub know all there are. When a hub is made, and after a library was loaded. */
void bine_exceptions_find(void);

/* Have the calling thread's hub know the runtimes that others have added. In each turn. */
void bine_exceptions_update(struct bine_hub *hub);
static inline void bine_exceptions_follow(struct bine_hub *hub)
{
    if (__builtin_expect(hub->runtimes != atomic_load_explicit(&bine_exceptions_runtimes, memory_order_acquire), 0))
        bine_exceptions_update(hub);
}

/* What the further runtimes hold for the greenlet that leaves. */
struct bine_exceptions_away {
    unsigned count;
    struct bine_exception_globals globals[BINE_CXX_RUNTIMES - 1];
};

/* The current greenlet leaves, and has come back. `away` lies on its stack. */
void bine_exceptions_leave(struct bine_hub *hub, struct bine_exceptions_away *away);
void bine_exceptions_return(struct bine_hub *hub, const struct bine_exceptions_away *away);
/* It has ended, maybe inside a handler. */
void bine_exceptions_drop(struct bine_hub *hub);

#endif
