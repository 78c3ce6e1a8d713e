/*
 * Taking the processor from greenlets that compute. See bine/preempt.h.
 *
 * A timer of the thread's processor time sends a signal to the thread. Its handler does not switch.
 * It changes where the interrupted code goes on: in bine_arch_preempted, which saves all registers
 * on the greenlet's own stack and calls bine_preempted, where the greenlet yields as anywhere else.
 * By then the kernel has ended the handler: the signal mask and the alternate stack are what they
 * were.
 */
#include "preempt.h"

#include <bine/preempt.h>
#include <errno.h>
#include <time.h>

#include "dispatch.h"
#include "libc/libc.h"
#include "own.h"

void (*bine_preempt_resumes)(struct bine_hub *hub);

#if BINE_OWN_THREADS

#include <cpuid.h>
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "arch/preempt.h"
#include "core/schedule/park.h"
#include "core/schedule/schedule.h"

enum {
    SIGNAL = SIGSTKFLT, /* Linux sends it for nothing */
    STACK_LEAST = 24576,
    TEXTS = 8,
};

static bool on;
static int64_t period;
static timer_t timer;
static struct sigaction before;
static volatile sig_atomic_t forking; /* handlers of fork run, of which some hold Bine's locks */
static uint32_t seen;                 /* the head of the ready queue at the last look */
/* The parts of the program that hold code. */
static struct {
    uintptr_t from, to;
} texts[TEXTS];
static int text_count;

static bool in_text(uintptr_t address)
{
    for (int i = 0; i < text_count; i++)
        if (address >= texts[i].from && address < texts[i].to)
            return true;
    return false;
}

/* ---- the handler ----------------------------------------------------------------------------- */

static void pass_on(int number, siginfo_t *info, void *context)
{
    if (before.sa_flags & SA_SIGINFO) {
        before.sa_sigaction(number, info, context);
    } else if (before.sa_handler == SIG_DFL) {
        struct sigaction usual = {.sa_handler = SIG_DFL};
        bine_libc.sigaction(number, &usual, NULL);
        bine_libc.raise(number);
    } else if (before.sa_handler != SIG_IGN) {
        before.sa_handler(number);
    }
}

/* May the current greenlet yield in the middle of its own code? */
static bool may_yield(const struct bine_hub *hub)
{
    const struct bine_greenlet *g = hub->current;
    return !hub->no_park && !forking && !bine_arch_dispatch && !(g->attention & BINE_A_CALLBACK) &&
           bine_own_takes_signals(g);
}

/* Has its stack room for the registers and the yield? */
static bool has_room(const struct bine_hub *hub, uintptr_t sp)
{
    const struct bine_own *own = bine_own_of(hub->current);
    uintptr_t bottom = own ? (uintptr_t)own->bottom : 0;
    return !own || sp < bottom || sp > bottom + own->size ||
           sp - bottom > STACK_LEAST + bine_arch_xsave_size;
}

static void preempt_handle(int number, siginfo_t *info, void *arg)
{
    struct bine_hub *hub = bine_hub_here();
    greg_t *registers = ((ucontext_t *)arg)->uc_mcontext.gregs;
    if (info->si_code != SI_TIMER || info->si_value.sival_ptr != &timer) {
        pass_on(number, info, arg);
        return;
    }
    if (!hub)
        return;
    if (atomic_load_explicit(&hub->asleep, memory_order_relaxed)) {
        atomic_store_explicit(&hub->looked_into, true, memory_order_relaxed);
        return;
    }
    uintptr_t sp = (uintptr_t)registers[REG_RSP];
    if (seen != hub->ready.head) {
        seen = hub->ready.head;
        return;
    }
    if (!in_text((uintptr_t)registers[REG_RIP]) || !may_yield(hub) || !has_room(hub, sp))
        return;
    sp -= BINE_ARCH_RED_ZONE + sizeof(uintptr_t);
    *(uintptr_t *)sp = (uintptr_t)registers[REG_RIP];
    registers[REG_RSP] = (greg_t)sp;
    registers[REG_RIP] = (greg_t)(uintptr_t)bine_arch_preempted;
}

/* In the greenlet, between two instructions of its code. */
void bine_preempted(void)
{
    struct bine_hub *hub = bine_hub_here();
    int saved = errno;
    bine_schedule_look(hub, bine_hub_now(hub));
    bine_yield(hub);
    errno = saved;
    if (bine_preempt_resumes)
        bine_preempt_resumes(hub);
}

/* ---- starting and stopping ------------------------------------------------------------------- */

