/* What layers have done when a hub is made, when it ends, and after a fork. See hooks.h. */
#include "hooks.h"

#include <stdlib.h>

enum {
    HOOKS = 24
};
typedef void hook(struct bine_hub *hub);
typedef int start_hook(struct bine_hub *hub);
static start_hook *_Atomic start_hooks[HOOKS];
static hook *_Atomic end_hooks[HOOKS];
static hook *_Atomic fork_hooks[HOOKS];

/* Layers add theirs when they are first used, on any thread, and some of them more than once. */
#define ADD_HOOK(type, hooks, added)                                                            \
    do {                                                                                        \
        for (int i = 0; i < HOOKS; i++) {                                                       \
            type *there = NULL;                                                                 \
            if (atomic_compare_exchange_strong(&(hooks)[i], &there, added) || there == (added)) \
                return;                                                                         \
        }                                                                                       \
        abort(); /* a layer too many: HOOKS is ours to raise */                                 \
    } while (0)

void bine_hub_on_start(int (*started)(struct bine_hub *hub))
{
    ADD_HOOK(start_hook, start_hooks, started);
}

void bine_hub_on_end(void (*ended)(struct bine_hub *hub))
{
    ADD_HOOK(hook, end_hooks, ended);
}

void bine_hub_on_fork(void (*forked)(struct bine_hub *hub))
{
    ADD_HOOK(hook, fork_hooks, forked);
}

bool bine_hooks_start(struct bine_hub *hub)
{
    for (int i = 0; i < HOOKS; i++) {
        start_hook *started = atomic_load(&start_hooks[i]);
        if (started && started(hub) != 0)
            return false;
    }
    return true;
}

void bine_hooks_end(struct bine_hub *hub)
{
    for (int i = HOOKS - 1; i >= 0; i--) {
        hook *ended = atomic_load(&end_hooks[i]);
        if (ended)
            ended(hub);
    }
}

void bine_hooks_fork(struct bine_hub *hub)
{
    for (int i = 0; i < HOOKS; i++) {
        hook *forked = atomic_load(&fork_hooks[i]);
        if (forked)
            forked(hub);
    }
}
