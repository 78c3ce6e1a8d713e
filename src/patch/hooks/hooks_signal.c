/*
 * Hooks of the signal family, and the old interfaces written in terms of the new ones. The
 * functions of signals.h do the work.
 */
#include <errno.h>
#include <string.h>

#include "patch/signals/signals.h"
#include "patch/table/greenlet_state.h"
#include "patch/table/hook.h"
#include "patch/threads/thread_greenlets.h"

/* ---- handlers ------------------------------------------------------------------------------- */

int hook_sigaction(int number, const struct sigaction *action, struct sigaction *old)
{
    if (!bine_hook_active(BINE_PATCH_SIGNAL_OR_HANDLERS))
        return bine_libc.sigaction(number, action, old);
    return bine_signal_action(number, action, old);
}

/* Those that set handlers come with every family: in a handler patched calls of all families are
 * libc's. */

/* Signals for which siginterrupt asked that calls end with EINTR. */
static sigset_t interrupting;

static __sighandler_t set_handler(int number, __sighandler_t handler, int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags}, old;
    if (handler == SIG_ERR) {
        errno = EINVAL;
        return SIG_ERR;
    }
    sigemptyset(&action.sa_mask);
    if (!((unsigned)flags & SA_RESETHAND) && sigaddset(&action.sa_mask, number) != 0)
        return SIG_ERR;
    return bine_signal_action(number, &action, &old) == 0 ? old.sa_handler : SIG_ERR;
}

__sighandler_t hook_signal(int number, __sighandler_t handler)
{
    if (!bine_hook_active(BINE_PATCH_SIGNAL_OR_HANDLERS))
        return bine_libc.signal(number, handler);
    return set_handler(number, handler, sigismember(&interrupting, number) == 1 ? 0 : SA_RESTART);
}

__sighandler_t hook_sysv_signal(int number, __sighandler_t handler)
{
    if (!bine_hook_active(BINE_PATCH_SIGNAL_OR_HANDLERS))
        return bine_libc.sysv_signal(number, handler);
    return set_handler(number, handler, (int)(SA_RESETHAND | SA_NODEFER));
}

int hook_siginterrupt(int number, int interrupt)
{
    if (!bine_hook_active(BINE_PATCH_SIGNAL_OR_HANDLERS))
        return bine_libc.siginterrupt(number, interrupt);
    struct sigaction action;
    if (bine_signal_action(number, NULL, &action) != 0)
        return -1;
    if (interrupt) {
        sigaddset(&interrupting, number);
        action.sa_flags &= ~SA_RESTART;
    } else {
        sigdelset(&interrupting, number);
        action.sa_flags |= SA_RESTART;
    }
    return bine_signal_action(number, &action, NULL);
}

static int block_one(int how, int number, sigset_t *old)
{
    sigset_t set;
    sigemptyset(&set);
    if (sigaddset(&set, number) != 0)
        return -1;
    int error = bine_signal_mask(how, &set, old);
    if (!error)
        return 0;
    errno = error;
    return -1;
}

__sighandler_t hook_sigset(int number, __sighandler_t handler)
{
    if (!bine_hook_active(BINE_PATCH_SIGNAL))
        return bine_libc.sigset(number, handler);
    sigset_t mask;
    struct sigaction action = {.sa_handler = handler}, old;
    bool hold = handler == SIG_HOLD;
    if (handler == SIG_ERR) {
        errno = EINVAL;
        return SIG_ERR;
    }
    if (block_one(hold ? SIG_BLOCK : SIG_UNBLOCK, number, &mask) != 0)
        return SIG_ERR;
    bool was_held = sigismember(&mask, number) == 1;
    sigemptyset(&action.sa_mask);
    if (bine_signal_action(number, hold ? NULL : &action, &old) != 0)
        return SIG_ERR;
    return was_held ? SIG_HOLD : old.sa_handler;
}

int hook_sigignore(int number)
{
    if (!bine_hook_active(BINE_PATCH_SIGNAL))
        return bine_libc.sigignore(number);
    struct sigaction action = {.sa_handler = SIG_IGN};
    sigemptyset(&action.sa_mask);
    return bine_signal_action(number, &action, NULL);
}

/* ---- masks ----------------------------------------------------------------------------------- */

int hook_pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
    if (!bine_hook_active(BINE_PATCH_SIGNAL))
        return bine_libc.pthread_sigmask(how, set, old);
    return bine_signal_mask(how, set, old);
}

int hook_sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
    if (!bine_hook_active(BINE_PATCH_SIGNAL))
        return bine_libc.sigprocmask(how, set, old);
    int error = bine_signal_mask(how, set, old);
    if (!error)
        return 0;
    errno = error;
    return -1;
}

int hook_sighold(int number)
{
    if (!bine_hook_active(BINE_PATCH_SIGNAL))
        return bine_libc.sighold(number);
    return block_one(SIG_BLOCK, number, NULL);
}

