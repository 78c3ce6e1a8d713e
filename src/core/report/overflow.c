/*
 * Stack overflow, reported by the greenlet's name. SIGSEGV on a guard page runs the handler on the
 * thread's alternate signal stack. It says which greenlet overflowed which stack, and lets the
 * default action end the process. Any other SIGSEGV goes to the handler that was there before.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "core/schedule/schedule.h"
#include "core/stack/guard.h"
#include "libc/carrier.h"
#include "libc/libc.h"
#include "overflow.h"

/* While signals are patched, the program's handlers run on this stack, too. Pages that no handler
 * has touched take no memory. A guard page lies below it. */
enum {
    SIGNAL_STACK_SIZE = 256 * 1024
};

static struct sigaction previous;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int once_error;

static BINE_CARRIED void *signal_stack_;
#define signal_stack BINE_OF_CARRIER(signal_stack_)

/* The handler may call this and the next two functions: they are async-signal-safe. */
static void say(const char *text)
{
    (void)!bine_libc.write(STDERR_FILENO, text, strlen(text));
}

static void say_number(size_t number)
{
    char digits[24], *at = digits + sizeof digits - 1;
    *at = 0;
    do {
        *--at = (char)('0' + number % 10);
    } while (number /= 10);
    say(at);
}

static void report(const struct bine_greenlet *g)
{
    say("bine: greenlet \"");
    say(g->name ? g->name : g->site);
    say("\" overflowed its ");
    say_number(bine_stack_asked(g->stack) / 1024);
    say(" KiB stack (spawned at ");
    say(g->site + strlen(g->site) + 1);
    say("; give it a larger stack_size, or set BINE_STACK_SIZE)\n");
}

static uintptr_t stack_pointer(const ucontext_t *context)
{
#if defined(__x86_64__)
    return (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
#elif defined(__aarch64__)
    return (uintptr_t)context->uc_mcontext.sp;
#else
    return 0;
#endif
}

/* Did g overflow its stack? Then the address of the fault lies in the stack's guard. If a frame was
 * larger than the guard, the stack pointer lies beyond it. */
static bool overflowed(const struct bine_greenlet *g, const siginfo_t *info,
                       const ucontext_t *context)
{
    return g && g->stack && info->si_code > 0 && /* from the kernel: no process sent it */
           (bine_stack_guards(g->stack, info->si_addr) ||
            bine_stack_overran(g->stack, stack_pointer(context)));
}

/* Runs the handler that was set before ours as the kernel would have run it. The mask is restored
 * when our own handler returns. One thing differs: the handler runs on this signal stack, with
 * SA_ONSTACK or without. */
static void chain(const struct sigaction *action, int signal_number, siginfo_t *info, void *context)
{
    sigset_t mask = action->sa_mask;
    if (action->sa_flags & SA_NODEFER && !sigismember(&mask, signal_number)) {
        sigset_t deferred;
        sigemptyset(&deferred);
        sigaddset(&deferred, signal_number);
        bine_libc.pthread_sigmask(SIG_UNBLOCK, &deferred, NULL);
    }
    bine_libc.pthread_sigmask(SIG_BLOCK, &mask, NULL);
    if (action->sa_flags & SA_SIGINFO)
        action->sa_sigaction(signal_number, info, context);
    else
        action->sa_handler(signal_number);
}

/* Returns the action that was set before ours, for a signal that is no overflow. An action with
 * SA_RESETHAND is returned once, and the default action after that. */
static struct sigaction before_us(void)
{
    static atomic_flag used = ATOMIC_FLAG_INIT;
    struct sigaction action = previous;
    if ((unsigned)action.sa_flags & SA_RESETHAND && atomic_flag_test_and_set(&used))
        action = (struct sigaction){.sa_handler = SIG_DFL};
    return action;
}

static void overflow_handle(int signal_number, siginfo_t *info, void *context)
{
    struct bine_hub *hub = bine_hub_of_thread;
    struct bine_greenlet *g = hub ? hub->current : NULL;
    if (overflowed(g, info, context)) {
        report(g);
    } else {
        struct sigaction action = before_us();
        if (action.sa_flags & SA_SIGINFO ||
            (action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN)) {
            chain(&action, signal_number, info, context);
            return;
        }
        /* SIG_IGN ignores a signal that a process sent, but no fault. */
        if (action.sa_handler == SIG_IGN && info->si_code <= 0)
            return;
    }
    /* The default action is set, and the handler returns. A fault happens again then, and the
     * process ends as it would have without Bine. A signal that was sent is sent again. */
    struct sigaction default_action = {.sa_handler = SIG_DFL};
    bine_libc.sigaction(signal_number, &default_action, NULL);
    if (info->si_code <= 0)
        bine_libc.raise(signal_number);
}

static void install(void)
{
    struct sigaction action = {.sa_sigaction = overflow_handle,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    if (bine_libc.sigaction(SIGSEGV, &action, &previous) < 0)
        once_error = errno;
}

/* Where the thread's previous signal stack is noted: above the top of ours, so that no handler
 * overwrites it. */
static stack_t *stack_before(void *bottom)
{
    return (stack_t *)((char *)bottom + SIGNAL_STACK_SIZE - 64);
}

int bine_overflow_watch_thread(void)
{
    bine_libc.pthread_once(&once, install);
    if (once_error) {
        errno = once_error;
        return -1;
    }
    /* The program, a sanitizer or a language runtime may have set a signal stack already. Such a
     * stack is often 8 KiB, for handlers that do little. Ours replaces it while the hub lives if it
     * is too small for the program's own handlers. */
    stack_t old;
    if (sigaltstack(NULL, &old) < 0)
        old = (stack_t){.ss_flags = SS_DISABLE};
    if (!(old.ss_flags & SS_DISABLE) &&
        ((old.ss_flags & SS_ONSTACK) || old.ss_size >= SIGNAL_STACK_SIZE / 2))
        return 0;
    size_t guard = bine_page_size();
    char *memory = mmap(NULL, guard + SIGNAL_STACK_SIZE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED)
        return -1;
    stack_t stack = {.ss_sp = memory + guard,
                     .ss_size = (size_t)((char *)stack_before(memory + guard) - memory) - guard};
    *stack_before(stack.ss_sp) = old;
    if (mprotect(memory, guard, PROT_NONE) < 0 || sigaltstack(&stack, NULL) < 0) {
        int error = errno;
        munmap(memory, guard + SIGNAL_STACK_SIZE);
        errno = error;
        return -1;
    }
    signal_stack = memory + guard;
    return 0;
}

void bine_overflow_unwatch_thread(void)
{
    if (!signal_stack)
        return;
    stack_t now, before = *stack_before(signal_stack);
    bool ours = sigaltstack(NULL, &now) == 0 && now.ss_sp == signal_stack;
    if (!ours || sigaltstack(&before, NULL) == 0)
        munmap((char *)signal_stack - bine_page_size(), bine_page_size() + SIGNAL_STACK_SIZE);
    signal_stack = NULL;
}
