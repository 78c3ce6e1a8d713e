/*
 * The context switch for AArch64, AAPCS64. See context.h.
 *
 * A saved context, from its stack pointer upwards:
 *
 *     0  x29 x30   16  x19 x20   32  x21 x22   48  x23 x24   64  x25 x26   80  x27 x28
 *    96  d8 d9   112  d10 d11   128  d12 d13   144  d14 d15   160  FPCR, padding
 *
 * Every entry begins with `bti c` (a hint, which processors without BTI ignore). Plain moves switch
 * the stack. Return addresses are not signed, so pointer authentication does not matter.
 */
        .hidden bine_arch_errno
        .comm   bine_arch_errno, 8, 8

        .text

        /* x11 = &errno */
        .macro FIND_ERRNO
        mrs     x11, tpidr_el0
        adrp    x12, bine_arch_errno
        ldr     x12, [x12, :lo12:bine_arch_errno]
        add     x11, x11, x12
        .endm

        .macro SAVE_CONTEXT
        hint    #34                     /* bti c */
        sub     sp, sp, #176
        .cfi_def_cfa_offset 176
        stp     x29, x30, [sp, #0]
        .cfi_rel_offset x29, 0
        .cfi_rel_offset x30, 8
        stp     x19, x20, [sp, #16]
        .cfi_rel_offset x19, 16
        .cfi_rel_offset x20, 24
        stp     x21, x22, [sp, #32]
        .cfi_rel_offset x21, 32
        .cfi_rel_offset x22, 40
        stp     x23, x24, [sp, #48]
        .cfi_rel_offset x23, 48
        .cfi_rel_offset x24, 56
        stp     x25, x26, [sp, #64]
        .cfi_rel_offset x25, 64
        .cfi_rel_offset x26, 72
        stp     x27, x28, [sp, #80]
        .cfi_rel_offset x27, 80
        .cfi_rel_offset x28, 88
        stp     d8, d9, [sp, #96]
        stp     d10, d11, [sp, #112]
        stp     d12, d13, [sp, #128]
        stp     d14, d15, [sp, #144]
        mrs     x9, fpcr
        str     x9, [sp, #160]
        FIND_ERRNO
        ldr     w13, [x11]
        mov     x10, sp
        str     x10, [x0]
        str     w13, [x0, #8]
        .endm

        .globl  bine_arch_switch
        .hidden bine_arch_switch
        .type   bine_arch_switch, %function
        .p2align 6
bine_arch_switch:
        .cfi_startproc
        SAVE_CONTEXT
load_context:
        ldr     x10, [x1]
        ldr     w13, [x1, #8]
        mov     sp, x10
        str     w13, [x11]
        mov     w0, #0
        ldr     x10, [sp, #160]
        cmp     x9, x10
        b.ne    2f
1:      ldp     x29, x30, [sp, #0]
        ldp     x19, x20, [sp, #16]
        ldp     x21, x22, [sp, #32]
        ldp     x23, x24, [sp, #48]
        ldp     x25, x26, [sp, #64]
        ldp     x27, x28, [sp, #80]
        ldp     d8, d9, [sp, #96]
        ldp     d10, d11, [sp, #112]
        ldp     d12, d13, [sp, #128]
        ldp     d14, d15, [sp, #144]
        add     sp, sp, #176
        .cfi_remember_state
        .cfi_def_cfa_offset 0
        ret
        .cfi_restore_state
2:      msr     fpcr, x10
        b       1b
        .cfi_endproc
        .size   bine_arch_switch, .-bine_arch_switch

        .globl  bine_arch_start
        .hidden bine_arch_start
        .type   bine_arch_start, %function
        .p2align 4
bine_arch_start:
        .cfi_startproc
        SAVE_CONTEXT
        mov     sp, x1
        msr     fpcr, xzr
        str     wzr, [x11]
        mov     x1, x2
        b       run_entry
        .cfi_endproc
        .size   bine_arch_start, .-bine_arch_start

        .type   run_entry, %function
        .p2align 4
run_entry:
        .cfi_startproc
        /* The end of every greenlet's backtrace. Unwinders stop where the return address is
         * undefined. */
        .cfi_undefined x30
        mov     x29, xzr
        mov     x30, xzr
        blr     x1
        mov     x1, x0
        mrs     x9, fpcr
        FIND_ERRNO
        b       load_context
        .cfi_endproc
        .size   run_entry, .-run_entry

        .globl  bine_arch_restart
        .hidden bine_arch_restart
        .type   bine_arch_restart, %function
        .p2align 4
bine_arch_restart:
        .cfi_startproc
        .cfi_undefined x30
        hint    #34                     /* bti c */
        mov     sp, x0
        msr     fpcr, xzr
        FIND_ERRNO
        str     wzr, [x11]
        b       run_entry
        .cfi_endproc
        .size   bine_arch_restart, .-bine_arch_restart

        .globl  bine_arch_reset
        .hidden bine_arch_reset
        .type   bine_arch_reset, %function
        .p2align 4
bine_arch_reset:
        .cfi_startproc
        hint    #34                     /* bti c */
        msr     fpcr, xzr
        FIND_ERRNO
        str     wzr, [x11]
        ret
        .cfi_endproc
        .size   bine_arch_reset, .-bine_arch_reset

        .section .note.GNU-stack, "", %progbits
