/* The parts of loader.c that cannot be written in C. See loader.h. */

    .text

/*
 * void *bine_call_as(void *gadget, void *function, const void *a, const void *b, const void *c)
 *
 * The gadget is `ldp x29, x30, [sp], #16; ret`. It takes this function's frame pointer and
 * continuation off the stack.
 */
    .globl bine_call_as
    .hidden bine_call_as
    .type bine_call_as, %function
bine_call_as:
    .cfi_startproc
    hint #34 /* bti c */
    stp x29, x30, [sp, #-16]!
    .cfi_def_cfa_offset 16
    .cfi_offset x29, -16
    .cfi_offset x30, -8
    mov x29, sp
    .cfi_def_cfa_register x29
    mov x16, x1
    mov x17, x0
    mov x0, x2
    mov x1, x3
    mov x2, x4
    adr x30, 1f
    stp x29, x30, [sp, #-16]!
    mov x30, x17
    br x16
1:
    ldp x29, x30, [sp], #16
    .cfi_restore x29
    .cfi_restore x30
    .cfi_def_cfa sp, 0
    ret
    .cfi_endproc
    .size bine_call_as, . - bine_call_as

/* void *hook_dlsym(void *handle, const char *name) */
    .globl hook_dlsym
    .hidden hook_dlsym
    .type hook_dlsym, %function
hook_dlsym:
    .cfi_startproc
    hint #34
    stp x29, x30, [sp, #-32]!
    .cfi_def_cfa_offset 32
    .cfi_offset x29, -32
    .cfi_offset x30, -24
    mov x29, sp
    stp x0, x1, [sp, #16]
    mov x2, x30
    bl bine_loader_dlsym
    cbnz x1, 1f
    ldp x29, x30, [sp], #32
    ret
1:
    mov x16, x1
    ldp x0, x1, [sp, #16]
    ldp x29, x30, [sp], #32
    .cfi_restore x29
    .cfi_restore x30
    .cfi_def_cfa_offset 0
    br x16
    .cfi_endproc
    .size hook_dlsym, . - hook_dlsym

/* void *hook_dlvsym(void *handle, const char *name, const char *version) */
    .globl hook_dlvsym
    .hidden hook_dlvsym
    .type hook_dlvsym, %function
hook_dlvsym:
    .cfi_startproc
    hint #34
    stp x29, x30, [sp, #-48]!
    .cfi_def_cfa_offset 48
    .cfi_offset x29, -48
    .cfi_offset x30, -40
    mov x29, sp
    stp x0, x1, [sp, #16]
    str x2, [sp, #32]
    mov x3, x30
    bl bine_loader_dlvsym
    cbnz x1, 1f
    ldp x29, x30, [sp], #48
    ret
1:
    mov x16, x1
    ldp x0, x1, [sp, #16]
    ldr x2, [sp, #32]
    ldp x29, x30, [sp], #48
    .cfi_restore x29
    .cfi_restore x30
    .cfi_def_cfa_offset 0
    br x16
    .cfi_endproc
    .size hook_dlvsym, . - hook_dlvsym

    .section .note.GNU-stack, "", %progbits
