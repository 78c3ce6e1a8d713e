/*
 * vfork for patched programs.
 *
 * vfork's child shares the parent's memory until it executes another program. A hook that ran there
 * as usual would wake the parent's greenlets for descriptors that only the child closes. So the
 * child runs as a thread without a hub that keeps no records (bine_vforked, hook.h), and every hook
 * calls libc's function.
 *
 * The system call is made here because the thread state must be put back only in the parent.
 * Another reason is that the child returns through the very stack slot in which the parent's return
 * address lies. So that address is kept in a register meanwhile, as libc does.
 */
        .text
        .globl  hook_vfork
        .hidden hook_vfork
        .type   hook_vfork, @function
hook_vfork:
        .cfi_startproc
        endbr64
        movq    bine_hub_of_thread@gottpoff(%rip), %r8
        movq    bine_vforked@gottpoff(%rip), %r9
        movq    %fs:(%r8), %r10
        movl    %fs:(%r9), %edx
        movq    $0, %fs:(%r8)
        movl    $1, %fs:(%r9)
        popq    %rdi
        .cfi_def_cfa_offset 0
        .cfi_register rip, rdi
        movl    $58, %eax       /* vfork(2) */
        syscall
        pushq   %rdi
        .cfi_def_cfa_offset 8
        .cfi_restore rip
        testl   %eax, %eax
        je      1f
        movq    %r10, %fs:(%r8)
        movl    %edx, %fs:(%r9)
        cmpl    $-4095, %eax
        jae     2f
1:      ret
2:      negl    %eax
        pushq   %rax
        .cfi_adjust_cfa_offset 8
        call    __errno_location@PLT
        popq    %rdx
        .cfi_adjust_cfa_offset -8
        movl    %edx, (%rax)
        movl    $-1, %eax
        ret
        .cfi_endproc
        .size   hook_vfork, .-hook_vfork

        .section .note.GNU-stack, "", @progbits
