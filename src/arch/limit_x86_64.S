/* The gate around a limited function. See limit.h. */

    .text

/* A thunk enters here. Everything is as the caller of the function left it, and r11 is the gate. */
    .globl bine_limit_enter
    .hidden bine_limit_enter
    .type bine_limit_enter, @function
bine_limit_enter:
    .cfi_startproc
    endbr64
    subq $216, %rsp
    .cfi_adjust_cfa_offset 216
    /* Arguments: six registers, al for variable arguments, r10 for nested functions, eight vector
     * registers. */
    movq %rdi, 0(%rsp)
    movq %rsi, 8(%rsp)
    movq %rdx, 16(%rsp)
    movq %rcx, 24(%rsp)
    movq %r8, 32(%rsp)
    movq %r9, 40(%rsp)
    movq %rax, 48(%rsp)
    movq %r10, 56(%rsp)
    movq %r11, 64(%rsp)
    movups %xmm0, 80(%rsp)
    movups %xmm1, 96(%rsp)
    movups %xmm2, 112(%rsp)
    movups %xmm3, 128(%rsp)
    movups %xmm4, 144(%rsp)
    movups %xmm5, 160(%rsp)
    movups %xmm6, 176(%rsp)
    movups %xmm7, 192(%rsp)
    movq %r11, %rdi
    leaq 216(%rsp), %rsi
    leaq 224(%rsp), %rdx
    call bine_limit_begin
    movups 80(%rsp), %xmm0
    movups 96(%rsp), %xmm1
    movups 112(%rsp), %xmm2
    movups 128(%rsp), %xmm3
    movups 144(%rsp), %xmm4
    movups 160(%rsp), %xmm5
    movups 176(%rsp), %xmm6
    movups 192(%rsp), %xmm7
    movq 0(%rsp), %rdi
    movq 8(%rsp), %rsi
    movq 16(%rsp), %rdx
    movq 24(%rsp), %rcx
    movq 32(%rsp), %r8
    movq 40(%rsp), %r9
    movq 48(%rsp), %rax
    movq 56(%rsp), %r10
    movq 64(%rsp), %r11
    addq $216, %rsp
    .cfi_adjust_cfa_offset -216
    jmpq *8(%r11)
    .cfi_endproc
    .size bine_limit_enter, . - bine_limit_enter

/* The function returns to here, with the caller's stack pointer. Its value is in rax, rdx, xmm0,
 * xmm1 or on the x87 stack, which the functions called here do not touch. */
    .globl bine_limit_leave
    .hidden bine_limit_leave
    .type bine_limit_leave, @function
bine_limit_leave:
    .cfi_startproc
    .cfi_undefined %rip
    subq $64, %rsp
    movq %rax, 0(%rsp)
    movq %rdx, 8(%rsp)
    movups %xmm0, 16(%rsp)
    movups %xmm1, 32(%rsp)
    leaq 64(%rsp), %rdi
    call bine_limit_end
    movq %rax, 56(%rsp)
    movq 0(%rsp), %rax
    movq 8(%rsp), %rdx
    movups 16(%rsp), %xmm0
    movups 32(%rsp), %xmm1
    addq $56, %rsp
    ret
    .cfi_endproc
    .size bine_limit_leave, . - bine_limit_leave

    .section .note.GNU-stack, "", @progbits
