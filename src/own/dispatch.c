/* Catching system calls, and answering them. See dispatch.h. */
#include "dispatch.h"

#if BINE_OWN_THREADS

#include <errno.h>
#include <linux/sched.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <ucontext.h>
#include <unistd.h>

#include "libc/kernel.h"
#include "libc/libc.h"

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#define PR_SYS_DISPATCH_ON 1
#endif
#ifndef SYS_USER_DISPATCH
#define SYS_USER_DISPATCH 2
#endif
#ifndef SYS_rseq
#define SYS_rseq 334
#endif

enum {
    HWCAP2_FSGSBASE_BIT = 1 << 1,
    KERNEL_SA_RESTORER = 0x04000000,
    KERNEL_SET_SIZE = 8,
};

/* The kernel's struct sigaction. */
struct kernel_action {
    void (*handler)(int, siginfo_t *, void *);
    unsigned long flags;
    void (*restorer)(void);
    uint64_t mask;
};

static bool on;
static struct sigaction before;
static pid_t last_id = BINE_OWN_FIRST_ID;

static long raw(long number, long a, long b, long c, long d, long e, long f)
{
    long result;
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

/* ---- answers --------------------------------------------------------------------------------- */

static bool is_invented(long id)
{
    return id >= BINE_OWN_FIRST_ID && id <= BINE_OWN_LAST_ID;
}

static long give_birth(struct bine_birth *birth, const ucontext_t *context, uint64_t flags,
                       uint64_t stack, int *parent_word, int *child_word, uint64_t thread_pointer)
{
    const greg_t *from = context->uc_mcontext.gregs;
    birth->registers = (struct bine_arch_birth){
        .rsp = stack,
        .rip = (uint64_t)from[REG_RIP],
        .rdx = (uint64_t)from[REG_RDX],
        .rsi = (uint64_t)from[REG_RSI],
        .rdi = (uint64_t)from[REG_RDI],
        .rbp = (uint64_t)from[REG_RBP],
        .r8 = (uint64_t)from[REG_R8],
        .r9 = (uint64_t)from[REG_R9],
        .r10 = (uint64_t)from[REG_R10],
        .r12 = (uint64_t)from[REG_R12],
        .r13 = (uint64_t)from[REG_R13],
        .r14 = (uint64_t)from[REG_R14],
        .r15 = (uint64_t)from[REG_R15],
        .rbx = (uint64_t)from[REG_RBX],
    };
    birth->mxcsr = context->uc_mcontext.fpregs ? context->uc_mcontext.fpregs->mxcsr : 0x1f80;
    birth->x87_control = context->uc_mcontext.fpregs ? context->uc_mcontext.fpregs->cwd : 0x37f;
    birth->thread_pointer = (void *)thread_pointer;
    birth->end_word = flags & CLONE_CHILD_CLEARTID ? child_word : NULL;
    birth->id_word = flags & CLONE_PARENT_SETTID ? parent_word : NULL;
    birth->id = last_id = last_id < BINE_OWN_LAST_ID ? last_id + 1 : BINE_OWN_FIRST_ID + 1;
    if (birth->id_word)
        *birth->id_word = birth->id;
    return birth->id;
}

static long give_birth_on(const ucontext_t *context, const struct clone_args *args)
{
    struct bine_birth *birth = bine_dispatch_birth();
    if (!birth)
        return -EAGAIN;
    birth->stack_bottom = (char *)args->stack;
    birth->stack_size = args->stack_size;
    return give_birth(birth, context, args->flags, args->stack + args->stack_size,
                      (int *)args->parent_tid, (int *)args->child_tid, args->tls);
}

static long give_birth_above(const ucontext_t *context)
{
    struct bine_birth *birth = bine_dispatch_birth();
    const greg_t *r = context->uc_mcontext.gregs;
    return birth ? give_birth(birth, context, (uint64_t)r[REG_RDI], (uint64_t)r[REG_RSI],
                              (int *)r[REG_RDX], (int *)r[REG_R10], (uint64_t)r[REG_R8])
                 : -EAGAIN;
}

/* A process that shares the memory would return from this handler on the stack of its parent. */
static bool shares_memory(uint64_t flags)
{
    return flags & CLONE_VM;
}

static long answer(const ucontext_t *context)
{
    const greg_t *r = context->uc_mcontext.gregs;
    long number = r[REG_RAX];
    switch (number) {
    case SYS_clone3: {
        const struct clone_args *args = (const struct clone_args *)r[REG_RDI];
        if (args->flags & CLONE_THREAD)
            return give_birth_on(context, args);
        if (shares_memory(args->flags))
            return -ENOSYS;
        break;
    }
    case SYS_clone:
        if (r[REG_RDI] & CLONE_THREAD)
            return give_birth_above(context);
        if (shares_memory((uint64_t)r[REG_RDI]))
            return -ENOSYS;
        break;
    case SYS_vfork:
        return -ENOSYS;
    case SYS_set_robust_list: /* the kernel's are the carrier's */
        bine_dispatch_robust((void *)r[REG_RDI]);
        return 0;
    case SYS_rseq:
        return 0;
    case SYS_sched_setaffinity: /* of a thread that is being made, by its attributes */
    case SYS_sched_setscheduler:
        if (is_invented(r[REG_RDI]))
            return 0;
        break;
    case SYS_exit:
        bine_dispatch_exit();
    }
    return raw(number, r[REG_RDI], r[REG_RSI], r[REG_RDX], r[REG_R10], r[REG_R8], r[REG_R9]);
}

/* A mask that is set here is undone by the return from the handler. That is as it should be: libc
 * blocks all signals around the making and the end of a thread, and those of the carrier must come
 * through. */
static void caught(int number, siginfo_t *info, void *context)
{
    if (info->si_code == SYS_USER_DISPATCH && info->si_syscall == SYS_rt_sigreturn) {
        /* A handler of the program's has come meanwhile, and returns by libc's code. The kernel
         * finds what was interrupted at the stack pointer of that call. */
        ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)bine_arch_restorer;
    } else if (info->si_code == SYS_USER_DISPATCH) {
        bine_arch_dispatch = 0;
        ((ucontext_t *)context)->uc_mcontext.gregs[REG_RAX] = answer(context);
        bine_arch_dispatch = 1;
    } else if (before.sa_flags & SA_SIGINFO) {
        before.sa_sigaction(number, info, context);
    } else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
        before.sa_handler(number);
    } else {
        struct sigaction usual = {.sa_handler = SIG_DFL};
        bine_libc.sigaction(number, &usual, NULL);
        bine_libc.raise(number);
    }
}

