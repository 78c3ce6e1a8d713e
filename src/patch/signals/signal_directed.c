/*
 * Signals that are sent to one thread. See signals.h.
 *
 * The kernel has one thread for all greenlets, so what is sent to one of them is kept here. A
 * greenlet that does not block the signal gets it at once: its handler runs on its stack, as it,
 * and a wait that a signal ends is ended with EINTR. A signal that is blocked stays in the
 * greenlet's list until the greenlet unblocks it or takes it by sigwait.
 *
 * While a handler runs that the kernel has called, anything may have been interrupted. What such a
 * handler sends is noted, and sent in the hub's next turn.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "core/schedule/park.h"
#include "own/own.h"
#include "own/visit.h"
#include "patch/table/greenlet_state.h"
#include "patch/table/hook.h"
#include "signals.h"

struct bine_signal_item {
    struct bine_signal_item *next;
    siginfo_t info;
};

static uint64_t bit_of(int number)
{
    return UINT64_C(1) << (number - 1);
}

/* ---- the list of one greenlet ---------------------------------------------------------------- */

static int keep_item(struct bine_greenlet *g, const siginfo_t *info)
{
    struct bine_greenlet_state *state = bine_greenlet_state_of(g, true);
    if (!state)
        return EAGAIN;
    struct bine_signal_item **end = &state->directed;
    for (; *end; end = &(*end)->next)
        /* as the kernel does: one of each kind, but real-time signals are queued */
        if ((*end)->info.si_signo == info->si_signo && info->si_signo < SIGRTMIN)
            return 0;
    struct bine_signal_item *item = calloc(1, sizeof *item);
    if (!item)
        return EAGAIN;
    item->info = *info;
    *end = item;
    return 0;
}

uint64_t bine_signal_directed_pending(const struct bine_greenlet_state *state)
{
    uint64_t bits = 0;
    for (const struct bine_signal_item *item = state ? state->directed : NULL; item;
         item = item->next)
        bits |= bit_of(item->info.si_signo);
    return bits;
}

int bine_signal_directed_take(struct bine_greenlet_state *state, uint64_t wanted, siginfo_t *info)
{
    if (!state)
        return 0;
    for (struct bine_signal_item **link = &state->directed; *link; link = &(*link)->next) {
        struct bine_signal_item *item = *link;
        if (!(wanted & bit_of(item->info.si_signo)))
            continue;
        int number = item->info.si_signo;
        *link = item->next;
        if (info)
            *info = item->info;
        free(item);
        return number;
    }
    return 0;
}

void bine_signal_directed_drop(struct bine_greenlet_state *state)
{
    while (bine_signal_directed_take(state, UINT64_MAX, NULL))
        ;
}

/* ---- handlers -------------------------------------------------------------------------------- */

struct handling {
    struct bine_hub *hub;
    struct sigaction action;
    siginfo_t info;
    uint64_t blocked; /* by the thread */
};

