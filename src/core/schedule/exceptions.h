/*
 * C++'s record of exceptions in flight follows the greenlets.
 *
 * Each C++ runtime in the process has such a record for each thread. A shared runtime is found by
 * name. An object that has linked a runtime statically names that runtime (bine_cxx_runtime_add).
 *
 * The first record that a hub knows lies in hub->exception_globals, and the switch itself exchanges
 * it (switch.h). A hub that knows more than one switches by the path for hubs that exchange
 * something. This file declares what that path does for the further records. So a process with one
 * runtime pays nothing for the case of several.
 */
#ifndef BINE_CORE_SCHEDULE_EXCEPTIONS_H
#define BINE_CORE_SCHEDULE_EXCEPTIONS_H

#include "core/hub/hub.h"

/* How many runtimes are known in the process. The number only grows. */
extern __attribute__((visibility("hidden"))) atomic_uint bine_exceptions_runtimes;

/* Looks (again) for a runtime by name, and makes all known runtimes known to the calling thread's
 * hub. It is called when a hub is made, and after a library was loaded. */
void bine_exceptions_find(void);

/* Makes the runtimes that other threads have added known to the calling thread's hub. Each turn
 * calls it. */
void bine_exceptions_update(struct bine_hub *hub);
static inline void bine_exceptions_follow(struct bine_hub *hub)
{
    if (__builtin_expect(hub->runtimes !=
                             atomic_load_explicit(&bine_exceptions_runtimes, memory_order_acquire),
                         0))
        bine_exceptions_update(hub);
}

/* What the further runtimes hold for a greenlet that is switched away from. */
struct bine_exceptions_away {
    unsigned count;
    struct bine_exception_globals globals[BINE_CXX_RUNTIMES - 1];
};

/* bine_exceptions_leave is called before the current greenlet is switched away from, and
 * bine_exceptions_return after it has been switched back to. `away` lies on its stack. */
void bine_exceptions_leave(struct bine_hub *hub, struct bine_exceptions_away *away);
void bine_exceptions_return(struct bine_hub *hub, const struct bine_exceptions_away *away);
/* The current greenlet has ended, maybe inside a handler. */
void bine_exceptions_drop(struct bine_hub *hub);

#endif
