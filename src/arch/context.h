/*
 * The context switch, the only code per architecture. What it saves and restores is what the ABI calls callee-saved: the
 * general registers, and the floating-point control words (MXCSR and x87 control word; FPCR); and errno, so that nobody who switches
 * has anything to do afterwards and the switch can be the last call of a function. It makes no
 * system call, so the signal mask is not part of a context.
 */
#ifndef BINE_ARCH_CONTEXT_H
#define BINE_ARCH_CONTEXT_H

#include <stddef.h>

/* A context that does not run: sp at 0 and errno at 8, as the assembler has it. Without padding, for greenlet.h. */
struct bine_arch_context {
    void *sp;
    int saved_errno;
} __attribute__((packed, aligned(4)));

/* Where errno lies from the thread pointer, the same for all threads. To be set before the first switch. */
extern __attribute__((visibility("hidden"))) ptrdiff_t bine_arch_errno;

/* Save the running context in *save and continue *load. Returns 0, when somebody switches back to *save. */
int bine_arch_switch(struct bine_arch_context *save, const struct bine_arch_context *load);

/* Runs on a fresh stack; returns the saved context to continue when this stack is over. */
typedef struct bine_arch_context *bine_arch_entry(void);

/* Save the running context in *save and call entry() on a fresh stack that ends at `top` (16-byte aligned), with errno 0 and the
 * ABI's initial floating-point control words. Returns when somebody switches back to *save.
 *
 * entry ends by returning, not by switching away: so calls and returns stay paired, as the processor's return predictor expects,
 * through the whole life of a greenlet. */
void bine_arch_start(struct bine_arch_context *save, void *top, bine_arch_entry *entry);

/* The same without saving: the running context is over. Its own stack may be the one that ends at `top`. */
_Noreturn void bine_arch_restart(void *top, bine_arch_entry *entry);

/* Set errno and the floating-point control words to what a fresh context has. */
void bine_arch_reset(void);

#endif
