/* vfork for patched programs. vfork_x86_64.S says why. Here the return address is in a register
 * anyway. */
        .text
        .globl  hook_vfork
        .hidden hook_vfork
        .type   hook_vfork, %function
hook_vfork:
        .cfi_startproc
        hint    #34                     /* bti c */
        mrs     x9, tpidr_el0
        adrp    x10, :gottprel:bine_hub_of_thread
        ldr     x10, [x10, #:gottprel_lo12:bine_hub_of_thread]
        add     x10, x9, x10
        adrp    x11, :gottprel:bine_vforked
        ldr     x11, [x11, #:gottprel_lo12:bine_vforked]
        add     x11, x9, x11
        ldr     x12, [x10]
        ldr     w13, [x11]
        mov     w14, #1
        str     xzr, [x10]
        str     w14, [x11]
        mov     x0, #0x4111             /* CLONE_VM | CLONE_VFORK | SIGCHLD */
        mov     x1, #0
        mov     x2, #0
        mov     x3, #0
        mov     x4, #0
        mov     x8, #220                /* clone(2) */
        svc     #0
        cbz     x0, 1f
        str     x12, [x10]
        str     w13, [x11]
        cmn     x0, #4095
        b.hs    2f
1:      ret
2:      neg     x0, x0
        stp     x30, x0, [sp, #-16]!
        .cfi_adjust_cfa_offset 16
        .cfi_rel_offset x30, 0
        bl      __errno_location
        ldp     x30, x1, [sp], #16
        .cfi_adjust_cfa_offset -16
        .cfi_restore x30
        str     w1, [x0]
        mov     w0, #-1
        ret
        .cfi_endproc
        .size   hook_vfork, .-hook_vfork

        .section .note.GNU-stack, "", %progbits
