/*
 * Signal handlers. See signals.h.
 *
 * The kernel is given one handler of Bine's for every signal that the program handles. It notes
 * that a signal ran and whether calls are to be restarted, wakes the hub, and calls the program's
 * handler. SA_ONSTACK is forced, because a handler may need more stack than a greenlet has left.
 * While it runs no greenlet may park, since there is one alternate stack for all. Patched calls are
 * libc's then.
 */
#include "signals.h"

#include <errno.h>
#include <stdint.h>

#include "libc/carrier.h"
#include "own/dispatch.h"
#include "own/preempt.h"
#include "patch/table/hook.h"
#include "patch/table/interpreter.h"

/* What the program asked for, in one word, so that a handler that begins in the middle of a
 * sigaction sees the old or the new. */
enum {
    INFO = 1,
    RESTART = 2,
    RESET = 4,
    ON_STACK = 8
};
/* user addresses have at most 52 bits (aarch64) or 56 (x86-64 with five levels) */
#define FLAGS_SHIFT 56
static _Atomic(uint64_t) asked[NSIG];

/* Handlers that are running on this thread, and whether their hub could not park before the
 * first. */
static BINE_CARRIED struct {
    unsigned depth;
    bool no_park;
} running_;
#define running BINE_OF_CARRIER(running_)

static uint64_t pack(const struct sigaction *action)
{
    uint64_t flags = (action->sa_flags & SA_SIGINFO ? INFO : 0) |
                     (action->sa_flags & SA_RESTART ? RESTART : 0) |
                     ((unsigned)action->sa_flags & SA_RESETHAND ? RESET : 0) |
                     (action->sa_flags & SA_ONSTACK ? ON_STACK : 0);
    return flags << FLAGS_SHIFT | (uint64_t)(uintptr_t)action->sa_handler;
}

/* Turn what the kernel has (ours) into what the program asked for. */
static void unpack(uint64_t packed, struct sigaction *action)
{
    unsigned flags = (unsigned)(packed >> FLAGS_SHIFT);
    action->sa_handler = (void (*)(int))(uintptr_t)(packed & (((uint64_t)1 << FLAGS_SHIFT) - 1));
    action->sa_flags &= ~(SA_SIGINFO | SA_ONSTACK);
    action->sa_flags |= (flags & INFO ? SA_SIGINFO : 0) | (flags & ON_STACK ? SA_ONSTACK : 0);
}

void bine_signal_call(const struct sigaction *action, int number, siginfo_t *info, void *context)
{
    struct bine_hub *hub = bine_hub_here();
    bool outer = hub && hub->no_park;
    if (hub) {
        if (running.depth++ == 0)
            running.no_park = outer;
        hub->no_park = true;
    }
    if (action->sa_flags & SA_SIGINFO)
        action->sa_sigaction(number, info, context);
    else
        action->sa_handler(number);
    if (hub) {
        hub->no_park = outer;
        if (running.depth)
            running.depth--;
    }
}

bool bine_signal_for_itself;

bool bine_signal_handler_runs(void)
{
    struct bine_hub *hub = bine_hub_here();
    return running.depth && !(hub && bine_signal_handler_was_left(hub)) && running.depth;
}

bool bine_signal_handler_was_left(struct bine_hub *hub)
{
    if (running.depth == 0)
        return false;
    stack_t stack;
    if (sigaltstack(NULL, &stack) != 0 || (stack.ss_flags & SS_ONSTACK))
        return false;
    running.depth = 0;
    hub->no_park = running.no_park;
    return !hub->no_park;
}

/* A root that is parked is told in the hub's next turn, which shall not wait. One that runs or is
 * ready may be in the middle of a call that parks again: it sees by hub->handled that the signal
 * came since the call began (core/schedule/signalled.h). */
