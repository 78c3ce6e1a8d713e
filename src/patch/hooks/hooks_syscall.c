/*
 * The hook of syscall(). Numbers that can wait lead to the function of that name. All others lead
 * straight to libc.
 *
 * libc's function takes six words whatever the number, and looks at no others. So does the hook. It
 * passes calls that it does not know on with the registers, and the word on the stack, as they
 * came.
 */
#include <errno.h>
#include <string.h>

#include "hooks_confine.h"
#include "io/offload/offload.h"
#include "io/wait/io.h"
#include "libc/kernel.h"
#include "locks/futex.h"
#include "patch/table/hook.h"

/* A variadic function and one with seven words are called alike on the architectures that Bine
 * knows. */
long bine_hook_syscall(long number, long a, long b, long c, long d, long e,
                       long f) __asm__("hook_syscall");

static long hooks_syscall_pass(long number, long a, long b, long c, long d, long e, long f)
{
    long (*original)(long, long, long, long, long, long, long) =
        (long (*)(long, long, long, long, long, long, long))(void *)bine_libc.syscall;
    return original(number, a, b, c, d, e, f);
}

/* ---- futexes --------------------------------------------------------------------------------- */

static long futex(long a, long b, long c, long d, long e, long f)
{
    int command = (int)b & FUTEX_CMD_MASK;
    bool waits = command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET;
    /* A wake always looks for greenlets that still wait. */
    if (bine_vforked || (waits && !bine_hook_active(BINE_PATCH_THREAD)))
        return hooks_syscall_pass(SYS_futex, a, b, c, d, e, f);
    return bine_futex((uint32_t *)a, (int)b, (uint32_t)c, (uintptr_t)d, (uint32_t *)e, (uint32_t)f);
}

struct many {
    struct bine_offload_job job; /* first */
    long a, b, c, d, e, f, result;
};

static void wait_for_many(struct bine_offload_job *job)
{
    struct many *many = (struct many *)job;
    many->result =
        hooks_syscall_pass(SYS_futex_waitv, many->a, many->b, many->c, many->d, many->e, many->f);
}

/* A wait for several words is the kernel's, on a thread of the pool: wakes reach it there. */
static long futex_waitv(long a, long b, long c, long d, long e, long f)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_THREAD);
    if (!hub)
        return hooks_syscall_pass(SYS_futex_waitv, a, b, c, d, e, f);
    struct many many = {.job = {.run = wait_for_many,
                                .lingers = true,
                                .any_rights = true,
                                .interruptible = true,
                                .error = errno},
                        .a = a,
                        .b = b,
                        .c = c,
                        .d = d,
                        .e = e,
                        .f = f,
                        .result = -1};
    int error = bine_offload_firm(hub, &many.job, "futexes", (uintptr_t)a);
    errno = error && many.result < 0 ? error : many.job.error;
    return many.result;
}

/* ---- others that are not quite like libc's functions ----------------------------------------- */

enum {
    MASK_SIZE = 8 /* of the kernel's signal mask */
};

/* libc's signal mask from the kernel's; NULL if there is none. */
static const sigset_t *mask_of(const void *mask, sigset_t *room)
{
    if (!mask)
        return NULL;
    sigemptyset(room);
    memcpy(room, mask, MASK_SIZE);
    return room;
}

static long wait_for_descriptors(long number, long a, long b, long c, long d, long e, long f)
{
    sigset_t room;
    const void *mask = (const void *)(number == SYS_ppoll ? d : e);
    if (mask && (number == SYS_ppoll ? e : f) != MASK_SIZE)
        return hooks_syscall_pass(number, a, b, c, d, e, f);
    if (number == SYS_ppoll)
        return hook_ppoll((struct pollfd *)a, (nfds_t)b, (const struct timespec *)c,
                          mask_of(mask, &room));
    if (number == SYS_epoll_pwait)
        return hook_epoll_pwait((int)a, (struct epoll_event *)b, (int)c, (int)d,
                                mask_of(mask, &room));
    if (!bine_hook_here(BINE_PATCH_SELECT))
        return hooks_syscall_pass(number, a, b, c, d, e, f);
    return bine_epoll_pwait2((int)a, (struct epoll_event *)b, (int)c, (const struct timespec *)d,
                             mask_of(mask, &room));
}

/* libc's returns the error. */
static long clock_nanosleep_by_number(long a, long b, long c, long d)
{
    int saved = errno;
    int error = hook_clock_nanosleep((clockid_t)a, (int)b, (const struct timespec *)c,
                                     (struct timespec *)d);
    errno = error ? error : saved;
    return error ? -1 : 0;
}

/* What changes the rights of the calling thread alone is noted. */
static long confine(long number, long a, long b, long c, long d, long e, long f)
{
    const long arguments[6] = {a, b, c, d, e, f};
    long result = hooks_syscall_pass(number, a, b, c, d, e, f);
    if (result != -1)
        bine_confine_by_number(number, arguments);
    return result;
}

/* ---- the hook -------------------------------------------------------------------------------- */

/* Numbers that libc has functions for. */
#define SAME(number, call) \
    case SYS_##number:     \
        return call

