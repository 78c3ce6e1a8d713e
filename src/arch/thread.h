/*
 * Greenlets that have a thread pointer of their own, on x86-64 only.
 *
 * bine_arch_switch_thread and bine_arch_start_thread do what bine_arch_switch and bine_arch_start
 * do (context.h), and change the thread pointer on the way.
 */
#ifndef BINE_ARCH_THREAD_H
#define BINE_ARCH_THREAD_H

#include <stdint.h>

#include "context.h"

#ifdef __x86_64__
#define BINE_ARCH_THREADS 1

/* May programs write FS base by an instruction? Set before the first use of what is below. */
extern __attribute__((visibility("hidden"))) uint8_t bine_arch_fsgsbase;
/* The selector of Syscall User Dispatch: 1 while the calls of this thread are to be caught. */
extern __attribute__((visibility("hidden"))) volatile uint8_t bine_arch_dispatch;

int bine_arch_switch_thread(struct bine_arch_context *save, const struct bine_arch_context *load,
                            void *pointer);
void bine_arch_start_thread(struct bine_arch_context *save, void *top, bine_arch_entry *entry,
                            void *pointer);
void bine_arch_set_thread_pointer(void *pointer);

/* The registers with which a new thread continues behind clone's system call. The assembler knows
 * the order. */
struct bine_arch_birth {
    uint64_t rsp, rip, rdx, rsi, rdi, rbp, r8, r9, r10, r12, r13, r14, r15, rbx;
};

/* What bine_arch_switch finds on the stack of a greenlet that has not run yet: it returns to
 * bine_arch_born, with the address of a struct bine_arch_birth in rbx. */
struct bine_arch_frame {
    uint32_t mxcsr;
    uint16_t x87_control, unused;
    uint64_t r15, r14, r13, r12, rbx, rbp;
    void *return_address;
};

void bine_arch_born(void);
/* Where a handler of SIGSYS returns to. These bounds are exempt from the dispatch. */
void bine_arch_restorer(void);
extern __attribute__((visibility("hidden"))) char bine_arch_dispatch_begin[],
    bine_arch_dispatch_end[];

#else
#define BINE_ARCH_THREADS 0
#endif

#endif