static void signal_action_note(struct bine_hub *hub, bool restart)
{
    unsigned char what = BINE_SIGNALLED;
    atomic_fetch_add_explicit(&hub->handled, restart ? BINE_HANDLED_RESTART : BINE_HANDLED_BREAK,
                              memory_order_relaxed);
    if (hub->root->state == BINE_PARKED)
        what |= restart ? BINE_SIGNALLED_RESTART : BINE_SIGNALLED_BREAK;
    atomic_fetch_or(&hub->signals, what);
    int saved = errno;
    hub->driver->wake(hub->driver);
    errno = saved;
}

void (*bine_signal_arrives)(struct bine_hub *hub, bool begins);

static void signal_action_run(int number, siginfo_t *info, void *context)
{
    uint64_t packed = atomic_load(&asked[number]);
    struct sigaction action = {.sa_flags = 0};
    unpack(packed, &action);
    struct bine_hub *hub = bine_hub_here();
    bool for_itself = hub && bine_signal_for_itself && hub->main_thread;
    if (for_itself)
        bine_signal_for_itself = false;
    else if (hub)
        signal_action_note(hub, (packed >> FLAGS_SHIFT) & RESTART);
    if (!bine_signal_has_handler(&action))
        return;
    if (hub && bine_signal_arrives)
        bine_signal_arrives(hub, true);
    bine_signal_call(&action, number, info, context);
    if (hub && bine_signal_arrives)
        bine_signal_arrives(hub, false);
}

int bine_signal_action_of_process(int number, const struct sigaction *action, struct sigaction *old)
{
    if (number <= 0 || number >= NSIG)
        return bine_libc.sigaction(number, action, old);
    struct sigaction ours, before;
    uint64_t was = atomic_load(&asked[number]), wanted = was;
    bool handled = action && bine_signal_has_handler(action);
    if (handled) {
        wanted = pack(action);
        ours = *action;
        ours.sa_sigaction = signal_action_run;
        ours.sa_flags |= SA_SIGINFO | SA_ONSTACK;
        was = atomic_exchange(&asked[number], wanted);
    }
    if (bine_libc.sigaction(number, handled ? &ours : action, &before) != 0) {
        if (handled)
            atomic_compare_exchange_strong(&asked[number], &wanted, was);
        return -1;
    }
    if (old) {
        *old = before;
        if (before.sa_sigaction == signal_action_run)
            unpack(was, old);
    }
    return 0;
}

int bine_signal_action(int number, const struct sigaction *action, struct sigaction *old)
{
    if ((number == SIGSYS && bine_dispatch_action(action, old)) ||
        bine_preempt_action(number, action, old))
        return 0;
    if (number == SIGPIPE) {
        struct bine_hub *hub = bine_hook_here(BINE_PATCH_SIGNAL);
        if (hub && hub->current != hub->root)
            return bine_signal_action_of_pipe(hub->current, action, old);
        struct sigaction before;
        if (bine_signal_pipe_aside(&before, action)) {
            if (old)
                *old = before;
            return 0;
        }
    }
    return bine_signal_action_of_process(number, action, old);
}

/* ---- the whole family comes and goes --------------------------------------------------------- */

/* SIGSEGV stays with its handler: the report of overflowed stacks is a handler of Bine's already,
 * and calls the one before it. */
static bool may_be_adopted(int number)
{
    if ((number == SIGSYS && bine_dispatch_action(NULL, NULL)) ||
        bine_preempt_action(number, NULL, NULL))
        return false;
    return number != SIGKILL && number != SIGSTOP && number != SIGSEGV &&
           (number < 32 || number >= SIGRTMIN);
}

void bine_signals_adopt(void)
{
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action;
        if (may_be_adopted(number) && bine_libc.sigaction(number, NULL, &action) == 0 &&
            bine_signal_has_handler(&action) && action.sa_sigaction != signal_action_run)
            bine_signal_action_of_process(number, &action, NULL);
    }
}

void bine_signals_release(void)
{
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action;
        if ((number >= 32 && number < SIGRTMIN) ||
            bine_libc.sigaction(number, NULL, &action) != 0 ||
            action.sa_sigaction != signal_action_run)
            continue;
        unpack(atomic_load(&asked[number]), &action);
        bine_libc.sigaction(number, &action, NULL);
    }
}
