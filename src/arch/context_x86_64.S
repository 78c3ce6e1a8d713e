/*
 * The context switch for x86-64, System V ABI. See context.h.
 *
 * A saved context, from its stack pointer upwards:
 *
 *     0  MXCSR (4 bytes), x87 control word (2 bytes)
 *     8  r15  r14  r13  r12  rbx  rbp
 *    56  return address
 *
 * It is written below the stack pointer, into the red zone. It belongs to the context once the
 * stack pointer of another one is loaded. So all of it is plain moves.
 *
 * The switch ends in ret. All switches of the library return to the same few places, and entry
 * functions return here when a stack is over. So calls and returns pair up, and the processor's
 * return predictor is right nearly always. A jmp would leave the predictor one entry off, and every
 * return after a switch would be mispredicted (bench/NOTES.md). No IBT/SHSTK property note is
 * emitted: this code is not shadow-stack safe, and the linker must not be told that it is
 * (hazard 21).
 *
 * MXCSR is loaded whether it differs or not: to compare it, the switch would have to read back what
 * stmxcsr has just stored, which takes longer. The x87 control word is compared, and loaded only if
 * it differs: its load holds up everything behind it until the stack that it comes from has arrived
 * in the cache (bench/NOTES.md).
 */
        .section .rodata
        .p2align 3
initial_control:
        .long   0x1f80                  /* MXCSR: all exceptions masked, round to nearest */
        .short  0x037f                  /* x87: the same, extended precision */
        .short  0

        .hidden bine_arch_errno
        .comm   bine_arch_errno, 8, 8

        .text

        .macro SAVE_CONTEXT
        stmxcsr -56(%rsp)
        fnstcw  -52(%rsp)
        leaq    -56(%rsp), %r9
        movq    bine_arch_errno(%rip), %rax
        movzwl  -52(%rsp), %ecx
        movl    %fs:(%rax), %r8d
        movq    %r15, -48(%rsp)
        movq    %r14, -40(%rsp)
        movq    %r13, -32(%rsp)
        movq    %r12, -24(%rsp)
        movq    %rbx, -16(%rsp)
        movq    %rbp, -8(%rsp)
        movq    %r9, (%rdi)
        movl    %r8d, 8(%rdi)
        .endm

        .globl  bine_arch_switch
        .hidden bine_arch_switch
        .type   bine_arch_switch, @function
        .p2align 6
bine_arch_switch:
        .cfi_startproc
        SAVE_CONTEXT
load_context:
        movl    8(%rsi), %r8d
        movq    (%rsi), %rsp
        .cfi_def_cfa_offset 64
        .cfi_rel_offset rbp, 48
        .cfi_rel_offset rbx, 40
        .cfi_rel_offset r12, 32
        .cfi_rel_offset r13, 24
        .cfi_rel_offset r14, 16
        .cfi_rel_offset r15, 8
        movl    %r8d, %fs:(%rax)
        xorl    %eax, %eax
        ldmxcsr (%rsp)
        cmpw    4(%rsp), %cx
        jne     2f
1:      movq    8(%rsp), %r15
        movq    16(%rsp), %r14
        movq    24(%rsp), %r13
        movq    32(%rsp), %r12
        movq    40(%rsp), %rbx
        movq    48(%rsp), %rbp
        addq    $56, %rsp
        .cfi_remember_state
        .cfi_def_cfa_offset 8
        .cfi_restore rbp
        .cfi_restore rbx
        .cfi_restore r12
        .cfi_restore r13
        .cfi_restore r14
        .cfi_restore r15
        ret
        .cfi_restore_state
2:      fldcw   4(%rsp)
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
start_saved:
        movq    %rsi, %rsp
        movl    $0, %fs:(%rax)
        ldmxcsr initial_control(%rip)
        cmpw    4+initial_control(%rip), %cx
        je      run_entry
        fldcw   4+initial_control(%rip)
        jmp     run_entry
        .cfi_endproc
        .size   bine_arch_start, .-bine_arch_start

        .type   run_entry, @function
        .p2align 4
