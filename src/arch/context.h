/*
 * The context switch, the only code per architecture. What it saves and restores is what the ABI calls callee-saved: the
 * general registers, and the floating-point control words (MXCSR and x87 control word; FPCR). It makes no
 * system call, so the signal mask is not part of a context.
 */
#ifndef BINE_ARCH_CONTEXT_H
#define BINE_ARCH_CONTEXT_H

/* Save the running context's stack pointer in *save and continue the one saved in `load`. Returns when somebody
 * switches back to *save. */
void bine_arch_switch(void **save, void *load);

/* Runs on a fresh stack; returns the saved context to continue when this stack is over. */
typedef void *bine_arch_entry(void);

/* Save the running context in *save and call entry() on a fresh stack that ends at `top` (16-byte aligned), with the
 * ABI's initial floating-point control words. Returns when somebody switches back to *save.
 *
 * entry ends by returning, not by switching away: so calls and returns stay paired, as the processor's return predictor expects,
 * through the whole life of a greenlet. */
void bine_arch_start(void **save, void *top, bine_arch_entry *entry);

/* The same without saving: the running context is over. Its own stack may be the one that ends at `top`. */
_Noreturn void bine_arch_restart(void *top, bine_arch_entry *entry);

/* Set the floating-point control words to the ABI's initial values, if they differ. */
void bine_arch_reset_control(void);

#endif