int hook_sigrelse(int number)
{
    if (!bine_hook_active(BINE_PATCH_SIGNAL))
        return bine_libc.sigrelse(number);
    return block_one(SIG_UNBLOCK, number, NULL);
}

/* BSD's masks are an int: signals 1 to 32. */
static sigset_t set_of_bits(int bits)
{
    sigset_t set;
    sigemptyset(&set);
    for (int number = 1; number < 32; number++)
        if ((unsigned)bits & 1u << (number - 1))
            sigaddset(&set, number);
    return set;
}

static int change_bits(int how, int bits)
{
    sigset_t set = set_of_bits(bits), old;
    int error = bine_signal_mask(how, &set, &old), result = 0;
    if (error) {
        errno = error;
        return -1;
    }
    for (int number = 1; number < 32; number++)
        if (sigismember(&old, number) == 1)
            result = (int)((unsigned)result | 1u << (number - 1));
    return result;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

int hook_sigblock(int bits)
{
    if (!bine_hook_active(BINE_PATCH_SIGNAL))
        return bine_libc.sigblock(bits);
    return change_bits(SIG_BLOCK, bits);
}

int hook_sigsetmask(int bits)
{
    if (!bine_hook_active(BINE_PATCH_SIGNAL))
        return bine_libc.sigsetmask(bits);
    return change_bits(SIG_SETMASK, bits);
}

#pragma GCC diagnostic pop

/* ---- waiting --------------------------------------------------------------------------------- */

int hook_sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout)
{
    if (!bine_hook_here(BINE_PATCH_SIGNAL))
        return bine_libc.sigtimedwait(set, info, timeout);
    return bine_signal_timedwait(set, info, timeout);
}

int hook_sigwaitinfo(const sigset_t *set, siginfo_t *info)
{
    if (!bine_hook_here(BINE_PATCH_SIGNAL))
        return bine_libc.sigwaitinfo(set, info);
    return bine_signal_timedwait(set, info, NULL);
}

/* Returns an error number, and no EINTR: glibc waits again, too. */
int hook_sigwait(const sigset_t *set, int *number)
{
    if (!bine_hook_here(BINE_PATCH_SIGNAL))
        return bine_libc.sigwait(set, number);
    int saved = errno, result;
    do
        result = bine_signal_timedwait(set, NULL, NULL);
    while (result < 0 && errno == EINTR);
    int error = result < 0 ? errno : 0;
    errno = saved;
    if (!error)
        *number = result;
    return error;
}

int hook_pause(void)
{
    if (!bine_hook_here(BINE_PATCH_SIGNAL))
        return bine_libc.pause();
    return bine_signal_suspend(NULL);
}

int hook_sigsuspend(const sigset_t *mask)
{
    if (!bine_hook_here(BINE_PATCH_SIGNAL))
        return bine_libc.sigsuspend(mask);
    return bine_signal_suspend(mask);
}

/* X/Open's sigpause: without this one signal. */
int hook___xpg_sigpause(int number)
{
    if (!bine_hook_here(BINE_PATCH_SIGNAL))
        return bine_libc.__xpg_sigpause(number);
    sigset_t mask;
    bine_signal_mask(SIG_BLOCK, NULL, &mask);
    if (sigdelset(&mask, number) != 0)
        return -1;
    return bine_signal_suspend(&mask);
}

/* BSD's sigpause: with exactly these blocked. */
int hook_sigpause(int bits)
{
    if (!bine_hook_here(BINE_PATCH_SIGNAL))
        return bine_libc.sigpause(bits);
    sigset_t mask = set_of_bits(bits);
    return bine_signal_suspend(&mask);
}

int hook___sigpause(int number_or_bits, int is_number)
{
    return is_number ? hook___xpg_sigpause(number_or_bits) : hook_sigpause(number_or_bits);
}

/* ---- of the thread that calls ---------------------------------------------------------------- */

int hook_raise(int number)
{
    pthread_t self = bine_libc.pthread_self();
    struct bine_hub *hub =
        bine_hook_active(BINE_PATCH_SIGNAL) && !bine_vforked ? bine_thread_own_hub(self) : NULL;
    if (!hub || hub != bine_hub_here())
        return bine_libc.raise(number);
    int error = bine_signal_directed(hub, self, number, SI_TKILL, (union sigval){0});
    if (!error)
        return 0;
    errno = error;
    return -1;
}

int hook_sigpending(sigset_t *set)
{
    struct bine_hub *hub = bine_hook_active(BINE_PATCH_SIGNAL) ? bine_hub_here() : NULL;
    int result = bine_libc.sigpending(set);
    uint64_t directed =
        hub ? bine_signal_directed_pending(bine_greenlet_state_of(hub->current, false)) : 0;
    for (int number = 1; result == 0 && directed; number++, directed >>= 1)
        if (directed & 1)
            sigaddset(set, number);
    return result;
}