static __attribute__((noinline)) long serve(long number, long a, long b, long c, long d, long e,
                                            long f)
{
    switch (number) {
        SAME(futex, futex(a, b, c, d, e, f));
        SAME(futex_waitv, futex_waitv(a, b, c, d, e, f));
        SAME(read, hook_read((int)a, (void *)b, (size_t)c));
        SAME(write, hook_write((int)a, (const void *)b, (size_t)c));
        SAME(readv, hook_readv((int)a, (const struct iovec *)b, (int)c));
        SAME(writev, hook_writev((int)a, (const struct iovec *)b, (int)c));
        SAME(pread64, hook_pread((int)a, (void *)b, (size_t)c, d));
        SAME(pwrite64, hook_pwrite((int)a, (const void *)b, (size_t)c, d));
        SAME(recvfrom, hook_recvfrom((int)a, (void *)b, (size_t)c, (int)d, (struct sockaddr *)e,
                                     (socklen_t *)f));
        SAME(sendto, hook_sendto((int)a, (const void *)b, (size_t)c, (int)d,
                                 (const struct sockaddr *)e, (socklen_t)f));
        SAME(recvmsg, hook_recvmsg((int)a, (struct msghdr *)b, (int)c));
        SAME(sendmsg, hook_sendmsg((int)a, (const struct msghdr *)b, (int)c));
        SAME(connect, hook_connect((int)a, (const struct sockaddr *)b, (socklen_t)c));
        SAME(accept, hook_accept((int)a, (struct sockaddr *)b, (socklen_t *)c));
        SAME(accept4, hook_accept4((int)a, (struct sockaddr *)b, (socklen_t *)c, (int)d));
        SAME(shutdown, hook_shutdown((int)a, (int)b));
        SAME(close, hook_close((int)a));
        SAME(close_range, hook_close_range((unsigned)a, (unsigned)b, (int)c));
        SAME(dup, hook_dup((int)a));
        SAME(dup3, hook_dup3((int)a, (int)b, (int)c));
#ifdef SYS_dup2
        SAME(dup2, hook_dup2((int)a, (int)b));
#endif
#ifdef SYS_poll
        SAME(poll, hook_poll((struct pollfd *)a, (nfds_t)b, (int)c));
#endif
#ifdef SYS_select
        SAME(select,
             hook_select((int)a, (fd_set *)b, (fd_set *)c, (fd_set *)d, (struct timeval *)e));
#endif
#ifdef SYS_epoll_wait
        SAME(epoll_wait, hook_epoll_wait((int)a, (struct epoll_event *)b, (int)c, (int)d));
#endif
        SAME(ppoll, wait_for_descriptors(number, a, b, c, d, e, f));
        SAME(epoll_pwait, wait_for_descriptors(number, a, b, c, d, e, f));
        SAME(epoll_pwait2, wait_for_descriptors(number, a, b, c, d, e, f));
        SAME(nanosleep, hook_nanosleep((const struct timespec *)a, (struct timespec *)b));
        SAME(clock_nanosleep, clock_nanosleep_by_number(a, b, c, d));
        SAME(sched_yield, hook_sched_yield());
        SAME(wait4, hook_wait4((pid_t)a, (int *)b, (int)c, (struct rusage *)d));
        SAME(gettid, bine_hook_active(BINE_PATCH_GREENLETS)
                         ? hook_gettid()
                         : hooks_syscall_pass(number, a, b, c, d, e, f));
        SAME(flock, hook_flock((int)a, (int)b));
        SAME(fsync, hook_fsync((int)a));
        SAME(fdatasync, hook_fdatasync((int)a));
    default:
        return confine(number, a, b, c, d, e, f);
    }
}

/* Which numbers `serve` knows: most calls are of others, and cost a look here. */
static const bool served[512] = {
    [SYS_futex] = true,
    [SYS_futex_waitv] = true,
    [SYS_read] = true,
    [SYS_write] = true,
    [SYS_readv] = true,
    [SYS_writev] = true,
    [SYS_pread64] = true,
    [SYS_pwrite64] = true,
    [SYS_recvfrom] = true,
    [SYS_sendto] = true,
    [SYS_recvmsg] = true,
    [SYS_sendmsg] = true,
    [SYS_connect] = true,
    [SYS_accept] = true,
    [SYS_accept4] = true,
    [SYS_shutdown] = true,
    [SYS_close] = true,
    [SYS_close_range] = true,
    [SYS_dup] = true,
    [SYS_dup3] = true,
    [SYS_ppoll] = true,
    [SYS_epoll_pwait] = true,
    [SYS_epoll_pwait2] = true,
    [SYS_nanosleep] = true,
    [SYS_clock_nanosleep] = true,
    [SYS_sched_yield] = true,
    [SYS_wait4] = true,
    [SYS_gettid] = true,
    [SYS_flock] = true,
    [SYS_fsync] = true,
    [SYS_fdatasync] = true,
    /* bine_confine_by_number's */
    [SYS_seccomp] = true,
    [SYS_prctl] = true,
    [SYS_unshare] = true,
    [SYS_setns] = true,
    [SYS_capset] = true,
    [SYS_setfsuid] = true,
    [SYS_setfsgid] = true,
    [SYS_setuid] = true,
    [SYS_setgid] = true,
    [SYS_setreuid] = true,
    [SYS_setregid] = true,
    [SYS_setresuid] = true,
    [SYS_setresgid] = true,
    [SYS_setgroups] = true,
    [SYS_landlock_restrict_self] = true,
#ifdef SYS_dup2
    [SYS_dup2] = true,
#endif
#ifdef SYS_poll
    [SYS_poll] = true,
#endif
#ifdef SYS_select
    [SYS_select] = true,
#endif
#ifdef SYS_epoll_wait
    [SYS_epoll_wait] = true,
#endif
};

long bine_hook_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    if (number < 0 || (size_t)number >= sizeof served || !served[number])
        return hooks_syscall_pass(number, a, b, c, d, e, f);
    return serve(number, a, b, c, d, e, f);
}