/* As the greenlet, which does not run code of its own now. */
static void handle(void *arg)
{
    struct handling *handling = arg;
    struct bine_hub *hub = handling->hub;
    const struct sigaction *action = &handling->action;
    int number = handling->info.si_signo;
    sigset_t mask = action->sa_mask, before;
    uint64_t bits;
    memcpy(&bits, &mask, sizeof bits);
    bits |= handling->blocked | bine_signal_mask_held();
    memcpy(&mask, &bits, sizeof bits);
    if (!(action->sa_flags & SA_NODEFER))
        sigaddset(&mask, number);
    bine_libc.pthread_sigmask(SIG_SETMASK, &mask, &before);
    bool outer = hub->no_park;
    hub->no_park = true;
    ucontext_t context;
    if (action->sa_flags & SA_SIGINFO) {
        getcontext(&context);
        action->sa_sigaction(number, &handling->info, &context);
    } else {
        action->sa_handler(number);
    }
    hub->no_park = outer;
    bine_libc.pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static bool ignored_by_default(int number)
{
    return number == SIGCHLD || number == SIGURG || number == SIGWINCH || number == SIGCONT;
}

/* The default action is the process's business. */
static void act_by_default(int number)
{
    sigset_t only, before;
    sigemptyset(&only);
    sigaddset(&only, number);
    bine_libc.pthread_sigmask(SIG_UNBLOCK, &only, &before);
    bine_libc.pthread_kill(bine_libc.pthread_self(), number);
    bine_libc.pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static bool stops_or_kills(int number)
{
    return number == SIGKILL || number == SIGSTOP;
}

/* The greenlet that runs, and does not block the signal: the kernel calls the handler, which may
 * leave by siglongjmp. */
static int send_to_itself(struct bine_hub *hub, const siginfo_t *info)
{
    siginfo_t copy = *info;
    bine_signal_for_itself = true;
    long failed =
        bine_libc.syscall(SYS_rt_tgsigqueueinfo, getpid(), hub->tid, copy.si_signo, &copy);
    bine_signal_for_itself = false;
    return failed ? errno : 0;
}

/* `g` does not block it. */
static int act(struct bine_hub *hub, struct bine_greenlet *g, const siginfo_t *info)
{
    struct handling handling = {.hub = hub, .info = *info};
    int number = info->si_signo;
    if (stops_or_kills(number)) {
        act_by_default(number);
        return 0;
    }
    if (bine_signal_action_of_process(number, NULL, &handling.action) != 0)
        return errno;
    if (handling.action.sa_handler == SIG_IGN ||
        (handling.action.sa_handler == SIG_DFL && ignored_by_default(number)))
        return 0;
    if (g == hub->current && !hub->no_park && !(bine_signal_mask_held() & bit_of(number)))
        return send_to_itself(hub, info);
    if (handling.action.sa_handler == SIG_DFL) {
        act_by_default(number);
        return 0;
    }
    bool restart = handling.action.sa_flags & SA_RESTART;
    if ((unsigned)handling.action.sa_flags & SA_RESETHAND)
        bine_signal_action_of_process(number, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
    handling.blocked = bine_signal_mask_of(g);
    if (g == hub->current)
        handle(&handling);
    else
        bine_own_visit(hub, g, handle, &handling);
    bine_greenlet_signalled(g, restart);
    struct bine_greenlet_state *state = bine_greenlet_state_of(g, false);
    if (state && state->suspended)
        bine_unpark_error(g, EINTR);
    return 0;
}

/* ---- sending --------------------------------------------------------------------------------- */

static int directed_send(struct bine_hub *hub, struct bine_greenlet *g, const siginfo_t *info)
{
    struct bine_greenlet_state *state = bine_greenlet_state_of(g, false);
    uint64_t bit = bit_of(info->si_signo), waits = state ? state->awaited : 0;
    bool blocked = (bine_signal_mask_of(g) | waits) & bit && !stops_or_kills(info->si_signo);
    if (!blocked && bine_own_takes_signals(g))
        return act(hub, g, info);
    int error = keep_item(g, info);
    if (!error && waits & bit)
        bine_greenlet_signalled(g, false);
    return error;
}

/* What the current greenlet has in its list and no longer blocks. */
void bine_signal_directed_unblocked(struct bine_hub *hub)
{
    struct bine_greenlet *g = hub->current;
    struct bine_greenlet_state *state = bine_greenlet_state_of(g, false);
    siginfo_t info;
    while (state && state->directed &&
           bine_signal_directed_take(state, ~bine_signal_mask_of(g), &info))
        act(hub, g, &info);
}

/* ---- from handlers --------------------------------------------------------------------------- */

enum {
    NOTED = 32 /* at once; more fail with EAGAIN, as with the kernel's limit */
};

static struct {
    atomic_int number; /* 0: free; -1: being written */
    pthread_t thread;
    siginfo_t info;
} noted[NOTED];

static int note(struct bine_hub *hub, pthread_t thread, const siginfo_t *info)
{
    for (int i = 0; i < NOTED; i++) {
        int free = 0;
        if (!atomic_compare_exchange_strong(&noted[i].number, &free, -1))
            continue;
        noted[i].thread = thread;
        noted[i].info = *info;
        atomic_store(&noted[i].number, info->si_signo);
        atomic_fetch_or(&hub->signals, BINE_SIGNALLED);
        hub->driver->wake(hub->driver);
        return 0;
    }
    return EAGAIN;
}

struct bine_greenlet *(*bine_signal_target)(struct bine_hub *hub, pthread_t thread);

void bine_signal_directed_noted(struct bine_hub *hub)
{
    for (int i = 0; i < NOTED; i++) {
        if (atomic_load(&noted[i].number) <= 0)
            continue;
        siginfo_t info = noted[i].info;
        struct bine_greenlet *g = bine_signal_target(hub, noted[i].thread);
        atomic_store(&noted[i].number, 0);
        if (g)
            directed_send(hub, g, &info);
    }
}

/* ---- from anywhere --------------------------------------------------------------------------- */

struct letter {
    pthread_t thread;
    siginfo_t info;
};

static void deliver_letter(void *arg)
{
    struct letter letter = *(struct letter *)arg;
    struct bine_hub *hub = bine_hub_here();
    struct bine_greenlet *g = bine_signal_target(hub, letter.thread);
    free(arg);
    if (g)
        directed_send(hub, g, &letter.info);
}

static int post(struct bine_hub *hub, pthread_t thread, const siginfo_t *info)
{
    struct letter *letter = malloc(sizeof *letter);
    if (!letter)
        return EAGAIN;
    *letter = (struct letter){thread, *info};
    if (bine_post(hub, deliver_letter, letter) == 0)
        return 0;
    free(letter);
    return errno == ESRCH ? 0 : EAGAIN;
}

int bine_signal_directed(struct bine_hub *hub, pthread_t thread, int number, int code,
                         union sigval value)
{
    siginfo_t info = {.si_signo = number, .si_code = code};
    int saved = errno, error = 0;
    if (number < 0 || number >= NSIG || number == 32 || number == 33)
        return EINVAL;
    if (number == 0)
        return 0;
    info.si_pid = getpid();
    info.si_uid = getuid();
    info.si_value = value;
    if (hub != bine_hub_here()) {
        error = post(hub, thread, &info);
    } else if (bine_signal_handler_runs()) {
        error = note(hub, thread, &info);
    } else {
        struct bine_greenlet *g = bine_signal_target(hub, thread);
        error = g ? directed_send(hub, g, &info) : 0;
    }
    errno = saved;
    return error;
}
