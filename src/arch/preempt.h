/* Interrupting code at any instruction, on x86-64 only. */
#ifndef BINE_ARCH_PREEMPT_H
#define BINE_ARCH_PREEMPT_H

#include <stdint.h>

#ifdef __x86_64__

enum {
    BINE_ARCH_RED_ZONE = 128 /* below the stack pointer, where functions without calls keep data */
};

/* Where a handler of a signal has the interrupted code go on, with the stack pointer below the red
 * zone and the interrupted address on the stack. It saves all registers, calls bine_preempted,
 * restores them and continues the interrupted code. */
void bine_arch_preempted(void);
void bine_preempted(void);

/* The bytes that XSAVE needs for the registers of floating point and vectors. Set before the first
 * use. */
extern __attribute__((visibility("hidden"))) uint64_t bine_arch_xsave_size;

#endif
#endif