/* ---- on and off ------------------------------------------------------------------------------ */

/* libc's sigaction would have the handler return by libc's code, whose system call is caught. */
static bool install(void)
{
    struct kernel_action action = {caught, SA_SIGINFO | SA_NODEFER | KERNEL_SA_RESTORER,
                                   bine_arch_restorer, 0};
    return bine_libc.sigaction(SIGSYS, NULL, &before) == 0 &&
           raw(SYS_rt_sigaction, SIGSYS, (long)&action, 0, KERNEL_SET_SIZE, 0, 0) == 0;
}

static bool dispatch_turn_on(void)
{
    uintptr_t begin = (uintptr_t)bine_arch_dispatch_begin;
    return prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, begin,
                 (uintptr_t)bine_arch_dispatch_end - begin, &bine_arch_dispatch) == 0;
}

const char *bine_dispatch_begin(void)
{
    if (on)
        return NULL;
    bine_arch_fsgsbase = (getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE_BIT) != 0;
    bine_arch_dispatch = 0;
    if (!dispatch_turn_on())
        return errno == EINVAL
                   ? "the kernel has no Syscall User Dispatch (Linux 5.11 and newer have it)"
                   : "Syscall User Dispatch is refused, as by a seccomp filter";
    if (!install()) {
        prctl(PR_SET_SYSCALL_USER_DISPATCH, 0, 0, 0, 0);
        return "no handler of SIGSYS can be set";
    }
    on = true;
    return NULL;
}

bool bine_dispatch_action(const struct sigaction *action, struct sigaction *old)
{
    if (!on)
        return false;
    bine_exchange_action(&before, action, old);
    return true;
}

void bine_dispatch_forked(void)
{
    on = false;
}

void bine_dispatch_catch(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGSYS);
    bine_libc.pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    bine_arch_dispatch = 1;
}

#else

bool bine_dispatch_action(const struct sigaction *action, struct sigaction *old)
{
    (void)action, (void)old;
    return false;
}

#endif
