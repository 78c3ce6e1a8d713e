/*
 * How a thread begins that glibc has made and the kernel has not (thread.h).
 *
 * Nothing here makes a system call but the return from the handler of SIGSYS. That one must pass
 * while the dispatch is on, so it lies in a section of its own, whose bounds the kernel is told.
 */
        .hidden bine_arch_dispatch
        .comm   bine_arch_dispatch, 1, 1

        .text
        /* A switch returns here. rbx: struct bine_arch_birth. The register that clone's caller
         * expects to be changed carries the address. */
        .globl  bine_arch_born
        .hidden bine_arch_born
        .type   bine_arch_born, @function
        .p2align 4
bine_arch_born:
        .cfi_startproc
        .cfi_undefined rip
        movb    $1, bine_arch_dispatch(%rip)
        movq    0(%rbx), %rsp
        movq    8(%rbx), %rcx
        movq    16(%rbx), %rdx
        movq    24(%rbx), %rsi
        movq    32(%rbx), %rdi
        movq    40(%rbx), %rbp
        movq    48(%rbx), %r8
        movq    56(%rbx), %r9
        movq    64(%rbx), %r10
        movq    72(%rbx), %r12
        movq    80(%rbx), %r13
        movq    88(%rbx), %r14
        movq    96(%rbx), %r15
        movq    104(%rbx), %rbx
        xorl    %eax, %eax
        jmp     *%rcx
        .cfi_endproc
        .size   bine_arch_born, .-bine_arch_born

        .section bine_dispatch_text, "ax", @progbits
        .globl  bine_arch_dispatch_begin
        .hidden bine_arch_dispatch_begin
bine_arch_dispatch_begin:
        /* Unwinders know the frame of a handler by these two instructions. */
        .globl  bine_arch_restorer
        .hidden bine_arch_restorer
        .type   bine_arch_restorer, @function
bine_arch_restorer:
        movq    $15, %rax
        syscall
        ud2                             /* the kernel looks at the address behind the call */
        .size   bine_arch_restorer, .-bine_arch_restorer
        .globl  bine_arch_dispatch_end
        .hidden bine_arch_dispatch_end
bine_arch_dispatch_end:

        .section .note.GNU-stack, "", @progbits
