/*
 * The context switch for x86-64, System V ABI. See context.h.
 *
 * A saved context, from its stack pointer upwards:
 *
 *     0  MXCSR (4 bytes), x87 control word (2 bytes)
 *     8  r15  r14  r13  r12  rbx  rbp
 *    56  return address
 *
 * The switch ends in pop and jmp instead of ret: the return address belongs to another stack, so the processor's return
 * predictor would be wrong every time and costs more than an indirect jump. No IBT/SHSTK property note is
 * emitted: this code is not shadow-stack safe, and the linker must not be told so (hazard 21).
 *
 * Loading MXCSR or the control word is slow, and they are nearly always equal: compare first, load only if the control
 * bits differ (bits 0-5 of MXCSR are status flags, which the ABI does not preserve).
 */
        .text

#define MXCSR_CONTROL 0xffc0

        .macro SAVE_CONTEXT
        pushq   %rbp
        .cfi_adjust_cfa_offset 8
        pushq   %rbx
        .cfi_adjust_cfa_offset 8
        pushq   %r12
        .cfi_adjust_cfa_offset 8
        pushq   %r13
        .cfi_adjust_cfa_offset 8
        pushq   %r14
        .cfi_adjust_cfa_offset 8
        pushq   %r15
        .cfi_adjust_cfa_offset 8
        subq    $8, %rsp
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset rbp, 48
        .cfi_rel_offset rbx, 40
        .cfi_rel_offset r12, 32
        .cfi_rel_offset r13, 24
        .cfi_rel_offset r14, 16
        .cfi_rel_offset r15, 8
        stmxcsr (%rsp)
        fnstcw  4(%rsp)
        movl    (%rsp), %eax
        movzwl  4(%rsp), %ecx
        movq    %rsp, (%rdi)
        .endm

        .globl  bine_arch_switch
        .hidden bine_arch_switch
        .type   bine_arch_switch, @function
        .p2align 6
bine_arch_switch:
        .cfi_startproc
        SAVE_CONTEXT
        movq    %rsi, %rsp
        /* From here on the frame is the other context's: of the same shape, so the CFI above holds for it too. */
        xorl    (%rsp), %eax
        cmpw    4(%rsp), %cx
        jne     2f
        testl   $MXCSR_CONTROL, %eax
        jne     2f
1:      movq    8(%rsp), %r15
        movq    16(%rsp), %r14
        movq    24(%rsp), %r13
        movq    32(%rsp), %r12
        movq    40(%rsp), %rbx
        movq    48(%rsp), %rbp
        movq    56(%rsp), %rcx
        addq    $64, %rsp
        .cfi_remember_state
        .cfi_def_cfa rsp, 0
        .cfi_restore rbp
        .cfi_restore rbx
        .cfi_restore r12
        .cfi_restore r13
        .cfi_restore r14
        .cfi_restore r15
        .cfi_register rip, rcx
        jmp     *%rcx
        .cfi_restore_state
2:      ldmxcsr (%rsp)
        fldcw   4(%rsp)
        jmp     1b
        .cfi_endproc
        .size   bine_arch_switch, .-bine_arch_switch

        .globl  bine_arch_start
        .hidden bine_arch_start
        .type   bine_arch_start, @function
        .p2align 4
bine_arch_start:
        .cfi_startproc
        SAVE_CONTEXT
        movq    %rsi, %rdi
        movq    %rdx, %rsi
        jmp     bine_arch_restart
        .cfi_endproc
        .size   bine_arch_start, .-bine_arch_start

        .globl  bine_arch_restart
        .hidden bine_arch_restart
        .type   bine_arch_restart, @function
        .p2align 4
bine_arch_restart:
        .cfi_startproc
        /* The end of every greenlet's backtrace: unwinders stop where the return address is undefined. */
        .cfi_undefined rip
        .cfi_undefined rbp
        movq    %rdi, %rsp
        subq    $16, %rsp
        movl    $0x1f80, (%rsp)
        movw    $0x037f, 4(%rsp)
        stmxcsr 8(%rsp)
        fnstcw  12(%rsp)
        movl    8(%rsp), %eax
        movzwl  12(%rsp), %ecx
        xorl    $0x1f80, %eax
        testl   $MXCSR_CONTROL, %eax
        jne     2f
        cmpw    $0x037f, %cx
        jne     2f
1:      xorl    %ebp, %ebp
        movq    $0, 8(%rsp)
        call    *%rsi
        ud2
2:      ldmxcsr (%rsp)
        fldcw   4(%rsp)
        jmp     1b
        .cfi_endproc
        .size   bine_arch_restart, .-bine_arch_restart

        .section .note.GNU-stack, "", @progbits
