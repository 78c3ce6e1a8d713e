/* A look at what a thread does. See sample.h. */
#include "sample.h"

#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "core/hub/interpreter.h"
#include "core/schedule/schedule.h"
#include "libc/libc.h"

enum {
    SIGNAL = SIGURG,
    PATIENCE_MS =
        100, /* so long a handler may take to run; a thread that waits for a disk runs none */
    SCANNED = 16384, /* bytes of a stack that are searched for return addresses */
};

/* What the handler is asked for, and what it has found. */
static struct {
    atomic_int wanted; /* the thread; 0: none */
    atomic_int done;
    int count;
    void *frames[BINE_SAMPLE_FRAMES + 8];
    uintptr_t pc;
    int runtime; /* the signal of the language runtime's, or 0 */
} request;

static struct sigaction previous;
static atomic_bool prepared;
/* The language runtime's: see bine_sample_on_runtime. */
static atomic_int runtime_signal, words = -1;

void bine_sample_on_runtime(int signal_number, int fd)
{
    atomic_store(&words, fd);
    atomic_store(&runtime_signal, signal_number);
}

static uintptr_t interrupted_at(const ucontext_t *context)
{
#if defined(__x86_64__)
    return (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
#else
    return (uintptr_t)context->uc_mcontext.pc;
#endif
}

static void pass_on(int signal_number, siginfo_t *info, void *context)
{
    if (previous.sa_flags & SA_SIGINFO)
        previous.sa_sigaction(signal_number, info, context);
    else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN)
        previous.sa_handler(signal_number);
}

/* Only what is async-signal-safe. backtrace has loaded the unwinder before. */
static BINE_NO_SANITIZE void sample_handle(int signal_number, siginfo_t *info, void *context)
{
    int saved = errno;
    int self = (int)bine_libc.syscall(SYS_gettid);
    if (info->si_code != SI_TKILL || info->si_pid != getpid()) {
        pass_on(signal_number, info, context);
    } else if (atomic_compare_exchange_strong(&request.wanted, &self, 0)) {
        struct bine_hub *hub = bine_hub_of_thread;
        if (hub && atomic_load_explicit(&hub->asleep, memory_order_relaxed))
            atomic_store_explicit(&hub->looked_into, true, memory_order_relaxed);
        request.pc = interrupted_at(context);
        request.count = backtrace(request.frames, BINE_SAMPLE_FRAMES + 8);
        if (request.runtime) /* it is handled before the call returns */
            bine_libc.syscall(SYS_tgkill, getpid(), self, request.runtime);
        atomic_store(&request.done, 1);
    }
    errno = saved;
}

