/* For tests of greenlets with threads of their own. */
#ifndef TESTS_OWN_COMMON_H
#define TESTS_OWN_COMMON_H

#include <bine.h>

#include "harness.h"

/* Skips where the machine cannot have them: the reason is the library's. */
static inline void needs_own_threads(void)
{
    const char *reason = bine_own_thread_refusal();
    if (reason)
        SKIP("no own threads: %s", reason);
}

#define spawn_own(run, arg) bine_spawn_with(&(bine_spawn_options){.own_thread = 1}, run, arg)

static inline void *join(bine_greenlet *g)
{
    void *value = NULL;
    CHECK(g);
    CHECK_OK(bine_join(g, &value, BINE_FOREVER));
    return value;
}

#endif
