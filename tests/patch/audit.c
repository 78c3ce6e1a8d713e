/* The auditor. See audit.h and Documentation/admin-guide/syscall-user-dispatch.rst of Linux. */
#include "audit.h"

#include "harness.h"

#if defined(__x86_64__)

#include <execinfo.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "core/hub/hub.h"
#include "libc/libc.h"

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif
enum {
    ALLOW = 0,
    BLOCK = 1
};

/* The only place from which this thread's calls go straight to the kernel: what the handler
 * uses. */
__asm__(".pushsection audit_text,\"ax\",@progbits\n"
        ".type audit_call,@function\n"
        "audit_call:\n"
        "    movq %rdi, %rax\n"
        "    movq %rsi, %rdi\n"
        "    movq %rdx, %rsi\n"
        "    movq %rcx, %rdx\n"
        "    movq %r8, %r10\n"
        "    movq %r9, %r8\n"
        "    movq 8(%rsp), %r9\n"
        "    syscall\n"
        "    ret\n"
        ".type audit_restorer,@function\n"
        "audit_restorer:\n"
        "    movq $15, %rax\n" /* rt_sigreturn, in the very bytes that unwinders know */
        "    syscall\n"
        "    ud2\n"
        ".popsection\n");
long audit_call(long number, long a, long b, long c, long d, long e, long f);
void audit_restorer(void);
extern const char __start_audit_text[], __stop_audit_text[];

static volatile char selector;
static volatile bool paused; /* a call that must be made from where it stands goes through unseen */
static volatile bool on;
static unsigned noted;
static pthread_t watcher;

/* ---- would it block? ------------------------------------------------------------------------- */

/* Calls below are libc's, made while the selector lets everything pass. */
static bool would_wait_for(int fd, short events)
{
    struct stat status;
    if (fstat(fd, &status) != 0 || S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) ||
        S_ISBLK(status.st_mode))
        return false;
    int flags = bine_libc.fcntl(fd, F_GETFL);
    if (flags < 0 || (flags & O_NONBLOCK))
        return false;
    struct pollfd entry = {fd, events, 0};
    return bine_libc.poll(&entry, 1, 0) == 0;
}

static bool some_time(const struct timespec *time)
{
    return !time || time->tv_sec || time->tv_nsec;
}

