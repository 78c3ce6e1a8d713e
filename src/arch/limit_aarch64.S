/* The gate around a limited function. See limit.h. */

    .text

/* A thunk enters here. Everything is as the caller of the function left it, and x16 is the gate.
 * The return address is in x30. It is put on the stack, where bine_limit_begin replaces it. */
    .globl bine_limit_enter
    .hidden bine_limit_enter
    .type bine_limit_enter, %function
bine_limit_enter:
    .cfi_startproc
    hint #36 /* bti j */
    sub sp, sp, #240
    .cfi_adjust_cfa_offset 240
    .cfi_offset x30, -8
    /* Arguments: eight registers, x8 for the place of a large result, eight vector registers. */
    stp x0, x1, [sp, #0]
    stp x2, x3, [sp, #16]
    stp x4, x5, [sp, #32]
    stp x6, x7, [sp, #48]
    stp x8, x16, [sp, #64]
    stp q0, q1, [sp, #80]
    stp q2, q3, [sp, #112]
    stp q4, q5, [sp, #144]
    stp q6, q7, [sp, #176]
    str x29, [sp, #224]
    .cfi_offset x29, -16
    str x30, [sp, #232]
    mov x0, x16
    add x1, sp, #232
    add x2, sp, #240
    bl bine_limit_begin
    ldp x0, x1, [sp, #0]
    ldp x2, x3, [sp, #16]
    ldp x4, x5, [sp, #32]
    ldp x6, x7, [sp, #48]
    ldp x8, x16, [sp, #64]
    ldp q0, q1, [sp, #80]
    ldp q2, q3, [sp, #112]
    ldp q4, q5, [sp, #144]
    ldp q6, q7, [sp, #176]
    ldr x29, [sp, #224]
    .cfi_restore x29
    ldr x30, [sp, #232]
    .cfi_restore x30
    add sp, sp, #240
    .cfi_adjust_cfa_offset -240
    ldr x16, [x16, #8]
    br x16
    .cfi_endproc
    .size bine_limit_enter, . - bine_limit_enter

/* The function returns to here. Its value is in x0, x1 or v0 to v3. */
    .globl bine_limit_leave
    .hidden bine_limit_leave
    .type bine_limit_leave, %function
bine_limit_leave:
    .cfi_startproc
    .cfi_undefined x30
    mov x9, sp
    sub sp, sp, #96
    stp x0, x1, [sp, #0]
    stp q0, q1, [sp, #16]
    stp q2, q3, [sp, #48]
    mov x0, x9
    bl bine_limit_end
    mov x30, x0
    ldp x0, x1, [sp, #0]
    ldp q0, q1, [sp, #16]
    ldp q2, q3, [sp, #48]
    add sp, sp, #96
    ret
    .cfi_endproc
    .size bine_limit_leave, . - bine_limit_leave

    .section .note.GNU-stack, "", %progbits
