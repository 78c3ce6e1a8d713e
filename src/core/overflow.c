/*
 * Stack overflow, reported by name: SIGSEGV on a guard page runs its handler on the thread's alternate signal stack, says which
 * greenlet overflowed what, and lets the default action end the process. Any other SIGSEGV goes to whoever handled it before.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libc.h"
#include "schedule.h"

/* Handlers of the program run here too, once signals are patched; only what they touch costs memory. */
enum {
    SIGNAL_STACK_SIZE = 256 * 1024
};

static struct sigaction previous;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int once_error;

static __attribute__((tls_model("initial-exec"))) _Thread_local void *signal_stack;

/* Only what is async-signal-safe. */
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
    size_t size = bine_stack_size(g->stack);
    size_t slot = 1;
    while (slot < size)
        slot *= 2; /* people asked for a power of two; the guard was taken from it */
    say("bine: greenlet \"");
    say(g->name ? g->name : g->site);
    say("\" overflowed its ");
    say_number(slot / 1024);
    say(" KiB stack (spawned at ");
    say(g->site + strlen(g->site) + 1);
    say("; give it a larger stack_size, or set BINE_STACK_SIZE)\n");
}

static void handle(int signal_number, siginfo_t *info, void *context)
{
    struct bine_hub *hub = bine_hub_of_thread;
    struct bine_greenlet *g = hub ? hub->current : NULL;
    bool overflow = g && g->stack && info->si_code != SI_USER && bine_stack_guards(g->stack, info->si_addr);
    if (overflow)
        report(g);
    else if (previous.sa_flags & SA_SIGINFO) {
        previous.sa_sigaction(signal_number, info, context);
        return;
    } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
        previous.sa_handler(signal_number);
        return;
    }
    /* Back to the default and return: the instruction faults again and the process ends as it would have without us; a
     * SIGSEGV that was sent is sent again. */
    struct sigaction default_action = {.sa_handler = SIG_DFL};
    bine_libc.sigaction(signal_number, &default_action, NULL);
    if (info->si_code <= 0)
        raise(signal_number);
}

static void install(void)
{
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    if (bine_libc.sigaction(SIGSEGV, &action, &previous) < 0)
        once_error = errno;
}

int bine_overflow_watch_thread(void)
{
    bine_libc.pthread_once(&once, install);
    if (once_error) {
        errno = once_error;
        return -1;
    }
    /* The program, a sanitizer or a language runtime may have one already. Theirs are for handlers that do next to nothing,
     * often 8 KiB: one that cannot hold the program's own handlers gives way to ours while the hub lives. */
    stack_t old;
    if (sigaltstack(NULL, &old) < 0)
        old = (stack_t){.ss_flags = SS_DISABLE};
    if (!(old.ss_flags & SS_DISABLE) && ((old.ss_flags & SS_ONSTACK) || old.ss_size >= SIGNAL_STACK_SIZE / 2))
        return 0;
    void *memory =
        mmap(NULL, SIGNAL_STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED)
        return -1;
    *(stack_t *)memory = old;
    stack_t stack = {.ss_sp = (char *)memory + sizeof old, .ss_size = SIGNAL_STACK_SIZE - sizeof old};
    if (sigaltstack(&stack, NULL) < 0) {
        int error = errno;
        munmap(memory, SIGNAL_STACK_SIZE);
        errno = error;
        return -1;
    }
    signal_stack = memory;
    return 0;
}

void bine_overflow_unwatch_thread(void)
{
    if (!signal_stack)
        return;
    stack_t now, before = *(stack_t *)signal_stack;
    bool ours = sigaltstack(NULL, &now) == 0 && now.ss_sp == (char *)signal_stack + sizeof before;
    if (!ours || sigaltstack(&before, NULL) == 0)
        munmap(signal_stack, SIGNAL_STACK_SIZE);
    signal_stack = NULL;
}