static bool would_block(const greg_t *registers, long number)
{
    long a = registers[REG_RDI], b = registers[REG_RSI], c = registers[REG_RDX],
         d = registers[REG_R10], e = registers[REG_R8];
    switch (number) {
    case SYS_read:
    case SYS_readv:
    case SYS_accept:
    case SYS_accept4:
        return would_wait_for((int)a, POLLIN);
    case SYS_write:
    case SYS_writev:
        return would_wait_for((int)a, POLLOUT);
    case SYS_recvfrom:
    case SYS_recvmmsg:
        return !(d & MSG_DONTWAIT) && would_wait_for((int)a, POLLIN);
    case SYS_recvmsg:
        return !(c & MSG_DONTWAIT) && would_wait_for((int)a, POLLIN);
    case SYS_sendto:
    case SYS_sendmmsg:
        return !(d & MSG_DONTWAIT) && would_wait_for((int)a, POLLOUT);
    case SYS_sendmsg:
        return !(c & MSG_DONTWAIT) && would_wait_for((int)a, POLLOUT);
    case SYS_poll:
        return (int)c != 0;
    case SYS_ppoll:
        return some_time((const struct timespec *)c);
    case SYS_select:
        return !e || ((const long *)e)[0] || ((const long *)e)[1];
    case SYS_pselect6:
        return some_time((const struct timespec *)e);
    case SYS_epoll_wait:
    case SYS_epoll_pwait:
        return (int)d != 0;
    case SYS_nanosleep:
        return some_time((const struct timespec *)a);
    case SYS_clock_nanosleep:
        return b || some_time((const struct timespec *)c);
    case SYS_futex:
        return ((b & FUTEX_CMD_MASK) == FUTEX_WAIT || (b & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET) &&
               *(const volatile int *)a == (int)c;
    case SYS_wait4:
        return !(c & WNOHANG);
    case SYS_waitid:
        return !(d & WNOHANG);
    case SYS_rt_sigtimedwait:
        return some_time((const struct timespec *)c);
    case SYS_pause:
    case SYS_rt_sigsuspend:
        return true;
    case SYS_io_uring_enter:
        return c != 0;
    default:
        return false;
    }
}

/* ---- the handler ----------------------------------------------------------------------------- */

static void note(long number)
{
    struct bine_hub *hub = bine_hub_here();
    noted++;
    fprintf(stderr, "audit: system call %ld would block while %s runs\n", number,
            hub->current->site);
    void *frames[24];
    backtrace_symbols_fd(frames, backtrace(frames, 24), STDERR_FILENO);
}

/* These need the stack, or the signal frame, that they are made on. */
static bool must_be_made_in_place(long number)
{
    return number == SYS_clone || number == SYS_clone3 || number == SYS_fork ||
           number == SYS_vfork || number == SYS_rt_sigreturn || number == SYS_sigaltstack ||
           number == SYS_rt_sigprocmask || number == SYS_exit || number == SYS_exit_group ||
           number == SYS_execve;
}

static void look(int signal_number, siginfo_t *info, void *context)
{
    (void)signal_number;
    selector = ALLOW;
    int saved = errno;
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    long number = info->si_syscall;
    struct bine_hub *hub = bine_hub_here();
    if (on && hub && !hub->no_park && would_block(registers, number))
        note(number);
    errno = saved;
    if (!on)
        return;
    if (must_be_made_in_place(number)) {
        registers[REG_RIP] -= 2;
        registers[REG_RAX] = number;
        paused = true;
        return;
    }
    registers[REG_RAX] =
        audit_call(number, registers[REG_RDI], registers[REG_RSI], registers[REG_RDX],
                   registers[REG_R10], registers[REG_R8], registers[REG_R9]);
    selector = BLOCK;
}

/* Looks again soon after a call was let through in place. */
static void *watch(void *arg)
{
    while (on) {
        struct timespec moment = {.tv_nsec = 200000};
        bine_libc.nanosleep(&moment, NULL);
        if (paused) {
            paused = false;
            selector = BLOCK;
        }
    }
    return arg;
}

void audit_begin(void)
{
    struct {
        void (*handler)(int, siginfo_t *, void *);
        unsigned long flags;
        void (*restorer)(void);
        unsigned long mask;
    } action = {look, SA_SIGINFO | SA_NODEFER | 0x04000000, audit_restorer, 0};
    void *frames[1];
    backtrace(frames, 1); /* loads what it needs now */
    if (harness_instrumented())
        SKIP("the auditor does not go with sanitizers, valgrind or emulators");
    if (syscall(SYS_rt_sigaction, SIGSYS, &action, NULL, 8) != 0)
        FAIL("rt_sigaction");
    on = true;
    noted = 0;
    CHECK_EQ(bine_libc.pthread_create(&watcher, NULL, watch, NULL), 0);
    selector = ALLOW;
    if (prctl(PR_SET_SYSCALL_USER_DISPATCH, 1, __start_audit_text,
              (unsigned long)(__stop_audit_text - __start_audit_text), &selector) != 0) {
        on = false;
        bine_libc.pthread_join(watcher, NULL);
        SKIP("no Syscall User Dispatch here");
    }
    selector = BLOCK;
}

unsigned audit_end(void)
{
    on = false;
    selector = ALLOW;
    prctl(PR_SET_SYSCALL_USER_DISPATCH, 0, 0, 0, 0);
    bine_libc.pthread_join(watcher, NULL);
    return noted;
}

#else

void audit_begin(void)
{
    SKIP("the auditor is for x86-64");
}

unsigned audit_end(void)
{
    return 0;
}

#endif
