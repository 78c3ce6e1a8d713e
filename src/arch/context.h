/*
 * The context switch, the only code per architecture.
 *
 * A switch saves and restores what the ABI calls callee-saved: the general registers and the
 * floating-point control words (MXCSR and x87 control word; FPCR). It saves and restores errno,
 * too. So the caller of a switch has nothing to do afterwards, and the switch can be the last call
 * of a function. It makes no system call, so the signal mask is not part of a context.
 */
#ifndef BINE_ARCH_CONTEXT_H
#define BINE_ARCH_CONTEXT_H

#include <stddef.h>

/* A context that does not run. The assembler expects sp at offset 0 and errno at offset 8. The
 * structure has no padding, for greenlet.h. */
struct bine_arch_context {
    void *sp;
    int saved_errno;
} __attribute__((packed, aligned(4)));

/* Where a saved context holds the caller's registers, from its sp upwards: the program counter, the
 * size of all, then ROW(number, offset) for each register by DWARF's number. For readers from
 * outside (libc/layout.h). */
#if defined(__x86_64__)
#define BINE_CONTEXT_PC 56
#define BINE_CONTEXT_SIZE 64
#define BINE_CONTEXT_REGISTERS(ROW) \
    ROW(15, 8) ROW(14, 16) ROW(13, 24) ROW(12, 32) ROW(3, 40) ROW(6, 48)
#elif defined(__aarch64__)
#define BINE_CONTEXT_PC 8
#define BINE_CONTEXT_SIZE 176
/* clang-format changes its own layout of these rows each time. */
/* clang-format off */
#define BINE_CONTEXT_REGISTERS(ROW) \
    ROW(29, 0) ROW(30, 8) ROW(19, 16) ROW(20, 24) ROW(21, 32) ROW(22, 40) ROW(23, 48) \
    ROW(24, 56) ROW(25, 64) ROW(26, 72) ROW(27, 80) ROW(28, 88)
/* clang-format on */
#endif

/* The thread pointer. gcc's and clang's builtin function is newer on x86-64 (gcc 11). */
static inline char *bine_arch_thread_pointer(void)
{
#if defined(__x86_64__)
    char *pointer;
    __asm__ volatile("movq %%fs:0, %0" : "=r"(pointer));
    return pointer;
#else
    return __builtin_thread_pointer();
#endif
}

/* Where errno lies, as a distance from the thread pointer. It is the same for all threads. It must
 * be set before the first switch. */
extern __attribute__((visibility("hidden"))) ptrdiff_t bine_arch_errno;

/* Saves the running context in *save and continues *load. Returns 0 when another context switches
 * back to *save. */
int bine_arch_switch(struct bine_arch_context *save, const struct bine_arch_context *load);

/* Runs on a fresh stack. Returns the saved context that continues when this stack is over. */
typedef struct bine_arch_context *bine_arch_entry(void);

/*
 * Saves the running context in *save and calls entry() on a fresh stack that ends at `top` (16-byte
 * aligned). There errno is 0 and the floating-point control words are the ABI's initial ones.
 * Returns when another context switches back to *save.
 *
 * entry ends by returning and not by switching away. So calls and returns stay paired through the
 * whole life of a greenlet, as the processor's return predictor expects.
 */
void bine_arch_start(struct bine_arch_context *save, void *top, bine_arch_entry *entry);

/* Does the same without saving: the running context is over. Its own stack may be the one that ends
 * at `top`. */
_Noreturn void bine_arch_restart(void *top, bine_arch_entry *entry);

/* Sets errno and the floating-point control words to what a fresh context has. */
void bine_arch_reset(void);

#endif
