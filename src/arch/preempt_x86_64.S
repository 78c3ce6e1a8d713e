/*
 * A call between two instructions of code that does not expect one (preempt.h).
 *
 * On entry the stack pointer is BINE_ARCH_RED_ZONE + 8 below that of the interrupted code, and
 * points to the interrupted address. The unwinding rules describe the interrupted frame as that of
 * a signal handler, so backtraces and forced unwinds pass through.
 */
        .hidden bine_arch_xsave_size
        .comm   bine_arch_xsave_size, 8, 8

        /* The components that code of user space computes with: x87, SSE, AVX and AVX-512. */
        .equ    COMPONENTS, 0xe7

        .macro KEEP register
        pushq   %\register
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset \register, 0
        .endm

        .macro TAKE register
        popq    %\register
        .cfi_adjust_cfa_offset -8
        .cfi_restore \register
        .endm

        .text
        .globl  bine_arch_preempted
        .hidden bine_arch_preempted
        .type   bine_arch_preempted, @function
        .p2align 4
bine_arch_preempted:
        .cfi_startproc
        .cfi_signal_frame
        .cfi_def_cfa rsp, 136
        .cfi_offset rip, -136
        pushfq
        .cfi_adjust_cfa_offset 8
        cld
        KEEP    rax
        KEEP    rcx
        KEEP    rdx
        KEEP    rbx
        KEEP    rsi
        KEEP    rdi
        KEEP    r8
        KEEP    r9
        KEEP    r10
        KEEP    r11
        KEEP    r12
        KEEP    r13
        KEEP    r14
        KEEP    r15
        KEEP    rbp
        movq    %rsp, %rbp
        .cfi_def_cfa_register rbp
        subq    bine_arch_xsave_size(%rip), %rsp
        andq    $-64, %rsp
        xorl    %eax, %eax              /* the header behind the 512 bytes of FXSAVE */
        movq    %rax, 512(%rsp)
        movq    %rax, 520(%rsp)
        movq    %rax, 528(%rsp)
        movq    %rax, 536(%rsp)
        movq    %rax, 544(%rsp)
        movq    %rax, 552(%rsp)
        movq    %rax, 560(%rsp)
        movq    %rax, 568(%rsp)
        movl    $COMPONENTS, %eax
        xorl    %edx, %edx
        xsave64 (%rsp)
        fninit                          /* calls expect an empty x87 stack */
        call    bine_preempted
        movl    $COMPONENTS, %eax
        xorl    %edx, %edx
        xrstor64 (%rsp)
        movq    %rbp, %rsp
        .cfi_def_cfa_register rsp
        TAKE    rbp
        TAKE    r15
        TAKE    r14
        TAKE    r13
        TAKE    r12
        TAKE    r11
        TAKE    r10
        TAKE    r9
        TAKE    r8
        TAKE    rdi
        TAKE    rsi
        TAKE    rbx
        TAKE    rdx
        TAKE    rcx
        TAKE    rax
        popfq
        .cfi_adjust_cfa_offset -8
        ret     $128
        .cfi_endproc
        .size   bine_arch_preempted, .-bine_arch_preempted

        .section .note.GNU-stack, "", @progbits
