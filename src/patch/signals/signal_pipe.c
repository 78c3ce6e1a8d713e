/*
 * SIGPIPE for each greenlet. See signals.h.
 *
 * libcurl, libpq and others save the action of SIGPIPE, set it to be ignored, write, and restore
 * what they saved. When two greenlets do that interleaved on one process-wide setting, the first to
 * restore kills the second. So what a greenlet sets is its own. The root's setting, and that of
 * threads without a hub, is the process's, which greenlets see until they set one. SIGPIPE is
 * raised in the thread that writes, and so in the greenlet that runs. By that its handler knows the
 * greenlet.
 *
 * While any greenlet has a setting of its own the kernel has a handler of Bine's, and the process's
 * setting is put aside.
 */
#include <errno.h>
#include <pthread.h>

#include "io/descriptor/sigpipe.h"
#include "libc/spin.h"
#include "patch/table/greenlet_state.h"
#include "patch/table/hook.h"
#include "signals.h"

static struct bine_spin taken;
static unsigned owners;        /* greenlets with a setting of their own */
static struct sigaction aside; /* the process's, while there are any */
static atomic_bool is_aside;

/* No handler may run on a thread that holds the lock, it would wait for itself. */
static sigset_t signal_pipe_lock(void)
{
    sigset_t all, before;
    sigfillset(&all);
    bine_libc.pthread_sigmask(SIG_SETMASK, &all, &before);
    bine_spin_lock(&taken);
    return before;
}

static void signal_pipe_unlock(const sigset_t *before)
{
    bine_spin_unlock(&taken);
    bine_libc.pthread_sigmask(SIG_SETMASK, before, NULL);
}

static struct sigaction effective(void)
{
    struct bine_hub *hub = bine_hub_here();
    struct bine_greenlet_state *state = hub ? bine_greenlet_state_of(hub->current, false) : NULL;
    if (state && state->has_pipe)
        return state->pipe;
    sigset_t before = signal_pipe_lock();
    struct sigaction action = aside;
    signal_pipe_unlock(&before);
    return action;
}

static void signal_pipe_run(int number, siginfo_t *info, void *context)
{
    int saved = errno;
    struct sigaction action = effective();
    errno = saved;
    if (action.sa_handler == SIG_IGN)
        return;
    if (action.sa_handler != SIG_DFL) {
        bine_signal_call(&action, number, info, context);
        return;
    }
    /* The default: the process ends of this signal, as soon as we return. */
    struct sigaction end = {.sa_handler = SIG_DFL};
    sigemptyset(&end.sa_mask);
    bine_libc.sigaction(SIGPIPE, &end, NULL);
    bine_libc.raise(SIGPIPE);
}

static int put_aside(void)
{
    struct sigaction ours = {.sa_sigaction = signal_pipe_run,
                             .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    sigemptyset(&ours.sa_mask);
    if (bine_signal_action_of_process(SIGPIPE, NULL, &aside) != 0 ||
        bine_libc.sigaction(SIGPIPE, &ours, NULL) != 0)
        return -1;
    atomic_store(&is_aside, true);
    return 0;
}

static void drop_owner(void)
{
    if (--owners)
        return;
    atomic_store(&is_aside, false);
    bine_signal_action_of_process(SIGPIPE, &aside, NULL);
}

bool bine_signal_pipe_aside(struct sigaction *action, const struct sigaction *change)
{
    if (!atomic_load(&is_aside))
        return false;
    sigset_t before = signal_pipe_lock();
    bool still = atomic_load(&is_aside);
    if (still) {
        *action = aside;
        if (change)
            aside = *change;
    }
    signal_pipe_unlock(&before);
    return still;
}

/* For what lies below (sigpipe.h). */
static int action_of_process(const struct sigaction *action, struct sigaction *old)
{
    struct sigaction before;
    if (!bine_hook_active(BINE_PATCH_SIGNAL_OR_HANDLERS))
        return bine_libc.sigaction(SIGPIPE, action, old);
    if (!bine_signal_pipe_aside(&before, action))
        return bine_signal_action_of_process(SIGPIPE, action, old);
    if (old)
        *old = before;
    return 0;
}

__attribute__((constructor)) static void signal_pipe_set_up(void)
{
    bine_sigpipe_action = action_of_process;
}

int bine_signal_action_of_pipe(struct bine_greenlet *g, const struct sigaction *action,
                               struct sigaction *old)
{
    struct bine_greenlet_state *state = bine_greenlet_state_of(g, action != NULL);
    if (action && !state)
        return -1;
    int result = 0;
    sigset_t before = signal_pipe_lock();
    struct sigaction process;
    if (atomic_load(&is_aside))
        process = aside;
    else
        result = bine_signal_action_of_process(SIGPIPE, NULL, &process);
    struct sigaction now = state && state->has_pipe ? state->pipe : process;
    if (result == 0 && action) {
        /* A greenlet that restores the process's setting no longer needs one of its own. */
        bool own = action->sa_handler != process.sa_handler || action->sa_flags != process.sa_flags;
        if (own && !state->has_pipe && owners == 0)
            result = put_aside();
        if (result == 0) {
            bool had = state->has_pipe;
            state->pipe = *action;
            state->has_pipe = own;
            owners += own && !had;
            if (had && !own)
                drop_owner();
        }
    }
    signal_pipe_unlock(&before);
    if (result == 0 && old)
        *old = now;
    return result;
}

void bine_signal_pipe_ended(struct bine_greenlet_state *state)
{
    if (!state->has_pipe)
        return;
    sigset_t before = signal_pipe_lock();
    state->has_pipe = false;
    drop_owner();
    signal_pipe_unlock(&before);
}

void bine_signal_pipe_forked(const struct bine_greenlet_state *state)
{
    bine_spin_unlock(&taken); /* the thread that held it does not exist here */
    owners = 0;
    if (!atomic_load(&is_aside))
        return;
    struct sigaction action = state && state->has_pipe ? state->pipe : aside;
    atomic_store(&is_aside, false);
    bine_signal_action_of_process(SIGPIPE, &action, NULL);
}
