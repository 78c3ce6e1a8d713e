/*
 * Hooks of the state that libc keeps for each thread, and that greenlets have of their own
 * (exchange.h).
 */
#include <errno.h>

#include "patch/locals/exchange.h"
#include "patch/signals/signals.h"
#include "patch/table/greenlet_state.h"
#include "patch/table/hook.h"

locale_t hook_uselocale(locale_t locale)
{
    struct bine_hub *hub =
        bine_hook_active(BINE_PATCH_THREAD_OR_GREENLETS) ? bine_hub_here() : NULL;
    return hub && hub->current->stack_class != BINE_CLASS_OWN ? bine_exchange_locale(hub, locale)
                                                              : bine_libc.uselocale(locale);
}

/* Handlers run on the stack that Bine has given the thread, which is larger. The greenlet's own is
 * only remembered. With libc's call the handlers of all greenlets would run on it, also after it
 * has been freed. */
int hook_sigaltstack(const stack_t *stack, stack_t *old)
{
    struct bine_hub *hub = bine_hook_active(BINE_PATCH_GREENLETS) ? bine_hub_here() : NULL;
    if (!hub || hub->current->flags & BINE_G_ROOT)
        return bine_libc.sigaltstack(stack, old);
    struct bine_greenlet_state *state = bine_greenlet_state_of(hub->current, stack != NULL);
    if (stack && !state)
        return -1;
    if (stack && stack->ss_flags & ~(SS_DISABLE | SS_ONSTACK | (int)(1U << 31))) {
        errno = EINVAL;
        return -1;
    }
    if (stack && !(stack->ss_flags & SS_DISABLE) && stack->ss_size < (size_t)MINSIGSTKSZ) {
        errno = ENOMEM;
        return -1;
    }
    stack_t before = state && state->stack.ss_sp ? state->stack : (stack_t){.ss_flags = SS_DISABLE};
    if (stack && stack->ss_flags & SS_DISABLE)
        state->stack = (stack_t){0};
    else if (stack)
        state->stack = (stack_t){.ss_sp = stack->ss_sp, .ss_size = stack->ss_size};
    if (old)
        *old = before;
    return 0;
}