run_entry:
        .cfi_startproc
        /* The end of every greenlet's backtrace. Unwinders stop where the return address is
         * undefined. */
        .cfi_undefined rip
        .cfi_undefined rbp
        xorl    %ebp, %ebp
        call    *%rdx
        fnstcw  -8(%rsp)
        movzwl  -8(%rsp), %ecx
        movq    %rax, %rsi
        movq    bine_arch_errno(%rip), %rax
        jmp     load_context
        .cfi_endproc
        .size   run_entry, .-run_entry

        .globl  bine_arch_restart
        .hidden bine_arch_restart
        .type   bine_arch_restart, @function
        .p2align 4
bine_arch_restart:
        .cfi_startproc
        .cfi_undefined rip
        movq    %rdi, %rsp
        movq    %rsi, %rdx
        movq    bine_arch_errno(%rip), %rax
        movl    $0, %fs:(%rax)
        ldmxcsr initial_control(%rip)
        fldcw   4+initial_control(%rip)
        jmp     run_entry
        .cfi_endproc
        .size   bine_arch_restart, .-bine_arch_restart

        .globl  bine_arch_reset
        .hidden bine_arch_reset
        .type   bine_arch_reset, @function
        .p2align 4
bine_arch_reset:
        .cfi_startproc
        movq    bine_arch_errno(%rip), %rax
        movl    $0, %fs:(%rax)
        ldmxcsr initial_control(%rip)
        fldcw   4+initial_control(%rip)
        ret
        .cfi_endproc
        .size   bine_arch_reset, .-bine_arch_reset

/*
 * Switches between greenlets of which one has a thread pointer of its own. The thread pointer is
 * changed between saving and loading, so errno is read from the one block and written to the other.
 * An instruction does that where the kernel allows it (Linux 5.9, a processor with FSGSBASE), else
 * a system call.
 */
        .hidden bine_arch_fsgsbase
        .comm   bine_arch_fsgsbase, 1, 1

        /* Sets the thread pointer to \pointer. Changes r10, r11 and rdi. */
        .macro SET_THREAD_POINTER pointer
        cmpb    $0, bine_arch_fsgsbase(%rip)
        je      3f
        wrfsbase \pointer
        jmp     4f
3:      pushq   %rax
        pushq   %rcx
        pushq   %rdx
        pushq   %rsi
        movq    \pointer, %rsi
        movl    $0x1002, %edi           /* ARCH_SET_FS */
        movl    $158, %eax              /* arch_prctl */
        syscall
        popq    %rsi
        popq    %rdx
        popq    %rcx
        popq    %rax
4:
        .endm

        .globl  bine_arch_switch_thread
        .hidden bine_arch_switch_thread
        .type   bine_arch_switch_thread, @function
        .p2align 4
bine_arch_switch_thread:
        .cfi_startproc
        movq    %rdx, %r11
        SAVE_CONTEXT
        leaq    -64(%rsp), %rsp         /* below what was saved */
        .cfi_adjust_cfa_offset 64
        movq    %r11, %rdx
        SET_THREAD_POINTER %rdx
        jmp     load_context
        .cfi_endproc
        .size   bine_arch_switch_thread, .-bine_arch_switch_thread

        .globl  bine_arch_start_thread
        .hidden bine_arch_start_thread
        .type   bine_arch_start_thread, @function
        .p2align 4
bine_arch_start_thread:
        .cfi_startproc
        movq    %rcx, %r11
        SAVE_CONTEXT
        leaq    -64(%rsp), %rsp
        .cfi_adjust_cfa_offset 64
        movl    %ecx, %r8d
        movq    %r11, %rcx
        SET_THREAD_POINTER %rcx
        movl    %r8d, %ecx
        jmp     start_saved
        .cfi_endproc
        .size   bine_arch_start_thread, .-bine_arch_start_thread

        .globl  bine_arch_set_thread_pointer
        .hidden bine_arch_set_thread_pointer
        .type   bine_arch_set_thread_pointer, @function
        .p2align 4
bine_arch_set_thread_pointer:
        .cfi_startproc
        movq    %rdi, %rdx
        SET_THREAD_POINTER %rdx
        ret
        .cfi_endproc
        .size   bine_arch_set_thread_pointer, .-bine_arch_set_thread_pointer

        .section .note.GNU-stack, "", @progbits