int bine_sample_prepare(void)
{
    if (atomic_load(&prepared))
        return 0;
    void *frame[1];
    backtrace(frame, 1); /* loads the unwinder, which a handler could not do */
    struct sigaction action = {.sa_sigaction = sample_handle,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    sigemptyset(&action.sa_mask);
    if (bine_libc.sigaction(SIGNAL, &action, &previous) < 0)
        return errno;
    atomic_store(&prepared, true);
    return 0;
}

/* ---- what the kernel says -------------------------------------------------------------------- */

static bool read_file(pid_t tid, const char *name, char *text, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/%s", (int)tid, name);
    int fd = bine_libc.open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : bine_libc.read(fd, text, size - 1);
    if (fd >= 0)
        bine_libc.close(fd);
    text[got > 0 ? got : 0] = 0;
    return got > 0;
}

/* proc(5): the state stands behind the name, which is in brackets and may hold any byte. */
static char thread_state(pid_t tid)
{
    char text[256];
    const char *bracket = read_file(tid, "stat", text, sizeof text) ? strrchr(text, ')') : NULL;
    return bracket && bracket[1] ? bracket[2] : 0;
}

int64_t bine_sample_processor(pid_t tid)
{
    /* The kernel's clock of a thread, by its number (CPUCLOCK_PERTHREAD | CPUCLOCK_SCHED). */
    struct timespec used;
    if (clock_gettime((clockid_t)(~(unsigned)tid << 3 | 6), &used) < 0)
        return -1;
    return used.tv_sec * BINE_SECOND + used.tv_nsec;
}

/* Reads what the thread waits in. `sp` and `pc` are 0 for one that runs. */
static void read_call(pid_t tid, struct bine_sample *sample, uintptr_t *sp, uintptr_t *pc)
{
    char text[256], *at = text;
    *sp = *pc = 0;
    if (!read_file(tid, "syscall", text, sizeof text) || strncmp(text, "running", 7) == 0)
        return;
    sample->call = strtol(at, &at, 10);
    sample->in_call = sample->call >= 0;
    for (int i = 0; sample->in_call && i < 6; i++)
        sample->arguments[i] = strtoul(at, &at, 16);
    *sp = strtoul(at, &at, 16);
    *pc = strtoul(at, &at, 16);
}

/* Does the call continue after a handler with SA_RESTART, whatever its arguments? */
static bool continues(const struct bine_sample *sample)
{
    switch (sample->call) {
    case SYS_futex: {
        int operation = (int)sample->arguments[1] & FUTEX_CMD_MASK;
        return !sample->arguments[3] || (operation != FUTEX_WAIT && operation != FUTEX_WAIT_BITSET);
    }
    case SYS_read:
    case SYS_write:
    case SYS_readv:
    case SYS_writev: {
        /* A socket may have a time limit, and then it does not. */
        char path[64], target[16];
        snprintf(path, sizeof path, "/proc/self/fd/%d", (int)sample->arguments[0]);
        ssize_t n = readlink(path, target, sizeof target);
        return n > 0 && (n < 7 || memcmp(target, "socket:", 7) != 0);
    }
    case SYS_pread64:
    case SYS_pwrite64:
    case SYS_wait4:
    case SYS_waitid:
    case SYS_flock:
    case SYS_openat:
    case SYS_fsync:
    case SYS_fdatasync:
    case SYS_getrandom:
        return true;
    default:
        return false;
    }
}

/* ---- frames ---------------------------------------------------------------------------------- */

static void pause_ms(void)
{
    bine_libc.nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

/* Returns false if the handler did not run. One that runs later finds nothing to do. */
static bool ask_handler(pid_t tid)
{
    atomic_store(&request.done, 0);
    atomic_store(&request.wanted, tid);
    if (bine_libc.syscall(SYS_tgkill, getpid(), tid, SIGNAL) == 0)
        for (int i = 0; i < PATIENCE_MS && !atomic_load(&request.done); i++)
            pause_ms();
    int wanted = tid;
    if (atomic_compare_exchange_strong(&request.wanted, &wanted, 0))
        return false;
    while (!atomic_load(&request.done))
        pause_ms();
    return true;
}

static void read_words(int fd, struct bine_sample *sample)
{
    ssize_t n = pread(fd, sample->runtime, sizeof sample->runtime - 1, 0);
    sample->runtime[n > 0 ? n : 0] = 0;
}

/* A sanitizer does not look into the handler, so it does not see that this comes after it. */
static BINE_NO_SANITIZE bool walk_by_signal(pid_t tid, struct bine_sample *sample)
{
    int fd = atomic_load(&words);
    request.runtime = atomic_load(&runtime_signal);
    if (request.runtime && (ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0))
        request.runtime = 0;
    bool walked = ask_handler(tid);
    if (walked && request.runtime)
        read_words(fd, sample);
    if (!walked)
        return false;
    int first = 0; /* the handler's own frames come before */
    while (first < request.count && (uintptr_t)request.frames[first] != request.pc)
        first++;
    if (first == request.count) {
        first = 0;
        sample->frames[sample->count++] = request.pc;
    }
    for (int i = first; i < request.count && sample->count < BINE_SAMPLE_FRAMES; i++)
        sample->frames[sample->count++] = (uintptr_t)request.frames[i];
    sample->exact = first > 0;
    return true;
}

bool bine_sample_peek(const void *from, void *to, size_t size)
{
    return bine_peek(NULL, (uintptr_t)from, to, size);
}

/* Does a call stand right before this address? The forms of x86-64 that compilers make, and BL and
 * BLR of aarch64. */
static bool after_a_call(uintptr_t address)
{
    unsigned char code[8];
    if (!bine_sample_peek((const void *)(address - 8), code, 8))
        return false;
#if defined(__x86_64__)
    if (code[3] == 0xe8)
        return true;
    for (int length = 2; length <= 7; length++)
        if (code[8 - length] == 0xff && (code[9 - length] & 0x38) == 0x10)
            return true;
    return false;
#else
    uint32_t instruction;
    memcpy(&instruction, code + 4, 4);
    return instruction >> 26 == 0x25 || (instruction & 0xfffffc1f) == 0xd63f0000;
#endif
}

static void walk_by_search(uintptr_t sp, uintptr_t pc, const struct bine_maps *maps,
                           struct bine_sample *sample)
{
    static uintptr_t stack[SCANNED / sizeof(uintptr_t)];
    sample->frames[sample->count++] = pc;
    size_t page = (size_t)sysconf(_SC_PAGESIZE), size = 0;
    /* page by page: the stack may end */
    for (size_t part = page - sp % page; size < SCANNED; size += part, part = page) {
        if (part > SCANNED - size)
            part = SCANNED - size;
        if (!bine_sample_peek((const char *)sp + size, (char *)stack + size, part))
            break;
    }
    for (size_t i = 0; i < size / sizeof *stack && sample->count < BINE_SAMPLE_FRAMES; i++)
        if (stack[i] > 65536 && bine_place_is_code(maps, stack[i]) && after_a_call(stack[i]))
            sample->frames[sample->count++] = stack[i];
}

void bine_sample_take(pid_t tid, const struct bine_maps *maps, struct bine_sample *sample)
{
    uintptr_t sp, pc;
    *sample = (struct bine_sample){.call = -1, .state = thread_state(tid)};
    read_call(tid, sample, &sp, &pc);
    if (sample->in_call ? continues(sample) : sample->state == 'R')
        if (walk_by_signal(tid, sample))
            return;
    if (pc)
        walk_by_search(sp, pc, maps, sample);
}
