/* The parts of loader.c that cannot be written in C. See loader.h. */

    .text

/* void *bine_call_as(void *gadget, void *function, const void *a, const void *b, const void *c) */
    .globl bine_call_as
    .hidden bine_call_as
    .type bine_call_as, @function
bine_call_as:
    .cfi_startproc
    pushq %rbp
    .cfi_def_cfa_offset 16
    .cfi_offset %rbp, -16
    movq %rsp, %rbp
    .cfi_def_cfa_register %rbp
    movq %rdi, %rax
    movq %rsi, %r11
    movq %rdx, %rdi
    movq %rcx, %rsi
    movq %r8, %rdx
    /* A function begins with the stack 8 bytes off a multiple of 16. Two words and this one bring
     * that about. */
    subq $8, %rsp
    leaq 1f(%rip), %r10
    pushq %r10
    pushq %rax
    jmpq *%r11
1:
    leave
    .cfi_def_cfa %rsp, 8
    ret
    .cfi_endproc
    .size bine_call_as, . - bine_call_as

/* void *hook_dlsym(void *handle, const char *name) */
    .globl hook_dlsym
    .hidden hook_dlsym
    .type hook_dlsym, @function
hook_dlsym:
    .cfi_startproc
    endbr64
    pushq %rdi
    .cfi_adjust_cfa_offset 8
    pushq %rsi
    .cfi_adjust_cfa_offset 8
    subq $8, %rsp
    .cfi_adjust_cfa_offset 8
    movq 24(%rsp), %rdx
    call bine_loader_dlsym
    addq $8, %rsp
    .cfi_adjust_cfa_offset -8
    popq %rsi
    .cfi_adjust_cfa_offset -8
    popq %rdi
    .cfi_adjust_cfa_offset -8
    testq %rdx, %rdx
    jnz 1f
    ret
1:
    jmpq *%rdx
    .cfi_endproc
    .size hook_dlsym, . - hook_dlsym

/* void *hook_dlvsym(void *handle, const char *name, const char *version) */
    .globl hook_dlvsym
    .hidden hook_dlvsym
    .type hook_dlvsym, @function
hook_dlvsym:
    .cfi_startproc
    endbr64
    pushq %rdi
    .cfi_adjust_cfa_offset 8
    pushq %rsi
    .cfi_adjust_cfa_offset 8
    pushq %rdx
    .cfi_adjust_cfa_offset 8
    movq 24(%rsp), %rcx
    call bine_loader_dlvsym
    movq %rdx, %rcx
    popq %rdx
    .cfi_adjust_cfa_offset -8
    popq %rsi
    .cfi_adjust_cfa_offset -8
    popq %rdi
    .cfi_adjust_cfa_offset -8
    testq %rcx, %rcx
    jnz 1f
    ret
1:
    jmpq *%rcx
    .cfi_endproc
    .size hook_dlvsym, . - hook_dlvsym

    .section .note.GNU-stack, "", @progbits