static int note_texts(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size, (void)arg;
    for (int i = 0; i < info->dlpi_phnum && text_count < TEXTS; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type != PT_LOAD || !(part->p_flags & PF_X))
            continue;
        texts[text_count].from = info->dlpi_addr + part->p_vaddr;
        texts[text_count++].to = info->dlpi_addr + part->p_vaddr + part->p_memsz;
    }
    return 1; /* the program comes first */
}

/* The size of the standard form of what bine_arch_preempted saves (Intel's manual, 13.4). */
static bool measure_registers(void)
{
    static const unsigned components[] = {2, 5, 6, 7};
    unsigned a, b, c, d, size = 576;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
        return false;
    for (size_t i = 0; i < sizeof components / sizeof *components; i++)
        if (__get_cpuid_count(13, components[i], &a, &b, &c, &d) && a && a + b > size)
            size = a + b;
    bine_arch_xsave_size = size;
    return true;
}

static int set_timer(int64_t duration)
{
    struct timespec time = {duration / BINE_SECOND, duration % BINE_SECOND};
    return timer_settime(timer, 0, &(struct itimerspec){time, time}, NULL);
}

static int make_timer(void)
{
    struct sigevent event = {
        .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGNAL, .sigev_value.sival_ptr = &timer};
    event._sigev_un._tid = (pid_t)bine_libc.syscall(SYS_gettid);
    return timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &timer);
}

static void preempt_before_fork(void)
{
    forking++;
}

static void preempt_after_fork(void)
{
    forking--;
}

/* Timers are not inherited. */
static void preempt_in_child(void)
{
    forking--;
    if (on && (make_timer() != 0 || set_timer(period) != 0))
        on = false;
}

static void preempt_on_fork(void)
{
    pthread_atfork(preempt_before_fork, preempt_after_fork, preempt_in_child);
}

/* ENOTSUP, or 0. */
static int preempt_possible(void)
{
    struct bine_hub *hub = bine_hub_get();
    if (!hub)
        return ENOMEM;
    if (!hub->main_thread || bine_own_thread_refusal() || !measure_registers())
        return ENOTSUP;
    if (!text_count)
        bine_libc.dl_iterate_phdr(note_texts, NULL);
    /* Bine calls the allocator where nothing may yield. */
    void *allocator = bine_libc.dlsym(RTLD_DEFAULT, "malloc");
    return !text_count || in_text((uintptr_t)allocator) || in_text((uintptr_t)bine_preempt_start)
               ? ENOTSUP
               : 0;
}

static int begin_timer(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct sigaction action = {.sa_sigaction = preempt_handle,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    sigset_t set;
    sigemptyset(&action.sa_mask);
    sigemptyset(&set);
    sigaddset(&set, SIGNAL);
    if (make_timer() != 0)
        return errno;
    if (bine_libc.sigaction(SIGNAL, &action, &before) != 0) {
        int error = errno;
        timer_delete(timer);
        return error;
    }
    bine_libc.pthread_once(&once, preempt_on_fork);
    bine_libc.pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    on = true;
    return 0;
}

int bine_preempt_start(int64_t duration)
{
    int saved = errno;
    int error = duration < BINE_MS ? EINVAL : preempt_possible();
    if (!error && !on)
        error = begin_timer();
    if (!error && set_timer(duration) != 0)
        error = errno;
    if (!error)
        period = duration;
    errno = error ? error : saved;
    return error ? -1 : 0;
}

void bine_preempt_stop(void)
{
    if (!on)
        return;
    timer_delete(timer);
    /* One that was sent already would end the process. */
    if (before.sa_handler == SIG_DFL)
        before.sa_handler = SIG_IGN;
    bine_libc.sigaction(SIGNAL, &before, NULL);
    on = false;
}

uint64_t bine_preempt_unblocked(void)
{
    return on ? UINT64_C(1) << (SIGNAL - 1) : 0;
}

bool bine_preempt_action(int number, const struct sigaction *action, struct sigaction *old)
{
    if (!on || number != SIGNAL)
        return false;
    bine_exchange_action(&before, action, old);
    return true;
}

#else

#ifdef __x86_64__
#include "arch/preempt.h"

/* For the assembly, which nothing leads to here. */
void bine_preempted(void)
{
}
#endif

int bine_preempt_start(int64_t duration)
{
    errno = duration < 1000000 ? EINVAL : ENOTSUP;
    return -1;
}

void bine_preempt_stop(void)
{
}

uint64_t bine_preempt_unblocked(void)
{
    return 0;
}

bool bine_preempt_action(int number, const struct sigaction *action, struct sigaction *old)
{
    (void)number, (void)action, (void)old;
    return false;
}

#endif
