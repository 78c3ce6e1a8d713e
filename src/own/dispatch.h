/*
 * The system calls that libc makes while it begins or ends a thread of a greenlet.
 *
 * Syscall User Dispatch (Linux 5.11) has the kernel ask a byte at each system call of the thread.
 * While the byte says so, the call is not made and SIGSYS comes in its place. The handler makes the
 * call itself, or answers it otherwise.
 */
#ifndef BINE_OWN_DISPATCH_H
#define BINE_OWN_DISPATCH_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/hub/own.h"

/* A sanitizer keeps a record of its own for each thread, in the thread's variables. */
#if BINE_ARCH_THREADS && !defined(BINE_ASAN) && !defined(BINE_TSAN)
#define BINE_OWN_THREADS 1
#else
#define BINE_OWN_THREADS 0
#endif

#if BINE_OWN_THREADS

/* A thread that libc has asked the kernel to make. */
struct bine_birth {
    struct bine_arch_birth registers;
    uint32_t mxcsr;
    uint16_t x87_control;
    void *thread_pointer;
    int *end_word; /* the kernel would clear it and wake its waiters when the thread has ended */
    int *id_word;  /* where libc keeps the id: another word in glibc 2.43, before it the same one */
    pid_t id;
    char *stack_bottom; /* NULL: clone does not tell */
    size_t stack_size;
};

/* Called in the handler when libc asks for a thread. Returns the record to fill in, or NULL if the
 * current greenlet is not making one. */
struct bine_birth *bine_dispatch_birth(void);
/* Called in the handler when the thread names the list of robust locks that it holds. */
void bine_dispatch_robust(void *head);
/* Called in the handler when the thread calls exit. */
_Noreturn void bine_dispatch_exit(void);

/* Turns the dispatch on for this thread, with the byte at 0. Returns NULL, or what is missing. */
const char *bine_dispatch_begin(void);
/* In the child of a fork, where the kernel has turned it off. */
void bine_dispatch_forked(void);

#endif

/* sigaction for SIGSYS, whose handler is the dispatch's while that is on. Keeps the program's
 * action for signals that come from elsewhere. Returns false if the dispatch is off. */
bool bine_dispatch_action(const struct sigaction *action, struct sigaction *old);
/* What sigaction does with an action that is only kept. */
static inline void bine_exchange_action(struct sigaction *kept, const struct sigaction *action,
                                        struct sigaction *old)
{
    struct sigaction was = *kept;
    if (action)
        *kept = *action;
    if (old)
        *old = was;
}

#if BINE_OWN_THREADS

/* From now on calls are caught. They must be able to be: SIGSYS is not blocked. */
void bine_dispatch_catch(void);
static inline void bine_dispatch_pass(void)
{
    bine_arch_dispatch = 0;
}

#endif
#endif
