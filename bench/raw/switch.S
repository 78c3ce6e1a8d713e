/* The raw context switch: see switch.h. With RAW_CONTROL it also keeps the floating-point control words, as the ABI
 * has it (in the red zone, which no signal handler disturbs). It ends in `pop; jmp`, because a `ret` to another caller than the
 * last is predicted wrong every time. */
#if defined(__x86_64__)

    .text
    .globl raw_switch
    .type raw_switch, @function
    .p2align 5
raw_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
#ifdef RAW_CONTROL
    stmxcsr -8(%rsp)
    fnstcw -4(%rsp)
    movzwl -4(%rsp), %eax
#endif
    movq %rsp, (%rdi)
    movq %rsi, %rsp
#ifdef RAW_CONTROL
    ldmxcsr -8(%rsp)
    cmpw -4(%rsp), %ax
    jne 2f
1:
#endif
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    popq %rcx
    jmp *%rcx
#ifdef RAW_CONTROL
2:  fldcw -4(%rsp)
    jmp 1b
#endif
    .size raw_switch, . - raw_switch

    .globl raw_entry
    .type raw_entry, @function
    .p2align 4
raw_entry:
    movq %r15, %rdi
    call *%r14
    ud2
    .size raw_entry, . - raw_entry

#elif defined(__aarch64__)

    .text
    .globl raw_switch
    .type raw_switch, %function
    .p2align 5
raw_switch:
    stp x19, x20, [sp, #-160]!
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x9, sp
    str x9, [x0]
    mov sp, x1
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x9, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    ldp x19, x20, [sp], #160
    mov x30, x9
    br x9
    .size raw_switch, . - raw_switch

    .globl raw_entry
    .type raw_entry, %function
raw_entry:
    mov x0, x19
    blr x20
    brk #1
    .size raw_entry, . - raw_entry

#endif

    .section .note.GNU-stack, "", %progbits
